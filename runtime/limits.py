"""The limits of a device, measured: arithmetic, bandwidth, launches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter

import numpy as np
import pyopencl as cl

from . import cache, profile
from .command_buffer import Bound
from .devices import refusals
from .profile import Timing

FOOTPRINTS = (1, 16, 256)
"""MB that kernels go through, again and again: what fits into caches is faster."""
REPEATS, ENOUGH = 20, 1e5
"""Runs of a kernel, fewer where they take so many microseconds together."""
LAUNCHES = 200
PRODUCTS, READS = 1 << 17, 64
"""Of a work-item."""
FORMAT = "limits 1"

ARITHMETIC = """// Products and sums that depend on nothing but {chains} chains of earlier ones: the limit of a device's arithmetic.
#define STEPS {count}  // of each chain
{pragma}
__kernel void arithmetic(__global {type} *y) {{
    const {vector} a = ({vector})(({type})0.5f), b = ({vector})(({type})get_global_id(0));
    {vector} {declared};
    for (int i = 0; i < STEPS; ++i) {{
        {steps}
    }}
    const {vector} sum = {total};
    y[get_global_id(0)] = {elements};
}}
"""
COPY = """// Each work-item copies a vector.
__kernel void copy(__global const {vector} *restrict x, __global {vector} *restrict y) {{
    y[get_global_id(0)] = x[get_global_id(0)];
}}
"""
READ = """// Each work-item adds up {count} vectors: neighbours in memory, or such that neighbouring work-items read neighbours.
__kernel void read(__global const {vector} *restrict x, __global {vector} *restrict y) {{
    const size_t i = get_global_id(0), n = get_global_size(0);
    {vector} sum = 0;
    for (size_t k = 0; k < {count}; ++k) sum += x[{index}];
    y[i] = sum;
}}
"""
EMPTY = "__kernel void empty(__global float *y) {}"


@dataclass(frozen=True)
class Limits:
    """What a device can do at most.

    Attributes:
        gflops: of fused multiplications and additions, two operations each, in float32; half: in float16, None where it has none.
        bandwidth: (bytes, GB/s) of kernels that read, or copy, so many bytes; the smallest first.
        launch: microseconds of a launch among others; roundtrip: of one that is waited for.
    """

    gflops: float
    half: float | None
    bandwidth: tuple[tuple[int, float], ...]
    launch: float
    roundtrip: float

    def shares(self, timing: Timing) -> tuple[float, float]:
        """Which parts of the arithmetic and of the bandwidth a launch makes use of; the latter, of a device that goes through no less."""
        if timing.microseconds <= 0:
            return 0.0, 0.0
        reach = next((rate for nbytes, rate in self.bandwidth if nbytes >= timing.nbytes), self.bandwidth[-1][1])
        per = timing.microseconds * 1e3
        return timing.flops / per / self.gflops, timing.nbytes / per / reach


def of(device: cl.Device, *, fresh: bool = False) -> Limits:
    """Measures a device, which takes seconds, or gives what is in the cache.

    Args:
        fresh: measures in any case.

    Raises:
        DeviceError: it cannot run one of the kernels.
    """
    key = "\n".join((FORMAT, ARITHMETIC, COPY, READ, EMPTY))
    known = None if fresh else cache.read(device, key)
    if known:
        found = json.loads(known)
        return Limits(**{**found, "bandwidth": tuple((nbytes, rate) for nbytes, rate in found["bandwidth"])})
    with refusals(device):
        limits = _measured(device)
    cache.write(device, key, json.dumps(asdict(limits)).encode())
    return limits


def _measured(device: cl.Device) -> Limits:
    context = cl.Context([device])
    queue = cl.CommandQueue(context, properties=cl.command_queue_properties.PROFILING_ENABLE)
    half = "cl_khr_fp16" in device.extensions.split()
    launch, roundtrip = _launches(context, device)
    return Limits(_arithmetic(queue, "float"), _arithmetic(queue, "half") if half else None,
                  tuple((nbytes, _bandwidth(queue, nbytes)) for nbytes in _footprints(device)), launch, roundtrip)


def _footprints(device: cl.Device) -> Iterator[int]:
    for size in FOOTPRINTS:
        if size == FOOTPRINTS[0] or size << 20 <= device.max_mem_alloc_size:
            yield size << 20


def _arithmetic(queue: cl.CommandQueue, type: str) -> float:
    """GFLOP/s: the most of several widths of vectors and numbers of chains."""
    items = 1024 * queue.device.max_compute_units
    y = cl.Buffer(queue.context, cl.mem_flags.READ_WRITE, 4 * items)
    rates = []
    for lanes, chains in ((1, 8), (1, 12), (1, 16), (4, 4), (16, 8), (16, 12)):
        names, count = [f"c{k}" for k in range(chains)], PRODUCTS // (lanes * chains)
        source = ARITHMETIC.format(
            chains=chains, count=count, type=type, vector=_vector(type, lanes),
            declared=", ".join(f"{c} = b + ({type}){k}" for k, c in enumerate(names)),
            steps=" ".join(f"{c} = fma({c}, a, b);" for c in names), total=" + ".join(names),
            elements=" + ".join(f"sum.s{k:x}" for k in range(lanes)) if lanes > 1 else "sum",
            pragma="#pragma OPENCL EXTENSION cl_khr_fp16 : enable" if type == "half" else "")  # fmt: skip
        rates.append(2 * lanes * chains * count * items / _least(queue, "arithmetic", source, items, [y]) / 1e3)
    return max(rates)


def _bandwidth(queue: cl.CommandQueue, nbytes: int) -> float:
    """GB/s: the most of several ways to read or copy."""
    flags = cl.mem_flags
    whole, result = (cl.Buffer(queue.context, flags.READ_WRITE, size) for size in (nbytes, nbytes // READS))
    halves = [cl.Buffer(queue.context, flags.READ_WRITE, nbytes // 2) for _ in range(2)]
    for buffer in (whole, *halves):
        cl.enqueue_fill_buffer(queue, buffer, np.zeros(1, np.uint8), 0, buffer.size)
    times = []
    for lanes in (4, 16):
        vector, count = _vector("float", lanes), nbytes // 4 // lanes
        times.append(_least(queue, "copy", COPY.format(vector=vector), count // 2, halves))
        for index in (f"{READS} * i + k", "i + n * k"):
            source = READ.format(vector=vector, count=READS, index=index)
            times.append(_least(queue, "read", source, count // READS, [whole, result]))
    return nbytes / min(times) / 1e3


def _least(queue: cl.CommandQueue, name: str, source: str, items: int, buffers: Sequence[cl.Buffer]) -> float:
    """Microseconds of a kernel: the least of several runs, by the device's clock."""
    program = cache.build(queue.context, queue.device, name, source)
    bound = _bound(program, name, items, buffers)
    (first,) = profile.measure(queue, [bound], 1)
    repeats = min(REPEATS, max(int(ENOUGH / max(first, 1)), 3))
    return max(*profile.measure(queue, [bound], repeats), 1e-3)


def _bound(program: cl.Program, name: str, items: int, buffers: Sequence[cl.Buffer]) -> Bound:
    kernel = cl.Kernel(program, name)
    kernel.set_args(*buffers)
    return kernel, (items,), None


def _launches(context: cl.Context, device: cl.Device) -> tuple[float, float]:
    """Microseconds of a kernel that does nothing: among others; alone, until the host knows that it is done."""
    queue = cl.CommandQueue(context)
    buffer = cl.Buffer(context, cl.mem_flags.READ_WRITE, 4)
    program = cache.build(context, device, "empty", EMPTY)
    bound = _bound(program, "empty", 1, [buffer])
    best = []
    for count in (LAUNCHES, 1):
        times = []
        for _ in range(REPEATS):
            start = perf_counter()
            for _ in range(count):
                cl.enqueue_nd_range_kernel(queue, *bound)
            queue.finish()
            times.append((perf_counter() - start) * 1e6)
        best.append(min(times) / count)
    return best[0], best[1]


def _vector(type: str, lanes: int) -> str:
    return type if lanes == 1 else f"{type}{lanes}"


def text(limits: Limits) -> str:
    """For people: a limit a line, indented."""
    lines = [("float32", f"{limits.gflops:.1f} GFLOP/s")]
    if limits.half is not None:
        lines.append(("float16", f"{limits.half:.1f} GFLOP/s"))
    lines += [(f"{nbytes >> 20} MB", f"{rate:.1f} GB/s") for nbytes, rate in limits.bandwidth]
    lines.append(("a launch", f"{limits.launch:.2f} µs, {limits.roundtrip:.2f} where it is waited for"))
    return "\n".join(f"     {name:<8}  {value}" for name, value in lines)
