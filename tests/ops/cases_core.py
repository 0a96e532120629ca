"""Conversion, products that sum over axes, patterns."""

import ml_dtypes
import numpy as np

from tests.ops.case import bools, case, ints, unit, x

case("cast", x(3), "int32", ref=lambda a, dtype: a.astype(dtype), grad=False)
case("cast", x(3), "float16", ref=lambda a, dtype: a.astype(dtype), grad=False)
case("cast", x(3), "bfloat16", ref=lambda a, dtype: a.astype(ml_dtypes.bfloat16), grad=False)
case("cast", ints(3), "float32", ref=lambda a, dtype: a.astype(dtype))
case("cast", x(3), bool, ref=lambda a, dtype: a.astype(dtype), grad=False)
case("saturate_cast", [-7.0, 3.5, 300.0], "uint8", ref=np.array([0, 3, 255]))
case("saturate_cast", [-3e9, 7.0, 3e9], "int32", ref=np.array([-(2**31), 7, 2147483520]))
case("saturate_cast", [-1e6, 1.5, 1e6], "float16", ref=np.array([-65504.0, 1.5, 65504.0]))
case("saturate_cast", [-200, 100, 200], "int8", ref=np.array([-128, 100, 127]))
case("saturate_cast", [-5, 0, 7], "bool", ref=np.array([False, False, True]))
case("saturate_cast", [-5, 5], "uint32", ref=np.array([0, 5]))
case("saturate_cast", x(3), "float32", ref=lambda a, dtype: a, grad=False)
case("stop_gradient", x(3), ref=lambda a: a, grad=False)
case("shape", x(3, 4), ref=lambda a: a.shape, grad=False)
case("dtype", x(3, 4), ref="float32", grad=False)
case("is_tensor", [1.0], ref=False)
case("convert_to_tensor", [1, 2], ref=np.array([1, 2]))
case("convert_to_tensor", x(3), "float16", ref=lambda a, dtype: a.astype(dtype), grad=False)

for subscripts, *shapes in (
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,kj", (2, 3), (4, 3)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bthd,bshd->bhts", (2, 3, 4, 5), (2, 6, 4, 5)), ("i,j->ji", (2,), (3,)), ("ij->ji", (2, 3)),
    ("ij->i", (2, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("iij,j->i", (3, 3, 2), (2,)),
    ("ij,ij->", (2, 3), (2, 3)), ("ij,ij->ij", (2, 3), (2, 3)), ("bi,bi->b", (4, 3), (4, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)), ("ij,jk,kl,l->", (2, 3), (3, 4), (4, 5), (5,)),
    ("...ij,...jk->...ik", (2, 3, 4), (4, 5)), ("...ij,jk", (2, 1, 3, 4), (4, 5)),
    ("i...,...->i...", (3, 2), (2,)), ("ij,k->ik", (2, 3), (4,)), ("bij,ij->b", (1, 2, 3), (2, 3)),
    ("...i,...i->...", (5, 1, 3), (2, 3)), (",ij->ij", (), (2, 3)), ("a,b,c->", (2,), (3,), (2,)),
    ("abc,cd->abd", (2, 3, 4), (4, 5)), ("abc,acd->abd", (2, 3, 4), (2, 4, 5)),
    (" i j , j k -> i k ", (2, 3), (3, 2)), ("ij,jk->ik", (2, 1), (3, 4)),
    ("ij,ij->i", (2, 1), (2, 3)), ("ij,ij->ij", (2, 3), (1, 3)), ("bij,bjk->ik", (1, 2, 3), (4, 3, 5)),
    ("iij,j->i", (3, 3, 1), (2,)),
):  # fmt: skip
    case("einsum", subscripts, *(x(*s) for s in shapes),
         ref=lambda s, *a: np.einsum(s.replace(" ", ""), *a))
case("einsum", "ij,jk->ik", ints(2, 3, dtype="int8", high=100), ints(3, 2, dtype="int8", high=100),
     ref=lambda s, a, b: a.astype(int) @ b.astype(int))
case("einsum", "ij,jk->ik", bools(2, 3), bools(3, 2), ref=lambda s, a, b: a @ b)
case("einsum", "ij,jk->ik", ints(2, 3), x(3, 2), ref=lambda s, a, b: a @ b)
case("tensordot", x(2, 3, 4), x(3, 4, 5), ref=np.tensordot)
case("tensordot", x(2, 3), x(3, 4), axes=1, ref=np.tensordot)
case("tensordot", x(2, 3), x(4), axes=0, ref=np.tensordot)
case("tensordot", x(2, 3, 4), x(4, 5, 2), axes=([0, -1], [2, 0]), ref=np.tensordot)
case("tensordot", x(2, 3), x(3, 2), axes=(1, 0), ref=np.tensordot)
case("dot", x(3), x(3), ref=np.dot)
case("dot", x(2, 3), x(3), ref=np.dot)
case("dot", x(2, 3, 4), x(5, 4, 2), ref=np.dot)
case("dot", x(2, 3), 2.0, ref=np.dot)
case("inner", x(3), x(3), ref=np.inner)
case("inner", x(2, 3, 4), x(5, 4), ref=np.inner)
case("inner", x(2, 3), 2.0, ref=np.inner)
case("outer", x(2, 3), x(4), ref=np.outer)
case("vdot", x(2, 3), x(3, 2), ref=np.vdot)
case("vdot", ints(4), ints(4), ref=np.vdot)
case("kron", x(2, 3), x(3, 2), ref=np.kron)
case("kron", x(3), x(2, 2), ref=np.kron)
case("cross", x(4, 3), x(4, 3), ref=np.cross)
case("cross", x(4, 3), x(1, 3), ref=np.cross)
case("cross", x(3, 4), x(4, 3), axisa=0, axisc=0, symbolic=False,
     ref=lambda a, b, axisa, axisc: np.cross(a.T, b).T)
case("cross", x(3, 4), x(3, 4), axis=0, symbolic=False,
     ref=lambda a, b, axis: np.cross(a, b, axis=0))
plane = lambda a: np.concatenate([a, np.zeros((*a.shape[:-1], 1), a.dtype)], -1)  # noqa: E731
case("cross", x(4, 2), x(4, 2), ref=lambda a, b: np.cross(plane(a), plane(b))[..., 2])
case("cross", x(4, 2), x(4, 3), ref=lambda a, b: np.cross(plane(a), b))
case("corrcoef", x(3, 6), ref=np.corrcoef)
case("corrcoef", x(6), ref=np.corrcoef)
for mode in ("valid", "same", "full"):
    case("correlate", x(7), x(3), mode=mode, ref=np.correlate)
    case("correlate", x(3), x(6), mode=mode, ref=np.correlate)
    case("correlate", x(6), x(4), mode=mode, ref=np.correlate)
case("correlate", ints(5), ints(2), ref=np.correlate)

for pattern, shape, lengths, ref in (
    ("b h w c -> b c h w", (2, 3, 4, 5), {}, lambda a: a.transpose(0, 3, 1, 2)),
    ("b (h w) c -> b c h w", (2, 6, 4), {"h": 2},
     lambda a: a.reshape(2, 2, 3, 4).transpose(0, 3, 1, 2)),
    ("b ... -> (b ...)", (2, 3, 4), {}, np.ravel),
    ("... (h d) -> h ... d", (2, 3, 8), {"h": 2},
     lambda a: a.reshape(2, 3, 2, 4).transpose(2, 0, 1, 3)),
    ("a 1 b -> b 1 a 1", (2, 1, 3), {}, lambda a: a[:, 0].T[:, None, :, None]),
    ("(a b) (c d) -> (a c) (b d)", (4, 6), {"a": 2, "d": 3},
     lambda a: a.reshape(2, 2, 2, 3).transpose(0, 2, 1, 3).reshape(4, 6)),
):  # fmt: skip
    case("rearrange", x(*shape), pattern, ref=lambda _x, _p, _ref=ref, **_: _ref(_x), **lengths)
case("vectorize", unit(4), ref=np.arcsin, grad=False, symbolic=False,
     through=lambda f, a: f(lambda v: __import__("kerasish").ops.arcsin(v))(a))
