"""Einstein's summation, against numpy, the standard's cases and, on the device, the ops that it becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from tests.harness import CPU, GPU, check_graph, floats
from tests.oracles import evaluated, onnx_node, same, standard_case, standard_cases

EQUATIONS = [
    ("ij->ji", [(3, 5)]), ("ij", [(3, 5)]), ("ba", [(3, 5)]), ("ij->", [(3, 5)]), ("ij->j", [(3, 5)]), ("ii->i", [(4, 4)]),
    ("ii", [(4, 4)]), ("...ii->...i", [(2, 3, 5, 5)]), ("iji->j", [(4, 3, 4)]), ("ijij->ij", [(2, 3, 2, 3)]), ("iii->i", [(3, 3, 3)]),
    ("i,i", [(7,), (7,)]), ("i,j->ij", [(3,), (5,)]), ("i,j->ji", [(3,), (5,)]), ("ij,jk", [(3, 5), (5, 7)]),
    ("ij,jk->ki", [(3, 5), (5, 7)]), ("bij,bjk->bik", [(2, 3, 5), (2, 5, 7)]), ("bhqd,bhkd->bhqk", [(2, 3, 5, 4), (2, 3, 7, 4)]),
    ("bqhd,bkhd->bhqk", [(2, 5, 3, 4), (2, 7, 3, 4)]), ("...ij,...jk->...ik", [(2, 1, 3, 5), (4, 5, 7)]),
    ("...,...->...", [(2, 3), (3,)]), ("i...,i...", [(3, 2), (3, 2)]), ("ij,ij->ij", [(3, 5), (1, 5)]), ("ij,jk->ik", [(3, 1), (5, 7)]),
    ("ij,kl->jl", [(3, 5), (2, 7)]), ("ij,kl->", [(3, 5), (2, 7)]), ("i,ij,j->", [(3,), (3, 5), (5,)]),
    ("ab,bc,cd->ad", [(2, 3), (3, 5), (5, 4)]), ("a,ab,abc->abc", [(2,), (2, 3), (2, 3, 5)]), (",ij->ij", [(), (3, 5)]), ("->", [()]),
    ("b n d , d e -> b e n", [(2, 3, 5), (5, 4)]), ("ii,ij->j", [(3, 3), (3, 5)]),
]  # fmt: skip
IDS = [e for e, _ in EQUATIONS]


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS, ids=IDS)
def test_equations(tmp_path: Path, equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = floats(*shapes)
    same(evaluated(onnx_node(tmp_path, "Einsum", arrays, equation=equation), arrays), [np.asarray(np.einsum(equation, *arrays))])


@pytest.mark.device
@pytest.mark.parametrize(("equation", "shapes"), [EQUATIONS[k] for k in (7, 8, 18, 19, 27)], ids=[IDS[k] for k in (7, 8, 18, 19, 27)])
def test_on_the_device(tmp_path: Path, equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = floats(*shapes)
    graph = load(onnx_node(tmp_path, "Einsum", arrays, equation=equation))
    assert check_graph(graph, dict(zip(graph.inputs, arrays)), targets=[CPU, GPU], candidates=1, what=equation) == 2


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in standard_cases(["einsum"], ["Einsum"])])
def test_standard(tmp_path: Path, case: Any) -> None:
    path, arrays, expected = standard_case(tmp_path, case, len(case.data_sets[0][0]))
    same(evaluated(path, arrays), expected)


@pytest.mark.parametrize(("equation", "shapes", "reason"), [
    ("ij->ij", [(3, 5), (3, 5)], "1 terms for 2 operands"), ("ijk->i", [(3, 5)], "the term 'ijk'"),
    ("i->j", [(3,)], "name axes of the operands"),
    ("ij,jk->ik", [(3, 5), (4, 7)], "axis 'j' has extent 5"), ("ii->i", [(3, 4)], "unlike extent"), ("i->ii", [(3,)], "each once"),
])  # fmt: skip
def test_refused(tmp_path: Path, equation: str, shapes: list[tuple[int, ...]], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(onnx_node(tmp_path, "Einsum", floats(*shapes), equation=equation))
