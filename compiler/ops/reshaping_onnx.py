"""The ONNX operators that move data, ask for shapes, or are constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import Unsupported
from .conv import TO_NCHW, TO_NHWC
from .importing import OnnxNode, onnx_op
from .movement import Broadcast, DepthToSpace, Pad, PadMode, Reshape, SpaceToDepth, Tile, Transpose
from .op import normal_axis
from .reshaping import axes_of, constant_range, cut, extents, filled, join, reshape, split, squeeze, unsqueeze

PAD_MODES: dict[str, PadMode] = {"constant": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}


def integers(n: OnnxNode, attribute: str, operand: int) -> tuple[int, ...] | None:
    """Integers that older versions of an operator take as an attribute and newer ones as an operand."""
    if n.input(operand):
        return n.integers(operand, attribute)
    given = n.attr(attribute)
    return None if given is None else tuple(int(v) for v in given)


def required(n: OnnxNode, attribute: str, operand: int) -> tuple[int, ...]:
    given = integers(n, attribute, operand)
    if given is None:
        raise Unsupported(f"it has no {attribute}")
    return given


@onnx_op("Transpose")
def onnx_transpose(n: OnnxNode) -> str:
    perm = n.attr("perm") or range(len(n.shape(0)))[::-1]
    return n.emit(Transpose(tuple(int(d) for d in perm)), n.input(0))


@onnx_op("Reshape")
def onnx_reshape(n: OnnxNode) -> str:
    """0 keeps the operand's extent, unless `allowzero` says that it means none; -1 is what is left."""
    x = n.shape(0)
    shape = required(n, "shape", 1)
    if not n.attr("allowzero", 0):
        shape = tuple(x[d] if e == 0 else e for d, e in enumerate(shape))
    return reshape(n, n.input(0), shape)


@onnx_op("Flatten")
def onnx_flatten(n: OnnxNode) -> str:
    shape, axis = n.shape(0), n.attr("axis", 1)
    axis = normal_axis(axis, len(shape))
    rows = int(np.prod(shape[:axis], dtype=np.int64))
    return n.emit(Reshape((rows, int(np.prod(shape[axis:], dtype=np.int64)))), n.input(0))


@onnx_op("Squeeze")
def onnx_squeeze(n: OnnxNode) -> str:
    return squeeze(n, n.input(0), integers(n, "axes", 1) or ())


@onnx_op("Unsqueeze")
def onnx_unsqueeze(n: OnnxNode) -> str:
    return unsqueeze(n, n.input(0), required(n, "axes", 1))


@onnx_op("Concat")
def onnx_concat(n: OnnxNode) -> str:
    return join(n, n.inputs, n.attr("axis", 1))


@onnx_op("Split")
def onnx_split(n: OnnxNode) -> list[str]:
    """Into the sizes given, else into `num_outputs` parts of equal size, of which the last may be smaller."""
    (axis,) = axes_of([n.attr("axis", 0)], len(n.shape(0)))
    size = n.shape(0)[axis]
    sizes: Sequence[int] | None = integers(n, "split", 1)
    if sizes is None:
        count = n.attr("num_outputs", len(n.outputs))
        each = -(-size // count)
        sizes = [max(min(each, size - k * each), 0) for k in range(count)]
    return split(n, n.input(0), axis, sizes)


@onnx_op("Slice")
def onnx_slice(n: OnnxNode) -> str:
    x = n.input(0)
    starts, ends = required(n, "starts", 1), required(n, "ends", 2)
    axes = axes_of(integers(n, "axes", 3) or range(len(starts)), len(n.shape(x)))
    steps = integers(n, "steps", 4) or [1] * len(starts)
    ranges = zip(axes, starts, ends, steps, strict=True)
    return cut(n, x, {d: extents(b, e, s, n.shape(x)[d]) for d, b, e, s in ranges})


@onnx_op("Pad")
def onnx_pad(n: OnnxNode) -> str:
    """Attributes before opset 11, operands since; axes other than those given are not padded."""
    rank, mode = len(n.shape(0)), n.attr("mode", "constant")
    if mode not in PAD_MODES:
        raise Unsupported(f"mode {mode}; {', '.join(PAD_MODES)} would be accepted")
    given = integers(n, "pads", 1) or required(n, "paddings", 1)
    axes = axes_of(n.integers(3, "axes") if n.input(3) else range(rank), rank)
    pads = [(0, 0)] * rank
    for k, axis in enumerate(axes):
        pads[axis] = (given[k], given[k + len(axes)])
    value = n.constant(2, "value").item() if n.input(2) else n.attr("value", 0.0)
    return n.emit(Pad(tuple(pads), PAD_MODES[mode], value), n.input(0))


@onnx_op("CenterCropPad")
def onnx_center_crop_pad(n: OnnxNode) -> str:
    """What is odd is cut off, or added, at the end."""
    x, shape, rank = n.input(0), n.integers(1, "shape"), len(n.shape(0))
    axes = axes_of(n.attr("axes") or range(rank), rank)
    for axis, wanted in zip(axes, shape, strict=True):
        given = n.shape(x)[axis]
        if wanted < given:
            x = cut(n, x, {axis: ((given - wanted) // 2, wanted, 1)})
        elif wanted > given:
            before = (wanted - given) // 2
            x = n.emit(Pad(tuple((before, wanted - given - before) if d == axis else (0, 0) for d in range(rank))), x)
    return x


@onnx_op("Expand")
def onnx_expand(n: OnnxNode) -> str:
    shape = np.broadcast_shapes(n.shape(0), n.integers(1, "shape"))
    return n.emit(Broadcast(tuple(int(e) for e in shape)), n.input(0))


@onnx_op("Tile")
def onnx_tile(n: OnnxNode) -> str:
    if n.opset < 6:
        raise Unsupported(f"opset {n.opset}; 6 and newer would be accepted")
    return n.emit(Tile(n.integers(1, "repeats")), n.input(0))


@onnx_op("DepthToSpace")
def onnx_depth_to_space(n: OnnxNode) -> str:
    op = DepthToSpace(n.attr("blocksize"), n.attr("mode", "DCR") == "CRD")
    return n.emit(Transpose(TO_NCHW), n.emit(op, n.emit(Transpose(TO_NHWC), n.input(0))))


@onnx_op("SpaceToDepth")
def onnx_space_to_depth(n: OnnxNode) -> str:
    if n.attr("mode", "DCR") == "CRD":
        (batch, c, h, w), b = n.shape(0), n.attr("blocksize")
        blocks = n.emit(Reshape((batch, c, h // b, b, w // b, b)), n.input(0))
        return n.emit(Reshape((batch, c * b * b, h // b, w // b)), n.emit(Transpose((0, 1, 3, 5, 2, 4)), blocks))
    op = SpaceToDepth(n.attr("blocksize"))
    return n.emit(Transpose(TO_NCHW), n.emit(op, n.emit(Transpose(TO_NHWC), n.input(0))))


@onnx_op("Crop")
def onnx_crop(n: OnnxNode) -> str:
    """Cuts `border` (left, top, right, bottom) off NCHW, or, with `scale`, takes that many rows and columns.

    An experimental operator of early models.
    """
    left, top, right, bottom = (int(v) for v in n.attr("border"))
    height, width = n.attr("scale") or (n.shape(0)[2] - top - bottom, n.shape(0)[3] - left - right)
    return cut(n, n.input(0), {2: (top, int(height), 1), 3: (left, int(width), 1)})


@onnx_op("Shape")
def onnx_shape(n: OnnxNode) -> str:
    start, end = n.attr("start", 0), n.attr("end")
    return n.add_constant(np.array(n.shape(0)[start:end], np.int64))


@onnx_op("Size")
def onnx_size(n: OnnxNode) -> str:
    return n.add_constant(np.array(n.type(0).size, np.int64))


@onnx_op("Constant")
def onnx_constant(n: OnnxNode) -> str:
    dtypes = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    ((name, value),) = n.attributes.items()
    if name.startswith("value_string"):
        raise Unsupported("a constant of text; numbers and truth values would be accepted")
    if name not in dtypes and name not in ("value", "sparse_value"):
        raise Unsupported(f"attribute '{name}'; {', '.join(['value', 'sparse_value', *dtypes])} would be accepted")
    return n.add_constant(np.asarray(value, dtypes.get(name)))


@onnx_op("ConstantOfShape")
def onnx_constant_of_shape(n: OnnxNode) -> str:
    return filled(n, n.integers(0, "shape"), np.asarray(n.attr("value", np.zeros(1, np.float32))))


@onnx_op("Range")
def onnx_range(n: OnnxNode) -> str:
    return constant_range(n, n.constant(0, "start"), n.constant(1, "limit"), n.constant(2, "delta"))
