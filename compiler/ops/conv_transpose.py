"""Transposed convolution: the gradient of a convolution with respect to its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .activation import activate
from .conv import channels_last, channels_second, over_images
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Reshape, Transpose
from .op import Op
from .padding import Pair, same_pads
from .windows import Windows, rows_product, windows

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


def conv_transposed(n: SourceNode, x: str, w: str, size: Sequence[int], stride: Sequence[int], before: Sequence[int],
                    dilation: Sequence[int], groups: int, bias: str = "") -> str:
    """A transposed convolution, and a bias [O] where there is one, over any number of axes: x [N,spatial…,C], w [O,kernel…,C/groups].

    It is composed as `convolved` composes a convolution, of windows over x with its elements moved apart by the stride.
    """
    shape, kernel = n.shape(x), n.shape(w)[1:-1]
    axes = len(kernel)
    if len(shape) != axes + 2 or n.shape(w)[-1] * groups != shape[-1] or n.shape(w)[0] % groups:
        raise Unsupported(f"a transposed convolution of {n.type(x)} in {groups} groups does not fit weights {n.type(w)}")
    if axes == 1:
        x, w = (n.emit(Reshape((s[0], 1, *s[1:])), v) for v, s in ((x, shape), (w, n.shape(w))))
        y = conv_transposed(n, x, w, (1, *size), (1, *stride), (0, *before), (1, *dilation), groups, bias)
        return n.emit(Reshape((shape[0], *n.shape(y)[2:])), y)
    image = 2 if n.array(w) is not None else 0
    slid = range(axes - image)
    seen = windows(n, x, Windows(
        kernel=tuple(kernel[d] if d in slid else 1 for d in range(axes)),
        steps=tuple(size[d] if d in slid else shape[1 + d] for d in range(axes)),
        stride=(1,) * axes,
        before=tuple(-before[d] if d in slid else 0 for d in range(axes)),
        dilation=tuple(-dilation[d] if d in slid else 1 for d in range(axes)),
        expand=tuple(stride[d] if d in slid else 1 for d in range(axes)), groups=groups))
    if not image:
        return rows_product(n, seen, w, groups, bias)
    pads = ((before[-2], 0), (before[-1], 0))
    op = ConvTranspose2D((size[-2], size[-1]), (stride[-2], stride[-1]), pads, (dilation[-2], dilation[-1]), groups)
    return over_images(n, op, seen, w, bias)


@onnx_op("ConvTranspose")
def onnx_conv_transpose(n: OnnxNode) -> str:
    """w is [C,O/groups,kernel…]."""
    x, w = n.input(0), n.input(1)
    axes, groups = len(n.shape(x)) - 2, int(n.attr("group", 1))
    c, per_out, *kernel = n.shape(w)
    if axes < 1 or len(kernel) != axes or c != n.shape(x)[1] or c % groups:
        raise Unsupported(f"a transposed convolution of {n.type(x)} in {groups} groups does not fit weights {n.type(w)}")
    stride, dilation = list(n.attr("strides") or [1] * axes), list(n.attr("dilations") or [1] * axes)
    extra = list(n.attr("output_padding") or [0] * axes)
    pads, size = _onnx_size(n, n.shape(x)[2:], kernel, stride, dilation, extra)
    apart = n.emit(Reshape((groups, c // groups, per_out, *kernel)), w)
    turned = n.emit(Transpose((0, 2, *range(3, axes + 3), 1)), apart)
    packed = n.emit(Reshape((groups * per_out, *kernel, c // groups)), turned)
    before = [first for first, _ in pads]
    return channels_second(n, conv_transposed(n, channels_last(n, x), packed, size, stride, before, dilation, groups, n.input(2)))


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
    """Operands: output shape, w [O,KY,KX,C], x, and since version 3 a bias.

    Where the shape is computed, the recorded result decides, if no extent of that is open.
    """
    shape = n.shape_operand(0, "the output shape, where the file leaves the result's open")
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


@tflite_op("CONV_3D_TRANSPOSE")
def tflite_conv_3d_transpose(n: TfliteNode) -> str:
    """Operands: output shape, w [KZ,KY,KX,O,C], x, and perhaps a bias."""
    o, size = n.options, n.integers(0, "the output shape")[1:-1]
    stride, dilation = (o.stride_d, o.stride_h, o.stride_w), (o.dilation_d_factor, o.dilation_h_factor, o.dilation_w_factor)
    w = n.emit(Transpose((3, 0, 1, 2, 4)), n.input(1))
    y = _tflite(n, n.input(2), w, n.input(3), size, stride, o.padding, tuple(max(d, 1) for d in dilation))
    return activate(n, y, o.fused_activation_function)


def _tflite(n: TfliteNode, x: str, w: str, bias: str, size: Sequence[int], stride: Sequence[int], padding: str,
            dilation: Sequence[int] = (1, 1)) -> str:
    kernel = n.shape(w)[1:-1]
    before = [same_pads(*of)[0] if padding == "SAME" else 0 for of in zip(size, kernel, stride, dilation)]
    return conv_transposed(n, x, w, size, stride, before, dilation, 1, bias)
