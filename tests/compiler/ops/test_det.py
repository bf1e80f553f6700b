"""Determinants: the kernel against numpy, the operator against the standard's cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.det import Det
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.movement import Transpose
from tests.harness import CPU, GPU, Case, check, floats
from tests.oracles import evaluated, onnx_node, ort, same, standard_case, standard_cases


@pytest.mark.device
@pytest.mark.parametrize("case", [
    Case(Det(), floats((3, 3))), Case(Det(), floats((3, 5, 7, 7))), Case(Det(), floats((17, 1, 1))), Case(Det(), floats((2, 0, 0))),
    Case(Det(), [np.array([[0, 2, 1], [3, 0, 0], [0, 0, 5]], np.float32)]), Case(Det(), [np.ones((2, 4, 4), np.float32)]),
    Case(Det(), floats((5, 5, 3)), before=(Transpose((2, 0, 1)),)),
    Case(Det(), floats((3, 5, 5)), epilogue=(Step(Elementwise("abs"), (0,)),)),
], ids=lambda c: str(c.operands[0].shape))  # fmt: skip
def test_kernel(case: Case) -> None:
    assert check(case, targets=[CPU, GPU]) == 2


def test_unfit() -> None:
    for shape in ((3,), (3, 4), (129, 129)):
        with pytest.raises(GraphError, match=r"square|128 rows"):
            Det().infer(TensorType(shape, np.dtype(np.float32)))


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in standard_cases(["det"], ["Det"])])
def test_standard(tmp_path: Path, case: Any) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 1)
    same(evaluated(path, arrays), expected)


def test_onnx_runtime(tmp_path: Path) -> None:
    x = floats((2, 3, 6, 6))
    path = onnx_node(tmp_path, "Det", x, opset=22)
    same(evaluated(path, x), ort(path, x))
