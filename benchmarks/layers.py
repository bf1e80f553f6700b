"""A small description of networks, and a builder that draws their weights; `benchmarks.formats` writes it to files."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Shape = tuple[int, ...]
Activation = Literal["NONE", "RELU", "RELU6"]
Padding = Literal["SAME", "VALID"]


@dataclass(frozen=True)
class Conv:
    """`w` is OHWI; a depthwise one has groups = channels and I = 1."""

    w: Floats
    b: Floats
    stride: int
    padding: Padding
    groups: int
    activation: Activation
    dilation: int = 1


@dataclass(frozen=True)
class ConvTranspose:
    """`w` is OHWI; windows do not overlap: the kernel is as large as the stride."""

    w: Floats
    b: Floats
    stride: int


@dataclass(frozen=True)
class Pool:
    """An average does not count the padding."""

    kind: Literal["MAX", "AVERAGE"]
    size: int
    stride: int
    padding: Padding


@dataclass(frozen=True)
class GlobalAverage:
    """NHWC -> N11C with `keep`, else NC."""

    keep: bool


@dataclass(frozen=True)
class Flatten:
    """N11C -> NC."""


@dataclass(frozen=True)
class Dense:
    """NC -> NC', `w` is OI. Of an image, I runs over HWC."""

    w: Floats
    b: Floats
    activation: Activation


@dataclass(frozen=True)
class Add:
    """Element-wise sum of two values."""

    activation: Activation


@dataclass(frozen=True)
class Multiply:
    """Element-wise product; the second may be N11C, a factor for each channel."""


@dataclass(frozen=True)
class Sigmoid:
    """Element-wise."""


@dataclass(frozen=True)
class Resize:
    """Bilinear, corners on corners, to the layer's shape."""


@dataclass(frozen=True)
class Concat:
    """Along the channels."""


@dataclass(frozen=True)
class Softmax:
    """Over the channels of NC."""


Op = Conv | ConvTranspose | Pool | GlobalAverage | Flatten | Dense | Add | Multiply | Sigmoid | Resize | Concat | Softmax


@dataclass(frozen=True)
class Layer:
    """One step; `name` is that of the value it makes, of `shape` NHWC or NC."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True)
class Network:
    """The layers in running order, NHWC. The input value is called `input`; the last layer's value is the output."""

    name: str
    input_shape: Shape
    layers: tuple[Layer, ...]

    @property
    def output_shape(self) -> Shape:
        """Of the last layer's value, NHWC or NC."""
        return self.layers[-1].shape

    @property
    def flops(self) -> int:
        """Multiplications and additions of the convolutions and dense layers."""
        return sum(_flops(layer) for layer in self.layers)

    @property
    def shapes(self) -> dict[str, Shape]:
        """Of every value, by name."""
        return {"input": self.input_shape} | {layer.name: layer.shape for layer in self.layers}


def _flops(layer: Layer) -> int:
    """An output of a transposed convolution is of one pixel: it sums over channels alone."""
    match layer.op:
        case Conv(w) | Dense(w):
            return 2 * math.prod(layer.shape) * w[0].size
        case ConvTranspose(w):
            return 2 * math.prod(layer.shape) * w.shape[-1]
        case _:
            return 0


def pads(size: int, kernel: int, stride: int, padding: Padding) -> tuple[int, int, int]:
    """(output size, padding before, padding after) of one axis, by TensorFlow's rule: the odd one goes after."""
    if padding == "VALID":
        return (size - kernel) // stride + 1, 0, 0
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    return out, total // 2, total - total // 2


class Builder:
    """Appends layers. Methods return the name of the value they make; `x` is the value they read, None the latest.

    Weights are seeded by the network's name, He-scaled and, where a sum runs over channels, centred: so neither the
    spread of the activations nor what they tell of the input fades with depth. `gain` scales them further: 2 before
    the softmax makes it neither flat nor saturated.
    """

    def __init__(self, name: str, input_shape: Shape) -> None:
        self._rng = np.random.default_rng(zlib.crc32(name.encode()))
        self._name = name
        self._input_shape = input_shape
        self._layers: list[Layer] = []
        self._shapes = {"input": input_shape}
        self._latest = "input"

    def conv(
        self,
        channels: int,
        kernel: int,
        stride: int = 1,
        *,
        padding: Padding = "SAME",
        activation: Activation = "RELU6",
        gain: float = 1.0,
        x: str | None = None,
    ) -> str:
        """`channels` outputs, `kernel` x `kernel`."""
        w, b = self._weights((channels, kernel, kernel, self.channels(x)), activation, gain)
        return self._append(Conv(w, b, stride, padding, 1, activation), self._window(kernel, stride, padding, x, w), x)

    def depthwise(self, kernel: int, stride: int = 1, *, dilation: int = 1, activation: Activation = "RELU6", x: str | None = None) -> str:
        """One filter a channel, SAME."""
        w, b = self._weights((self.channels(x), kernel, kernel, 1), activation, 1.0)
        shape = self._window(kernel, stride, "SAME", x, w)
        return self._append(Conv(w, b, stride, "SAME", len(w), activation, dilation), shape, x)

    def upsample(self, channels: int, factor: int, *, x: str | None = None) -> str:
        """A transposed convolution, `factor` x `factor`, by as much."""
        n, height, width, _ = self._shape(x)
        w, b = self._weights((channels, factor, factor, self.channels(x)), "NONE", factor)
        return self._append(ConvTranspose(w, b, factor), (n, factor * height, factor * width, channels), x)

    def pool(
        self,
        kind: Literal["MAX", "AVERAGE"],
        size: int,
        stride: int,
        *,
        padding: Padding = "SAME",
        x: str | None = None,
    ) -> str:
        """`size` x `size`."""
        return self._append(Pool(kind, size, stride, padding), self._window(size, stride, padding, x), x)

    def global_average(self, *, keep: bool = False, x: str | None = None) -> str:
        """Of each channel; `keep` keeps the axes."""
        n, _, _, c = self._shape(x)
        return self._append(GlobalAverage(keep), (n, 1, 1, c) if keep else (n, c), x)

    def flatten(self, *, x: str | None = None) -> str:
        """Drops the axes that `global_average` kept."""
        n, _, _, c = self._shape(x)
        return self._append(Flatten(), (n, c), x)

    def dense(self, channels: int, *, activation: Activation = "NONE", gain: float = 1.0, x: str | None = None) -> str:
        """A fully connected layer, of vectors or of whole images."""
        n, *rest = self._shape(x)
        w, b = self._weights((channels, math.prod(rest)), activation, gain)
        return self._append(Dense(w, b, activation), (n, channels), x)

    def add(self, x: str, y: str, *, activation: Activation = "NONE") -> str:
        """Of two values of one shape."""
        return self._append(Add(activation), self._shape(x), x, y)

    def multiply(self, x: str, y: str) -> str:
        """Of two values of one shape, or of an image and factors of its channels."""
        return self._append(Multiply(), self._shape(x), x, y)

    def sigmoid(self, *, x: str | None = None) -> str:
        """Of each element."""
        return self._append(Sigmoid(), self._shape(x), x)

    def swish(self, *, x: str | None = None) -> str:
        """x * sigmoid(x), as two layers."""
        x = x or self._latest
        return self.multiply(x, self.sigmoid(x=x))

    def resize(self, like: str, *, x: str | None = None) -> str:
        """To the height and width of the value `like`."""
        n, _, _, c = self._shape(x)
        return self._append(Resize(), (n, *self._shape(like)[1:3], c), x)

    def concat(self, *xs: str) -> str:
        """Of images of one size, along the channels."""
        shape = (*self._shape(xs[0])[:-1], sum(self.channels(x) for x in xs))
        return self._append(Concat(), shape, *xs)

    def softmax(self, *, x: str | None = None) -> str:
        """Of NC, over C."""
        return self._append(Softmax(), self._shape(x), x)

    def channels(self, x: str | None = None) -> int:
        """How many `x` has."""
        return self._shape(x)[-1]

    def finish(self) -> Network:
        """The layers so far, as a network."""
        return Network(self._name, self._input_shape, tuple(self._layers))

    def _shape(self, x: str | None) -> Shape:
        return self._shapes[x or self._latest]

    def _window(self, kernel: int, stride: int, padding: Padding, x: str | None, w: Floats | None = None) -> Shape:
        """The shape that a convolution by `w`, or a pool, makes."""
        n, height, width, c = self._shape(x)
        size = [pads(axis, kernel, stride, padding)[0] for axis in (height, width)]
        return n, *size, c if w is None else len(w)

    def _append(self, op: Op, shape: Shape, *inputs: str | None) -> str:
        name = f"{type(op).__name__.lower()}_{len(self._layers)}"
        self._layers.append(Layer(name, op, tuple(x or self._latest for x in inputs), shape))
        self._shapes[name] = shape
        self._latest = name
        return name

    def _weights(self, shape: Shape, activation: Activation, gain: float) -> tuple[Floats, Floats]:
        """OHWI or OI weights and their biases. A rectifier halves the second moment, and 1.6 more than undoes
        that, for the depthwise layers and the clip at 6 take some away."""
        w = self._rng.standard_normal(shape, np.float32)
        b = self._rng.standard_normal(shape[0], np.float32)
        if shape[-1] > 1:
            w -= w.mean(axis=tuple(range(1, len(shape))), keepdims=True)
        gain *= 1.0 if activation == "NONE" else 1.6
        return w * np.float32(gain / math.sqrt(w[0].size)), b * np.float32(0.1)
