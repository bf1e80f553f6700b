"""Convolution of images: dense, grouped and depthwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from ..layout import Layout
from .activation import activate
from .elementwise import Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Reshape, Transpose
from .op import Op
from .padding import NO_PADS, Pads, onnx_pads, tflite_pads, window_steps

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


@dataclass(frozen=True)
class Conv2D(Op):
    """y[n,i,j,o] = sum over ky, kx, c of x[n, i*sy - top + ky*dy, j*sx - left + kx*dx, g + c] * w[o,ky,kx,c].

    Operands: x [N,H,W,C], w [O,KY,KX,C/groups], constant. Output channel o belongs to group o / (O / groups).
    """

    stride: tuple[int, int] = (1, 1)
    pads: Pads = NO_PADS
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    layout: ClassVar[Literal["image"]] = "image"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, w = types[0], types[1]
        assert x is not None and w is not None
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
        x, w = arrays[0], arrays[1]
        assert x is not None and w is not None
        (y,) = self.infer(TensorType.of(x), TensorType.of(w))
        n, oh, ow, o = y.shape
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
        from .conv_kernels import conv2d

        return conv2d(site, self)


def dense_pixels(shape: tuple[int, ...], layout: Layout) -> bool:
    """Whether the channels of an image's pixels follow one another, row by row, as in plain NHWC."""
    return layout.axis is None and layout.strides[3] == 1 and layout.strides[2] == shape[3]


def biased(n: SourceNode, x: str, bias: str) -> str:
    """Adds a bias along the last axis, where there is one."""
    return n.emit(Elementwise("add"), x, bias) if bias else x


@tflite_op("CONV_2D")
def tflite_conv(n: TfliteNode) -> str:
    o = n.options
    stride, dilation = (o.stride_h, o.stride_w), (max(o.dilation_h_factor, 1), max(o.dilation_w_factor, 1))
    x, w = n.shape(0), n.shape(1)
    pads = tflite_pads(o.padding, x, (w[1], w[2]), stride, dilation)
    y = n.emit(Conv2D(stride, pads, dilation, groups=x[3] // w[3]), n.input(0), weights_of(n, n.input(1)))
    return activate(n, biased(n, y, n.input(2)), o.fused_activation_function)


@tflite_op("DEPTHWISE_CONV_2D")
def tflite_depthwise(n: TfliteNode) -> str:
    o = n.options
    stride, dilation = (o.stride_h, o.stride_w), (max(o.dilation_h_factor, 1), max(o.dilation_w_factor, 1))
    x, w = n.shape(0), n.shape(1)
    pads = tflite_pads(o.padding, x, (w[1], w[2]), stride, dilation)
    weights = n.emit(Transpose((3, 1, 2, 0)), weights_of(n, n.input(1)))
    y = n.emit(Conv2D(stride, pads, dilation, groups=x[3]), n.input(0), weights)
    return activate(n, biased(n, y, n.input(2)), o.fused_activation_function)


@onnx_op("Conv")
def onnx_conv(n: OnnxNode) -> str:
    """Of one or two spatial axes; one is a row of pixels."""
    x, w = n.input(0), weights_of(n, n.input(1))
    axes = len(n.shape(x)) - 2
    if axes not in (1, 2):
        raise Unsupported(f"a convolution over {axes} spatial axes; 1 and 2 would be accepted")
    kernel = n.shape(w)[2:]
    stride, dilation = n.attr("strides") or [1] * axes, n.attr("dilations") or [1] * axes
    pads = onnx_pads(n, n.shape(x)[2:], kernel, stride, dilation)
    if axes == 1:
        x, w = (n.emit(Reshape((*n.shape(v)[:2], 1, n.shape(v)[2])), v) for v in (x, w))
        stride, dilation, pads = [1, *stride], [1, *dilation], [(0, 0), *pads]
    op = Conv2D((stride[0], stride[1]), (pads[0], pads[1]), (dilation[0], dilation[1]), int(n.attr("group", 1)))
    y = n.emit(op, n.emit(Transpose(TO_NHWC), x), n.emit(Transpose(TO_NHWC), w))
    y = n.emit(Transpose(TO_NCHW), biased(n, y, n.input(2)))
    shape = n.shape(y)
    return n.emit(Reshape((shape[0], shape[1], shape[3])), y) if axes == 1 else y


def weights_of(n: SourceNode, value: str) -> str:
    if n.array(value) is None:
        raise Unsupported("its weights are computed at run time; they must be constant")
    return value
