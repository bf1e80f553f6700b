"""Nothing is registered that is not whole, real and tested: ops, importers of both formats, templates."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import onnx
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state

from planish.compiler import ops
from planish.compiler.ops.importing import ONNX, TFLITE
from planish.compiler.ops.op import Op
from planish.runtime import host
from tests.conftest import GOLDEN
from tests.tflite_schema import members

ROOT = Path(__file__).resolve().parents[1]
EXPERIMENTAL = {"Affine", "Crop", "ImageScaler"}
"""Operators of early ONNX models that its schemas have forgotten."""
CUSTOM = {"Convolution2DTransposeBias", "Landmarks2TransformMatrix", "MaxPoolingWithArgmax2D", "MaxUnpooling2D", "Resampler",
          "TFLite_Detection_PostProcess", "TransformLandmarks", "TransformTensorBilinear"}
"""Operators that TFLite models bring themselves."""


def subclasses(base: type[Op]) -> Iterator[type[Op]]:
    for derived in base.__subclasses__():
        yield derived
        yield from subclasses(derived)


OPS = sorted((op for op in subclasses(Op) if op.__module__.startswith(ops.__name__)), key=lambda op: op.__name__)


@cache
def covered(folder: str) -> tuple[frozenset[str], frozenset[str]]:
    """Of the test modules in a folder of tests/compiler: the strings that stand in their code, and the names that they call."""
    strings, called = set(), set()
    for path in (ROOT / "tests" / "compiler" / folder).glob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documentation = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                strings.add(node.value)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called.add(node.func.id)
    return frozenset(strings), frozenset(called)


def test_every_module_of_ops_is_imported() -> None:
    """An importer in a module that nobody imports would not be registered."""
    for path in (ROOT / "compiler" / "ops").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        if any(f"\n{mark}" in source for mark in ("@onnx_op(", "@tflite_op(", "@quantized_op(")):
            assert path.stem in ops.__all__, f"compiler/ops/__init__.py does not import {path.stem}"


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__)
def test_ops_are_whole_and_tested(op: type[Op]) -> None:
    for method in ("infer",) if op.host else ("infer", "reference") if op.driven else ("infer", "reference", "kernels"):
        assert getattr(op, method) is not getattr(Op, method), f"{op.__name__} has no {method}"
        assert getattr(op, method).__module__.startswith(ops.__name__)
    assert op.__doc__ and not op.__doc__.startswith(f"{op.__name__}("), f"{op.__name__} does not say what it computes"
    assert not op.host or (op.host in host.FUNCTIONS and op.reason), f"{op.__name__} does not say why {op.host} runs it"
    assert not op.driven or op.reason, f"{op.__name__} does not say why the host drives it"
    assert op.__name__ in covered("ops")[1], f"no test in tests/compiler/ops makes a {op.__name__}"


@pytest.mark.parametrize("name", [*ONNX, *TFLITE])
def test_importers_are_tested(name: str) -> None:
    assert name in covered("ops")[0] | covered("frontend")[0], f"no test in tests/compiler imports a node of type {name}"


def test_importers_are_of_operators_that_exist() -> None:
    microsoft = {f"{s.domain}::{s.name}" for s in onnxruntime_pybind11_state.get_all_operator_schema()}
    unknown = {name for name in ONNX if not onnx.defs.has(*name.split("::")[::-1])}
    assert unknown - microsoft == EXPERIMENTAL
    assert {name for name in TFLITE if name not in members("BuiltinOperator")} == CUSTOM


@pytest.mark.parametrize("template", sorted(p.name.removesuffix(".cl.j2") for p in (ROOT / "templates").glob("**/*.cl.j2")))
def test_templates_are_used_and_held(template: str) -> None:
    """Some op names it, and golden kernels of a CPU and a GPU show what becomes of it."""
    named = {n.value for p in (ROOT / "compiler").rglob("*.py") for n in ast.walk(ast.parse(p.read_text(encoding="utf-8")))
             if isinstance(n, ast.Constant)}
    assert template in named, f"no op names the template {template}"
    only = {"megakernel": ("cpu",), "conv_local": ("generic",), "conv_pointwise_split": ("generic",)}
    for target in only.get(template, ("cpu", "generic")):
        assert (GOLDEN / "kernels" / f"{template}.{target}.cl").exists(), f"no golden kernel of {template} for {target}"
