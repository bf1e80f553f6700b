"""A plan written by hand, so that the runtime is tested without the compiler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from planish.runtime.plan import Argument, HostStep, Kernel, Launch, Loop, Operand, Plan, Row, Tensor

SCALE = """__kernel void scale(__global const float *restrict x, __global const float *restrict w, __global float *restrict y)
{
    y[get_global_id(0)] = w[0] * x[get_global_id(0)];
}
"""
ADD = """__kernel void add(__global const float *restrict a, __global const float *restrict b, __global float *restrict y)
{
    y[get_global_id(0)] = a[get_global_id(0)] + b[get_global_id(0)];
}
"""
ALIGNMENT = 512
SHAPE = (2, 3)


def linear() -> Plan:
    """total = 2 a + b, thrice = 3 a: with an arena, two weights, two inputs and two outputs, all float32[2,3]."""
    weights = np.zeros(2 * ALIGNMENT // 4, np.float32)
    weights[0], weights[ALIGNMENT // 4] = 2, 3
    a, b, total, thrice = (Argument(buffer, k, 0, 24) for buffer in ("input", "output") for k in (0, 1))
    twice = Argument("arena", 0, ALIGNMENT, 24)
    return Plan(
        inputs=(Tensor("a", SHAPE, "float32"), Tensor("b", SHAPE, "float32")),
        outputs=(Tensor("total", SHAPE, "float32"), Tensor("thrice", SHAPE, "float32")),
        kernels=(Kernel("scale", SCALE), Kernel("add", ADD)),
        launches=(
            Launch(0, (6,), None, (a, Argument("weights", 0, 0, 4), twice), ("double",), flops=6, nbytes=48, variant="scale"),
            Launch(0, (6,), (3,), (a, Argument("weights", 0, ALIGNMENT, 4), thrice), ("triple",), flops=6, nbytes=48, variant="scale"),
            Launch(1, (6,), None, (twice, b, total), ("sum", "bias"), flops=6, nbytes=72, variant="add"),
        ),
        arena=2 * ALIGNMENT, alignment=ALIGNMENT, weights=weights.tobytes(), provenance={"source": "linear"},
    )  # fmt: skip


def hosted() -> Plan:
    """Of x = 2 a: found = where it is not zero, by axis; row = the second row of that; again = the numbers of the elements that are
    not the least of x.

    A launch before the host; steps on operands from the arena, from the weights and from the host; results there and in the arena.
    """
    whole = linear()

    def kept(buffer: str, index: int, *shape: int, dtype: str = "int64") -> Operand:
        return Operand(Argument(buffer, index, 0, 0), shape, dtype, dtype)

    x = Operand(Argument("arena", 0, ALIGNMENT, 24), SHAPE, "float32", "float32")
    second = Operand(Argument("weights", 0, 2, 2), (2,), "bool", "uint8")
    which = Operand(Argument("arena", 0, 8, 48), (6,), "int64", "int64")
    distinct = (kept("host", 0, -1, dtype="float32"), kept("host", 2, -1), which, kept("host", 1, -1))
    return replace(
        whole, inputs=whole.inputs[:1], kernels=whole.kernels[:1],
        outputs=(Tensor("found", (2, -1), "int64"), Tensor("row", (-1, -1), "int64"), Tensor("again", (-1, 1), "int64")),
        launches=(
            whole.launches[0],
            HostStep("nonzero", {"by_row": False}, (x,), (kept("output", 0, 2, -1),), ("find",), "it depends on data"),
            HostStep("unique", {"axis": None, "sorted": True}, (x,), distinct, ("distinct",)),
            HostStep("compress", {"axis": 0}, (kept("output", 0, 2, -1), second), (kept("output", 1, -1, -1),), ("pick",)),
            HostStep("nonzero", {"by_row": True}, (which,), (kept("output", 2, -1, 1),)),
        ),
    )  # fmt: skip


def expected(a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    return {"total": 2 * a + b, "thrice": 3 * a}


BEGIN = """__kernel void begin(__global float *restrict total, __global char *restrict go)
{
    total[get_global_id(0)] = 0;
    if (get_global_id(0) == 0) *go = 1;
}
"""
MORE = """__kernel void more(__global const float *restrict a, __global float *restrict total, __global char *restrict go)
{
    const int i = get_global_id(0);
    total[i] += a[i];
    if (i == 0) *go = total[0] < 10;
}
"""


def looped() -> Plan:
    """total = a + a + … until its first element is 10 or more, at most 5 times; rows = total after each; found = where rows are not 0."""
    a, total, go = Argument("input", 0, 0, 24), Argument("output", 0, 0, 24), Argument("arena", 0, ALIGNMENT, 1)
    rows = Operand(Argument("output", 1, 0, 0), (-1, *SHAPE), "float32", "float32")
    inner = Operand(Argument("host", 0, 0, 0), (2, -1), "int64", "int64")
    body = (Launch(1, (6,), None, (a, total, go), ("add",), variant="more"),
            HostStep("nonzero", {"by_row": False}, (Operand(total, SHAPE, "float32", "float32"),), (inner,)),
            HostStep("copy", {}, (inner,), (replace(inner, place=Argument("host", 1, 0, 0)),)))
    return Plan(
        inputs=(Tensor("a", SHAPE, "float32"),),
        outputs=(Tensor("total", SHAPE, "float32"), Tensor("rows", (-1, *SHAPE), "float32"), Tensor("found", (3, -1), "int64")),
        kernels=(Kernel("begin", BEGIN), Kernel("more", MORE)),
        launches=(
            Launch(0, (6,), None, (total, go), ("zeros",), variant="begin"),
            Loop(replace(go, nbytes=1), 5, body, (Row(total, rows),), ("while",), "data decide"),
            HostStep("nonzero", {"by_row": False}, (rows,), (Operand(Argument("output", 2, 0, 0), (3, -1), "int64", "int64"),)),
        ),
        arena=2 * ALIGNMENT, alignment=ALIGNMENT,
    )  # fmt: skip
