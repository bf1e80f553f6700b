"""Images put together from the columns that windows see of them."""

from __future__ import annotations

from math import prod

from ..errors import GraphError, Unsupported
from .elementwise import Elementwise
from .importing import OnnxNode, onnx_op
from .movement import Reshape
from .padding import onnx_pads, window_steps
from .reshaping import cut
from .windows import Windows


@onnx_op("Col2Im")
def onnx_col2im(n: OnnxNode) -> str:
    """[N,C * taps,positions] to [N,C,image…]: every element is the sum of what the columns hold of it, tap by tap."""
    size, kernel = n.integers(1, "image_shape"), n.integers(2, "block_shape")
    axes, taps = len(size), prod(kernel)
    stride, dilation = n.attr("strides") or [1] * axes, n.attr("dilations") or [1] * axes
    pads = onnx_pads(n, size, kernel, stride, dilation)
    try:
        steps = [window_steps(*of) for of in zip(size, kernel, stride, dilation, pads, strict=True)]
    except (GraphError, ValueError) as error:
        raise Unsupported(f"blocks of {kernel} in an image of {size}: {error}") from None
    shape = n.shape(0)
    if len(shape) != 3 or shape[1] % taps or shape[2] != prod(steps):
        raise Unsupported(f"{n.type(0)}; [N,C * {taps},{prod(steps)}] would be accepted")
    planes = shape[0] * shape[1] // taps
    columns, total = n.emit(Reshape((planes, taps, shape[2])), n.input(0)), ""
    for tap in range(taps):
        at = [tap // prod(kernel[d + 1 :]) % kernel[d] for d in range(axes)]
        before = tuple(k * step - pad[0] for k, step, pad in zip(at, dilation, pads))
        op = Windows((1,) * axes, size, (1,) * axes, before, (1,) * axes, tuple(stride))
        part = n.emit(op, n.emit(Reshape((planes, *steps, 1)), cut(n, columns, {1: (tap, 1, 1)})))
        total = n.emit(Elementwise("add"), part, total) if total else part
    return n.emit(Reshape((shape[0], shape[1] // taps, *size)), total)
