"""Fourier transforms, as products with constant matrices.

A complex number is a pair along a last axis of extent 2; along one of extent 1 lie real numbers.
"""

from __future__ import annotations

from math import isqrt, prod

import numpy as np

from ..errors import Unsupported
from .elementwise import Elementwise
from .gather import gather
from .importing import FOLD_LIMIT, OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .matmul import MatMul
from .movement import Pad, Reshape, Transpose
from .op import normal_axis
from .reduce import reduced
from .reshaping import cut

LONGEST = 512
"""The longest transform that is one product; longer ones are factored where their length can be."""


def fourier(n: SourceNode, x: str, *, inverse: bool = False, scale: float = 1.0) -> str:
    """[…,N,1 or 2] -> […,N,2]: scale * sum over j of x[j] exp(∓2πi jk/N), the upper sign where it is not inverse.

    A length N1*N2 takes N2 transforms of N1, with their own twiddle factors in N2 matrices, and then N1 of N2.
    """
    (*outer, length, parts), turn = n.shape(x), 2j * np.pi * (1 if inverse else -1)
    first = next((d for d in range(isqrt(length), 1, -1) if length % d == 0), 1)
    if length <= LONGEST or first == 1:
        if 4 * length**2 > FOLD_LIMIT:
            raise _large(length, length)
        k = np.arange(length)
        return multiplied(n, x, scale * np.exp(turn * (np.outer(k, k) % max(length, 1)) / max(length, 1)))
    second, rows = length // first, prod(outer)
    n.checked((second, first, first), complex)
    j, m, k = np.arange(first)[:, None], np.arange(second)[:, None, None], np.arange(first)
    matrices = scale * np.exp(turn * ((j * k * second + m * k) % length) / length)
    split = n.emit(Transpose((2, 0, 1, 3)), n.emit(Reshape((rows, first, second, parts)), x))
    split = n.emit(Reshape((second, rows, first * parts)), split)
    twiddled = n.emit(MatMul(), split, _constant(n, matrices, parts, 2, x))
    twiddled = n.emit(Transpose((1, 2, 0, 3)), n.emit(Reshape((second, rows, first, 2)), twiddled))
    y = n.emit(Transpose((0, 2, 1, 3)), fourier(n, twiddled, inverse=inverse))
    return n.emit(Reshape((*outer, length, 2)), y)


def one_sided(n: SourceNode, x: str, window: np.ndarray | None = None) -> str:
    """[…,N,1 or 2] -> […,N/2+1,2]: the first half of the transform of x times a window."""
    length = n.shape(x)[-2]
    if length > LONGEST:
        if window is not None:
            x = n.emit(Elementwise("mul"), x, n.add_constant(window[:, None].astype(n.type(x).dtype)))
        y = fourier(n, x)
        return cut(n, y, {len(n.shape(y)) - 2: (0, length // 2 + 1, 1)})
    j, k = np.arange(length)[:, None], np.arange(length // 2 + 1)
    matrix = np.exp(-2j * np.pi * (j * k % max(length, 1)) / max(length, 1))
    return multiplied(n, x, matrix if window is None else window[:, None] * matrix)


def from_one_side(n: SourceNode, x: str, length: int) -> str:
    """[…,N/2+1,2] -> […,N,1]: the real signal of N elements whose transform begins so."""
    n.checked((length // 2 + 1, length), complex)
    j, k = np.arange(length // 2 + 1)[:, None], np.arange(length)
    weights = np.where((j == 0) | (2 * j == length), 1, 2) / length
    return multiplied(n, x, weights * np.exp(2j * np.pi * (j * k % length) / length), parts=1)


def multiplied(n: SourceNode, x: str, matrix: np.ndarray, parts: int = 2) -> str:
    """[…,N,1 or 2] times a complex matrix [N,M] -> […,M,2], or with one part the real numbers […,M,1]."""
    *outer, length, given = n.shape(x)
    rows = n.emit(Reshape((prod(outer), length * given)), x)
    y = n.emit(MatMul(), rows, _constant(n, matrix, given, parts, x))
    return n.emit(Reshape((*outer, matrix.shape[1], parts)), y)


def _large(rows: int, columns: int) -> Unsupported:
    return Unsupported(f"a transform that takes a matrix of {rows}x{columns}; lengths with small factors would be accepted")


def _constant(n: SourceNode, matrices: np.ndarray, given: int, parts: int, like: str) -> str:
    """Complex matrices […,N,M] as real ones […,N*given,M*parts] in the type of another value."""
    *outer, rows, columns = matrices.shape
    dtype = n.type(like).dtype
    if given not in (1, 2):
        raise Unsupported(f"{n.type(like)} as complex numbers; a last axis of 1 or 2 would be accepted")
    if 4 * matrices.size * given * parts > FOLD_LIMIT:
        raise _large(rows, columns)
    pairs = np.stack([np.stack([matrices.real, matrices.imag], -1), np.stack([-matrices.imag, matrices.real], -1)], -3)
    return n.add_constant(pairs[..., :given, :, :parts].reshape(*outer, rows * given, columns * parts).astype(dtype))


def _resized(n: SourceNode, x: str, axis: int, length: int) -> str:
    """An axis cut, or filled with zeros, to a length."""
    shape = n.shape(x)
    if shape[axis] > length:
        return cut(n, x, {axis: (0, length, 1)})
    if shape[axis] == length:
        return x
    return n.emit(Pad(tuple((0, length - e if d == axis else 0) for d, e in enumerate(shape))), x)


def _last_but_one(rank: int, axis: int) -> tuple[int, ...]:
    """The permutation that exchanges an axis with the last but one; it is its own inverse."""
    perm = list(range(rank))
    perm[axis], perm[-2] = perm[-2], perm[axis]
    return tuple(perm)


@onnx_op("DFT")
def onnx_dft(n: OnnxNode) -> str:
    """The axis is an attribute before opset 20, an operand since. One-sided and inverse: to a real signal."""
    x, rank, inverse, half = n.input(0), len(n.shape(0)), bool(n.attr("inverse", 0)), bool(n.attr("onesided", 0))
    given = n.attr("axis", 1) if n.opset < 20 else n.integers(2, "axis")[0] if n.input(2) else -2
    axis = normal_axis(int(given), rank)
    if not 0 <= axis < rank - 1:
        raise Unsupported(f"a transform along axis {given} of {n.type(x)}; any but the last would be accepted")
    extent = n.shape(x)[axis]
    length = n.integers(1, "length")[0] if n.input(1) else 2 * (extent - 1) if inverse and half else extent
    x = _resized(n, x, axis, length // 2 + 1 if inverse and half else length)
    perm = _last_but_one(rank, axis)
    x = n.emit(Transpose(perm), x)
    if half:
        y = from_one_side(n, x, length) if inverse else one_sided(n, x)
    else:
        y = fourier(n, x, inverse=inverse, scale=1 / length if inverse else 1.0)
    return n.emit(Transpose(perm), y)


@onnx_op("STFT")
def onnx_stft(n: OnnxNode) -> str:
    """[B,L,1 or 2] -> [B,frames,bins,2]: transforms of frames that begin `frame_step` apart, each times a window."""
    x, (step,) = n.input(0), n.integers(1, "frame_step")
    length = n.integers(3, "frame_length")[0] if n.input(3) else n.shape(2)[0] if n.input(2) else n.shape(x)[1]
    window = n.array(2) if n.input(2) else None
    if n.input(2) and n.shape(2) != (length,):
        raise Unsupported(f"a window {n.type(2)} for frames of {length}")
    first = np.arange(0, n.shape(x)[1] - length + 1, step)
    n.checked((len(first), length))
    frames = gather(n, x, n.add_constant(first[:, None] + np.arange(length)), 1)
    if n.input(2) and window is None:
        frames = n.emit(Elementwise("mul"), frames, n.emit(Reshape((length, 1)), n.input(2)))
    if n.attr("onesided", 1):
        return one_sided(n, frames, window)
    if window is not None:
        frames = n.emit(Elementwise("mul"), frames, n.add_constant(window[:, None]))
    return fourier(n, frames)


@onnx_op("MelWeightMatrix")
def onnx_mel_weight_matrix(n: OnnxNode) -> str:
    """Triangles between points evenly spaced in mel, 2595 log10(1 + f / 700): a constant [dft_length/2+1, num_mel_bins]."""
    import onnx

    bins, length, rate = (n.integers(k, what)[0] for k, what in enumerate(("num_mel_bins", "dft_length", "sample_rate")))
    low, high = (2595 * np.log10(1 + n.constant(k, what).item() / 700) for k, what in ((3, "lower_edge_hertz"), (4, "upper_edge_hertz")))
    n.checked((max(length, 0) // 2 + 1, bins))
    mel = low + np.arange(bins + 2) * (high - low) / (bins + 2)
    points = ((length + 1) * (700 * (10 ** (mel / 2595) - 1)) // rate).astype(int)
    matrix = np.zeros((length // 2 + 1, bins))
    for k, (left, top, right) in enumerate(zip(points, points[1:], points[2:])):
        matrix[left : top + 1, k] = np.linspace(0, 1, top - left + 1) if top > left else 1
        matrix[top:right, k] = np.linspace(1, 0, right - top, endpoint=False)
    return n.add_constant(matrix.astype(onnx.helper.tensor_dtype_to_np_dtype(n.attr("output_datatype", 1))))


@tflite_op("RFFT2D")
def tflite_rfft2d(n: TfliteNode) -> str:
    """Along the last axis one-sided, then along the one before; both cut or filled to `fft_length`."""
    x, (height, width) = n.input(0), n.integers(1, "fft_length")
    rank = len(n.shape(x))
    x = _resized(n, _resized(n, x, rank - 1, width), rank - 2, height)
    y = one_sided(n, n.emit(Reshape((*n.shape(x), 1)), x))
    if height == 1:
        return y
    turn = _last_but_one(rank + 1, rank - 2)
    return n.emit(Transpose(turn), fourier(n, n.emit(Transpose(turn), y)))


@tflite_op("REAL", "IMAG")
def tflite_part(n: TfliteNode) -> str:
    *shape, _ = n.shape(0)
    part = cut(n, n.input(0), {len(shape): (int(n.op == "IMAG"), 1, 1)})
    return n.emit(Reshape(tuple(shape)), part)


@tflite_op("COMPLEX_ABS")
def tflite_complex_abs(n: TfliteNode) -> str:
    total = reduced(n, "sum", n.emit(Elementwise("square"), n.input(0)), [-1], False)
    return n.emit(Elementwise("sqrt"), total)
