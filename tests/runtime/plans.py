"""A plan written by hand, so that the runtime is tested without the compiler."""

from __future__ import annotations

import numpy as np

from planish.runtime.plan import Argument, Kernel, Launch, Plan, Tensor

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


def expected(a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    return {"total": 2 * a + b, "thrice": 3 * a}
