"""Element types that numpy lacks, from end to end on the device, bit by bit as ONNX's reference has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from planish.compiler import onnx_backend
from planish.compiler.errors import UnsupportedError
from planish.compiler.ops.lowbit import E8M0, ELEMENTS, FLOATS, FORMATS
from tests.oracles import onnx_model

EIGHT = [e for e in FLOATS if e in FORMATS and FORMATS[e].bits == 8]
X = np.concatenate([np.float32([0, 0.25, 0.5, 1, 1.5, 2.5, 3, 7, -1, -1.5, -2, -8, 447, 500, 57344, 1e5, -1e6, 1e30, 2e-3, -3e-5]),
                    np.random.default_rng(0).normal(0, 4, 25).astype(np.float32)])
"""Of 45 elements: no multiple of any vector."""


def elem(name: str) -> int:
    return helper.np_dtype_to_tensor_dtype(np.dtype(getattr(ml_dtypes, name, name)))


def numbers(element: str) -> np.ndarray:
    """45 numbers of a type."""
    return (np.abs(X[:20]).repeat(3)[:45] if element.startswith(("u", E8M0)) else np.clip(X, -8, 7)).astype(getattr(ml_dtypes, element))


def check(nodes: Sequence[onnx.NodeProto], feed: Mapping[str, np.ndarray], outputs: Mapping[str, str], opset: int = 24,
          constants: Mapping[str, np.ndarray] | None = None) -> None:
    """Holds a model against ONNX's reference; `outputs` maps names to types that are declared, or "" for none."""
    model = onnx_model(nodes, {k: (a.dtype, a.shape) for k, a in feed.items()}, list(outputs), constants, opset)
    for info in model.graph.output:
        info.ClearField("type")
        if outputs[info.name]:
            info.type.CopyFrom(helper.make_tensor_type_proto(elem(outputs[info.name]), None))
    with np.errstate(all="ignore"):
        expected = ReferenceEvaluator(model).run(None, dict(feed))
    for name, a, b in zip(outputs, onnx_backend.run_model(model, dict(feed)), expected, strict=True):
        b = np.asarray(b)
        assert a.shape == b.shape, name
        np.testing.assert_array_equal(bits(a), bits(b), name)


def bits(array: np.ndarray) -> np.ndarray:
    """What can be compared: the bits of floats that numpy lacks, the numbers of all else."""
    if array.dtype.isbuiltin == 1:
        return array
    return array.astype(np.int16) if "int" in array.dtype.name else array.view(f"u{array.itemsize}")


@pytest.mark.device
def test_casts_to_every_type() -> None:
    targets = {e: e for e in ELEMENTS if e != E8M0}
    check([helper.make_node("Cast", ["x"], [e], to=elem(e)) for e in targets], {"x": np.clip(X, -128, 127)}, targets)
    halves = np.clip(X, -6e4, 6e4).astype(np.float16)
    check([helper.make_node("Cast", ["x"], [e], to=elem(e)) for e in EIGHT], {"x": halves}, {e: e for e in EIGHT})
    integers = np.arange(-60, 60, dtype=np.int16)
    check([helper.make_node("Cast", ["x"], [e], to=elem(e)) for e in ELEMENTS if e != E8M0 and not e.endswith("2")], {"x": integers},
          {e: e for e in targets if not e.endswith("2")})


@pytest.mark.device
def test_casts_from_every_type() -> None:
    feed = {e: numbers(e) for e in ELEMENTS}
    nodes = [helper.make_node("Cast", [e], [f"{e}_f"], to=TensorProto.FLOAT) for e in ELEMENTS]
    nodes += [helper.make_node("Cast", [e], [f"{e}_i"], to=TensorProto.INT32) for e in ELEMENTS if e.endswith("4")]
    check(nodes, feed, {n.output[0]: "" for n in nodes})


@pytest.mark.device
def test_casts_that_do_not_saturate() -> None:
    check([helper.make_node("Cast", ["x"], [e], to=elem(e), saturate=0) for e in EIGHT], {"x": X}, {e: e for e in EIGHT})


@pytest.mark.device
@pytest.mark.parametrize("mode", ["up", "down", "nearest"])
def test_powers_of_two(mode: str) -> None:
    x = np.abs(X[1:])
    check([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT8E8M0, round_mode=mode)], {"x": x}, {"y": E8M0})


@pytest.mark.device
@pytest.mark.parametrize("element", ["bfloat16", "float8_e5m2", "int4"])
def test_a_type_goes_with_its_numbers(element: str) -> None:
    """Through data movement, constants and a function; also to an output that declares no type."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"]),
        helper.make_node("Reshape", ["t", "shape"], ["r"]),
        helper.make_node("CastLike", ["f", "r"], ["like"]),
        helper.make_node("CastLike", ["f", "c"], ["like_constant"]),
        helper.make_node("Identity", ["c"], ["copied"]),
    ]
    x = numbers(element).reshape(9, 5)
    check(nodes, {"x": x, "f": np.clip(X, -8, 7)}, {"r": "", "like": "", "like_constant": element, "copied": element},
          constants={"shape": np.array([15, 3]), "c": x[:2, :3]})


@pytest.mark.device
def test_sums_are_rounded_once() -> None:
    """bfloat16 computes in float32: a sum of two is that of the exact ones, rounded."""
    x, y = (np.random.default_rng(k).normal(0, 1, (3, 7)).astype(ml_dtypes.bfloat16) for k in range(2))
    check([helper.make_node("Add", ["x", "y"], ["z"])], {"x": x, "y": y}, {"z": "bfloat16"})


@pytest.mark.device
def test_as_many_as_the_data_say() -> None:
    """Results that lie on the host are encoded there; operators that give them take no narrower type."""
    x, keep = numbers("bfloat16"), X > 0
    check([helper.make_node("Compress", ["x", "keep"], ["y"])], {"x": x, "keep": keep}, {"y": "bfloat16"})
    with pytest.raises(UnsupportedError, match="Compress 'y': its operands do not fit the operator"):
        check([helper.make_node("Compress", ["x", "keep"], ["y"])], {"x": numbers("float8_e5m2"), "keep": keep}, {"y": "float8_e5m2"})


def test_what_is_no_number_is_refused() -> None:
    model: Any = onnx_model([helper.make_node("Identity", ["x"], ["y"])], {"x": (np.float32, (2,))}, ["y"])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    with pytest.raises(UnsupportedError, match="of type string; numbers and bool would be accepted"):
        onnx_backend.run_model(model, [np.array(["a", "b"])])
