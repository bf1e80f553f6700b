"""Matrix products: every kernel against the numpy reference, every option of both formats against their own runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Slice, Transpose
from tests.harness import CPU, GPU, Case, check, floats
from tests.oracles import evaluated, litert, onnx_node, ort, same, tflite_node

KERNELS = pytest.mark.device
NEITHER, FIRST, SECOND = frozenset[int](), frozenset({0}), frozenset({1})
CASES = [
    # a, b
    ((1, 1), (1, 1)),
    ((5, 17), (17, 3)),
    ((1, 64), (64, 40)),
    ((3, 7, 5), (5, 33)),
    ((7, 5), (3, 5, 16)),
    ((2, 1, 9, 4), (3, 4, 17)),
    ((2, 1, 3, 6, 5), (1, 2, 1, 5, 20)),
    ((2, 1, 1, 2, 3, 4), (2, 1, 4, 1)),
    ((13, 900), (900, 35)),
]


def case(a: tuple[int, ...], b: tuple[int, ...], constants: frozenset[int] = NEITHER, **rest: Any) -> Case:
    return Case(MatMul(), floats(a, b), constants, **{"framed": False, **rest})


@KERNELS
@pytest.mark.parametrize(("a", "b"), CASES)
def test_every_candidate(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    assert check(case(a, b), reduction=a[-1]) >= 3


@KERNELS
@pytest.mark.parametrize(("a", "b"), [CASES[1], CASES[2], CASES[3], CASES[8]])
def test_constant_weights(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    assert check(case(a, b, SECOND), reduction=a[-1], candidates=5) >= 3


@KERNELS
def test_tiles_in_local_memory() -> None:
    a, b = (3, 50, 36), (36, 70)
    assert check(case(a, b, SECOND), targets=[GPU], reduction=36, template="conv_local") >= 2


@KERNELS
@pytest.mark.parametrize(("a", "b", "constants"), [(*CASES[4], SECOND), (*CASES[4], FIRST), (*CASES[5], SECOND)])
def test_constant_batches(a: tuple[int, ...], b: tuple[int, ...], constants: frozenset[int]) -> None:
    assert check(case(a, b, constants), candidates=1) == 3


@KERNELS
@pytest.mark.parametrize("before", [Slice((1, 2, 0), (3, 5, 6), (2, 1, 3)), Transpose((0, 2, 1))], ids=repr)
@pytest.mark.parametrize("constants", [NEITHER, SECOND])
def test_reads_a_view(before: Any, constants: frozenset[int]) -> None:
    (b,) = floats((before.infer(TensorType((7, 9, 18), np.dtype(np.float32)))[0].shape[2], 17), seed=1)
    viewed = Case(MatMul(), [*floats((7, 9, 18)), b], constants, framed=False, before=(before,))
    assert check(viewed, targets=[CPU, GPU], candidates=1) == 2


@KERNELS
@pytest.mark.parametrize("constants", [NEITHER, SECOND])
@pytest.mark.parametrize(("a", "b"), [CASES[1], CASES[3]])
def test_half_precision(a: tuple[int, ...], b: tuple[int, ...], constants: frozenset[int]) -> None:
    halves = [x.astype(np.float16).astype(np.float32) for x in floats(a, b)]
    assert check(Case(MatMul(), halves, constants), precision="f16", candidates=2) >= 3


@KERNELS
@pytest.mark.parametrize("constants", [NEITHER, SECOND])
@pytest.mark.parametrize(("a", "b"), [CASES[1], CASES[3]])
def test_epilogue(a: tuple[int, ...], b: tuple[int, ...], constants: frozenset[int]) -> None:
    shape = (*a[:-1], b[-1])
    bias, residual = floats(shape[-1:], shape, seed=1)
    steps = (Step(Elementwise("add"), (0, "bias")), Step(Elementwise("relu"), (1,)), Step(Elementwise("add"), ("residual", 2)))
    extra = (("bias", bias, True), ("residual", residual, False))
    assert check(case(a, b, constants, epilogue=steps, extra=extra), candidates=2) >= 3


@KERNELS
@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64"])
@pytest.mark.parametrize("constants", [NEITHER, SECOND])
def test_integers(dtype: str, constants: frozenset[int]) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 1 << 14, (3, 5), dtype), rng.integers(0, 1 << 14, (5, 17), dtype)
    assert check(Case(MatMul(), [a, b], constants), targets=[CPU, GPU], candidates=1) == 2


@KERNELS
def test_an_empty_sum() -> None:
    empty = Case(MatMul(), floats((3, 4), (0, 5)), before=(Slice((0, 0), (3, 0), (1, 1)),), framed=False)
    assert check(empty, targets=[CPU], candidates=1) == 1


@pytest.mark.parametrize(
    ("a", "b", "dtypes", "reason"),
    [
        ((2, 3), (4, 5), "ff", "cannot be multiplied: the last axis"),
        ((2, 3), (3,), "ff", "cannot be multiplied: the last axis"),
        ((2, 4, 3), (3, 3, 5), "ff", "leading axes"),
        ((2, 3), (3, 5), "fi", "numbers of one type"),
        ((2, 3), (3, 5), "??", "numbers of one type"),
    ],
)
def test_refused(a: tuple[int, ...], b: tuple[int, ...], dtypes: str, reason: str) -> None:
    with pytest.raises(GraphError, match=reason):
        MatMul().infer(*(TensorType(s, np.dtype(d)) for s, d in zip((a, b), dtypes)))


# -- importers


@pytest.mark.parametrize("opset", [7, 13])
@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (4,)), ((4,), (2, 4, 5)), ((2, 1, 3, 4), (5, 4, 2))],
)
def test_onnx(tmp_path: Path, a: tuple[int, ...], b: tuple[int, ...], opset: int) -> None:
    x = floats(a, b)
    path = onnx_node(tmp_path, "MatMul", x, opset=opset)
    same(evaluated(path, x), ort(path, x))
    path = onnx_node(tmp_path, "MatMul", x[:1], x[1:], opset=opset)
    same(evaluated(path, x[:1]), ort(path, x[:1]))


@pytest.mark.parametrize("opset", [7, 11, 13])
@pytest.mark.parametrize("turned", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("c", [(), (5,), (3, 1), (1, 5), (3, 5)])
@pytest.mark.parametrize("factors", [{}, {"alpha": 0.5, "beta": 2.0}, {"beta": 0.0}])
def test_onnx_gemm(tmp_path: Path, turned: tuple[int, int], c: tuple[int, ...], factors: dict[str, float], opset: int) -> None:
    x = floats((4, 3) if turned[0] else (3, 4), (5, 4) if turned[1] else (4, 5), c)
    path = onnx_node(tmp_path, "Gemm", x[:1], x[1:], opset=opset, transA=turned[0], transB=turned[1], **factors)
    same(evaluated(path, x[:1]), ort(path, x[:1]))


def test_onnx_gemm_without_c(tmp_path: Path) -> None:
    x = floats((3, 4), (4, 5))
    path = onnx_node(tmp_path, "Gemm", x, alpha=3.0)
    same(evaluated(path, x), ort(path, x))


def test_onnx_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="cannot be multiplied"):
        load(onnx_node(tmp_path, "MatMul", floats((2, 3), (4, 5))))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
def test_fully_connected(tmp_path: Path, bias: bool, activation: str) -> None:
    path, x = tflite_node(tmp_path, "FULLY_CONNECTED", [*floats((3, 4), (5, 4)), *(floats((5,)) if bias else [None])],
                          {"fused_activation_function": activation})  # fmt: skip
    same(evaluated(path, x), litert(path, x))


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 2, 2, 4), (4,), (6, 4)])
def test_fully_connected_ranks(tmp_path: Path, shape: tuple[int, ...], keep: bool) -> None:
    path, x = tflite_node(tmp_path, "FULLY_CONNECTED", [*floats(shape, (5, 4)), None], {"keep_num_dims": keep})
    same(evaluated(path, x), litert(path, x))


def test_fully_connected_in_another_order(tmp_path: Path) -> None:
    path, _ = tflite_node(tmp_path, "FULLY_CONNECTED", [*floats((3, 4), (5, 4)), None], {"weights_format": "SHUFFLED4x16INT8"})
    with pytest.raises(UnsupportedError, match="SHUFFLED4x16INT8; DEFAULT would be accepted"):
        load(path)


@pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize("outer", [((), ()), ((2,), (2,)), ((2, 1), (3,)), ((), (2, 3))])
def test_batch_matmul(tmp_path: Path, outer: Any, turned: tuple[bool, bool]) -> None:
    a, b = (4, 3) if turned[0] else (3, 4), (5, 4) if turned[1] else (4, 5)
    path, x = tflite_node(tmp_path, "BATCH_MATMUL", floats((*outer[0], *a), (*outer[1], *b)), {"adj_x": turned[0], "adj_y": turned[1]})
    same(evaluated(path, x), litert(path, x))
