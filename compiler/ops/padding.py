"""Windows that slide over images: how many steps, and what lies outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import GraphError, Unsupported
from .importing import OnnxNode, TfliteNode

Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
NO_PADS: Pads = ((0, 0), (0, 0))


def window_steps(extent: int, kernel: int, stride: int, dilation: int, pads: Pair) -> int:
    """The number of positions of a window on an axis.

    Raises:
        GraphError: the window does not fit once.
    """
    room = extent + sum(pads) - ((kernel - 1) * dilation + 1)
    if room < 0 or stride < 1:
        raise GraphError(f"a window of {kernel} (dilation {dilation}, stride {stride}) does not fit {extent} padded by {pads}")
    return room // stride + 1


def same_pads(extent: int, kernel: int, stride: int, dilation: int = 1, lower: bool = False) -> Pair:
    """The padding that gives ceil(extent / stride) steps; an odd one goes to the end, or with `lower` to the start."""
    steps = -(-extent // stride)
    total = max((steps - 1) * stride + (kernel - 1) * dilation + 1 - extent, 0)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)


def tflite_pads(padding: str, shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int],
                dilation: Sequence[int] = ()) -> list[Pair]:
    """Of the spatial axes of [N,spatial…,C] under TFLite's SAME or VALID."""
    if padding == "VALID":
        return [(0, 0)] * len(kernel)
    if padding != "SAME":
        raise Unsupported(f"padding {padding}; SAME and VALID would be accepted")
    dilation = dilation or [1] * len(kernel)
    return [same_pads(*of) for of in zip(shape[1:-1], kernel, stride, dilation)]


def onnx_pads(n: OnnxNode, spatial: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> list[Pair]:
    """Of the spatial axes, from `auto_pad` and `pads`."""
    auto = n.attr("auto_pad", "NOTSET")
    axes = len(kernel)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        return [same_pads(spatial[d], kernel[d], stride[d], dilation[d], auto == "SAME_LOWER") for d in range(axes)]
    if auto == "VALID":
        return [(0, 0)] * axes
    pads = n.attr("pads") or [0] * 2 * axes
    return [(int(pads[d]), int(pads[d + axes])) for d in range(axes)]


def pool_options(n: TfliteNode) -> tuple[str, Pair, Pair, str]:
    """Padding, stride, window and activation of MediaPipe's ops, which are those of TfLitePoolParams: six integers."""
    if not isinstance(n.custom, bytes) or len(n.custom) < 24:
        raise Unsupported("its options are not the 24 bytes of padding, strides, window and activation that the op has")
    padding, stride_w, stride_h, width, height, activation = np.frombuffer(n.custom[:24], "<i4").tolist()
    names = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH")
    if padding not in (1, 2) or activation not in range(len(names)):
        raise Unsupported(f"padding {padding} and activation {activation}; 1 (SAME), 2 (VALID) and 0 to 4 would be accepted")
    return ("SAME" if padding == 1 else "VALID"), (stride_h, stride_w), (height, width), names[activation]
