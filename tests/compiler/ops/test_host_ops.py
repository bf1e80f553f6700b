"""Ops that run on the host: against ONNX Runtime, LiteRT and the standard's cases, as files and as plans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers
from onnx import helper

from planish.compiler.driver import compile_graph, compile_model
from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Graph, Node, TensorType
from planish.compiler.ops.compress import Compress
from planish.compiler.ops.detections import Detections
from planish.compiler.ops.host_copy import HostCopy
from planish.compiler.ops.movement import Concat, Reshape, Slice, Transpose
from planish.compiler.ops.non_max_suppression import NonMaxSuppression, PaddedNonMaxSuppression
from planish.compiler.ops.nonzero import NonZero
from planish.compiler.ops.on_host import OnHost
from planish.compiler.ops.resize import Resize2D
from planish.compiler.ops.segment_sum import SegmentSum
from planish.compiler.ops.unique import Unique
from planish.runtime import Plan, Session
from planish.runtime.devices import find
from tests.harness import CPU, GPU
from tests.oracles import Arrays, evaluated, litert, onnx_model, ort, same, standard_case, standard_cases, write
from tests.tflite_writer import TfliteWriter

pytestmark = pytest.mark.device
RNG = np.random.default_rng(0)
SPARSE = (RNG.random((3, 4, 5)) < 0.3) * RNG.standard_normal((3, 4, 5)).astype(np.float32)
FEW = RNG.integers(0, 5, (4, 6))


def ran(path: Path, arrays: Arrays, folder: Path) -> list[np.ndarray]:
    """The outputs of a model's plan, written and read again, twice the same."""
    compile_graph(load(path), CPU).write(folder / "plan")
    plan = Plan.read(folder / "plan")
    with Session(plan, find()) as session:
        results = [session.run(list(arrays)) for _ in range(2)]
        for tensor in session.outputs:
            one, other = (r[tensor.name] for r in results)
            np.testing.assert_array_equal(one, other)
            assert all(e in (-1, found) for e, found in zip(tensor.shape, one.shape, strict=True))
        assert len(session.profile(list(arrays), 1)) == len(plan.launches)
    return list(results[0].values())


def onnx_file(folder: Path, op: str, arrays: Arrays, constants: Sequence[np.ndarray | None] = (), outputs: int = 1, *,
              opset: int = 18, **attributes: Any) -> Path:
    feeds = {f"x{k}": (a.dtype, a.shape) for k, a in enumerate(arrays)}
    held = {f"c{k}": a for k, a in enumerate(constants) if a is not None}
    names = [*feeds, *(f"c{k}" if a is not None else "" for k, a in enumerate(constants))]
    results = [f"y{k}" for k in range(outputs)]
    model = onnx_model([helper.make_node(op, names, results, **attributes)], feeds, results, held, opset)
    for output in model.graph.output:
        output.ClearField("type")
    return write(folder, model)


# -- ONNX

ONNX_CASES = [
    ("NonZero", [SPARSE], [], 1, {}),
    ("NonZero", [SPARSE.astype(np.int64)], [], 1, {}),
    ("NonZero", [np.zeros((3, 2), bool)], [], 1, {}),
    ("NonZero", [np.array(2, np.float32)], [], 1, {}),
    ("Unique", [FEW], [], 4, {}),
    ("Unique", [FEW.astype(np.float32)], [], 4, {"sorted": 0}),
    ("Unique", [RNG.integers(0, 2, (5, 2, 2))], [], 4, {"axis": 0}),
    ("Unique", [RNG.integers(0, 2, (2, 7)).astype(np.float32)], [], 4, {"axis": -1, "sorted": 0}),
    ("Compress", [SPARSE, np.array([True, False, True])], [], 1, {"axis": 1}),
    ("Compress", [FEW.astype(np.float32), np.array([False, True, True, False, True])], [], 1, {}),
    ("Compress", [SPARSE], [np.array([True, False, True])], 1, {"axis": -3}),
    ("Compress", [FEW.astype(np.float32)], [np.array([False, True, True, False, True])], 1, {}),
]


@pytest.mark.parametrize(("op", "arrays", "constants", "outputs", "attributes"), ONNX_CASES)
def test_onnx(tmp_path: Path, op: str, arrays: Any, constants: Any, outputs: int, attributes: dict[str, Any]) -> None:
    path = onnx_file(tmp_path, op, arrays, constants, outputs, **attributes)
    expected = ort(path, arrays)
    same(evaluated(path, arrays), expected, 0)
    same(ran(path, arrays, tmp_path), expected, 0)
    assert bool(Plan.read(tmp_path / "plan").host_steps) == (not constants)


def boxes(*shape: int) -> np.ndarray:
    """Corners, in any order, of boxes that often overlap."""
    return RNG.random((*shape, 4), np.float32) * 3


@pytest.mark.parametrize("limits", [(), (3,), (2, 0.3), (100, 0.6, 0.4), (5, None, 0.5), (0, 0.5)])
@pytest.mark.parametrize("centered", [0, 1])
def test_onnx_non_max_suppression(tmp_path: Path, limits: tuple[Any, ...], centered: int) -> None:
    arrays = [boxes(2, 12), RNG.permutation(2 * 3 * 12).reshape(2, 3, 12).astype(np.float32) / 72]
    dtypes = (np.int64, np.float32, np.float32)
    constants = [None if v is None else np.array([v], d) for v, d in zip(limits, dtypes)]
    path = onnx_file(tmp_path, "NonMaxSuppression", arrays, constants, center_point_box=centered)
    expected = ort(path, arrays)
    same(evaluated(path, arrays), expected, 0)
    same(ran(path, arrays, tmp_path), expected, 0)


STANDARD = standard_cases(["compress", "nonmaxsuppression", "nonzero", "unique"], ["Compress", "NonMaxSuppression", "NonZero", "Unique"])


@pytest.mark.parametrize("case", STANDARD, ids=lambda c: c.name)
def test_the_standards_cases(tmp_path: Path, case: Any) -> None:
    path, arrays, expected = standard_case(tmp_path, case, len(case.data_sets[0][0]))
    same(ran(path, arrays, tmp_path), expected, 0)
    assert len(STANDARD) == 21


# -- TFLite

def tflite_file(folder: Path, op: str, arrays: Arrays, constants: Arrays, outputs: Sequence[tuple[tuple[int, ...], str]],
                options: dict[str, Any] | None = None, custom: dict[str, Any] | None = None) -> Path:
    m = TfliteWriter()
    operands = [m.input(f"x{k}", a.shape, a.dtype.name) for k, a in enumerate(arrays)] + [m.constant(c) for c in constants]
    if custom:
        b = flexbuffers.Builder()
        b.MapFromElements(custom)
        made = m.op("CUSTOM", operands, outputs=outputs, custom_code=op, custom_options=bytes(b.Finish()))
    else:
        made = m.op(op, operands, options or {}, outputs=outputs)
    m.output(*made)
    return write(folder, m)


def agrees(path: Path, arrays: Arrays, folder: Path, tolerance: float = 0) -> None:
    expected = litert(path, arrays)
    same(evaluated(path, arrays), expected, tolerance)
    same(ran(path, arrays, folder), expected, tolerance)


@pytest.mark.parametrize("x", [SPARSE > 0, SPARSE, FEW.astype(np.int32), FEW[0] % 2], ids=lambda x: f"{x.dtype}")
def test_where(tmp_path: Path, x: np.ndarray) -> None:
    agrees(tflite_file(tmp_path, "WHERE", [x], [], [((1, x.ndim), "int64")]), [x], tmp_path)


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64, np.uint8])
def test_unique(tmp_path: Path, index: str, dtype: Any) -> None:
    x = FEW.ravel().astype(dtype)
    path = tflite_file(tmp_path, "UNIQUE", [x], [], [((1,), x.dtype.name), (x.shape, index)], {"idx_out_type": index.upper()})
    agrees(path, [x], tmp_path)


@pytest.mark.parametrize("x", [SPARSE, FEW.astype(np.int32)], ids=lambda x: f"{x.dtype}")
def test_segment_sum(tmp_path: Path, x: np.ndarray) -> None:
    ids = np.array([0, 1, 1, 2][: len(x)], np.int32)
    agrees(tflite_file(tmp_path, "SEGMENT_SUM", [x, ids], [], [((1, *x.shape[1:]), x.dtype.name)]), [x, ids], tmp_path, 1e-6)


@pytest.mark.parametrize(("size", "overlap", "threshold", "sigma"), [(5, 0.3, 0.2, None), (40, 0.5, 0.0, None), (6, 0.5, 0.99, None),
                                                                     (5, 0.5, 0.1, 0.0), (20, 0.6, 0.2, 0.5), (30, 1.0, 0.0, 0.3)])
def test_non_max_suppression(tmp_path: Path, size: int, overlap: float, threshold: float, sigma: float | None) -> None:
    arrays = [boxes(30), RNG.permutation(30).astype(np.float32) / 30]
    scalars = [np.array(size, np.int32), *(np.array(v, np.float32) for v in (overlap, threshold, sigma) if v is not None)]
    scores = [((size,), "float32")] if sigma is not None else []
    version = "NON_MAX_SUPPRESSION_V5" if sigma is not None else "NON_MAX_SUPPRESSION_V4"
    path = tflite_file(tmp_path, version, arrays, scalars, [((size,), "int32"), *scores, ((), "int32")])
    agrees(path, arrays, tmp_path, 1e-6)


@pytest.mark.parametrize("regular", [False, True])
@pytest.mark.parametrize("background", [0, 1])
@pytest.mark.parametrize("most_classes", [1, 3])
def test_detection_post_process(tmp_path: Path, regular: bool, background: int, most_classes: int) -> None:
    count, classes, most = 40, 4, 6
    arrays = [RNG.standard_normal((1, count, 4)).astype(np.float32), RNG.random((1, count, classes + background), np.float32)]
    anchors = np.concatenate([RNG.random((count, 2)) * 3, 0.5 + RNG.random((count, 2))], 1).astype(np.float32)
    custom = {"max_detections": most, "max_classes_per_detection": most_classes, "detections_per_class": 5, "use_regular_nms": regular,
              "nms_score_threshold": 0.3, "nms_iou_threshold": 0.4, "num_classes": classes,
              "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}
    size = most * most_classes
    outputs = [((1, size, 4), "float32"), ((1, size), "float32"), ((1, size), "float32"), ((1,), "float32")]
    path = tflite_file(tmp_path, "TFLite_Detection_PostProcess", arrays, [anchors], outputs, custom=custom)
    expected = litert(path, arrays)
    if regular:  # LiteRT leaves what it does not find uninitialised where objects might have several classes
        for array in expected[:3]:
            array[:, int(expected[3].item()) :] = 0
    assert 2 < expected[3].item() <= most
    same(evaluated(path, arrays), expected)
    same(ran(path, arrays, tmp_path), expected)


# -- in graphs


def test_between_kernels(tmp_path: Path) -> None:
    """Operands from kernels, in blocks and as views, results to kernels; half precision; an output twice, and the inner one open."""
    graph, x = Graph("between"), np.abs(RNG.standard_normal((1, 5, 6, 18)).astype(np.float32))
    graph.add_input("x", TensorType.of(x))
    steps: list[tuple[Any, tuple[str, ...], tuple[str, ...]]] = [
        (Resize2D((5, 6), "nearest", (1.0, 1.0)), ("x",), ("blocks",)),
        (Slice((0, 1, 0, 0), (1, 4, 6, 18), (1, 1, 1, 1)), ("blocks",), ("view",)),
        (Transpose((0, 3, 1, 2)), ("view",), ("turned",)),
        (Unique(), ("turned",), ("y", "first", "inverse", "counts")),
        (NonZero(), ("y",), ("where",)),
        (Reshape((18, 24)), ("inverse",), ("rows",)),
        (Concat(0), ("rows", "rows"), ("twice",)),
        (Unique(axis=0), ("rows",), ("r0", "r1", "r2", "r3")),
        (HostCopy(), ("where",), ("again",)),
    ]  # fmt: skip
    for position, (op, inputs, outputs) in enumerate(steps):
        graph.add_node(Node(f"n{position}", op, inputs, outputs, position=position, sources=(f"n{position}",)))
    graph.outputs = {name: name for name in ("y", "where", "twice", "r2", "again")} | {"y2": "y"}
    graph.verify()
    turned = x[:, 1:].transpose(0, 3, 1, 2)
    for target, precision in ((CPU, "f32"), (GPU, "f32"), (CPU, "f16")):
        kept = turned.astype(np.float16).astype(np.float32) if precision == "f16" else turned
        y, inverse = np.unique(kept, return_inverse=True)
        rows = inverse.reshape(18, 24).astype(np.int64)
        plan = compile_graph(graph, target, precision=precision)
        plan.write(tmp_path / "plan")
        assert Plan.read(tmp_path / "plan") == plan
        found = Session(plan, find()).run([x])
        expected = {"y": y, "y2": y, "where": np.stack(np.nonzero(y)), "twice": np.concatenate([rows, rows]),
                    "r2": np.unique(rows, axis=0, return_inverse=True)[1], "again": np.stack(np.nonzero(y))}
        assert list(found) == list(graph.outputs)
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array, err_msg=f"{name} {precision}")


def test_open_shapes_are_refused_where_kernels_would_read_them(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["where"], "find"), helper.make_node("Sign", ["where"], ["y"], "sign")]
    path = write(tmp_path, onnx_model(nodes, {"x": (np.float32, (2, 3))}, ["y"]))
    message = (r"1 node not supported: Sign 'sign': the shape of operand 0 \(int64\[2,<=6\]\) depends on data; outputs of the model, and "
               "operands of ABS, ADD, Abs, .*, WHERE, Where, may be such")
    with pytest.raises(UnsupportedError, match=message):
        load(path)
    graph = Graph()
    graph.add_input("x", TensorType((2, 3), np.dtype(np.float32)))
    graph.add_node(Node("find", NonZero(), ("x",), ("where",)))
    graph.add_node(Node("view", Reshape((12,)), ("where",), ("y",)))
    graph.outputs["y"] = "y"
    with pytest.raises(GraphError, match="node 'view' reads 'where', whose shape depends on data"):
        graph.verify()


def test_chains_stay_on_the_host(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["where"]), helper.make_node("Unique", ["where"], ["a", "b", "c", "d"], axis=1),
             helper.make_node("Compress", ["a", "keep"], ["y"], axis=0)]  # fmt: skip
    model = onnx_model(nodes, {"x": (np.float32, SPARSE.shape)}, ["y", "c"], {"keep": np.array([True, False, True])})
    for output in model.graph.output:
        output.ClearField("type")
    path = write(tmp_path, model)
    same(ran(path, [SPARSE], tmp_path), ort(path, [SPARSE]), 0)


BEHIND: dict[str, tuple[list[Any], dict[str, np.ndarray]]] = {
    "transposed, of another type": ([("Transpose", ["where"], {}), ("Cast", ["a0"], {"to": 1})], {}),
    "rows of an array on the device": ([("Transpose", ["where"], {"perm": [1, 0]}), ("GatherND", ["u", "a0"], {})], {}),
    "columns, side by side": (
        [("Gather", ["where", "one"], {"axis": 0}), ("Gather", ["where", "zero"], {"axis": 0}), ("Unsqueeze", ["a1", "zero"], {}),
         ("Concat", ["a2", "a0", "where"], {"axis": 0}), ("Mul", ["a3", "factors"], {}), ("Sub", ["a4", "two"], {}),
         ("Div", ["a5", "two"], {}), ("Add", ["a6", "a6"], {})],
        {"one": np.array([1]), "zero": np.array(0), "two": np.array(2), "factors": np.array([[1], [-3], [2], [1], [5]])}),
    "a part, the other way round": (
        [("Slice", ["where", "begin", "end", "axes", "steps"], {}), ("Reshape", ["a0", "shape"], {}), ("Unsqueeze", ["a1", "axes"], {}),
         ("Squeeze", ["a2", "axes"], {}), ("Max", ["a3", "a3", "three"], {}), ("Min", ["a4", "nine"], {}), ("Identity", ["a5"], {})],
        {"begin": np.array([-1, 1]), "end": np.array([-2**63 + 1, 2**63 - 1]), "axes": np.array([1, 0]), "steps": np.array([-1, 1]),
         "shape": np.array([-1, 2]), "three": np.array(3), "nine": np.array([9, 2])}),
    "compared and chosen": (
        [("Cast", ["where"], {"to": 1}), ("Exp", ["a0"], {}), ("Log", ["a1"], {}), ("Sqrt", ["a2"], {}), ("Less", ["a3", "half"], {}),
         ("Equal", ["where", "one"], {}), ("Not", ["a5"], {}), ("Where", ["a6", "where", "one"], {}), ("Neg", ["a7"], {}),
         ("Abs", ["a8"], {}),
         ("Where", ["a4", "one", "a9"], {}), ("GreaterOrEqual", ["a10", "one"], {}), ("Where", ["a11", "a10", "a7"], {}),
         ("Greater", ["a12", "one"], {}), ("LessOrEqual", ["where", "one"], {}), ("Where", ["a13", "where", "a12"], {}),
         ("Where", ["a14", "a15", "a7"], {})],
        {"half": np.array(0.5, np.float32), "one": np.array(1)}),
    "added up": ([("ReduceSum", ["where", "last"], {"keepdims": 0}), ("Shape", ["where"], {}), ("Concat", ["a0", "a1"], {"axis": 0})],
                 {"last": np.array([1])}),
    "the greatest": (
        [("Shape", ["where"], {"end": 1}), ("Concat", ["ones", "where"], {"axis": 1}), ("ReduceMax", ["a1", "one"], {}),
         ("ReduceMin", ["a1", "one"], {"keepdims": 0}), ("Add", ["a2", "a3"], {}), ("Mul", ["a4", "a0"], {})],
        {"ones": np.ones((3, 1), np.int64), "one": np.array([1])}),
}  # fmt: skip


@pytest.mark.parametrize(("steps", "constants"), BEHIND.values(), ids=list(BEHIND))
def test_ordinary_operators_behind(tmp_path: Path, steps: list[Any], constants: dict[str, np.ndarray]) -> None:
    nodes = [helper.make_node("Neg", ["x"], ["u"]), helper.make_node("NonZero", ["x"], ["where"])]
    nodes += [helper.make_node(op, inputs, [f"a{k}"], **attributes) for k, (op, inputs, attributes) in enumerate(steps)]
    model = onnx_model(nodes, {"x": (np.float32, SPARSE.shape)}, ["u", f"a{len(steps) - 1}"], constants)
    for output in model.graph.output:
        output.ClearField("type")
    path = write(tmp_path, model)
    for x in (SPARSE, np.ones_like(SPARSE)):
        same(evaluated(path, [x]), ort(path, [x]), 0)
        same(ran(path, [x], tmp_path), ort(path, [x]), 0)


def tail(m: TfliteWriter, end: int, count: int) -> int:
    """One of many results of operators behind a WHERE that finds so many places, which LiteRT wants to know beforehand."""
    x = m.input("x", SPARSE.shape, "float32")
    found = m.op("WHERE", [x], shape=(1, 3), dtype="int64")

    def op(name: str, operands: Sequence[int], dtype: str = "float32", rank: int = 1, **options: Any) -> int:
        return m.op(name, operands, options, shape=(1,) * rank, dtype=dtype)

    number = lambda *values, dtype="int32": m.constant(np.array(values, dtype))  # noqa: E731
    values = op("GATHER_ND", [op("NEG", [x], rank=3), found])
    column = m.op("SLICE", [found, number(0, 1), number(-1, 1)], shape=(count, 1), dtype="int64")
    places = op("CAST", [column], "int32", 2, in_data_type="INT64", out_data_type="INT32")
    column = op("SQUEEZE", [places], "int32", squeeze_dims=[-1])
    doubled = op("MUL", [op("ADD", [column, column], "int32"), number(3)], "int32")
    small = op("LESS", [op("SUB", [doubled, number(2)], "int32"), number(9)], "bool")
    chosen = op("SELECT_V2", [op("LOGICAL_NOT", [small], "bool"), doubled, op("ABS", [op("NEG", [column], "int32")], "int32")], "int32")
    rows = op("TRANSPOSE", [op("CONCATENATION", [op("EXPAND_DIMS", [chosen, number(1)], "int32", 2), places], "int32", 2, axis=1),
                            number(1, 0)], "int32", 2)
    ends = [values, op("RESHAPE", [rows, number(-1)], "int32"), op("GATHER", [rows, number(1, 0)], "int32", 2, axis=0),
            op("SUM", [rows, number(1)], "int32", 2, keep_dims=True), op("SHAPE", [rows], "int32", out_type="INT32"),
            op("REDUCE_MAX", [rows, number(-1)], "int32", keep_dims=False), op("MAXIMUM", [values, op("EXP", [values])]),
            op("SQRT", [op("MINIMUM", [op("LOG", [op("EXP", [values])]), op("MUL", [values, values])])])]
    return ends[end]


@pytest.mark.parametrize("end", range(8))
def test_ordinary_operators_of_tflite_behind(tmp_path: Path, end: int) -> None:
    for x in (SPARSE, np.ones_like(SPARSE)):
        m = TfliteWriter()
        m.output(tail(m, end, np.count_nonzero(x)))
        path = write(tmp_path, m)
        same(evaluated(path, [x]), litert(path, [x]), 1e-6)
        same(ran(path, [x], tmp_path), litert(path, [x]), 1e-6)


def test_fused_activations_behind_are_refused(tmp_path: Path) -> None:
    m = TfliteWriter()
    found = m.op("WHERE", [m.input("x", (3,), "bool")], shape=(1, 1), dtype="int64")
    m.output(m.op("ADD", [found, found], {"fused_activation_function": "RELU"}, shape=(1, 1), dtype="int64"))
    with pytest.raises(UnsupportedError, match="fused activation RELU where shapes depend on data; none would be accepted"):
        load(write(tmp_path, m))


def test_what_is_tried_out() -> None:
    many = TensorType((9, 3), np.dtype(np.int64), (0,))
    assert OnHost("reshape", (-1, 9)).infer(many) == (TensorType((3, 9), many.dtype, (0,)),)
    assert OnHost("transpose", (1, 0)).infer(many) == (TensorType((3, 9), many.dtype, (1,)),)
    assert OnHost("slice", (0, 0, 4, 1)).infer(many) == (TensorType((4, 3), many.dtype, (0,)),)
    assert OnHost("gather", (0,)).infer(many, TensorType((2,), many.dtype)) == (TensorType((2, 3), many.dtype),)
    with pytest.raises(GraphError, match=r"concat of int64\[<=9,3\], int64\[2\]: "):
        OnHost("concat", (0,)).infer(many, TensorType((2,), many.dtype))


def test_constants_are_folded(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["c"], ["where"]), helper.make_node("Transpose", ["where"], ["turned"]),
             helper.make_node("GatherND", ["x", "turned"], ["y"])]  # fmt: skip
    constant = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    graph = load(write(tmp_path, onnx_model(nodes[:2], {"x": (np.float32, (3, 2))}, ["turned"], {"c": constant})))
    assert len(graph) == 0
    assert graph.type(graph.outputs["turned"]) == TensorType((3, 2), np.dtype(np.int64))


def test_no_host(tmp_path: Path) -> None:
    path = onnx_file(tmp_path, "NonZero", [SPARSE])
    plan, report = compile_model(path, CPU)
    assert plan is not None and (report.host, report.launches) == (1, 0)
    assert [(e.rule, e.op, e.fired, e.text) for name, e in report.events if name == "lower"] == [
        ("host", "NonZero", False, "runs on the host: how many elements are not zero depends on data")]
    with pytest.raises(UnsupportedError, match=r"NonZero 'y0': runs on the host: .* data; without --no-host it would be accepted"):
        compile_model(path, CPU, host=False)


X = TensorType((3, 4), np.dtype(np.float32))


@pytest.mark.parametrize(("op", "types"), [
    (Unique(axis=2), (X,)),
    (Compress(axis=2), (X, TensorType((3,), np.dtype(bool)))),
    (Compress(axis=0), (X, TensorType((3,), np.dtype(np.float32)))),
    (NonMaxSuppression(), (X, X)),
    (PaddedNonMaxSuppression(3), (X, X)),
    (SegmentSum(), (X, X)),
    (PaddedNonMaxSuppression(-1), (X, TensorType((3,), X.dtype))),
    (Detections((1, 1, 1, 1), 2, 3, 1, 100, False, 0.0, 0.5), (X, X, X)),
])  # fmt: skip
def test_operands_that_do_not_fit(op: Any, types: tuple[TensorType, ...]) -> None:
    with pytest.raises(GraphError, match=r"float32\[3,4\]"):
        op.infer(*types)
