"""One row a layer: how it is made, and what it is called on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

import kerasish as keras

L = keras.layers
rng = np.random.default_rng(11)


def x(*shape):
    return rng.uniform(-1, 1, shape).astype("float32")


def ints(*shape, high=7):
    return rng.integers(0, high, shape).astype("int32")


@dataclasses.dataclass
class Row:
    make: Callable[[], Any]
    inputs: Any
    ref: Any = None
    """The expected output as a function of (layer, inputs), where a closed form is short."""
    training: bool = False
    id: str = ""


ROWS: list[Row] = []


def row(make, *inputs, ref=None, training=False):
    name = type(make()).__name__
    n = sum(r.id.partition("-")[0] == name for r in ROWS)
    ROWS.append(Row(make, inputs[0] if len(inputs) == 1 else list(inputs), ref, training,
                    f"{name}-{n}"))


def w(layer):
    return layer.get_weights()


relu = lambda a: np.maximum(a, 0)
sigmoid = lambda a: 1 / (1 + np.exp(-a))

row(lambda: L.Dense(4), x(3, 5), ref=lambda la, a: a @ w(la)[0] + w(la)[1])
row(lambda: L.Dense(4, activation="relu", use_bias=False), x(2, 3, 5), ref=lambda la, a: relu(a @ w(la)[0]))
row(lambda: L.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d"), x(2, 3, 5),
    ref=lambda la, a: a @ w(la)[0] + w(la)[1])
row(lambda: L.EinsumDense("...x,xy->...y", 4, bias_axes="y"), x(2, 3, 5), ref=lambda la, a: a @ w(la)[0] + w(la)[1])
row(lambda: L.Embedding(7, 4), ints(3, 5), ref=lambda la, a: w(la)[0][a])
row(lambda: L.Activation("tanh"), x(3, 4), ref=lambda la, a: np.tanh(a))
row(lambda: L.Identity(), x(3, 4), ref=lambda la, a: a)
row(lambda: L.Masking(0.0), x(2, 3, 4), ref=lambda la, a: a)
row(lambda: L.ReLU(negative_slope=0.1, max_value=0.5), x(3, 4),
    ref=lambda la, a: np.where(a > 0, np.minimum(a, 0.5), 0.1 * a))
row(lambda: L.LeakyReLU(0.2), x(3, 4), ref=lambda la, a: np.where(a > 0, a, 0.2 * a))
row(lambda: L.ELU(0.5), x(3, 4), ref=lambda la, a: np.where(a > 0, a, 0.5 * (np.exp(a) - 1)))
row(lambda: L.PReLU(alpha_initializer="ones"), x(3, 4), ref=lambda la, a: a)
row(lambda: L.Softmax(), x(3, 4), ref=lambda la, a: np.exp(a) / np.exp(a).sum(-1, keepdims=True))
row(lambda: L.Rescaling(2.0, 1.0), x(3, 4), ref=lambda la, a: 2 * a + 1)
row(lambda: L.Flatten(), x(2, 3, 4), ref=lambda la, a: a.reshape(2, 12))
row(lambda: L.Reshape((4, -1)), x(2, 3, 4), ref=lambda la, a: a.reshape(2, 4, 3))
row(lambda: L.Permute((2, 1)), x(2, 3, 4), ref=lambda la, a: a.transpose(0, 2, 1))
row(lambda: L.RepeatVector(3), x(2, 4), ref=lambda la, a: np.repeat(a[:, None], 3, 1))
row(lambda: L.ZeroPadding1D(2), x(2, 3, 4), ref=lambda la, a: np.pad(a, ((0, 0), (2, 2), (0, 0))))
row(lambda: L.ZeroPadding2D(((1, 0), (0, 2))), x(2, 3, 4, 1),
    ref=lambda la, a: np.pad(a, ((0, 0), (1, 0), (0, 2), (0, 0))))
row(lambda: L.ZeroPadding3D(1), x(1, 2, 2, 2, 1), ref=lambda la, a: np.pad(a, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0))))
row(lambda: L.Cropping1D(1), x(2, 5, 3), ref=lambda la, a: a[:, 1:-1])
row(lambda: L.Cropping2D(((1, 0), (0, 2))), x(2, 4, 5, 1), ref=lambda la, a: a[:, 1:, :-2])
row(lambda: L.Cropping3D(1), x(1, 3, 4, 5, 1), ref=lambda la, a: a[:, 1:-1, 1:-1, 1:-1])
row(lambda: L.UpSampling1D(2), x(2, 3, 4), ref=lambda la, a: a.repeat(2, 1))
row(lambda: L.UpSampling2D((2, 3)), x(1, 2, 3, 2), ref=lambda la, a: a.repeat(2, 1).repeat(3, 2))
row(lambda: L.UpSampling3D(2), x(1, 2, 2, 2, 1), ref=lambda la, a: a.repeat(2, 1).repeat(2, 2).repeat(2, 3))
row(lambda: L.Dropout(0.5), x(3, 4), ref=lambda la, a: a)
row(lambda: L.Dropout(0.5, seed=1), x(3, 4), training=True)
row(lambda: L.SpatialDropout1D(0.5), x(2, 3, 4), ref=lambda la, a: a)
row(lambda: L.SpatialDropout2D(0.5, seed=1), x(2, 3, 4, 5), training=True)
row(lambda: L.SpatialDropout3D(0.5), x(1, 2, 2, 2, 3), ref=lambda la, a: a)
row(lambda: L.GaussianDropout(0.5), x(3, 4), ref=lambda la, a: a)
row(lambda: L.GaussianNoise(0.5, seed=2), x(3, 4), training=True)
row(lambda: L.AlphaDropout(0.5, seed=3), x(3, 4), training=True)
row(lambda: L.ActivityRegularization(0.1, 0.2), x(3, 4), ref=lambda la, a: a)
row(lambda: L.Conv1D(3, 2), x(2, 6, 4), ref=lambda la, a: sum(
    a[:, i : i + 5] @ w(la)[0][i] for i in range(2)) + w(la)[1])
row(lambda: L.Conv1D(3, 3, padding="causal", dilation_rate=2), x(2, 6, 4), ref=lambda la, a: sum(
    np.pad(a, ((0, 0), (4, 0), (0, 0)))[:, 2 * i : 2 * i + 6] @ w(la)[0][i] for i in range(3)) + w(la)[1])
row(lambda: L.Conv2D(3, (2, 1), use_bias=False), x(2, 4, 5, 2), ref=lambda la, a: sum(
    a[:, i : i + 3] @ w(la)[0][i, 0] for i in range(2)))
row(lambda: L.Conv2D(4, 3, strides=2, padding="same", groups=2, activation="relu"), x(2, 5, 6, 4))
row(lambda: L.Conv3D(2, 2), x(1, 3, 3, 3, 2))
row(lambda: L.Conv1DTranspose(2, 3, strides=2), x(2, 4, 3))
row(lambda: L.Conv2DTranspose(2, 3, strides=2, padding="same"), x(1, 3, 4, 2))
row(lambda: L.Conv3DTranspose(2, 2, strides=2), x(1, 2, 2, 2, 1))
row(lambda: L.DepthwiseConv1D(2, depth_multiplier=2), x(2, 5, 3))
row(lambda: L.DepthwiseConv2D(2), x(2, 4, 4, 3), ref=lambda la, a: sum(
    a[:, i : i + 3, j : j + 3] * w(la)[0][i, j, :, 0] for i in range(2) for j in range(2)) + w(la)[1])
row(lambda: L.SeparableConv1D(3, 2), x(2, 5, 3))
row(lambda: L.SeparableConv2D(3, 2), x(2, 4, 4, 3))
row(lambda: L.MaxPooling1D(2), x(2, 6, 3), ref=lambda la, a: a.reshape(2, 3, 2, 3).max(2))
row(lambda: L.MaxPooling2D(), x(2, 4, 6, 3), ref=lambda la, a: a.reshape(2, 2, 2, 3, 2, 3).max((2, 4)))
row(lambda: L.MaxPooling3D(), x(1, 2, 2, 2, 3), ref=lambda la, a: a.max((1, 2, 3), keepdims=True))
row(lambda: L.AveragePooling1D(2), x(2, 6, 3), ref=lambda la, a: a.reshape(2, 3, 2, 3).mean(2))
row(lambda: L.AveragePooling2D(2), x(2, 4, 6, 3), ref=lambda la, a: a.reshape(2, 2, 2, 3, 2, 3).mean((2, 4)))
row(lambda: L.AveragePooling3D(2), x(1, 2, 2, 2, 3), ref=lambda la, a: a.mean((1, 2, 3), keepdims=True))
row(lambda: L.GlobalAveragePooling1D(), x(2, 5, 3), ref=lambda la, a: a.mean(1))
row(lambda: L.GlobalAveragePooling2D(keepdims=True), x(2, 3, 4, 5), ref=lambda la, a: a.mean((1, 2), keepdims=True))
row(lambda: L.GlobalAveragePooling3D(), x(1, 2, 3, 2, 2), ref=lambda la, a: a.mean((1, 2, 3)))
row(lambda: L.GlobalMaxPooling1D(), x(2, 5, 3), ref=lambda la, a: a.max(1))
row(lambda: L.GlobalMaxPooling2D(), x(2, 3, 4, 5), ref=lambda la, a: a.max((1, 2)))
row(lambda: L.GlobalMaxPooling3D(), x(1, 2, 3, 2, 2), ref=lambda la, a: a.max((1, 2, 3)))
row(lambda: L.AdaptiveAveragePooling1D(2), x(2, 6, 3), ref=lambda la, a: a.reshape(2, 2, 3, 3).mean(2))
row(lambda: L.AdaptiveMaxPooling2D((2, 1)), x(1, 4, 3, 2), ref=lambda la, a: a.reshape(1, 2, 2, 3, 2).max((2, 3))[:, :, None])
row(lambda: L.BatchNormalization(), x(5, 4), ref=lambda la, a: a / np.sqrt(1 + 1e-3))
row(lambda: L.BatchNormalization(scale=False), x(6, 2, 3), training=True,
    ref=lambda la, a: (a - a.mean((0, 1))) / np.sqrt(a.var((0, 1)) + 1e-3))
row(lambda: L.LayerNormalization(), x(3, 5),
    ref=lambda la, a: (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-3))
row(lambda: L.LayerNormalization(axis=(1, 2)), x(3, 4, 5))
row(lambda: L.LayerNormalization(rms_scaling=True), x(3, 5),
    ref=lambda la, a: a / np.sqrt(a.var(-1, keepdims=True) + 1e-3))
row(lambda: L.RMSNormalization(), x(3, 5), ref=lambda la, a: a / np.sqrt((a**2).mean(-1, keepdims=True) + 1e-6))
row(lambda: L.GroupNormalization(2), x(2, 3, 4))
row(lambda: L.UnitNormalization(), x(3, 4), ref=lambda la, a: a / np.linalg.norm(a, axis=-1, keepdims=True))
row(lambda: L.SpectralNormalization(L.Dense(3)), x(2, 4))
row(lambda: L.Add(), x(2, 3), x(2, 3), ref=lambda la, a: a[0] + a[1])
row(lambda: L.Subtract(), x(2, 3), x(2, 3), ref=lambda la, a: a[0] - a[1])
row(lambda: L.Multiply(), x(2, 3), x(2, 1), ref=lambda la, a: a[0] * a[1])
row(lambda: L.Average(), x(2, 3), x(2, 3), ref=lambda la, a: (a[0] + a[1]) / 2)
row(lambda: L.Maximum(), x(2, 3), x(2, 3), ref=lambda la, a: np.maximum(*a))
row(lambda: L.Minimum(), x(2, 3), x(2, 3), ref=lambda la, a: np.minimum(*a))
row(lambda: L.Concatenate(1), x(2, 3, 2), x(2, 1, 2), ref=lambda la, a: np.concatenate(a, 1))
row(lambda: L.Dot(1), x(2, 3), x(2, 3), ref=lambda la, a: (a[0] * a[1]).sum(1, keepdims=True))
row(lambda: L.SimpleRNN(3), x(2, 4, 5))
row(lambda: L.LSTM(3, return_sequences=True), x(2, 4, 5))
row(lambda: L.LSTM(3, return_state=True, go_backwards=True), x(2, 4, 5))
row(lambda: L.GRU(3), x(2, 4, 5))
row(lambda: L.GRU(3, reset_after=False, return_sequences=True), x(2, 4, 5))
row(lambda: L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_sequences=True), x(2, 4, 5))
row(lambda: L.Bidirectional(L.LSTM(3, return_sequences=True)), x(2, 4, 5))
row(lambda: L.Bidirectional(L.GRU(3), merge_mode="sum"), x(2, 4, 5))
row(lambda: L.TimeDistributed(L.Dense(3)), x(2, 4, 5), ref=lambda la, a: a @ w(la)[0] + w(la)[1])
row(lambda: L.ConvLSTM1D(3, 2, return_sequences=True), x(2, 3, 5, 2))
row(lambda: L.ConvLSTM2D(3, 2, strides=2, padding="same", return_state=True), x(2, 3, 4, 5, 2))
row(lambda: L.ConvLSTM3D(2, 2, go_backwards=True), x(1, 2, 3, 3, 3, 1))
row(lambda: L.STFTSpectrogram("psd", frame_length=8), x(2, 24, 2))
row(lambda: L.MelSpectrogram(64, 16, num_mel_bins=3), x(2, 100))
row(lambda: L.MultiHeadAttention(2, 3), x(2, 4, 5), x(2, 6, 5))
row(lambda: L.GroupedQueryAttention(3, 4, 2), x(2, 4, 5), x(2, 6, 5))
row(lambda: L.Attention(use_scale=True), x(2, 3, 4), x(2, 5, 4))
row(lambda: L.AdditiveAttention(), x(2, 3, 4), x(2, 5, 4))
