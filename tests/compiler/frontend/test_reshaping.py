"""Movement of data, shapes and constants, held against the ONNX standard's own cases and against LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import evaluate
from tests.oracles import evaluated, litert, onnx_model, onnx_node, ort, same, standard_case, standard_cases, write
from tests.tflite_writer import TfliteWriter

RNG = np.random.default_rng(0)
MODULES = (
    "transpose", "reshape", "flatten", "squeeze", "unsqueeze", "concat", "split", "slice", "pad", "expand", "tile",
    "depthtospace", "spacetodepth", "shape", "size", "constantofshape", "rangeop", "gather",
)  # fmt: skip
OPERATORS = (
    "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Pad", "Expand", "Tile",
    "DepthToSpace", "SpaceToDepth", "Shape", "Size", "ConstantOfShape", "Range", "Gather",
)  # fmt: skip
WITHOUT_DATA = ("ConstantOfShape", "Range")
CASES = [c for c in standard_cases(MODULES, OPERATORS) if np.asarray(c.data_sets[0][0][0]).size]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_standard(tmp_path: Path, case: Any) -> None:
    path, inputs, outputs = standard_case(tmp_path, case, 0 if case.model.graph.node[0].op_type in WITHOUT_DATA else 1)
    same(evaluated(path, inputs), outputs, 0)


def check_onnx(
    tmp_path: Path,
    op: str,
    x: np.ndarray,
    constants: list[np.ndarray],
    expected: np.ndarray,
    opset: int = 18,
    **attributes: Any,
) -> None:
    names = [f"c{k}" for k in range(len(constants))]
    model = onnx_model([helper.make_node(op, ["x", *names], ["y"], **attributes)], {"x": (x.dtype, x.shape)}, ["y"],
                       dict(zip(names, constants)), opset)  # fmt: skip
    same(evaluated(write(tmp_path, model), [x]), [expected], 0)


def test_attributes_of_older_opsets(tmp_path: Path) -> None:
    x = RNG.random((1, 4, 6), np.float32)
    check_onnx(tmp_path, "Slice", x, [], x[:, 1:3, -2:], 9, starts=[1, -2], ends=[3, 99], axes=[1, 2])
    check_onnx(tmp_path, "Squeeze", x, [], x[0], 11, axes=[0])
    check_onnx(tmp_path, "Unsqueeze", x, [], x[:, :, None, :, None], 11, axes=[2, -1])
    check_onnx(
        tmp_path,
        "Pad",
        x,
        [],
        np.pad(x, ((0, 0), (1, 0), (0, 2)), constant_values=3),
        10,
        pads=[0, 1, 0, 0, 0, 2],
        value=3.0,
    )
    check_onnx(tmp_path, "Pad", x, [], np.pad(x, ((0, 0), (1, 0), (0, 2))), 1, paddings=[0, 1, 0, 0, 0, 2])
    check_onnx(tmp_path, "Reshape", x, [], x.reshape(1, 8, 3), 1, shape=[0, 8, -1])


def test_negative_padding_cuts(tmp_path: Path) -> None:
    x = RNG.random((4, 6), np.float32)
    check_onnx(tmp_path, "Pad", x, [np.array([-1, 2, 0, -3])], np.pad(x[1:, :3], ((0, 0), (2, 0))))


def test_crop(tmp_path: Path) -> None:
    x = RNG.random((1, 2, 6, 8), np.float32)
    check_onnx(tmp_path, "Crop", x, [], x[:, :, 2:-4, 1:-3], 1, border=[1, 2, 3, 4])
    check_onnx(tmp_path, "Crop", x, [], x[:, :, 2:5, 1:3], 1, border=[1, 2, 0, 0], scale=[3, 2])


@pytest.mark.parametrize("index", [2, -1, [0, 2, 4], [4, 3, 2, 1], [[0, 1], [1, 0]], [3, 3, 3], [0, 4, 1, 3]])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gather_by_constant_indices(tmp_path: Path, index: Any, axis: int) -> None:
    x = RNG.random((5, 5, 5), np.float32)
    check_onnx(tmp_path, "Gather", x, [np.array(index)], np.take(x, index, axis), axis=axis)


def test_a_gather_outside_is_refused(tmp_path: Path) -> None:
    model = onnx_model([helper.make_node("Gather", ["x", "i"], ["y"])], {"x": (np.float32, (800,))}, ["y"], {"i": np.array([0, 900])})
    with pytest.raises(UnsupportedError, match="outside axis 0"):
        load(write(tmp_path, model))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gather_by_computed_indices(tmp_path: Path, axis: int) -> None:
    x, index = RNG.random((3, 4, 5), np.float32), RNG.integers(-3, 3, (2, 6))
    path = onnx_node(tmp_path, "Gather", [x, index], axis=axis)
    same(evaluated(path, [x, index]), ort(path, [x, index]), 0)


@pytest.mark.parametrize(("op", "options"), [("GATHER", {"axis": 1}), ("GATHER", {"axis": 2, "batch_dims": 1}), ("EMBEDDING_LOOKUP", {})])
def test_tflite_gathers_by_computed_indices(tmp_path: Path, op: str, options: dict[str, int]) -> None:
    m = TfliteWriter()
    arrays = [RNG.random((2, 3, 4), np.float32), RNG.integers(0, 2, (5,) if op == "EMBEDDING_LOOKUP" else (2, 5)).astype(np.int32)]
    operands = [m.input("x", arrays[0].shape, "float32"), m.input("i", arrays[1].shape, "int32")]
    m.output(m.op(op, operands[::-1] if op == "EMBEDDING_LOOKUP" else operands, options, shape=(1,), dtype="float32"))
    path = write(tmp_path, m)
    same(evaluated(path, arrays), litert(path, arrays), 0)


def test_shape_arithmetic_is_folded(tmp_path: Path) -> None:
    """A flatten as exporters write it: Shape, Gather, Unsqueeze, Concat, Reshape."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Unsqueeze", ["batch", "axes"], ["batches"]),
        helper.make_node("Concat", ["batches", "rest"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["y"]),
    ]
    constants = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1])}
    path = write(tmp_path, onnx_model(nodes, {"x": (np.float32, ("n", 3, 4))}, ["y"], constants))
    graph = load(path, input_shapes={"x": (2, 3, 4)})
    assert [(type(n.op).__name__, graph.type(n.output).shape) for n in graph.nodes()] == [("Reshape", (2, 12))]


def test_constants_of_every_kind(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["a"], value_float=0.5),
        helper.make_node("Constant", [], ["b"], value_ints=[1, 2]),
        helper.make_node("Constant", [], ["c"], value=helper.make_tensor("t", TensorProto.DOUBLE, [1], [3.0])),
    ]
    path = write(tmp_path, onnx_model(nodes, {"x": (np.float32, (1,))}, ["a", "b", "c"]))
    same(evaluated(path, [np.zeros(1, np.float32)]), [np.array(0.5, np.float32), np.array([1, 2]), np.array([3.0])])


# -- TFLite


def check_tflite(
    tmp_path: Path, op: str, operands: list[Any], options: dict[str, Any], shapes: list[tuple[int, ...]] | None = None,
) -> None:  # fmt: skip
    """One operator against LiteRT: float arrays are fed, integers are constants; `shapes` are of the results."""
    m = TfliteWriter()
    feed, tensors = [], []
    for k, operand in enumerate(operands):
        array = np.asarray(operand)
        if array.dtype.kind == "f" and array.ndim:
            feed.append(array.astype(np.float32))
            tensors.append(m.input(f"x{k}", array.shape, "float32"))
        else:
            tensors.append(m.constant(array.astype(np.float32 if array.dtype.kind == "f" else np.int32)))
    version = 2 if op == "BROADCAST_TO" else 1
    m.output(*m.op(op, tensors, options, outputs=[(s, "float32") for s in shapes or [(1,)]], version=version))
    path = write(tmp_path, m)
    same(evaluated(path, feed), litert(path, feed), 0)


X3, X4 = RNG.random((2, 3, 4), np.float32), RNG.random((2, 4, 6, 8), np.float32)
MASKS = [
    {}, {"begin_mask": 1}, {"end_mask": 2}, {"begin_mask": 7, "end_mask": 7}, {"shrink_axis_mask": 1},
    {"shrink_axis_mask": 5}, {"begin_mask": 2, "shrink_axis_mask": 2}, {"new_axis_mask": 1}, {"ellipsis_mask": 1},
    {"new_axis_mask": 2, "shrink_axis_mask": 4}, {"ellipsis_mask": 2}, {"ellipsis_mask": 2, "new_axis_mask": 4},
    {"ellipsis_mask": 1, "shrink_axis_mask": 4},
]  # fmt: skip


RANGES = [([0, 1, 0], [2, 3, 4], [1, 1, 2]), ([-1, -2, 1], [9, -1, 3], [1, 1, 1]), ([1, 2, 3], [0, 0, -9], [-1, -2, -1])]
"""(begin, end, strides); the format allows no negative step on an axis that goes."""


ALLOWED = [(r, m) for r in RANGES for m in MASKS if min(r[2]) > 0 or "shrink_axis_mask" not in m]


@pytest.mark.parametrize(("ranges", "masks"), ALLOWED, ids=str)
def test_strided_slice(tmp_path: Path, ranges: tuple[list[int], ...], masks: dict[str, Any]) -> None:
    check_tflite(tmp_path, "STRIDED_SLICE", [X3, *ranges], masks)


def test_strided_slice_with_ends_that_count_from_the_beginnings(tmp_path: Path) -> None:
    check_tflite(tmp_path, "STRIDED_SLICE", [X3, [0, 1, 1], [2, 2, 3], [1, 1, 2]], {"offset": True})


@pytest.mark.parametrize(
    ("op", "operands", "options", "shapes"),
    [
        ("RESHAPE", [X3, [4, -1]], {}, None),
        ("RESHAPE", [X3], {"new_shape": [6, 4]}, None),
        ("SQUEEZE", [X3[:1, None]], {}, None),
        ("SQUEEZE", [X3[:1, None]], {"squeeze_dims": [-3]}, None),
        ("EXPAND_DIMS", [X3, -1], {}, None),
        ("EXPAND_DIMS", [X3, [1]], {}, None),
        ("TRANSPOSE", [X4, [0, 3, 1, 2]], {}, None),
        ("CONCATENATION", [X3, X3 * 9 - 4, X3], {"axis": -2}, None),
        ("PACK", [X3, X3 + 1], {"axis": -1, "values_count": 2}, None),
        ("PACK", [X3, X3 + 1], {"axis": 0, "values_count": 2}, None),
        ("UNPACK", [X3], {"axis": 1, "num": 3}, [(2, 4)] * 3),
        ("UNPACK", [X3], {"axis": -1, "num": 4}, [(2, 3)] * 4),
        ("SPLIT", [3, X4], {"num_splits": 4}, [(2, 4, 6, 2)] * 4),
        ("SPLIT", [-2, X4], {"num_splits": 2}, [(2, 4, 3, 8)] * 2),
        ("SPLIT_V", [X4, [1, -1, 3], 2], {"num_splits": 3}, [(2, 4, 1, 8), (2, 4, 2, 8), (2, 4, 3, 8)]),
        ("SLICE", [X3, [0, 1, 2], [-1, 2, 1]], {}, [(2, 2, 1)]),
        ("PAD", [X4, [[0, 0], [1, 2], [3, 0], [0, 1]]], {}, None),
        ("PADV2", [X4, [[0, 0], [1, 2], [3, 0], [0, 1]], 2.5], {}, None),
        ("MIRROR_PAD", [X4, [[0, 0], [1, 2], [3, 0], [0, 1]]], {"mode": "REFLECT"}, None),
        ("MIRROR_PAD", [X4, [[0, 0], [1, 4], [3, 6], [0, 1]]], {"mode": "SYMMETRIC"}, None),
        ("TILE", [X3, [1, 2, 3]], {}, None),
        ("BROADCAST_TO", [X3[:, :1], [5, 2, 3, 4]], {}, None),
        ("DEPTH_TO_SPACE", [X4], {"block_size": 2}, None),
        ("SPACE_TO_DEPTH", [X4], {"block_size": 2}, None),
        ("SPACE_TO_BATCH_ND", [X4, [2, 3], [[1, 1], [0, 3]]], {}, None),
        ("SPACE_TO_BATCH_ND", [X3, [2], [[0, 1]]], {}, None),
        ("BATCH_TO_SPACE_ND", [RNG.random((12, 2, 3, 1), np.float32), [2, 3], [[1, 0], [0, 2]]], {}, None),
        ("BATCH_TO_SPACE_ND", [X3, [2], [[1, 0]]], {}, None),
        ("FILL", [[2, 3], 1.5], {}, None),
        ("ZEROS_LIKE", [X3], {}, None),
        ("RANGE", [1.0, 3.0, 0.5], {}, None),
        ("GATHER", [X3, [2, 0, 0, 1]], {"axis": 1}, None),
        ("GATHER", [X3, [[1], [0]]], {"axis": 0}, None),
        ("GATHER", [X3, 1], {"axis": -1}, None),
        ("REVERSE_V2", [X3, [1]], {}, None),
    ],
)  # fmt: skip
def test_tflite(
    tmp_path: Path, op: str, operands: list[Any], options: dict[str, Any], shapes: list[tuple[int, ...]] | None
) -> None:
    check_tflite(tmp_path, op, operands, options, shapes)


COMPUTED: list[tuple[str, list[Any], list[int], dict[str, int], tuple[int, ...]]] = [
    # operator, operands, which are fed, options, shape of the result
    ("SLICE", [X3, [1, 0, 2], [1, 3, 2]], [0, 1], {}, (1, 3, 2)),
    ("STRIDED_SLICE", [X3, [1, 9, -1], [2, 9, 0], [1, 2, 1]], [0, 1, 2], {"shrink_axis_mask": 5, "begin_mask": 2, "end_mask": 2}, (2,)),
    ("STRIDED_SLICE", [X3, [0, 2, 0], [0, 0, 0], [-1, 1, 1]], [0, 1], {"shrink_axis_mask": 2, "begin_mask": 5, "end_mask": 5}, (2, 4)),
    ("PADV2", [X3, [[1, 0], [0, 2], [1, 1]], 2.5], [0, 2], {}, (3, 5, 6)),
]  # fmt: skip


@pytest.mark.parametrize(("op", "operands", "fed", "options", "shape"), COMPUTED, ids=[op for op, *_ in COMPUTED])
def test_places_and_values_that_are_computed(
    tmp_path: Path, op: str, operands: list[Any], fed: list[int], options: dict[str, int], shape: tuple[int, ...]
) -> None:
    m, feed, tensors = TfliteWriter(), list[np.ndarray](), list[int]()
    for k, operand in enumerate(operands):
        array = np.asarray(operand)
        array = array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
        tensors.append(m.input(f"x{k}", array.shape, array.dtype.name) if k in fed else m.constant(array))
        feed += [array] if k in fed else []
    m.output(m.op(op, tensors, options, shape=shape, dtype="float32"))
    path = write(tmp_path, m)
    same(evaluated(path, feed), litert(path, feed), 0)


def test_a_range_that_is_computed_is_refused(tmp_path: Path) -> None:
    m = TfliteWriter()
    places = [m.input("x", (4, 5), "float32"), m.input("begin", (2,), "int32"), m.constant(np.int32([3, 3])), m.constant(np.int32([1, 1]))]
    m.output(m.op("STRIDED_SLICE", places, {"begin_mask": 1, "end_mask": 1}, shape=(4, 1), dtype="float32"))
    with pytest.raises(UnsupportedError, match=r"the range of axis 1 is computed; all of it, or one element .* would be accepted"):
        load(write(tmp_path, m))


def test_an_activation_behind_a_concatenation(tmp_path: Path) -> None:
    m = TfliteWriter()
    x = m.input("x", X3.shape, "float32")
    m.output(m.op("CONCATENATION", [x, x], {"axis": 0, "fused_activation_function": "RELU6"}, shape=(4, 3, 4)))
    x = X3 * 20 - 10
    same(evaluated(write(tmp_path, m), [x]), [np.clip(np.concatenate([x, x]), 0, 6)], 0)


def test_shape_and_rank(tmp_path: Path) -> None:
    m = TfliteWriter()
    x = m.input("x", (2, 3), "float32")
    m.output(
        m.op("SHAPE", [x], {"out_type": "INT64"}, shape=(2,), dtype="int64"), m.op("RANK", [x], shape=(), dtype="int32")
    )
    path = write(tmp_path, m)
    arrays = [np.zeros((2, 3), np.float32)]
    same(evaluated(path, arrays), litert(path, arrays), 0)


def test_shapes_that_broadcast(tmp_path: Path) -> None:
    m = TfliteWriter()
    shape = m.op("BROADCAST_ARGS", [m.constant([3, 1], "int32"), m.constant([4, 1, 5], "int32")], shape=(3,), dtype="int32")
    m.output(m.op("BROADCAST_TO", [m.input("x", (1, 5), "float32"), shape], shape=(4, 3, 5), version=2))
    path, x = write(tmp_path, m), RNG.random((1, 5), np.float32)
    same(evaluated(path, [x]), litert(path, [x]), 0)


def reshaped(recorded: tuple[int, ...], signature: tuple[int, ...] | None) -> TfliteWriter:
    """RESHAPE by a shape that is fed, plus 0."""
    m = TfliteWriter()
    x, fed = m.input("x", (2, 6), "float32"), m.input("shape", (2,), "int32")
    shape = m.op("ADD", [fed, m.constant(np.zeros(2, np.int32))], shape=(2,), dtype="int32")
    m.output(*m.op("RESHAPE", [x, shape], outputs=[(recorded, "float32", None, signature)]))
    return m


def test_reshape_by_the_recorded_result(tmp_path: Path) -> None:
    path, arrays = write(tmp_path, reshaped((3, 4), None)), [RNG.random((2, 6), np.float32), np.array([3, 4], np.int32)]
    same(evaluated(path, arrays), litert(path, arrays), 0)


@pytest.mark.parametrize(("recorded", "signature"), [((1, 1), (-1, -1)), ((3, 4), (-1, 4)), ((), None)])
def test_a_fed_shape_of_which_nothing_is_recorded(tmp_path: Path, recorded: tuple[int, ...], signature: tuple[int, ...] | None) -> None:
    path, x, shape = write(tmp_path, reshaped(recorded, signature)), RNG.random((2, 6), np.float32), np.array([3, 4], np.int32)
    with pytest.raises(UnsupportedError, match=r"RESHAPE .* is computed at run time; .* --input-value shape=…"):
        load(path)
    graph = load(path, input_values={"shape": shape})
    same([evaluate(graph, {"x": x})[v] for v in graph.outputs.values()], litert(path, [x, shape]), 0)


def test_gather_with_common_axes_of_constants(tmp_path: Path) -> None:
    m = TfliteWriter()
    data, index = RNG.random((2, 3, 4), np.float32), np.array([[0, 2], [1, 1]], np.int32)
    g = m.op(
        "GATHER", [m.constant(data), m.constant(index)], {"axis": 1, "batch_dims": 1}, shape=(2, 2, 4), dtype="float32"
    )
    m.output(m.op("ADD", [m.input("x", (2, 2, 4), "float32"), g], shape=(2, 2, 4), dtype="float32"))
    path = write(tmp_path, m)
    arrays = [np.zeros((2, 2, 4), np.float32)]
    same(evaluated(path, arrays), litert(path, arrays), 0)
