"""Convolution: dense, grouped and depthwise, over any number of axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from ..layout import Layout
from .activation import activate
from .elementwise import Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Broadcast, Reshape, Transpose
from .op import Op
from .padding import NO_PADS, Pads, onnx_pads, tflite_pads, window_steps
from .windows import Windows, rows_product, windows

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


@dataclass(frozen=True)
class Conv2D(Op):
    """y[n,i,j,o] = sum over ky, kx, c of x[n, i*sy - top + ky*dy, j*sx - left + kx*dx, g + c] * w[o,ky,kx,c].

    Operands: x [N,H,W,C], w [O,KY,KX,C/groups], constant; of a dense one also [N,1,1,C], which x is multiplied by before, as
    squeeze-and-excitation asks for (Hu et al., Squeeze-and-Excitation Networks, 2018). Output channel o belongs to group o / (O / groups).
    """

    stride: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    layout: ClassVar[Literal["image"]] = "image"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, w, scale = (*types, None)[:3]
        assert x is not None and w is not None
        if scale is not None and (self.groups > 1 or scale.shape != (x.shape[0], 1, 1, x.shape[-1])):
            raise GraphError(f"a factor {scale} for channels of {x} in {self.groups} groups; [N,1,1,C] in one group would be accepted")
        if x.rank != 4 or w.rank != 4:
            raise GraphError(f"a 2-d convolution needs x [N,H,W,C] and w [O,KY,KX,C/groups], not {x} and {w}")
        n, h, wd, c = x.shape
        o, ky, kx, cg = w.shape
        if cg * self.groups != c or o % self.groups:
            raise GraphError(f"{c} channels in {self.groups} groups do not fit weights {w}")
        oh = window_steps(h, ky, self.stride[0], self.dilation[0], self.pads[0])
        ow = window_steps(wd, kx, self.stride[1], self.dilation[1], self.pads[1])
        return (TensorType((n, oh, ow, o), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, w, scale = (*arrays, None)[:3]
        assert x is not None and w is not None
        (y,) = self.infer(TensorType.of(x), TensorType.of(w))
        n, oh, ow, o = y.shape
        x = x if scale is None else x * scale
        x = np.pad(x, ((0, 0), *self.pads, (0, 0)))
        per_in, per_out = w.shape[3], o // self.groups
        result = np.zeros(y.shape, np.float64)
        for ky in range(w.shape[1]):
            for kx in range(w.shape[2]):
                top, left = ky * self.dilation[0], kx * self.dilation[1]
                seen = x[:, top : top + (oh - 1) * self.stride[0] + 1 : self.stride[0],
                         left : left + (ow - 1) * self.stride[1] + 1 : self.stride[1]]
                if self.groups == 1:
                    result += seen @ w[:, ky, kx].T
                elif per_in == per_out == 1:
                    result += seen * w[:, ky, kx, 0]
                else:
                    seen = seen.reshape(n, oh, ow, self.groups, per_in)
                    weights = w[:, ky, kx].reshape(self.groups, per_out, per_in)
                    result += np.einsum("nhwgi,goi->nhwgo", seen, weights).reshape(y.shape)
        return (result.astype(x.dtype),)

    def takes_strided(self, x: TensorType, layout: Layout) -> bool:
        return x.shape[3] <= 4 and self.groups == 1 and dense_pixels(x.shape, layout)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from .conv_kernels import conv2d, scaled
        from .conv_local import conv2d_local
        from .winograd import winograd

        found = [*conv2d(site, self), *conv2d_local(site, self)]
        return sorted(found if scaled(site) else [*found, *winograd(site, self)], key=lambda k: k.cost)


@dataclass(frozen=True)
class OrderedConv2D(Op):
    """A dense or depthwise `Conv2D` that adds one product after another, along ky, kx and c, each rounded before it is added.

    Operands: those of `Conv2D`, and [O], what the sums begin with; zeros where it is absent.
    """

    stride: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    layout: ClassVar[Literal["image"]] = "image"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, w = types[0], types[1]
        assert x is not None and w is not None
        if self.groups > 1 and not self.groups == x.shape[-1] == w.shape[0]:
            raise GraphError(f"a sum in order is dense or depthwise, not of {x} and {w} in {self.groups} groups")
        return Conv2D(self.stride, self.pads, self.dilation, self.groups).infer(x, w)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, w, begin = (*arrays, None)[:3]
        assert x is not None and w is not None
        (y,) = self.infer(TensorType.of(x), TensorType.of(w))
        x = np.pad(x, ((0, 0), *self.pads, (0, 0)))
        result = np.zeros(y.shape, x.dtype) + (x.dtype.type(0) if begin is None else begin)
        for ky in range(w.shape[1]):
            for kx in range(w.shape[2]):
                top, left = ky * self.dilation[0], kx * self.dilation[1]
                seen = x[:, top : top + (y.shape[1] - 1) * self.stride[0] + 1 : self.stride[0],
                         left : left + (y.shape[2] - 1) * self.stride[1] + 1 : self.stride[1]]
                for c in range(w.shape[3]):
                    result += (seen if self.groups > 1 else seen[..., c : c + 1]) * w[:, ky, kx, c]
        return (result,)

    def takes_strided(self, x: TensorType, layout: Layout) -> bool:
        return x.shape[3] <= 4 and self.groups == 1 and dense_pixels(x.shape, layout)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from .conv_kernels import ordered_conv2d

        return ordered_conv2d(site, self)


def dense_pixels(shape: tuple[int, ...], layout: Layout) -> bool:
    """Whether the channels of an image's pixels follow one another, row by row, as in plain NHWC."""
    return layout.axis is None and layout.strides[3] == 1 and layout.strides[2] == shape[3]


def biased(n: SourceNode, x: str, bias: str) -> str:
    """Adds a bias along the last axis, where there is one."""
    return n.emit(Elementwise("add"), x, bias) if bias else x


def convolved(n: SourceNode, x: str, w: str, stride: Sequence[int], pads: Sequence[tuple[int, int]], dilation: Sequence[int],
              groups: int, bias: str = "") -> str:
    """A convolution, and a bias [O] where there is one, over any number of axes: x [N,spatial…,C], w [O,kernel…,C/groups].

    With constant weights it is one of images, whose channels hold what a window sees along the axes before the last two;
    with computed ones it is a product of all that a window sees.
    """
    shape, kernel = n.shape(x), n.shape(w)[1:-1]
    axes = len(kernel)
    if len(shape) != axes + 2 or n.shape(w)[-1] * groups != shape[-1] or n.shape(w)[0] % groups:
        raise Unsupported(f"{n.type(x)} in {groups} groups of channels does not fit weights {n.type(w)}")
    if axes == 1:
        x, w = (n.emit(Reshape((s[0], 1, *s[1:])), v) for v, s in ((x, shape), (w, n.shape(w))))
        y = convolved(n, x, w, (1, *stride), ((0, 0), *pads), (1, *dilation), groups, bias)
        return n.emit(Reshape((shape[0], *n.shape(y)[2:])), y)
    image = 2 if n.array(w) is not None else 0
    try:
        steps = [window_steps(*of) for of in zip(shape[1:-1], kernel, stride, dilation, pads)]
    except GraphError as error:
        raise Unsupported(str(error)) from None
    slid = range(axes - image)
    seen = windows(n, x, Windows(
        kernel=tuple(kernel[d] if d in slid else 1 for d in range(axes)),
        steps=tuple(steps[d] if d in slid else shape[1 + d] for d in range(axes)),
        stride=tuple(stride[d] if d in slid else 1 for d in range(axes)),
        before=tuple(pads[d][0] if d in slid else 0 for d in range(axes)),
        dilation=tuple(dilation[d] if d in slid else 1 for d in range(axes)),
        expand=(1,) * axes, groups=groups))
    if not image:
        return rows_product(n, seen, w, groups, bias)
    op = Conv2D((stride[-2], stride[-1]), (pads[-2], pads[-1]), (dilation[-2], dilation[-1]), groups)
    return over_images(n, op, seen, w, bias)


def over_images(n: SourceNode, op: Op, seen: str, w: str, bias: str) -> str:
    """An op of images, with what windows saw along other axes before rows and columns: seen [N,…,H,W,(groups,k…,c)], w [O,k…,KY,KX,c]."""
    shape, packed = n.shape(seen), n.shape(w)
    axes = len(shape) - 4
    if not axes:
        return biased(n, n.emit(op, seen, w), bias)
    w = n.emit(Transpose((0, axes + 1, axes + 2, *range(1, axes + 1), axes + 3)), w)
    w = n.emit(Reshape((packed[0], *packed[-3:-1], prod(packed[1 : axes + 1]) * packed[-1])), w)
    y = biased(n, n.emit(op, n.emit(Reshape((prod(shape[: axes + 1]), *shape[axes + 1 :])), seen), w), bias)
    return n.emit(Reshape((*shape[: axes + 1], *n.shape(y)[1:])), y)


def channels_last(n: SourceNode, value: str) -> str:
    """[N,C,spatial…] as [N,spatial…,C]."""
    rank = len(n.shape(value))
    return n.emit(Transpose((0, *range(2, rank), 1)), value)


def channels_second(n: SourceNode, value: str) -> str:
    """[N,spatial…,C] as [N,C,spatial…]."""
    rank = len(n.shape(value))
    return n.emit(Transpose((0, rank - 1, *range(1, rank - 1))), value)


@tflite_op("CONV_2D")
def tflite_conv(n: TfliteNode) -> str:
    o = n.options
    stride, dilation = (o.stride_h, o.stride_w), (max(o.dilation_h_factor, 1), max(o.dilation_w_factor, 1))
    x, w = n.shape(0), n.shape(1)
    pads = tflite_pads(o.padding, x, (w[1], w[2]), stride, dilation)
    if n.ordered and n.array(1) is not None and x[3] == w[3]:
        y = biased(n, n.emit(OrderedConv2D(stride, (pads[0], pads[1]), dilation), n.input(0), n.input(1)), n.input(2))
    else:
        y = convolved(n, n.input(0), n.input(1), stride, pads, dilation, x[3] // w[3], n.input(2))
    return activate(n, y, o.fused_activation_function)


@tflite_op("DEPTHWISE_CONV_2D")
def tflite_depthwise(n: TfliteNode) -> str:
    o = n.options
    stride, dilation = (o.stride_h, o.stride_w), (max(o.dilation_h_factor, 1), max(o.dilation_w_factor, 1))
    x, w = n.shape(0), n.shape(1)
    pads = tflite_pads(o.padding, x, (w[1], w[2]), stride, dilation)
    weights, bias = n.emit(Transpose((3, 1, 2, 0)), n.input(1)), n.input(2)
    if n.ordered and n.array(weights) is not None and (not bias or n.array(bias) is not None) and w[3] % x[3] == 0:
        op = OrderedConv2D(stride, (pads[0], pads[1]), dilation, w[3])
        y = n.emit(op, _repeated(n, n.input(0), w[3] // x[3]), weights, *([bias] if bias else []))
    else:
        y = convolved(n, n.input(0), weights, stride, pads, dilation, x[3], bias)
    return activate(n, y, o.fused_activation_function)


def _repeated(n: SourceNode, x: str, times: int) -> str:
    """An image with each channel several times over."""
    shape = n.shape(x)
    if times == 1:
        return x
    channels = n.emit(Broadcast((*shape, times)), n.emit(Reshape((*shape, 1)), x))
    return n.emit(Reshape((*shape[:-1], shape[-1] * times)), channels)


@tflite_op("CONV_3D")
def tflite_conv_3d(n: TfliteNode) -> str:
    """w is [KZ,KY,KX,C/groups,O]."""
    o, x, w = n.options, n.shape(0), n.shape(1)
    stride, dilation = (o.stride_d, o.stride_h, o.stride_w), (o.dilation_d_factor, o.dilation_h_factor, o.dilation_w_factor)
    dilation = tuple(max(d, 1) for d in dilation)
    pads = tflite_pads(o.padding, x, w[:3], stride, dilation)
    y = convolved(n, n.input(0), n.emit(Transpose((4, 0, 1, 2, 3)), n.input(1)), stride, pads, dilation, x[4] // w[3], n.input(2))
    return activate(n, y, o.fused_activation_function)


@onnx_op("Conv")
def onnx_conv(n: OnnxNode) -> str:
    x, w = n.input(0), n.input(1)
    axes, kernel = len(n.shape(x)) - 2, n.shape(w)[2:]
    if axes < 1 or len(kernel) != axes:
        raise Unsupported(f"weights {n.type(w)} for {n.type(x)}; [O,C/group,kernel…] for [N,C,spatial…] would be accepted")
    stride, dilation = n.attr("strides") or [1] * axes, n.attr("dilations") or [1] * axes
    pads = onnx_pads(n, n.shape(x)[2:], kernel, stride, dilation)
    y = convolved(n, channels_last(n, x), channels_last(n, w), stride, pads, dilation, int(n.attr("group", 1)), n.input(2))
    return channels_second(n, y)
