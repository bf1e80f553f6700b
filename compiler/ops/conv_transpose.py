"""Transposed convolution of images: the gradient of a convolution with respect to its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .activation import activate
from .conv import TO_NCHW, TO_NHWC, biased, weights_of
from .importing import OnnxNode, TfliteNode, onnx_op, tflite_op
from .movement import Reshape, Transpose
from .op import Op
from .padding import Pair, same_pads

if TYPE_CHECKING:
    from ..kernel import Kernel, Site


@dataclass(frozen=True)
class ConvTranspose2D(Op):
    """y[n, i*sy - top + ky*dy, j*sx - left + kx*dx, o] += x[n,i,j,c] * w[o,ky,kx,c], over all i, j, ky, kx and c of o's group.

    Operands: x [N,H,W,C], w [O,KY,KX,C/groups], constant. The result is [N,size[0],size[1],O]: what falls outside is dropped, and
    what nothing reaches is zero.
    """

    size: Pair
    stride: Pair = (1, 1)
    pads: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1
    layout: ClassVar[Literal["image"]] = "image"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, w = types[0], types[1]
        assert x is not None and w is not None
        if x.rank != 4 or w.rank != 4 or w.shape[3] * self.groups != x.shape[3] or w.shape[0] % self.groups:
            raise GraphError(f"a transposed convolution of {x} in {self.groups} groups does not fit weights {w}")
        if min(self.size) < 1:
            raise GraphError(f"a transposed convolution of {x} leaves nothing of size {self.size}")
        return (TensorType((x.shape[0], *self.size, w.shape[0]), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, w = arrays[0], arrays[1]
        assert x is not None and w is not None
        n, h, wd, _ = x.shape
        o, ky, kx, per_in = w.shape
        (sy, sx), (dy, dx) = self.stride, self.dilation
        (top, _), (left, _) = self.pads
        tall = max((h - 1) * sy + (ky - 1) * dy + 1, top + self.size[0])
        wide = max((wd - 1) * sx + (kx - 1) * dx + 1, left + self.size[1])
        whole = np.zeros((n, tall, wide, o), np.float64)
        grouped = x.reshape(n, h, wd, self.groups, per_in)
        for i in range(ky):
            for j in range(kx):
                weights = w[:, i, j].reshape(self.groups, o // self.groups, per_in)
                part = np.einsum("nhwgi,goi->nhwgo", grouped, weights).reshape(n, h, wd, o)
                whole[:, i * dy : i * dy + (h - 1) * sy + 1 : sy, j * dx : j * dx + (wd - 1) * sx + 1 : sx] += part
        return (whole[:, top : top + self.size[0], left : left + self.size[1]].astype(x.dtype),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from .conv_kernels import conv_transposed

        return conv_transposed(site, self)


def _transposed_size(extent: int, kernel: int, stride: int, dilation: int, pads: Pair, extra: int = 0) -> int:
    return (extent - 1) * stride + (kernel - 1) * dilation + 1 + extra - sum(pads)


@onnx_op("ConvTranspose")
def onnx_conv_transpose(n: OnnxNode) -> str:
    """Of one or two spatial axes; w is [C,O/groups,KY,KX]."""
    x, w = n.input(0), weights_of(n, n.input(1))
    axes = len(n.shape(x)) - 2
    if axes not in (1, 2):
        raise Unsupported(f"a transposed convolution over {axes} spatial axes; 1 and 2 would be accepted")
    stride, dilation = list(n.attr("strides") or [1] * axes), list(n.attr("dilations") or [1] * axes)
    extra = list(n.attr("output_padding") or [0] * axes)
    kernel, spatial = n.shape(w)[2:], n.shape(x)[2:]
    pads, size = _onnx_size(n, spatial, kernel, stride, dilation, extra)
    if axes == 1:
        x, w = (n.emit(Reshape((*n.shape(v)[:2], 1, n.shape(v)[2])), v) for v in (x, w))
        stride, dilation, pads, size = [1, *stride], [1, *dilation], [(0, 0), *pads], [1, *size]
    groups = int(n.attr("group", 1))
    weights = n.array(w)
    assert weights is not None
    c, per_out, ky, kx = weights.shape
    packed = weights.reshape(groups, c // groups, per_out, ky, kx).transpose(0, 2, 3, 4, 1).reshape(groups * per_out, ky, kx, c // groups)
    op = ConvTranspose2D((size[0], size[1]), (stride[0], stride[1]), (pads[0], pads[1]), (dilation[0], dilation[1]), groups)
    y = n.emit(op, n.emit(Transpose(TO_NHWC), x), n.add_constant(np.ascontiguousarray(packed)))
    y = n.emit(Transpose(TO_NCHW), biased(n, y, n.input(2)))
    shape = n.shape(y)
    return n.emit(Reshape((shape[0], shape[1], shape[3])), y) if axes == 1 else y


def _onnx_size(n: OnnxNode, spatial: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int],
               extra: Sequence[int]) -> tuple[list[Pair], list[int]]:
    """Padding and size from `pads`, `auto_pad` and `output_shape`, by the formulas of the operator's specification."""
    axes = len(kernel)
    auto, wanted = n.attr("auto_pad", "NOTSET"), n.attr("output_shape")
    given = n.attr("pads") or [0] * 2 * axes
    pads, size = [], []
    for d in range(axes):
        if wanted or auto in ("SAME_UPPER", "SAME_LOWER"):
            target = int(wanted[d - axes]) if wanted else spatial[d] * stride[d]
            total = max(_transposed_size(spatial[d], kernel[d], stride[d], dilation[d], (0, 0), extra[d]) - target, 0)
            small, large = total // 2, total - total // 2
            pads.append((small, large) if auto == "SAME_UPPER" else (large, small))
            size.append(target)
        else:
            pair = (0, 0) if auto == "VALID" else (int(given[d]), int(given[d + axes]))
            pads.append(pair)
            size.append(_transposed_size(spatial[d], kernel[d], stride[d], dilation[d], pair, extra[d]))
    return pads, size


@tflite_op("TRANSPOSE_CONV")
def tflite_transpose_conv(n: TfliteNode) -> str:
    """Operands: output shape, w [O,KY,KX,C], x, and since version 3 a bias."""
    shape = n.integers(0, "the output shape")
    y = _tflite(n, n.input(2), n.input(1), n.input(3), (shape[1], shape[2]), (n.options.stride_h, n.options.stride_w), n.options.padding)
    return activate(n, y, n.options.fused_activation_function if n.version > 3 else "NONE")


@tflite_op("Convolution2DTransposeBias")
def mediapipe_transpose_conv(n: TfliteNode) -> str:
    """MediaPipe's custom op: x, w [O,KY,KX,C], bias; its options are those of TfLiteTransposeConvParams: padding, strides."""
    if not isinstance(n.custom, bytes) or len(n.custom) < 12:
        raise Unsupported("its options are not the 12 bytes of padding and strides that the op has")
    padding, stride_w, stride_h = (int(v) for v in np.frombuffer(n.custom[:12], "<i4"))
    x, w = n.shape(0), n.shape(1)
    same = padding == 1
    size = [e * s if same else _transposed_size(e, k, s, 1, (0, 0)) for e, k, s in zip(x[1:3], w[1:3], (stride_h, stride_w))]
    return _tflite(n, n.input(0), n.input(1), n.input(2), (size[0], size[1]), (stride_h, stride_w), "SAME" if same else "VALID")


def _tflite(n: TfliteNode, x: str, w: str, bias: str, size: Pair, stride: Pair, padding: str) -> str:
    kernel = n.shape(weights_of(n, w))[1:3]
    pads = [same_pads(size[d], kernel[d], stride[d]) if padding == "SAME" else (0, 0) for d in (0, 1)]
    y = n.emit(ConvTranspose2D(size, stride, (pads[0], pads[1])), x, w)
    return biased(n, y, bias)


