"""Loads and stores of neighbouring elements in OpenCL C, whatever layout the tensor has and however it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .kernel import Read, Scratch, View

STORAGE = {"float32": "float", "float16": "half", "float64": "double", "bool": "uchar", "int8": "char", "uint8": "uchar",
           "int16": "short", "uint16": "ushort", "int32": "int", "uint32": "uint", "int64": "long", "uint64": "ulong"}
"""The C type of an element in memory."""

COMPUTE = {"float16": "float", "bool": "int", "int8": "int", "uint8": "int", "int16": "int", "uint16": "int"}
"""The C type that holds an element while computing, where it is another than in memory."""


@dataclass(frozen=True)
class At:
    """Where in the result a vector lies.

    Attributes:
        index: C expressions of the coordinates; on the last axis, of the first lane.
        block: C expression of index[-1] / lanes, where the vector is a whole block; else "".
        whole: no lane lies past the last element.
    """

    index: tuple[str, ...]
    block: str = ""
    lanes: int = 1
    whole: bool = False


def compute_type(dtype: np.dtype[Any], lanes: int = 1) -> str:
    """The C type of a vector of elements while computing."""
    return vector(COMPUTE.get(dtype.name, STORAGE[dtype.name]), lanes)


def vector(ctype: str, lanes: int) -> str:
    return f"{ctype}{lanes}" if lanes > 1 else ctype


def parameter(read: Read, *, shared: bool = False) -> str:
    """The kernel parameter of an operand.

    Args:
        shared: the result may lie in its place.
    """
    if read.image:
        return f"__read_only image1d_buffer_t {read.name}, const int {read.name}_begin"
    const = "" if isinstance(read.source, Scratch) else "const "
    return f"__global {const}{STORAGE[read.storage.name]} *{'' if shared else 'restrict '}{read.name}"


def address(view: View, at: At) -> str:
    """The element offset of a vector's first lane, as a C expression; axes of extent 1 are broadcast."""
    layout = view.layout
    terms = [str(layout.offset)] if layout.offset else []
    for d, (extent, stride, i) in enumerate(zip(view.shape, layout.strides, at.index)):
        if extent == 1:
            continue
        if d == layout.axis:
            if at.lanes == layout.lanes and d == len(view.shape) - 1 and at.block:
                terms.append(_times(at.block, stride))
            else:
                terms.append(f"({i}) / {layout.lanes} * {stride} + ({i}) % {layout.lanes}")
        else:
            terms.append(_times(i, stride))
    return " + ".join(terms) or "0"


def load(pointer: str, view: View, at: At, fill: str = "0") -> str:
    """The expression of a vector of an operand that broadcasts to the result; lanes past the last element are never read.

    They are `fill`, except where all lanes are one broadcast element, and where a block has what lies in its padding.
    """
    lanes = at.lanes
    ctype = compute_type(view.storage, lanes)
    extent = view.shape[-1] if view.shape else 1
    if lanes == 1 or extent == 1:
        value = load_from(pointer, address(view, At(at.index)), view.storage, 1)
        return value if lanes == 1 else f"({ctype})({value})"
    layout = view.layout
    whole = load_from(pointer, address(view, at), view.storage, lanes, aligned=layout.axis is not None)
    if layout.axis == len(view.shape) - 1 and layout.lanes == lanes:
        return whole
    contiguous = layout.axis is None and layout.strides[-1] == 1
    ragged = extent % lanes and not at.whole
    if contiguous and not ragged:
        return whole
    last = at.index[-1]
    singles = []
    for k in range(lanes):
        single = At((*at.index[:-1], f"({last} + {k})"))
        value = load_from(pointer, address(view, single), view.storage, 1)
        singles.append(f"({last} + {k} < {extent} ? {value} : {fill})" if ragged else value)
    apart = f"({ctype})({', '.join(singles)})"
    return f"({last} + {lanes} <= {extent} ? {whole} : {apart})" if contiguous else apart


def load_from(pointer: str, place: str, storage: np.dtype[Any], lanes: int, aligned: bool = True) -> str:
    """The expression of `lanes` elements at an offset, in the type in which they are computed with.

    Args:
        aligned: the offset is a multiple of the lanes. Halves for which it is not are loaded by fours: PoCL takes eight to be aligned.
    """
    if storage == np.float16 and lanes > 4 and not aligned:
        fours = ", ".join(f"vload_half4({k}, {pointer} + {place})" for k in range(lanes // 4))
        return f"(float{lanes})({fours})"
    if storage == np.float16:
        return f"vload_half({place}, {pointer})" if lanes == 1 else f"vload_half{lanes}(0, {pointer} + {place})"
    compute = compute_type(storage)
    if lanes == 1:
        return f"{pointer}[{place}]" if compute == STORAGE[storage.name] else f"(({compute}){pointer}[{place}])"
    value = f"vload{lanes}(0, {pointer} + {place})"
    return value if compute == STORAGE[storage.name] else f"convert_{compute}{lanes}({value})"


def store(view: View, at: At, value: str) -> list[str]:
    """Statements that store a vector of the result `y`; of a strided one, no lane past the last element."""
    whole = _store_to(value, address(view, at), view.storage, at.lanes)
    if at.lanes == 1 or view.layout.axis is not None:
        return [whole]
    contiguous, extent, last = view.layout.strides[-1] == 1, view.shape[-1], at.index[-1]
    if contiguous and (at.whole or extent % at.lanes == 0):
        return [whole]
    single = At((*at.index[:-1], f"({last} + k)"))
    lane = _store_to("lane[k]", address(view, single), view.storage, 1)
    lines = [f"{compute_type(view.storage)} lane[{at.lanes}];", f"vstore{at.lanes}({value}, 0, lane);",
             f"for (int k = 0; k < {at.lanes} && {last} + k < {extent}; ++k) {lane}"]
    if not contiguous:
        return lines
    return [f"if ({last} + {at.lanes} <= {extent}) {{", f"    {whole}", "} else {", *(f"    {s}" for s in lines), "}"]


def _store_to(value: str, place: str, storage: np.dtype[Any], lanes: int) -> str:
    if storage == np.float16:
        return f"vstore_half({value}, {place}, y);" if lanes == 1 else f"vstore_half{lanes}({value}, 0, y + {place});"
    ctype = STORAGE[storage.name]
    converted = value if compute_type(storage) == ctype else f"convert_{vector(ctype, lanes)}({value})"
    return f"y[{place}] = {converted};" if lanes == 1 else f"vstore{lanes}({converted}, 0, y + {place});"


def narrowed(value: str, lanes: int) -> str:
    """The expression of a vector of floats rounded to half precision."""
    return f"to_half{lanes if lanes > 1 else ''}({value})"


def narrowing(lanes: int) -> str:
    """The function that rounds so: adding 1.5 * 2^13 times a power of two near x, and taking it away, leaves 11 bits of x."""
    n = "" if lanes == 1 else str(lanes)
    real, bits = vector("float", lanes), vector("uint", lanes)
    return (f"static {real} to_half{n}({real} x) {{  // to the nearest half, ties to even, without an extension\n"
            f"    const {bits} power = clamp(as_{bits}(x) & 0x7F800000u, ({bits})(0x38800000u), ({bits})(0x48000000u));  // from 2^-14\n"
            f"    const {real} large = as_{real}(power + 0x06C00000u);\n"
            f"    const {real} r = (x + large) - large;\n"
            f"    return copysign(fabs(r) > 65504.0f ? ({real})(INFINITY) : r, x);\n}}\n")


def near_sigmoid(lanes: int) -> str:
    """The function that computes 1 / (1 + exp(-x)) in line, to 2e-6 of it, 0 where x < -87: exp is a call on drivers for CPUs, around
    which a kernel's registers are saved, and a division takes as long as the rest.

    2^c = 2^n * 2^f, n the nearest integer, which adding 1.5 * 2^23 leaves in the lowest bits; 2^f by the polynomial of Cephes' exp2f; the
    reciprocal by Newton's step, which doubles the bits of an approximate one.
    """
    n = "" if lanes == 1 else str(lanes)
    real, bits = vector("float", lanes), vector("int", lanes)
    return (f"static {real} near_sigmoid{n}({real} x) {{\n"
            f"    {real} c = -1.44269504088896341f * x;\n"
            f"    c = c < -126.0f ? ({real})(-126.0f) : c;  // max and min would lose a NaN\n"
            f"    c = c > 126.0f ? ({real})(126.0f) : c;\n"
            f"    const {real} n = c + 12582912.0f, f = c - (n - 12582912.0f);\n"
            f"    {real} p = fma(f, 1.535336188319500e-4f, 1.339887440266574e-3f);\n"
            f"    p = fma(p, f, 9.618437357674640e-3f);\n"
            f"    p = fma(p, f, 5.550332471162809e-2f);\n"
            f"    p = fma(p, f, 2.402264791363012e-1f);\n"
            f"    p = fma(p, f, 6.931472028550421e-1f);\n"
            f"    p = fma(p, f, 1.0f);\n"
            f"    const {real} d = 1.0f + as_{real}(as_{bits}(p) + (as_{bits}(n) << 23)), r = native_recip(d);\n"
            f"    return x < -87.0f ? ({real})(0) : fma(fma(-d, r, 1.0f), r, r);\n}}\n")


def strides(prefix: str, view: View, lanes: int) -> list[str]:
    """#defines of an NHWC image: the offset of its first element, and the strides of image, row, pixel and block of channels."""
    if view.type.rank not in (2, 4):
        return []
    n, y, x, c = (0,) * (4 - view.type.rank) + view.layout.strides
    c = c if view.layout.axis is not None else c * lanes
    names = {"OFFSET": view.layout.offset, "SN": n, "SC": c, "SY": y, "SX": x}
    return [f"#define {prefix}_{key} {number}" for key, number in names.items()]


def _times(index: str, stride: int) -> str:
    simple = index.isidentifier()
    if stride == 1:
        return index if simple else f"({index})"
    return f"{index} * {stride}" if simple else f"({index}) * {stride}"
