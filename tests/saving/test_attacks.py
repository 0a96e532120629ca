"""Files made by hand to do harm, or damaged: each is refused with one clear error.

Loading never runs code that a file carries or chooses, and reads nothing outside the file.
"""

import base64
import io
import json
import marshal
import resource
import sys
import zipfile

import numpy as np
import pytest

import kerasish as keras
from kerasish import errors
from kerasish.errors import InvalidArgument, KerasishError, UnsafeFile
from kerasish.saving import serialization

h5py = pytest.importorskip("h5py")
L = keras.layers
SECRET = "root:x:0:0:a secret"


def small_model():
    model = keras.Sequential([keras.Input((3,)), L.Dense(2, name="d")], name="small")
    model.compile("adam", "mse")
    return model


@pytest.fixture
def good(tmp_path):
    """A harmless file, to be changed."""
    path = tmp_path / "good.keras"
    small_model().save(path)
    return path


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path


def rewritten(path, changes, **options):
    """A copy of an archive with some members replaced (None: left out) or added."""
    new = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w", **options) as archive:
        members = {name: old.read(name) for name in old.namelist()}
        for name, content in {**members, **changes}.items():
            if content is not None:
                archive.writestr(name, content)
    return new


def with_config(path, config):
    text = config if isinstance(config, str | bytes) else json.dumps(config)
    return rewritten(path, {"config.json": text})


def config_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def sequential(*layers):
    """The config of a Sequential model that takes three numbers."""
    first = keras.saving.serialize_keras_object(L.InputLayer(shape=(3,)))
    return {
        "module": "keras", "class_name": "Sequential", "registered_name": None,
        "config": {"name": "bad", "layers": [first, *layers]},
    }  # fmt: skip


def layer(class_name, module="keras.layers", **config):
    return {
        "module": module, "class_name": class_name, "config": {"name": "evil", **config},
        "registered_name": None,
    }  # fmt: skip


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


@pytest.fixture
def trap(monkeypatch):
    """Notes every dangerous call that loading makes."""
    import os
    import subprocess

    made = []
    for module, name in [
        (os, "system"), (os, "popen"), (subprocess, "run"), (subprocess, "Popen"),
        (keras.utils, "get_file"), (keras.utils.get_file.__globals__["urllib"].request, "urlopen"),
        (serialization, "_decode_lambda"),
    ]:  # fmt: skip
        monkeypatch.setattr(
            module, name, lambda *a, _name=name, **k: made.append((_name, a, k)), raising=True
        )
    yield made
    assert made == []


# Code ----------------------------------------------------------------------------------------


def lambda_config(text):
    code = base64.b64encode(marshal.dumps(compile(text, "<f>", "eval").co_consts[0])).decode()
    value = {"code": code, "defaults": None, "closure": None}
    return {"class_name": "__lambda__", "config": {"value": value}}


def test_marshalled_code_runs_only_when_asked_for(good, tmp_path):
    touched = tmp_path / "touched"
    text = f"lambda x: [open({str(touched)!r}, 'w').close(), x][1]"
    path = with_config(good, sequential(layer("Lambda", function=lambda_config(text))))
    with pytest.raises(UnsafeFile, match="safe_mode=False"):
        keras.models.load_model(path)
    assert not touched.exists()
    with pytest.raises(UnsafeFile):
        keras.saving.deserialize_keras_object(config_of(path))
    with pytest.raises(UnsafeFile):
        keras.models.model_from_json(json.dumps(config_of(path)))
    assert not touched.exists()
    keras.saving.deserialize_keras_object(config_of(path), safe_mode=False)
    assert touched.exists()


@pytest.mark.parametrize("place", ["activation", "loss", "nested", "argument", "initializer"])
def test_lambdas_are_refused_wherever_they_stand(good, place):
    code = lambda_config("lambda *a: 1 / 0")
    config = config_of(good)
    if place == "activation":
        config = sequential(layer("Dense", units=2, activation=code))
    elif place == "loss":
        config["compile_config"]["loss"] = code
    elif place == "nested":
        config = sequential(sequential(layer("Lambda", function=code)))
    elif place == "argument":
        config = sequential(
            layer("TimeDistributed", layer=layer("Dense", units=1, kernel_constraint=code))
        )
    else:
        config = sequential(layer("Dense", units=2, kernel_initializer=code))
    with pytest.raises(UnsafeFile, match="lambda"):
        keras.models.load_model(with_config(good, config))


def test_a_lambda_with_default_and_closure_comes_back_unsafely(good, tmp_path):
    factor = 3.0
    model = keras.Sequential([keras.Input((2,)), L.Lambda(lambda x, add=1.0: x * factor + add)])
    path = tmp_path / "l.keras"
    model.save(path)
    again = keras.models.load_model(path, safe_mode=False)
    assert again(np.ones((1, 2), "float32")).tolist() == [[4.0, 4.0]]


OUTSIDE = [
    ("os", "system"), ("posix", "system"), ("subprocess", "run"), ("subprocess", "Popen"),
    ("builtins", "eval"), ("builtins", "exec"), ("builtins", "open"), ("builtins", "__import__"),
    ("builtins", "getattr"), ("shutil", "rmtree"), ("pickle", "loads"), ("marshal", "loads"),
    ("importlib", "import_module"), ("runpy", "run_path"), ("numpy", "load"), ("numpy", "fromfile"),
    ("keras.utils", "get_file"), ("kerasish.utils", "get_file"),
    ("kerasish.utils.files", "get_file"), ("keras.models", "load_model"),
    ("keras.saving", "load_model"), ("keras.src.saving.saving_api", "load_model"),
    ("keras.utils", "set_random_seed"), ("keras.utils", "clear_session"),
    ("keras.config", "set_backend"), ("keras.config", "enable_unsafe_deserialization"),
    ("keras.utils", "image_dataset_from_directory"), ("keras.utils", "plot_model"),
    ("keras.layers", "deserialize"), ("keras.activations", "deserialize"),
    ("keras.datasets.mnist", "load_data"), ("keras.preprocessing.image", "load_img"),
    ("kerasish.saving.serialization", "_decode_lambda"), ("kerasish", "backends"),
    ("kerasish.saving.serialization", "importlib"), ("keras.layers", "__loader__"),
    ("keras.ops", "__builtins__"), ("keras.ops", "numpy.load"), ("keras.callbacks", "CSVLogger"),
    (None, "system"), ("", "eval"), (7, "eval"), (["os"], "system"), ("tests.saving", "os"),
    (__name__, "small_model"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name"), OUTSIDE, ids=lambda x: str(x))
def test_only_the_library_and_what_is_registered_can_be_named(good, trap, module, name):
    said = "not part of|not registered|neither layer nor op|has no from_config|cannot be loaded"
    for config in (
        sequential(layer("Lambda", function=function(module, name), arguments={"a": "id"})),
        sequential(layer("Activation", activation=function(module, name))),
        sequential(layer(name, module)),
    ):
        with pytest.raises(KerasishError, match=said):
            keras.models.load_model(with_config(good, config))


@pytest.mark.parametrize(
    ("module", "name", "args", "kwargs"),
    [
        ("keras.utils", "get_file", ["x"], {"origin": "http://localhost:9/x"}),
        ("keras.models", "load_model", ["evil.keras"], {"safe_mode": False}),
        ("keras.ops", "load", ["evil"], {}),
        ("keras.src.ops.numpy", "Ones", [[100000, 100000]], {}),
        ("keras.src.ops.core", "__import__", ["os"], {}),
        ("kerasish.callbacks.logs", "CSVLogger", ["evil.csv"], {}),
        ("os", "system", ["id"], {}),
        ("keras.layers", "Dense", [[[1.0]]], {}),
    ],
)
@pytest.mark.parametrize("as_function", [False, True])
def test_a_graph_calls_layers_and_ops_only(good, trap, module, name, args, kwargs, as_function):
    x = keras.Input((3,), name="x")
    config = keras.saving.serialize_keras_object(keras.Model(x, x * 2))
    entry = function(module, name) if as_function else layer(name, module)
    if name == "Dense":
        entry["config"] = {"units": 1, "name": "evil"}
    entry.update(name="evil", inbound_nodes=[{"args": args, "kwargs": kwargs}])
    config["config"]["layers"].append(entry)
    with pytest.raises(KerasishError):
        keras.models.load_model(with_config(good, config))


def test_no_module_is_imported_for_a_file(good):
    before = set(sys.modules)
    for module in ("antigravity", "this", "turtledemo.clock", "kerasish.nothing"):
        with pytest.raises(InvalidArgument, match="not part of"):
            keras.models.load_model(with_config(good, sequential(layer("Evil", module))))
    assert not {"antigravity", "this", "turtledemo.clock"} & (set(sys.modules) - before)


def test_there_is_no_switch_that_turns_checks_off():
    with pytest.raises(UnsafeFile, match="safe_mode=False"):
        keras.config.enable_unsafe_deserialization()


def test_pickled_torch_modules_are_refused(good):
    evil = layer("TorchModuleWrapper")
    evil["config"]["module"] = base64.b64encode(b"cos\nsystem\n.").decode()
    with pytest.raises(UnsafeFile, match="refused"):
        keras.models.load_model(with_config(good, sequential(evil)))


# Other files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_a_vocabulary_is_not_read_from_another_file(good, secret, name):
    config = sequential(layer(name, vocabulary=str(secret)))
    with pytest.raises(UnsafeFile, match="names another file") as caught:
        keras.models.load_model(with_config(good, config))
    assert SECRET not in str(caught.value)


def test_a_saved_model_is_not_read_from_another_place(good, tmp_path):
    config = sequential(layer("TFSMLayer", filepath=str(tmp_path)))
    with pytest.raises(UnsafeFile, match="refused"):
        keras.models.load_model(with_config(good, config))


@pytest.mark.parametrize(
    "name",
    ["../outside.txt", "assets/../../outside.txt", "/tmp/outside.txt", "assets\\..\\outside.txt",
     "C:/outside.txt", "..", "assets/a/.."],
)  # fmt: skip
def test_members_with_paths_out_of_the_archive(good, tmp_path, name):
    path = rewritten(good, {name: b"x"})
    with pytest.raises(UnsafeFile, match="path out of it"):
        keras.models.load_model(path)
    with pytest.raises(UnsafeFile, match="path out of it"):
        small_model().load_weights(path)
    assert not list(tmp_path.parent.rglob("outside.txt"))


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "assets/x/vocabulary.txt"])
def test_members_that_are_links(good, secret, name):
    path = rewritten(good, {name: None})
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, str(secret))
    with pytest.raises(UnsafeFile, match="is a link"):
        keras.models.load_model(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_occur_twice(good):
    with zipfile.ZipFile(good, "a") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(UnsafeFile, match="more than one"):
        keras.models.load_model(good)


def poisoned(tmp_path, poison, name="w.weights.h5"):
    """A file of weights whose kernel is what `poison(group)` puts there."""
    path = tmp_path / name
    small_model().save_weights(path)
    with h5py.File(path, "r+") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        poison(group)
    return path


@pytest.fixture
def outside(tmp_path):
    """Another file with a kernel of the right shape, and raw bytes of its size."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kernel"] = np.full((3, 2), 7, "float32")
        file["vars/0"] = np.full((3, 2), 7, "float32")
        file["vars/1"] = np.full((2,), 7, "float32")
    (tmp_path / "raw.bin").write_bytes(np.full((3, 2), 7, "float32").tobytes())
    return tmp_path


def external_link(group, folder):
    group["0"] = h5py.ExternalLink(str(folder / "other.h5"), "/kernel")


def soft_link_to_external(group, folder):
    group.file["elsewhere"] = h5py.ExternalLink(str(folder / "other.h5"), "/")
    group["0"] = h5py.SoftLink("/elsewhere/kernel")


def soft_link_inside(group, folder):
    group["0"] = h5py.SoftLink("/layers/dense/vars/1")


def dangling(group, folder):
    group["0"] = h5py.SoftLink("/nowhere")


def external_storage(group, folder):
    group.create_dataset(
        "0", (3, 2), "float32", external=[(str(folder / "raw.bin"), 0, 24)]
    )


def external_passwd(group, folder):
    group.create_dataset("0", (3, 2), "float32", external=[("/etc/passwd", 0, 24)])


def virtual(group, folder):
    layout = h5py.VirtualLayout((3, 2), "float32")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "kernel", (3, 2))
    group.create_virtual_dataset("0", layout)


def a_group(group, folder):
    group.create_group("0")


def strings(group, folder):
    group.create_dataset("0", (3, 2), h5py.string_dtype())


def compound(group, folder):
    group.create_dataset("0", (3, 2), [("a", "f4"), ("b", "f4")])


def references(group, folder):
    group.create_dataset("0", (3, 2), h5py.ref_dtype)


def huge(group, folder):
    group.create_dataset("0", (1 << 20, 1 << 20), "float32", chunks=(1024, 1024))


def huge_numbers(group, folder):
    group.create_dataset("0", (3, 2), np.dtype("V500000000"), chunks=(1, 1))


def other_shape(group, folder):
    group["0"] = np.zeros((5, 4), "float32")


POISONS = [
    external_link, soft_link_to_external, soft_link_inside, dangling, external_storage,
    external_passwd, virtual, a_group, strings, compound, references, huge, huge_numbers,
    other_shape,
]  # fmt: skip


@pytest.mark.parametrize("poison", POISONS, ids=lambda f: f.__name__)
def test_weights_that_are_not_plain_arrays_in_the_file(tmp_path, outside, good, poison):
    path = poisoned(tmp_path, lambda group: poison(group, outside))
    model = small_model()
    before = model.get_weights()
    kind = errors.ShapeError if poison is other_shape else UnsafeFile
    with pytest.raises(kind):
        model.load_weights(path)
    for a, b in zip(before, model.get_weights(), strict=True):
        assert (a == b).all()
    # Not even where what does not fit may be skipped, and not from within an archive.
    if kind is UnsafeFile:
        with pytest.raises(kind):
            model.load_weights(path, skip_mismatch=True)
    with pytest.raises(KerasishError):
        keras.models.load_model(rewritten(good, {"model.weights.h5": path.read_bytes()}))


def test_a_group_that_is_a_link_out_is_not_followed(tmp_path, outside):
    path = tmp_path / "w.weights.h5"
    small_model().save_weights(path)
    with h5py.File(path, "r+") as file:
        del file["layers/dense"]
        file["layers/dense"] = h5py.ExternalLink(str(outside / "other.h5"), "/")
    model = small_model()
    before = model.get_weights()
    with pytest.raises(KerasishError):
        model.load_weights(path)
    model.load_weights(path, skip_mismatch=True)
    assert (model.get_weights()[0] == before[0]).all()


# Memory ----------------------------------------------------------------------------------------


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@pytest.mark.parametrize(
    "layers",
    [
        [layer("Dense", units=1_000_000_000)],
        [layer("Embedding", input_dim=10**9, output_dim=10**6)],
        [layer("Dense", units=10**30)],
        [layer("Dense", name=f"d{i}", units=4000) for i in range(50)],
    ],
    ids=["dense", "embedding", "overflow", "many"],
)
def test_a_config_cannot_claim_more_than_its_weights(good, layers):
    before = peak()
    for i, entry in enumerate(layers):
        entry["config"]["name"] = f"evil{i}"
    with pytest.raises(KerasishError):
        keras.models.load_model(with_config(good, sequential(*layers)))
    assert peak() - before < 500 << 20


@pytest.mark.filterwarnings("ignore:The state of")  # there is none yet
def test_what_an_optimizer_makes_is_no_claim(tmp_path):
    model = keras.Sequential([keras.Input((2000,)), L.Dense(4000)])
    options = {"use_ema": True, "gradient_accumulation_steps": 2, "amsgrad": True}
    model.compile(keras.optimizers.Adam(**options), "mse")
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.optimizer.use_ema and len(again.optimizer.variables) > 10


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "assets/evil/vocabulary.txt"])
def test_a_small_archive_that_unpacks_to_a_large_member(good, name):
    before = peak()
    path = rewritten(good, {name: bytes(300 << 20)}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(KerasishError):
        keras.models.load_model(path)
    assert peak() - before < 1000 << 20


# Damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "not JSON", "[]", "null", "7", '"text"', "{}", '{"class_name": "Sequential"}',
        '{"class_name": 7, "config": {}}', '{"class_name": ["Dense"], "config": {}}',
        '{"class_name": "Sequential", "module": "keras", "config": 7}',
        '{"class_name": "Sequential", "module": "keras", "config": {"layers": 7}}',
        '{"class_name": "Sequential", "module": "keras", "config": {"layers": [7]}}',
        '{"class_name": "Functional", "module": "keras", "config": {"layers": [{}]}}',
        '{"class_name": "__numpy__", "config": {}}',
        '{"class_name": "__keras_tensor__", "config": {"shape": [1]}}',
        '{"class_name": "Adam", "module": "keras.optimizers", "config": {}}',
        '{"class_name": "Dense", "module": "keras.layers", "config": {"units": "many"}}',
        b"\xff\xfe\x00garbage", "9" * 5000, "[" * 200_000,
        '{"class_name":"Sequential","module":"keras","config":' * 100_000,
    ],
    ids=lambda x: repr(x[:30]),
)  # fmt: skip
def test_configs_that_are_none(good, text):
    with pytest.raises(KerasishError):
        keras.models.load_model(with_config(good, text))


@pytest.mark.parametrize("depth", [300, 900, 3000])
def test_configs_that_are_nested_deeply(good, depth):
    config = layer("Dense", units=1)
    for _ in range(depth):
        config = {"class_name": "Wrapper", "module": "keras.layers", "config": {"layer": config}}
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)  # the text is written here; it is read with the usual limit
    try:
        text = json.dumps(sequential(config))
    finally:
        sys.setrecursionlimit(limit)
    with pytest.raises(KerasishError):
        keras.models.load_model(with_config(good, text))


def test_deep_objects_have_the_same_error():
    config = []
    for _ in range(100_000):
        config = [config]
    with pytest.raises(UnsafeFile, match="nested too deeply"):
        keras.saving.deserialize_keras_object(config)


@pytest.mark.parametrize("dtype", ["object", "O", "V1000000000", "float32, object", {"a": 1}, 7])
def test_arrays_of_objects_in_configs(dtype):
    for name in ("__numpy__", "__tensor__"):
        config = {"class_name": name, "config": {"value": [[1]], "dtype": dtype}}
        with pytest.raises(KerasishError, match="dtype"):
            keras.saving.deserialize_keras_object(config)


def test_pickled_arrays_as_weights(good):
    held = io.BytesIO()
    np.save(held, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(KerasishError):
        keras.models.load_model(rewritten(good, {"model.weights.h5": held.getvalue()}))


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", ["w.weights.h5", "m.keras"])
def test_truncated_files(tmp_path, name, kept):
    path = tmp_path / name
    model = small_model()
    model.save(path) if name.endswith(".keras") else model.save_weights(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    before = model.get_weights()
    with pytest.raises(KerasishError, match=name):
        model.load_weights(path)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    with pytest.raises(KerasishError, match=name):
        keras.models.load_model(path)


def test_flipped_bytes_never_give_another_kind_of_error(good):
    content = good.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            damaged[place] ^= int(rng.integers(1, 256))
        path = good.with_name("damaged.keras")
        path.write_bytes(damaged)
        try:
            keras.models.load_model(path)
        except KerasishError as error:
            assert str(error)


@pytest.mark.parametrize("missing", ["config.json", "model.weights.h5"])
def test_missing_members(good, missing):
    with pytest.raises(InvalidArgument, match=missing):
        keras.models.load_model(rewritten(good, {missing: None}))


@pytest.mark.parametrize("name", ["text.keras", "text.weights.h5"])
def test_text_with_a_models_name(tmp_path, name):
    path = tmp_path / name
    path.write_text("I am no model.")
    with pytest.raises(InvalidArgument, match=name):
        keras.models.load_model(path)
    with pytest.raises(InvalidArgument, match=name):
        small_model().load_weights(path)


def test_folders_and_files_that_are_not_there(tmp_path):
    for path in (tmp_path, tmp_path / "none.keras", "/dev/null"):
        with pytest.raises(InvalidArgument, match="no file"):
            keras.models.load_model(path)


def test_damaged_safetensors(tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "w.safetensors"
    model = small_model()
    model.save_weights(path)
    before, content = model.get_weights(), path.read_bytes()
    huge = b'{"layers/dense/vars/0":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,24]}}'
    for damaged in (
        b"", content[:20], content[:-4], b"\xff" * 64, len(huge).to_bytes(8, "little") + huge,
        (1 << 62).to_bytes(8, "little") + content[8:],
    ):  # fmt: skip
        path.write_bytes(damaged)
        with pytest.raises(KerasishError, match="safetensors"):
            model.load_weights(path)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_notes_beside_weights_hold_no_code(tmp_path):
    path = tmp_path / "w.weights.h5"
    model = small_model()
    model.save_weights(path)
    told = {"policy": "int8_from_float32", "config": lambda_config("lambda *a: 1 / 0")}
    for note in (json.dumps({"quantization": told}), json.dumps(told), "{", "7"):
        with h5py.File(path, "r+") as file:
            file["layers/dense/vars"].attrs["quantization"] = note
        with pytest.raises(KerasishError):
            model.load_weights(path)
