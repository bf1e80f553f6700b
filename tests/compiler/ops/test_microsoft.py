"""Operators of ONNX Runtime's own domain, held against it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from planish.compiler import onnx_backend
from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from tests.oracles import evaluated, onnx_model, ort, same, write

RNG = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return RNG.normal(0, 1, shape).astype(np.float32)


def contributed(op: str, operands: Sequence[Any], held: Sequence[int], outputs: Sequence[str], attributes: dict[str, Any]) -> Any:
    """A model, and what to feed it: the operands but for those that are held; None is an absent one."""
    names = ["" if a is None else f"x{k}" for k, a in enumerate(operands)]
    fed = {f"x{k}": a for k, a in enumerate(operands) if a is not None and k not in held}
    domain, _, name = op.rpartition("::")
    node = helper.make_node(name, names, outputs, domain=domain, **attributes)
    model = onnx_model([node], {k: (a.dtype, a.shape) for k, a in fed.items()}, [o for o in outputs if o],
                       {f"x{k}": operands[k] for k in held}, 17)
    model.opset_import.append(helper.make_opsetid(domain, 1))
    return model, list(fed.values())


X, ROWS, SCALE = numbers(2, 5, 12), numbers(12), numbers(12)
IMAGE, WEIGHTS = numbers(1, 3, 8, 9), numbers(6, 3, 3, 3)
MASK = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], np.int32)
PACKED = RNG.integers(0, 256, (9, 3, 8), np.uint8)
CASES: list[tuple[str, list[Any], tuple[int, ...], tuple[str, ...], dict[str, Any]]] = [
    # operator, operands, which of them are constant, outputs, attributes
    ("com.microsoft::Gelu", [X], (), ("y",), {}),
    ("com.microsoft::BiasGelu", [X, ROWS], (1,), ("y",), {}),
    ("com.microsoft::FastGelu", [X], (), ("y",), {}),
    ("com.microsoft::FastGelu", [X, ROWS], (), ("y",), {}),
    ("com.microsoft::QuickGelu", [X], (), ("y",), {"alpha": 1.3}),
    ("com.microsoft::SkipLayerNormalization", [X, numbers(2, 5, 12), SCALE, ROWS], (2, 3), ("y",), {"epsilon": 1e-5}),
    ("com.microsoft::SkipLayerNormalization", [X, numbers(2, 5, 12), SCALE, None, ROWS], (2, 4), ("y", "", "", "sum"), {}),
    ("com.microsoft::SkipSimplifiedLayerNormalization", [X, numbers(2, 5, 12), SCALE, ROWS], (2, 3), ("y", "", "", "sum"), {}),
    ("com.microsoft::FusedMatMul", [X, numbers(2, 7, 12)], (), ("y",), {"transB": 1, "alpha": 0.3}),
    ("com.microsoft::FusedMatMul", [X, numbers(2, 5, 6)], (), ("y",), {"transA": 1}),
    ("com.microsoft::FusedGemm", [numbers(4, 7), numbers(7, 5), numbers(5)], (1, 2), ("y",),
     {"activation": "LeakyRelu", "activation_alpha": 0.2, "alpha": 0.5}),
    ("com.microsoft::FusedConv", [IMAGE, WEIGHTS, numbers(6)], (1, 2), ("y",), {"activation": "Relu", "pads": [1, 1, 1, 1]}),
    ("com.microsoft::FusedConv", [IMAGE, WEIGHTS, numbers(6), numbers(1, 6, 6, 7)], (1, 2), ("y",),
     {"activation": "Clip", "activation_params": [-0.5, 2.0]}),
    ("com.microsoft::MatMulNBits", [numbers(2, 4, 40), PACKED, above := np.abs(numbers(27)) + 0.1], (1, 2), ("y",),
     {"K": 40, "N": 9, "bits": 4, "block_size": 16}),
    ("com.microsoft::MatMulNBits", [numbers(4, 48), PACKED, above, RNG.integers(0, 256, 18, np.uint8)], (1, 2, 3), ("y",),
     {"K": 48, "N": 9, "bits": 4, "block_size": 16}),
    ("com.microsoft::Attention", [X, numbers(12, 36), numbers(36), MASK], (1, 2), ("y",), {"num_heads": 3}),
    ("com.microsoft::Attention", [X, numbers(12, 36), numbers(36)], (1, 2), ("y",), {"num_heads": 2, "unidirectional": 1}),
    ("com.microsoft::MultiHeadAttention", [X, numbers(2, 5, 12), numbers(2, 5, 18), numbers(42), MASK], (3,), ("y",), {"num_heads": 3}),
    ("com.microsoft::MultiHeadAttention", [X, numbers(2, 7, 12), numbers(2, 7, 12), None, None, numbers(1, 3, 5, 7)], (), ("y",),
     {"num_heads": 3, "scale": 0.4}),
]  # fmt: skip
IDS = [f"{case[0].rpartition('::')[2]}{k}" for k, case in enumerate(CASES)]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_importers(tmp_path: Path, case: Any) -> None:
    model, feed = contributed(*case)
    path = write(tmp_path, model)
    same(evaluated(path, feed), ort(path, feed), tolerance=2e-5)


@pytest.mark.device
@pytest.mark.parametrize("case", [CASES[k] for k in (6, 10, 12, 14, 17)], ids=[IDS[k] for k in (6, 10, 12, 14, 17)])
def test_on_the_device(tmp_path: Path, case: Any) -> None:
    model, feed = contributed(*case)
    for output in model.graph.output:
        output.ClearField("type")
    same(onnx_backend.run_model(model, feed), ort(write(tmp_path, model), feed), tolerance=1e-4)


@pytest.mark.parametrize(("case", "reason"), [
    (("com.microsoft::FusedConv", [IMAGE, WEIGHTS], (1,), ("y",), {"activation": "Elu"}), "activation Elu"),
    (("com.microsoft::FusedMatMul", [X, X], (), ("y",), {"transBatchA": 1}), "transA and transB would be accepted"),
    (("com.microsoft::MatMulNBits", [numbers(4, 48), PACKED, above], (1, 2), ("y",), {"K": 48, "N": 9, "bits": 3, "block_size": 16}),
     "of 3 bits"),
    (("com.microsoft::Attention", [X, numbers(12, 36), None, MASK[:, :3]], (1,), ("y",), {"num_heads": 3}), "a mask of shape"),
    (("com.microsoft::MultiHeadAttention", [X], (), ("y",), {"num_heads": 3}), "query, key and value of rank 3"),
    (("com.microsoft::SkipLayerNormalization", [X, X, SCALE], (2,), ("y", "mean"), {}), "mean and deviation"),
])  # fmt: skip
def test_refused(tmp_path: Path, case: Any, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(write(tmp_path, contributed(*case)[0]))
