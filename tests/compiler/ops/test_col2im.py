"""Images from columns: the importer against the standard, ONNX Runtime and, on the device, its own reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from tests.harness import check_graph, floats
from tests.oracles import evaluated, onnx_node, ort, same, standard_case, standard_cases

CASES = [
    # columns, image, block, attributes
    ((2, 12, 16), (5, 4), (3, 2), {"pads": [0, 0, 1, 1]}),
    ((1, 4, 4), (5, 7), (2, 2), {"strides": [2, 3], "dilations": [2, 1]}),
    ((2, 6, 4), (6,), (3,), {}),
    ((1, 8, 8), (3, 3, 3), (2, 2, 2), {}),
]


@pytest.mark.parametrize("case", standard_cases(["col2im"], ["Col2Im"]), ids=lambda c: c.name)
def test_standard(tmp_path: Path, case: Any) -> None:
    path, inputs, outputs = standard_case(tmp_path, case, 1)
    same(evaluated(path, inputs), outputs)


@pytest.mark.parametrize(("x", "image", "block", "attributes"), CASES)
def test_onnx(tmp_path: Path, x: tuple[int, ...], image: tuple[int, ...], block: tuple[int, ...], attributes: dict[str, Any]) -> None:
    data = floats(x)
    path = onnx_node(tmp_path, "Col2Im", data, [np.array(image), np.array(block)], **attributes)
    same(evaluated(path, data), ort(path, data))


@pytest.mark.device
@pytest.mark.parametrize(("x", "image", "block", "attributes"), CASES[:2])
def test_on_the_device(
    tmp_path: Path, x: tuple[int, ...], image: tuple[int, ...], block: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    data = floats(x)
    graph = load(onnx_node(tmp_path, "Col2Im", data, [np.array(image), np.array(block)], **attributes))
    assert check_graph(graph, dict(zip(graph.inputs, data)), candidates=1) == 3


@pytest.mark.parametrize(("block", "reason"), [((3, 3), "would be accepted"), ((9, 1), "does not fit"), ((2,), "blocks of")])
def test_refused(tmp_path: Path, block: tuple[int, ...], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(onnx_node(tmp_path, "Col2Im", floats((2, 12, 12)), [np.array((5, 4)), np.array(block)]))
