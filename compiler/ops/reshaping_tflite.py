"""The TFLite operators that move data, ask for shapes, or are constants."""

from __future__ import annotations

from math import prod

import numpy as np

from ..errors import Unsupported
from .activation import activate
from .elementwise import Elementwise
from .gather import gather
from .importing import TfliteNode, tflite_op
from .movement import Broadcast, DepthToSpace, Pad, PadMode, Reshape, SpaceToDepth, Tile, Transpose
from .op import normal_axis
from .reshaping import constant_range, cut, extents, filled, join, part, reshape, split, squeeze, unsqueeze

Range = tuple[int, int, int]
MIRROR_MODES: dict[str, PadMode] = {"REFLECT": "reflect", "SYMMETRIC": "symmetric"}


@tflite_op("RESHAPE")
def tflite_reshape(n: TfliteNode) -> str:
    """The shape is an operand, else an option; where it is computed, the recorded result decides, if no extent of that is open.

    Complex numbers, which are pairs along a last axis, stay together.
    """
    if n.input(1):
        shape = n.shape_operand(1, "shape, where the file leaves the result's open")
    else:
        shape = n.options.new_shape
        if shape == (0,) and n.type(0).size == 1:
            shape = ()
    pair = (2,) if n.results[0].dtype.kind == "c" else ()
    return reshape(n, n.input(0), (*shape, *pair))


@tflite_op("SQUEEZE")
def tflite_squeeze(n: TfliteNode) -> str:
    return squeeze(n, n.input(0), n.options.squeeze_dims)


@tflite_op("EXPAND_DIMS")
def tflite_expand_dims(n: TfliteNode) -> str:
    return unsqueeze(n, n.input(0), n.integers(1, "axis"))


@tflite_op("TRANSPOSE")
def tflite_transpose(n: TfliteNode) -> str:
    rank = len(n.shape(0))
    return n.emit(Transpose(tuple(normal_axis(d, rank) for d in n.integers(1, "perm"))), n.input(0))


@tflite_op("CONCATENATION")
def tflite_concatenation(n: TfliteNode) -> str:
    return activate(n, join(n, n.inputs, n.options.axis), n.options.fused_activation_function)


@tflite_op("PACK")
def tflite_pack(n: TfliteNode) -> str:
    axis = normal_axis(n.options.axis, len(n.shape(0)) + 1)
    return join(n, [unsqueeze(n, v, [axis]) for v in n.inputs], axis)


@tflite_op("UNPACK")
def tflite_unpack(n: TfliteNode) -> list[str]:
    axis = normal_axis(n.options.axis, len(n.shape(0)))
    _check_count(n, n.shape(0)[axis])
    parts = split(n, n.input(0), axis, [1] * n.shape(0)[axis])
    return [squeeze(part(n, k), v, [axis]) for k, v in enumerate(parts)]


@tflite_op("SPLIT")
def tflite_split(n: TfliteNode) -> list[str]:
    (axis,) = n.integers(0, "axis")
    count = n.options.num_splits
    _check_count(n, count)
    return split(n, n.input(1), axis, [n.shape(1)[axis] // count] * count)


def _check_count(n: TfliteNode, parts: int) -> None:
    if parts != len(n.outputs):
        raise Unsupported(f"of {parts} parts, which its {len(n.outputs)} outputs cannot take")


@tflite_op("SPLIT_V")
def tflite_split_v(n: TfliteNode) -> list[str]:
    """One size may be -1: what is left."""
    sizes, (axis,) = n.integers(1, "sizes"), n.integers(2, "axis")
    left = n.shape(0)[axis] - sum(s for s in sizes if s != -1)
    return split(n, n.input(0), axis, [left if s == -1 else s for s in sizes])


@tflite_op("SLICE")
def tflite_slice(n: TfliteNode) -> str:
    """A size of -1 goes to the end of the axis. Where to begin may be computed, as long as the sizes are there."""
    shape, size = n.shape(0), n.integers(2, "size")
    if n.array(1) is None and -1 not in size:
        y = n.input(0)
        for d, (whole, count) in enumerate(zip(shape, size, strict=True)):
            y = gather(n, y, _onward(n, n.input(1), d, count), d) if count < whole else y
        return y
    begin = n.integers(1, "begin")
    taken = [e - b if s == -1 else s for b, s, e in zip(begin, size, shape, strict=True)]
    return cut(n, n.input(0), {d: (b, s, 1) for d, (b, s) in enumerate(zip(begin, taken))})


def _onward(n: TfliteNode, begin: str, axis: int, count: int) -> str:
    """So many indices from entry `axis` of `begin` on."""
    first = cut(n, begin, {0: (axis, 1, 1)})
    return n.emit(Elementwise("add"), first, n.add_constant(np.arange(count, dtype=n.type(begin).dtype)))


@tflite_op("STRIDED_SLICE")
def tflite_strided_slice(n: TfliteNode) -> str:
    """Bit k of a mask speaks of entry k of begin, end and strides.

    begin_mask, end_mask: from, or to, the end of the axis. ellipsis_mask: as many whole axes as are left.
    new_axis_mask: an axis of extent 1 that is not in the operand. shrink_axis_mask: one element, and the axis goes.
    """
    o, shape = n.options, n.shape(0)
    if n.array(1) is None or n.array(2) is None:
        return _strided_slice_somewhere(n)
    entries = list(zip(n.integers(1, "begin"), n.integers(2, "end"), n.integers(3, "strides"), strict=True))
    added = sum(o.new_axis_mask >> k & 1 for k in range(len(entries)) if not o.ellipsis_mask >> k & 1)
    ellipsis = len(shape) - (len(entries) - added - (o.ellipsis_mask != 0))
    ranges: dict[int, Range] = {}
    result: list[int] = []
    axis = 0
    for k, (begin, end, step) in enumerate(entries):
        if o.ellipsis_mask >> k & 1:
            result.extend(shape[axis : axis + ellipsis])
            axis += ellipsis
        elif o.new_axis_mask >> k & 1:
            result.append(1)
        else:
            if axis >= len(shape):
                raise Unsupported(f"{len(entries)} ranges for the axes of {n.type(0)}")
            masks = o.begin_mask >> k & 1, o.end_mask >> k & 1, o.shrink_axis_mask >> k & 1
            ranges[axis] = _range((begin, end, step), shape[axis], masks, offset=o.offset)
            if not masks[2]:
                result.append(ranges[axis][1])
            axis += 1
    y = cut(n, n.input(0), ranges)
    result.extend(shape[axis:])
    return n.emit(Reshape(tuple(result)), y) if tuple(result) != n.shape(y) else y


def _strided_slice_somewhere(n: TfliteNode) -> str:
    """Of each axis all, or one element, whose place is computed."""
    o, y, shape = n.options, n.input(0), n.shape(0)
    steps, gone = n.integers(3, "strides"), []
    for k, step in enumerate(steps):
        if o.shrink_axis_mask >> k & 1:
            y = gather(n, y, cut(n, n.input(1), {0: (k, 1, 1)}), k)
            gone.append(k)
        elif (o.new_axis_mask | o.ellipsis_mask) >> k & 1 or not (o.begin_mask & o.end_mask) >> k & 1:
            raise Unsupported(f"the range of axis {k} is computed; all of it, or one element (shrink_axis_mask) would be accepted")
        else:
            y = cut(n, y, {k: extents(0 if step > 0 else shape[k] - 1, shape[k] if step > 0 else -shape[k] - 1, step, shape[k])})
    return squeeze(n, y, gone) if gone else y


def _range(entry: Range, size: int, masks: Range, *, offset: bool) -> Range:
    """(begin, extent, step) of what one (begin, end, step) takes of an axis.

    Args:
        masks: the bits of begin_mask, end_mask and shrink_axis_mask; offset: whether `end` counts from `begin`.
    """
    (begin, end, step), (from_end, to_end, shrink) = entry, masks
    first = (0 if step > 0 else size - 1) if from_end else normal_axis(begin, size)
    if shrink:
        return first, 1, 1
    if offset and not to_end:
        end += first
    whole = slice(None if from_end else begin, None if to_end else end, step)
    taken = range(*whole.indices(size))
    return (taken.start if taken else 0), len(taken), step


@tflite_op("PAD", "PADV2")
def tflite_pad(n: TfliteNode) -> str:
    pairs, value = _pairs(n, 1, "paddings"), n.array(2)
    y = n.emit(Pad(pairs, "constant", 0.0 if value is None else value.item()), n.input(0))
    if value is not None or not n.input(2):
        return y
    inside = n.add_constant(np.pad(np.ones(n.shape(0), bool), pairs))
    return n.emit(Elementwise("where"), inside, y, reshape(n, n.input(2), ()))


@tflite_op("MIRROR_PAD")
def tflite_mirror_pad(n: TfliteNode) -> str:
    if n.options.mode not in MIRROR_MODES:
        raise Unsupported(f"mode {n.options.mode}; {', '.join(MIRROR_MODES)} would be accepted")
    return n.emit(Pad(_pairs(n, 1, "paddings"), MIRROR_MODES[n.options.mode]), n.input(0))


@tflite_op("TILE")
def tflite_tile(n: TfliteNode) -> str:
    return n.emit(Tile(n.integers(1, "multiples")), n.input(0))


@tflite_op("BROADCAST_TO")
def tflite_broadcast_to(n: TfliteNode) -> str:
    return n.emit(Broadcast(n.integers(1, "shape")), n.input(0))


@tflite_op("BROADCAST_ARGS")
def tflite_broadcast_args(n: TfliteNode) -> str:
    shape = np.broadcast_shapes(n.integers(0, "shape"), n.integers(1, "shape"))
    return n.add_constant(np.array(shape, n.results[0].dtype))


@tflite_op("DEPTH_TO_SPACE")
def tflite_depth_to_space(n: TfliteNode) -> str:
    return n.emit(DepthToSpace(n.options.block_size), n.input(0))


@tflite_op("SPACE_TO_DEPTH")
def tflite_space_to_depth(n: TfliteNode) -> str:
    return n.emit(SpaceToDepth(n.options.block_size), n.input(0))


@tflite_op("SPACE_TO_BATCH_ND")
def tflite_space_to_batch(n: TfliteNode) -> str:
    """Pads, divides each spatial axis into blocks, and moves the places within a block in front of the batch."""
    blocks, pads = n.integers(1, "block_shape"), _pairs(n, 2, "paddings")
    count, rank = len(blocks), len(n.shape(0))
    around = ((0, 0), *pads, *[(0, 0)] * (rank - 1 - count))
    x = n.emit(Pad(around), n.input(0))
    batch, *rest = n.shape(x)
    inner = [e // b for e, b in zip(rest, blocks)]
    divided = [e for pair in zip(inner, blocks) for e in pair]
    x = n.emit(Reshape((batch, *divided, *rest[count:])), x)
    spatial = range(1, 1 + 2 * count)
    x = n.emit(Transpose((*spatial[1::2], 0, *spatial[::2], *range(1 + 2 * count, rank + count))), x)
    return n.emit(Reshape((batch * prod(blocks), *inner, *rest[count:])), x)


@tflite_op("BATCH_TO_SPACE_ND")
def tflite_batch_to_space(n: TfliteNode) -> str:
    """The inverse of SPACE_TO_BATCH_ND: `crops` is what it cuts where the other pads."""
    blocks, crops = n.integers(1, "block_shape"), _pairs(n, 2, "crops")
    count, rank = len(blocks), len(n.shape(0))
    batch, *rest = n.shape(0)
    batch //= prod(blocks)
    x = n.emit(Reshape((*blocks, batch, *rest)), n.input(0))
    pairs = [axis for k in range(count) for axis in (count + 1 + k, k)]
    x = n.emit(Transpose((count, *pairs, *range(1 + 2 * count, rank + count))), x)
    spatial = [e * b for e, b in zip(rest, blocks)]
    x = n.emit(Reshape((batch, *spatial, *rest[count:])), x)
    return cut(n, x, {1 + k: (a, spatial[k] - a - b, 1) for k, (a, b) in enumerate(crops)})


@tflite_op("REVERSE_V2")
def tflite_reverse(n: TfliteNode) -> str:
    shape = n.shape(0)
    axes = [normal_axis(d, len(shape)) for d in n.integers(1, "axes")]
    return cut(n, n.input(0), {d: extents(shape[d] - 1, -shape[d] - 1, -1, shape[d]) for d in axes})


@tflite_op("SHAPE")
def tflite_shape(n: TfliteNode) -> str:
    return n.add_constant(np.array(n.shape(0), n.results[0].dtype))


@tflite_op("RANK")
def tflite_rank(n: TfliteNode) -> str:
    return n.add_constant(np.array(len(n.shape(0)), np.int32))


@tflite_op("RANGE")
def tflite_range(n: TfliteNode) -> str:
    return constant_range(n, n.constant(0, "start"), n.constant(1, "limit"), n.constant(2, "delta"))


@tflite_op("FILL")
def tflite_fill(n: TfliteNode) -> str:
    shape, value = n.integers(0, "dims"), n.array(1)
    return n.emit(Broadcast(shape), n.input(1)) if value is None else filled(n, shape, value)


@tflite_op("ZEROS_LIKE")
def tflite_zeros_like(n: TfliteNode) -> str:
    return filled(n, n.shape(0), np.zeros((), n.type(0).dtype))


@tflite_op("DENSIFY")
def tflite_densify(n: TfliteNode) -> str:
    """Sparse constants are dense as soon as the frontend has read them."""
    n.constant(0, "sparse weights")
    return n.input(0)


def _pairs(n: TfliteNode, operand: int, what: str) -> tuple[tuple[int, int], ...]:
    numbers = n.integers(operand, what)
    return tuple(zip(numbers[::2], numbers[1::2]))
