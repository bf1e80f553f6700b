"""What sliding windows see: the kernel against the numpy reference, and the convolutions that are composed of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError
from planish.compiler.frontend import load
from planish.compiler.ir import TensorType
from planish.compiler.ops.windows import Windows
from tests.harness import Case, check, check_graph, floats
from tests.oracles import onnx_node

KERNELS = pytest.mark.device
CASES = [
    # x, op
    ((2, 9, 5), Windows((3,), (5,), (2,), (1,), (2,), (1,))),
    ((1, 5, 6, 17), Windows((3, 2), (5, 5), (1, 1), (1, 0), (1, 1), (1, 1))),
    ((2, 4, 5, 6), Windows((2, 3), (2, 4), (2, 1), (0, 1), (1, 1), (1, 1), groups=3)),
    ((1, 4, 3, 16), Windows((3, 3), (8, 5), (1, 1), (0, -1), (-1, -2), (2, 1))),
    ((1, 3, 4, 5, 4), Windows((2, 1, 3), (5, 4, 4), (1, 1, 2), (0, 0, 2), (1, 1, 1), (2, 1, 1), groups=2)),
    ((1, 2, 3, 2, 3, 3), Windows((2, 2, 1, 2), (3, 2, 2, 2), (1, 1, 1, 1), (1, 0, 0, 0), (1, 1, 1, 1), (1, 1, 1, 1))),
]


def by_definition(x: np.ndarray, op: Windows) -> np.ndarray:
    """One element at a time."""
    (y,) = op.infer(TensorType.of(x))
    each = x.shape[-1] // op.groups
    out = np.zeros((x.shape[0], *op.steps, op.groups, *op.kernel, each), x.dtype)
    for o in np.ndindex(op.steps):
        for k in np.ndindex(op.kernel):
            place = [a * s - b + t * d for a, s, b, t, d in zip(o, op.stride, op.before, k, op.dilation)]
            if all(p >= 0 and p % e == 0 and p // e < n for p, e, n in zip(place, op.expand, x.shape[1:-1])):
                seen = x[(slice(None), *(p // e for p, e in zip(place, op.expand)))]
                for g in range(op.groups):
                    out[(slice(None), *o, g, *k)] = seen[:, g * each : (g + 1) * each]
    return out.reshape(y.shape)


@pytest.mark.parametrize(("x", "op"), CASES)
def test_reference(x: tuple[int, ...], op: Windows) -> None:
    (values,) = floats(x)
    np.testing.assert_array_equal(op.reference(values)[0], by_definition(values, op))


@KERNELS
@pytest.mark.parametrize(("x", "op"), CASES)
@pytest.mark.parametrize("framed", [True, False])
def test_every_candidate(x: tuple[int, ...], op: Windows, framed: bool) -> None:
    assert check(Case(op, floats(x), framed=framed)) >= 3


@KERNELS
def test_integers() -> None:
    x = np.arange(-20, 16, dtype=np.int8).reshape(1, 4, 3, 3)
    assert check(Case(Windows((2, 2), (3, 2), (1, 1), (0, 0), (1, 1), (1, 1)), [x])) >= 3


@KERNELS
@pytest.mark.parametrize(
    ("op", "x", "w", "attributes"),
    [
        ("Conv", (2, 4, 6, 5), (6, 2, 3, 3), {"group": 2, "pads": [1, 0, 1, 2]}),
        ("Conv", (1, 3, 4, 6, 5), (5, 3, 3, 2, 3), {"pads": [1, 0, 1, 1, 1, 0], "strides": [2, 1, 1]}),
        ("ConvTranspose", (1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "pads": [1, 0, 0, 1]}),
        ("ConvTranspose", (1, 4, 3, 4, 3), (4, 2, 2, 3, 2), {"strides": [2, 2, 1], "group": 2}),
    ],
)
@pytest.mark.parametrize("computed", [True, False])
def test_convolutions_on_the_device(
    tmp_path: Path, op: str, x: tuple[int, ...], w: tuple[int, ...], attributes: dict[str, Any], computed: bool
) -> None:
    arrays = floats(x, w, (w[1 if op == "ConvTranspose" else 0] * (attributes.get("group", 1) if op == "ConvTranspose" else 1),))
    graph = load(onnx_node(tmp_path, op, arrays if computed else arrays[:1], () if computed else arrays[1:], **attributes))
    graph.sweep()
    assert check_graph(graph, dict(zip(graph.inputs, arrays)), reduction=w[1] * int(np.prod(w[2:])), candidates=1) == 3


def test_refused() -> None:
    x = TensorType((1, 4, 4, 3), np.dtype(np.float32))
    with pytest.raises(GraphError, match="do not slide over"):
        Windows((2,), (3,), (1,), (0,), (1,), (1,)).infer(x)
    with pytest.raises(GraphError, match="in 2 groups"):
        Windows((2, 2), (3, 3), (1, 1), (0, 0), (1, 1), (1, 1), groups=2).infer(x)
