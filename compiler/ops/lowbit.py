"""Numbers of few bits: floats that numpy lacks, stored as their bits, and integers of 2 and 4 bits, stored in bytes.

In the graph such a float is a float32 on the type's grid, such an integer an int8 or uint8. `Decode` makes the former of bits,
`Encode` rounds to the grid. The names of the types are those of ml_dtypes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import ml_dtypes
import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .elementwise import FLOAT, Cast, Elementwise
from .importing import SourceNode
from .op import Op, Perm

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

RoundMode = Literal["up", "down", "nearest"]
E8M0 = "float8_e8m0fnu"
"""Powers of two, without sign and zero: bits b stand for 2^(b - 127), 255 for NaN."""


@dataclass(frozen=True)
class Format:
    """A float with sign, exponent and mantissa; what lies above `largest` are infinity, if it has one, and NaN.

    Attributes:
        bits: of a number; mantissa: bits after the point.
        bias: of the exponent.
        largest: the code of the largest finite number.
        nan: the code of NaN; with `unsigned_zero` that of minus zero, which does not exist.
    """

    bits: int
    mantissa: int
    bias: int
    largest: int
    nan: int
    unsigned_zero: bool = False


FORMATS = {
    "float16": Format(16, 10, 15, 0x7BFF, 0x7E00),
    "bfloat16": Format(16, 7, 127, 0x7F7F, 0x7FC0),
    "float8_e4m3fn": Format(8, 3, 7, 0x7E, 0x7F),
    "float8_e4m3fnuz": Format(8, 3, 8, 0x7F, 0x80, unsigned_zero=True),
    "float8_e5m2": Format(8, 2, 15, 0x7B, 0x7E),
    "float8_e5m2fnuz": Format(8, 2, 16, 0x7F, 0x80, unsigned_zero=True),
    "float6_e2m3fn": Format(6, 3, 1, 0x1F, 0x20),
    "float6_e3m2fn": Format(6, 2, 3, 0x1F, 0x20),
    "float4_e2m1fn": Format(4, 1, 1, 0x07, 0x08),
}
"""Floats that can be had by rounding a float32. Those of 4 and 6 bits have no NaN; it becomes minus zero."""

INTEGERS = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}
"""The least and the largest of the integers that numpy lacks."""

FLOATS = (*(name for name in FORMATS if name != "float16"), E8M0)
ELEMENTS = (*FLOATS, *INTEGERS)
"""The types that numpy lacks."""


def held_as(element: str) -> np.dtype[Any]:
    """The type of such numbers in the graph."""
    return stored_as(element) if element in INTEGERS else FLOAT


def stored_as(element: str) -> np.dtype[Any]:
    """The type of such numbers in the plan: integers as they are, floats as their bits."""
    if element in INTEGERS:
        return np.dtype(np.uint8 if element.startswith("u") else np.int8)
    return np.dtype(np.uint16 if element in FORMATS and FORMATS[element].bits > 8 else np.uint8)


def width_of(name: str) -> int:
    """The bits of a number of any type, numpy's or not."""
    if name in INTEGERS:
        return int(name[-1])
    return FORMATS[name].bits if name in FORMATS else 8 if name == E8M0 else 8 * np.dtype(name).itemsize


@dataclass(frozen=True)
class Decode(Op):
    """The float32 that bits stand for."""

    element: str
    layout: ClassVar[Literal["any"]] = "any"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        (x,) = types
        assert x is not None
        if x.dtype != stored_as(self.element):
            raise GraphError(f"the bits of {self.element} are {stored_as(self.element)}, not {x.dtype}")
        return (TensorType(x.shape, FLOAT),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = arrays
        assert x is not None
        return (x.view(_numpy(self.element)).astype(np.float32),)

    def expression(self, args: Sequence[str], dtype: np.dtype[Any], ctype: str) -> str:
        u, bits = _like("uint", ctype), f"as_{_like('uint', ctype)}({args[0]})"
        if self.element == E8M0:
            return f"as_{ctype}({bits} == 255 ? ({u})(0x7FC00000) : ({bits} == 0 ? ({u})(0x400000) : {bits} << 23))"
        f = FORMATS[self.element]
        if f.bias == 127:
            return f"as_{ctype}({bits} << {23 - f.mantissa})"
        size, shift = f"({bits} & {(1 << f.bits - 1) - 1})", 23 - f.mantissa
        tiny = f"as_{u}(convert_{ctype}({size}) * {2.0 ** (1 - f.bias - f.mantissa)!r}f)"
        number = f"({size} < {1 << f.mantissa} ? {tiny} : ({size} << {shift}) + {127 - f.bias << 23})"
        if f.unsigned_zero:
            return f"as_{ctype}({bits} == {f.nan} ? ({u})(0x7FC00000) : {number} | ({bits} >> {f.bits - 1} << 31))"
        if f.nan > f.largest and f.bits >= 8:
            number = f"({size} > {f.largest} ? ({size} << {shift}) | 0x7F800000 : {number})"
        return f"as_{ctype}({number} | ({bits} >> {f.bits - 1} << 31))"

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import elementwise

        return elementwise(site)

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return self, perm


@dataclass(frozen=True)
class Encode(Op):
    """The bits of float32 numbers, rounded to nearest, ties to even.

    Attributes:
        saturate: beyond the largest finite number, infinity included, comes that number; otherwise infinity, or NaN where there is none.
            Floats of 4 and 6 bits always saturate.
        round_mode: of powers of two; "nearest" has ties go up. They saturate at both ends, or else are NaN beyond; so is what is negative.
    """

    element: str
    saturate: bool = False
    round_mode: RoundMode = "up"
    layout: ClassVar[Literal["any"]] = "any"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        (x,) = types
        assert x is not None
        if x.dtype != FLOAT:
            raise GraphError(f"{self.element} from {x.dtype}; float32 would be accepted")
        return (TensorType(x.shape, stored_as(self.element)),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = arrays
        assert x is not None
        if self.element == E8M0:
            return (self._power(x),)
        dtype = _numpy(self.element)
        if self.saturate:
            largest = FORMATS[self.element].largest
            limit = np.array(largest, stored_as(self.element)).view(dtype).astype(np.float32)
            x = np.clip(x, -limit, limit)
        with np.errstate(all="ignore"):
            return (x.astype(dtype).view(stored_as(self.element)),)

    def _power(self, x: np.ndarray) -> np.ndarray:
        """The exponent plus 127, clamped or NaN outside 0…254."""
        with np.errstate(all="ignore"):
            fraction, exponent = np.frexp(x.astype(np.float64))
        fraction, low = 2 * fraction, exponent - 1
        rises = {"up": fraction > 1, "down": np.zeros(x.shape, bool), "nearest": fraction >= 1.5}[self.round_mode]
        code = np.where(x == 0, -1, low + rises + 127)
        code = np.where(np.isinf(x), 255, np.where((x > 0) & (x < 2.0**-127), -1, code))
        code = np.clip(code, 0, 254) if self.saturate else np.where((code < 0) | (code > 254), 255, code)
        return np.where(np.isnan(x) | np.signbit(x), 255, code).astype(np.uint8)

    def expression(self, args: Sequence[str], dtype: np.dtype[Any], ctype: str) -> str:
        x, u = args[0], _like("uint", ctype)
        if self.element == E8M0:
            half = {"up": 0x7FFFFF, "down": 0, "nearest": 0x400000}[self.round_mode]
            bits = f"as_{u}({x})"
            code = f"min(({bits} + ({bits} < 0x800000 ? ({u})({half >> 1}) : ({u})({half}))) >> 23, ({u})({254 if self.saturate else 255}))"
            refused = f"{bits} > 0x7F800000" if self.saturate else f"({bits} > 0x7F800000 | {bits} < 0x400000)"
            return f"convert_{ctype}({refused} ? ({u})(255) : {code})"
        f = FORMATS[self.element]
        shift = 23 - f.mantissa
        size = f"as_{u}(fabs({x}))"
        code = f"(({size} + {(1 << shift - 1) - 1} + ({size} >> {shift} & 1)) >> {shift}) - {127 - f.bias << f.mantissa}"
        if f.bias != 127:
            code = f"({size} < {128 - f.bias << 23} ? convert_{u}_rte(fabs({x}) * {2.0 ** (f.bias - 1 + f.mantissa)!r}f) : {code})"
        limit = f.largest + (0 if self.saturate or f.bits < 8 else 1)
        sign = f"(as_{u}({x}) >> 31 << {f.bits - 1})"
        if f.unsigned_zero:
            sign = f"({x} < {-(2.0 ** -(f.bias + f.mantissa))!r}f ? ({u})({f.nan}) : ({u})(0))"
        code = f"({size} > 0x7F800000 ? ({u})({f.nan & (1 << f.bits - 1) - 1}) : min({code}, ({u})({limit})))"
        nan = f"{x} != {x} ? ({u})({f.nan}) : " if f.nan >> f.bits - 1 else ""
        return f"convert_{ctype}({nan}{code} | {sign})"

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import elementwise

        return elementwise(site)

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return self, perm


@dataclass(frozen=True)
class EncodeOnHost(Op):
    """The bits of float32 numbers as bfloat16, of a tensor that lies on the host."""

    host: ClassVar[str] = "bfloat16_bits"
    reason: ClassVar[str] = "its shape depends on data"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        (x,) = types
        assert x is not None
        if x.dtype != FLOAT:
            raise GraphError(f"bfloat16 from {x.dtype}; float32 would be accepted")
        return (TensorType(x.shape, np.dtype(np.uint16), x.open),)


def converted(n: SourceNode, value: str, element: str, *, saturate: bool = True, round_mode: RoundMode = "up") -> str:
    """Numbers of any type as numbers of a type that numpy lacks, or rounded to float16.

    Floats become integers by cutting towards zero; of what an integer cannot hold, the low bits are kept.
    """
    dtype = n.type(value).dtype
    if element in INTEGERS:
        return _wrapped(n, n.emit(Cast(np.dtype(np.int32)), value) if dtype.kind == "f" else value, element)
    value = value if dtype == FLOAT else n.emit(Cast(FLOAT), value)
    bounded = saturate and element not in ("bfloat16", "float16")
    return n.emit(Decode(element), n.emit(Encode(element, bounded, round_mode), value))


def _wrapped(n: SourceNode, value: str, element: str) -> str:
    dtype, bits = stored_as(element), int(element[-1])
    value = n.emit(Cast(dtype), value)
    if dtype.kind == "u":
        return n.emit(Elementwise("bitwise_and"), value, n.scalar((1 << bits) - 1, value))
    for fn in ("shift_left", "shift_right"):
        value = n.emit(Elementwise(fn), value, n.scalar(8 - bits, value))
    return value


def _numpy(element: str) -> np.dtype[Any]:
    return np.dtype(np.float16 if element == "float16" else getattr(ml_dtypes, element))


def _like(base: str, ctype: str) -> str:
    """The C type `base` with as many lanes as another, `float16` being sixteen floats."""
    return base + ctype.lstrip("abcdefghijklmnopqrstuvwxyz")
