"""Pictures to arrays and back."""

import io
import pathlib

import numpy as np
import pytest

import kerasish as keras
from tests.peer import keras_peer

pytest.importorskip("PIL")
U = keras.utils
rng = np.random.default_rng(0)
PICTURE = rng.uniform(0, 255, (6, 9, 3)).astype("float32")


def numbers(channels):
    return rng.integers(0, 256, (6, 9, channels)).astype("uint8")


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_arrays_come_back(channels, data_format, tmp_path):
    x = numbers(channels)
    given = np.moveaxis(x, -1, 0) if data_format == "channels_first" else x
    img = U.array_to_img(given, data_format, scale=False)
    assert img.size == (9, 6)
    back = U.img_to_array(img, data_format)
    assert back.dtype == "float32"
    np.testing.assert_array_equal(back, given)
    U.save_img(tmp_path / "x.png", given, data_format, scale=False)
    mode = {1: "grayscale", 3: "rgb", 4: "rgba"}[channels]
    loaded = U.load_img(tmp_path / "x.png", color_mode=mode)
    np.testing.assert_array_equal(U.img_to_array(loaded, data_format, "uint8"), given)


def test_values_are_stretched_or_cut_off():
    x = np.array([[[-10.0], [0.0], [40.0]]])
    np.testing.assert_array_equal(np.asarray(U.array_to_img(x)), [[0, 51, 255]])
    np.testing.assert_array_equal(np.asarray(U.array_to_img(x * 5, scale=False)), [[0, 0, 200]])
    np.testing.assert_array_equal(np.asarray(U.array_to_img(np.full((1, 2, 3), 7.0))), 0)
    deep = U.array_to_img(x * 100, scale=False)
    np.testing.assert_array_equal(np.asarray(deep), [[-1000, 0, 4000]])


def test_deep_gray_pictures_keep_their_bits(tmp_path):
    x = np.array([[[0.0], [255.0], [60000.0]]])
    U.save_img(tmp_path / "x.png", x, scale=False)
    loaded = U.load_img(tmp_path / "x.png", color_mode="grayscale")
    np.testing.assert_array_equal(U.img_to_array(loaded), x)


def test_tensors_are_taken(backend):
    img = U.array_to_img(keras.ops.convert_to_tensor(PICTURE))
    np.testing.assert_array_equal(np.asarray(img), np.asarray(U.array_to_img(PICTURE)))


def test_files_are_those_of_keras(tmp_path):
    peer = keras_peer().utils
    U.save_img(tmp_path / "x.png", PICTURE)
    np.testing.assert_array_equal(U.img_to_array(U.load_img(tmp_path / "x.png")),
                                  peer.img_to_array(peer.array_to_img(PICTURE)))  # fmt: skip
    for color_mode in ("rgb", "rgba", "grayscale"):
        for interpolation in ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"):
            for keep in (False, True):
                arguments = (color_mode, (4, 4), interpolation, keep)
                got = U.load_img(str(tmp_path / "x.png"), *arguments)
                want = peer.load_img(str(tmp_path / "x.png"), *arguments)
                np.testing.assert_array_equal(np.asarray(got), np.asarray(want))


def test_open_files(tmp_path):
    file = io.BytesIO()
    U.save_img(file, PICTURE, file_format="png")
    file.seek(0)
    assert U.load_img(file).size == (9, 6)
    U.save_img(tmp_path / "x.bmp", PICTURE)
    with open(tmp_path / "x.bmp", "rb") as opened:
        assert U.load_img(opened, target_size=(3, 2)).size == (2, 3)
    assert U.load_img(pathlib.Path(tmp_path / "x.bmp")).mode == "RGB"


def test_jpeg_drops_transparency(tmp_path):
    with pytest.warns(UserWarning, match="RGB"):
        U.save_img(tmp_path / "x.jpg", numbers(4))
    assert U.load_img(tmp_path / "x.jpg").mode == "RGB"


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_smart_resize_keeps_proportions(data_format, batch, backend):
    x = rng.uniform(size=(*batch, 6, 9, 2)).astype("float32")
    want = keras.ops.convert_to_numpy(
        keras.ops.image.resize(x[..., :, 1:7, :], (4, 4), data_format="channels_last")
    )
    given = np.moveaxis(x, -1, -3) if data_format == "channels_first" else x
    got = keras.preprocessing.image.smart_resize(given, (4, 4), data_format=data_format)
    assert isinstance(got, np.ndarray)
    got = np.moveaxis(got, -3, -1) if data_format == "channels_first" else got
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("wrong, error", [
    (lambda: U.array_to_img(np.zeros((3, 4))), ValueError),
    (lambda: U.array_to_img(np.zeros((3, 4, 5))), ValueError),
    (lambda: U.array_to_img(np.zeros((3, 4, 3)), "middle"), ValueError),
    (lambda: U.img_to_array(np.zeros((1, 3, 4, 3))), ValueError),
    (lambda: U.load_img(3), TypeError),
    (lambda: U.load_img("x.png", color_mode="cmyk"), ValueError),
    (lambda: U.load_img("x.png", interpolation="area"), ValueError),
    (lambda: keras.preprocessing.image.smart_resize(np.zeros((3, 4)), (2, 2)), ValueError),
    (lambda: keras.preprocessing.image.smart_resize(np.zeros((3, 4, 1)), (2,)), ValueError),
])  # fmt: skip
def test_refusals(wrong, error):
    with pytest.raises(error):
        wrong()
