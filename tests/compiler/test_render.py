"""Kernels as text: what they are named, what they bind, and what never gets into them."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest

from planish.compiler import passes, render
from planish.compiler.ir import Graph, Node, TensorType
from planish.compiler.lower import lower
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.render import Packed, Source
from planish.compiler.targets import named
from tests.compiler.test_golden import CASES, chosen
from tests.graphs import Build

GENERIC = named("generic")


def sources(graph: Graph) -> list[Source]:
    return [render.source(launch.site, launch.kernel) for launch in lower(passes.run(graph, GENERIC), GENERIC).launches]


@pytest.mark.parametrize("template", CASES)
def test_a_source_is_plain_opencl_with_an_argument_for_each_operand(template: str) -> None:
    source = render.source(*chosen(template, GENERIC))
    heads = re.findall(r"__kernel void (\w+)\((.*)\) {", source.text)
    assert [name for name, _ in heads] == [source.name]
    assert len(heads[0][1].split(", ")) == len(source.operands)
    assert not re.search(r"{{|{%|%}|}}(?!;)|KERNEL_NAME", source.text)


@pytest.mark.parametrize("template", CASES)
def test_a_name_is_the_template_and_a_hash_of_the_text(template: str) -> None:
    source = render.source(*chosen(template, GENERIC))
    digest = hashlib.sha256(source.text.replace(source.name, "KERNEL_NAME").encode()).hexdigest()[:8]
    assert source.name == f"{template}_{digest}"


@pytest.mark.parametrize("template", sorted(set(CASES) - {"gather"}))
def test_half_precision_is_storage_alone(template: str) -> None:
    """What lies in the arena and the weights is half, what the user sees is float; arithmetic is float."""
    site, kernel = chosen(template, GENERIC, "f16")
    text = render.source(site, kernel).text
    assert "__global const half *restrict" in text and "vload_half" in text
    assert "half4" not in re.sub(r"v(load|store)_half4", "", text) and "cl_khr_fp16" not in text


def test_equal_work_shares_a_kernel() -> None:
    b = Build()
    x = b.input(1, 4, 4, 8)
    for _ in range(4):
        x = b("relu", b("add", b(Conv2D(), x, b.constant(8, 1, 1, 8)), b.constant(8)))
    first, second, third, last = sources(b.returns(x))
    assert (second.name, second.text) == (third.name, third.text) and second.operands != third.operands
    assert len({first.text, second.text, last.text}) == 3, "the user's layout in front and behind, blocks between"


def test_names_of_the_model_never_reach_a_kernel() -> None:
    def named_by(prefix: str) -> list[str]:
        g = Graph(prefix)
        x = g.add_input(f"{prefix}x", TensorType((1, 4, 4, 8), np.dtype(np.float32)))
        w = g.add_constant(np.ones((8, 3, 3, 8), np.float32), f"{prefix}w")
        bias = g.add_constant(np.ones(8, np.float32), f"{prefix}b")
        g.add_node(Node(f"{prefix}conv", Conv2D(pads=((1, 1), (1, 1))), (x, w), (f"{prefix}y",), sources=(f"{prefix}source",)))
        g.add_node(Node(f"{prefix}add", Elementwise("add"), (f"{prefix}y", bias), (f"{prefix}z",), position=1))
        g.outputs[f"{prefix}out"] = f"{prefix}z"
        return [s.text for s in sources(g)]

    assert named_by('*/ #pragma "\n{{ 7 * 7 }} KERNEL_NAME ') == named_by("plain")


def test_single_numbers_are_literals() -> None:
    b = Build()
    y = b(Elementwise("clip", (-0.5, 6.0)), b("add", b("mul", b.input(2, 16), b.array([[0.1]])), b.array(1e-20)))
    (source,) = sources(b.returns(y))
    assert source.operands == (b.graph.inputs[0], y)
    numbers = {np.float32(n) for n in re.findall(r"-?[\d.]+(?:e[-+]\d+)?(?=f)", source.text.replace(source.name, ""))}
    assert numbers == {np.float32(n) for n in (0.1, 1e-20, -0.5, 6)}


def test_constants_are_packed_as_the_kernel_reads_them() -> None:
    """Seventeen numbers along the channels, in blocks of four with zeros behind the last."""
    b = Build()
    constant = b.constant(17)
    y = b("add", b(Conv2D(), b.input(1, 3, 3, 4), b.constant(17, 1, 1, 4)), constant)
    source = next(s for s in sources(b.returns(b("neg", b(Conv2D(), y, b.constant(4, 1, 1, 17))))) if s.name.startswith("conv"))
    packed = [o.pack.make() for o in source.operands if isinstance(o, Packed)][-1]
    np.testing.assert_array_equal(packed.ravel(), [*b.graph.constant(constant), 0, 0, 0])
