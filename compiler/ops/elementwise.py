"""Element-wise ops: rows of a table, each with its OpenCL C expression, its numpy function and its names in both formats.

In the expressions `{0}`, `{1}`, … are the operands, `{p0}`, `{p1}`, … the parameters, `{T}` is the type of the result, `{L}` that of
long integers in its stead, and `{BITS}` the width of an operand's; they hold for scalars and vectors alike. Constants are written as
float32 and are doubles among doubles. Truth values are 0 and 1 in the type `int`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .op import Op, Perm

if TYPE_CHECKING:
    from ..kernel import Kernel, Site


@dataclass(frozen=True)
class Row:
    """One element-wise function.

    Attributes:
        cl: its OpenCL C expression.
        numpy: its reference; takes the operands, then the parameters.
        arity: number of operands.
        result: "same" as operand 0, "bool", or "last" for the type of the last operand.
        kinds: numpy's letters for the element types that it takes: floats, integers, unsigned integers, booleans.
        width: of its elements in bytes, where only one will do.
        integer: the expression of integers where it differs; unsigned: of unsigned ones.
        near: its expression by `near_sigmoid`, where that may take the place of an exponential and a division.
    """

    cl: str
    numpy: Callable[..., Any]
    arity: int = 1
    result: Literal["same", "bool", "last"] = "same"
    kinds: str = "f"
    width: int = 0
    integer: str = ""
    unsigned: str = ""
    near: str = ""


_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x**3)))


def _clip(x: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.minimum(np.maximum(x, x.dtype.type(low)), x.dtype.type(high))


def _div(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integers are cut towards zero, as in C; divided by zero they give zero."""
    if a.dtype.kind == "f":
        return a / b
    floor, rest = np.divmod(a, b)
    return floor + ((rest != 0) & ((a < 0) != (b < 0)))


def _shift_left(x: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Zero where the count is negative or not below the number of bits, as in ONNX."""
    inside = (count >= 0) & (count < 8 * x.itemsize)
    return np.where(inside, np.left_shift(x, np.where(inside, count, 0)), 0)


def _shift_right(x: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The sign alone, 0 or -1, where the count is negative or not below the number of bits, as in ONNX."""
    inside = (count >= 0) & (count < 8 * x.itemsize)
    return np.where(inside, np.right_shift(x, np.where(inside, count, 0)), -(x < 0).astype(x.dtype))


def _leading_zeros(x: np.ndarray) -> np.ndarray:
    """The zero bits before the first one."""
    return np.where(x < 0, 0, 8 * x.itemsize - np.frexp(x.astype(np.float64))[1])


def round_away(x: np.ndarray) -> np.ndarray:
    """To the nearest whole number; halves away from zero, as C's `round`."""
    return np.trunc(x + np.copysign(0.5, x, dtype=np.float64)).astype(np.float32)


def _quantize(x: np.ndarray, scale: float, zero_point: float, low: float, high: float) -> np.ndarray:
    return np.clip(round_away(x * (np.float32(1) / np.float32(scale))) + np.float32(zero_point), np.float32(low), np.float32(high))


def _quantize_even(x: np.ndarray, scale: float, low: float, high: float) -> np.ndarray:
    """Steps of a scale, halves to the even side."""
    return np.clip(np.rint(x * (np.float32(1) / np.float32(scale))), np.float32(low), np.float32(high))


def _quantize_nudged(x: np.ndarray, scale: float, low: float, high: float, origin: float, nudge: float) -> np.ndarray:
    """Steps of a scale; what lies less than `nudge` of a step short of a half goes away from -`origin`, as halves do."""
    steps = x * (np.float32(1) / np.float32(scale)) + np.float32(origin)
    return np.clip(round_away(steps + np.copysign(np.float32(nudge), steps)) - np.float32(origin), np.float32(low), np.float32(high))


def _rescale(x: np.ndarray, multiplier: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x * multiplier / 2**31 / 2**right, rounded before the shift and behind it, halves up."""
    return (((x.astype(np.int64) * multiplier + (1 << 30)) >> 31) + ((1 << right.astype(np.int64)) >> 1)) >> right


def _rescale_away(x: np.ndarray, multiplier: np.ndarray, right: np.ndarray) -> np.ndarray:
    """As `rescale`, but behind the shift halves are rounded away from zero."""
    high = (x.astype(np.int64) * multiplier + (1 << 30)) >> 31
    return (high + ((1 << right.astype(np.int64)) >> 1) - (((x ^ multiplier) < 0) & (right > 0))) >> right


_STEPS = "({0} * (1.0f / {p0}) + {p3})"
# The upper half of a product of 64 bits, then the shift to the right; {L} has the lanes of {T}.
_HIGH = "convert_{T}((convert_{L}({0}) * convert_{L}({1}) + 0x40000000L) >> 31)"
_HALF = "(((({T})(1)) << {2}) >> 1)"

# A CPU traps on integers divided by zero, which the padded lanes of a vector are, and on the least one divided by -1.
_DIVISOR = "({1} == 0 | {1} == -1 ? ({T})(1) : {1})"
_QUOTIENT = f"({{1}} == 0 ? ({{T}})(0) : ({{1}} == -1 ? -{{0}} : {{0}} / {_DIVISOR}))"
_REST = f"({{0}} % {_DIVISOR})"
_UNSIGNED_QUOTIENT = "({1} == 0 ? ({T})(0) : {0} / ({1} == 0 ? ({T})(1) : {1}))"
_UNSIGNED_REST = "{0} % ({1} == 0 ? ({T})(1) : {1})"


_SUFFIX = re.compile(r"(?<=[0-9])f\b")
"""Of a constant in single precision."""
# OpenCL lets a division be 2.5 units off; its rest, divided again, corrects that.
_NEAREST_QUOTIENT = "(isfinite({0} / {1} * {1}) ? {0} / {1} + fma(-({0} / {1}), {1}, {0}) / {1} : {0} / {1})"


def _signs_differ(rest: str) -> str:
    """Whether a remainder that was cut towards zero must move to the sign of the divisor."""
    return f"(({rest} < 0) != ({{1}} < 0) & {rest} != 0)"


TABLE: dict[str, Row] = {
    # activations
    "relu": Row("({0} < 0.0f ? ({T})(0.0f) : {0})", lambda x: np.maximum(x, 0), kinds="fiu", integer="max({0}, ({T})(0))"),
    "clip": Row("({0} < {p0} ? ({T})({p0}) : ({0} > {p1} ? ({T})({p1}) : {0}))", _clip, kinds="fiu",
                integer="min(max({0}, ({T})({p0})), ({T})({p1}))"),
    "leaky_relu": Row("({0} < 0.0f ? {p0} * {0} : {0})", lambda x, a: np.where(x < 0, a * x, x)),
    "thresholded_relu": Row("({0} > {p0} ? {0} : ({T})(0.0f))", lambda x, a: np.where(x > a, x, 0)),
    "elu": Row("({0} > 0.0f ? {0} : {p0} * expm1({0}))", lambda x, a: np.where(x > 0, x, a * np.expm1(x))),
    "celu": Row("({0} > 0.0f ? {0} : {p0} * expm1({0} / {p0}))", lambda x, a: np.maximum(x, 0) + np.minimum(0, a * np.expm1(x / a))),
    "selu": Row("({0} > 0.0f ? {p1} * {0} : {p1} * {p0} * expm1({0}))", lambda x, a, g: g * np.where(x > 0, x, a * np.expm1(x))),
    "sigmoid": Row("1.0f / (1.0f + exp(-{0}))", _sigmoid, near="{near}({0})"),
    "silu": Row("{0} / (1.0f + exp(-{0}))", lambda x: x * _sigmoid(x), near="{0} * {near}({0})"),
    "hard_sigmoid": Row("({0} != {0} ? {0} : fmin(fmax({p0} * {0} + {p1}, 0.0f), 1.0f))", lambda x, a, b: np.clip(a * x + b, 0, 1)),
    "hard_swish": Row("{0} * fmin(fmax({0} + 3.0f, 0.0f), 6.0f) * (1.0f / 6.0f)", lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "tanh": Row("tanh({0})", np.tanh),
    "affine": Row("{p0} * {0} + {p1}", lambda x, a, b: a * x + b),
    "scaled_tanh": Row("{p0} * tanh({p1} * {0})", lambda x, a, b: a * np.tanh(b * x)),
    "softplus": Row("fmax({0}, 0.0f) + log1p(exp(-fabs({0})))", _softplus),
    "softsign": Row("{0} / (1.0f + fabs({0}))", lambda x: x / (1 + np.abs(x))),
    "mish": Row("{0} * tanh(fmax({0}, 0.0f) + log1p(exp(-fabs({0}))))", lambda x: x * np.tanh(_softplus(x))),
    "gelu": Row("0.5f * {0} * (1.0f + erf({0} * 0.7071067811865476f))", lambda x: 0.5 * x * (1 + _erf(x * math.sqrt(0.5)))),
    "gelu_tanh": Row("{0} / (1.0f + exp(-1.5957691216057308f * ({0} + 0.044715f * {0} * {0} * {0})))", _gelu_tanh,
                     near="{0} * {near}(1.5957691216057308f * ({0} + 0.044715f * {0} * {0} * {0}))"),
    "shrink": Row("({0} < -{p0} ? {0} + {p1} : ({0} > {p0} ? {0} - {p1} : ({T})(0.0f)))",
                  lambda x, lam, bias: np.where(x < -lam, x + bias, np.where(x > lam, x - bias, 0))),
    "prelu": Row("({0} < 0.0f ? {1} * {0} : {0})", lambda x, slope: np.where(x < 0, slope * x, x), 2, kinds="fiu",
                 integer="({0} < 0 ? {1} * {0} : {0})", unsigned="{0}"),
    # functions
    "identity": Row("{0}", lambda x: x, kinds="fiub"),
    "neg": Row("-{0}", np.negative, kinds="fiu"),
    "abs": Row("fabs({0})", np.abs, kinds="fiu", integer="convert_{T}(abs({0}))"),
    "sign": Row("({0} != {0} ? {0} : sign({0}))", np.sign, kinds="fiu",
                integer="convert_{T}(({0} > 0) & 1) - convert_{T}(({0} < 0) & 1)"),
    "exp": Row("exp({0})", np.exp),
    "log": Row("log({0})", np.log),
    "sqrt": Row("sqrt({0})", np.sqrt),
    "rsqrt": Row("rsqrt({0})", lambda x: 1 / np.sqrt(x)),
    "square": Row("{0} * {0}", np.square, kinds="fiu"),
    "reciprocal": Row("1.0f / {0}", lambda x: 1 / x),
    "floor": Row("floor({0})", np.floor),
    "ceil": Row("ceil({0})", np.ceil),
    "round": Row("rint({0})", np.round),
    # quantisation: p0 is the scale, p1 the zero point, p2 and p3 are the least and the greatest stored number
    "quantize": Row("clamp(round({0} * (1.0f / {p0})) + {p1}, {p2}, {p3})", _quantize),
    "dequantize": Row("({0} - {p1}) * {p0}", lambda q, scale, zero_point: (q - q.dtype.type(zero_point)) * q.dtype.type(scale)),
    "fake_quantize": Row("clamp(round({0} * (1.0f / {p0})), {p2} - {p1}, {p3} - {p1}) * {p0}",
                         lambda x, s, z, low, high: (_quantize(x, s, z, low, high) - np.float32(z)) * np.float32(s)),
    "quantize_even": Row("clamp(rint({0} * (1.0f / {p0})), {p1}, {p2})", _quantize_even),
    "quantize_nudged": Row(f"clamp(round({_STEPS} + copysign(({{T}})({{p4}}), {_STEPS})) - {{p3}}, {{p1}}, {{p2}})", _quantize_nudged),
    "rescale": Row(f"({_HIGH} + {_HALF}) >> {{2}}", _rescale, 3, kinds="i", width=4),
    "rescale_away": Row(f"({_HIGH} + {_HALF} - convert_{{T}}(((({{0}} ^ {{1}}) < 0) & ({{2}} > 0)) & 1)) >> {{2}}", _rescale_away, 3,
                        kinds="i", width=4),
    "erf": Row("erf({0})", _erf),
    "sin": Row("sin({0})", np.sin),
    "cos": Row("cos({0})", np.cos),
    "tan": Row("tan({0})", np.tan),
    "asin": Row("asin({0})", np.arcsin),
    "acos": Row("acos({0})", np.arccos),
    "atan": Row("atan({0})", np.arctan),
    "sinh": Row("sinh({0})", np.sinh),
    "cosh": Row("cosh({0})", np.cosh),
    "asinh": Row("asinh({0})", np.arcsinh),
    "acosh": Row("acosh({0})", np.arccosh),
    "atanh": Row("atanh({0})", np.arctanh),
    # arithmetic
    "add": Row("{0} + {1}", np.add, 2, kinds="fiu"),
    "sub": Row("{0} - {1}", np.subtract, 2, kinds="fiu"),
    "mul": Row("{0} * {1}", np.multiply, 2, kinds="fiu"),
    "div": Row("{0} / {1}", _div, 2, kinds="fiu", integer=_QUOTIENT, unsigned=_UNSIGNED_QUOTIENT),
    "quotient": Row(_NEAREST_QUOTIENT, np.divide, 2),
    "pow": Row("pow({0}, {1})", np.power, 2),
    "maximum": Row("({0} > {1} | {0} != {0} ? {0} : {1})", np.maximum, 2, kinds="fiu", integer="max({0}, {1})"),
    "minimum": Row("({0} < {1} | {0} != {0} ? {0} : {1})", np.minimum, 2, kinds="fiu", integer="min({0}, {1})"),
    "atan2": Row("atan2({0}, {1})", np.arctan2, 2),
    "squared_difference": Row("({0} - {1}) * ({0} - {1})", lambda a, b: (a - b) ** 2, 2, kinds="fiu"),
    "floor_div": Row("floor({0} / {1})", lambda a, b: np.floor(a / b) if a.dtype.kind == "f" else a // b, 2, kinds="fiu",
                     integer=f"{_QUOTIENT} - convert_{{T}}({_signs_differ(_REST)} & 1)", unsigned=_UNSIGNED_QUOTIENT),
    "floor_mod": Row(f"fmod({{0}}, {{1}}) + ({_signs_differ('fmod({0}, {1})')} ? {{1}} : ({{T}})(0.0f))", np.mod, 2, kinds="fiu",
                     integer=f"{_REST} + ({_signs_differ(_REST)} ? {{1}} : ({{T}})(0))", unsigned=_UNSIGNED_REST),
    "fmod": Row("fmod({0}, {1})", np.fmod, 2, kinds="fiu", integer=_REST, unsigned=_UNSIGNED_REST),
    # bits
    "bitwise_and": Row("{0} & {1}", np.bitwise_and, 2, kinds="iub"),
    "bitwise_or": Row("{0} | {1}", np.bitwise_or, 2, kinds="iub"),
    "bitwise_xor": Row("{0} ^ {1}", np.bitwise_xor, 2, kinds="iub"),
    "bitwise_not": Row("~{0}", np.invert, kinds="iu"),
    "shift_left": Row("({1} >= 0 & {1} < {BITS} ? {0} << {1} : ({T})(0))", _shift_left, 2, kinds="iu"),
    "shift_right": Row("", _shift_right, 2, kinds="iu", integer="{0} >> ({1} >= 0 & {1} < {BITS} ? {1} : ({T})({BITS} - 1))",
                       unsigned="({1} < {BITS} ? {0} >> {1} : ({T})(0))"),
    "clz": Row("", _leading_zeros, kinds="i", integer="clz({0})", width=4),
    # truth values
    "equal": Row("convert_{T}(({0} == {1}) & 1)", np.equal, 2, "bool", "fiub"),
    "not_equal": Row("convert_{T}(({0} != {1}) & 1)", np.not_equal, 2, "bool", "fiub"),
    "less": Row("convert_{T}(({0} < {1}) & 1)", np.less, 2, "bool", "fiu"),
    "less_equal": Row("convert_{T}(({0} <= {1}) & 1)", np.less_equal, 2, "bool", "fiu"),
    "greater": Row("convert_{T}(({0} > {1}) & 1)", np.greater, 2, "bool", "fiu"),
    "greater_equal": Row("convert_{T}(({0} >= {1}) & 1)", np.greater_equal, 2, "bool", "fiu"),
    "logical_not": Row("1 - {0}", np.logical_not, result="bool", kinds="b"),
    "logical_and": Row("{0} & {1}", np.logical_and, 2, "bool", "b"),
    "logical_or": Row("{0} | {1}", np.logical_or, 2, "bool", "b"),
    "where": Row("(convert_{T}({0}) != 0 ? {1} : {2})", np.where, 3, "last", "fiub"),
}


FLOAT = np.dtype(np.float32)
KINDS = {"f": "floats", "i": "integers", "u": "unsigned integers", "b": "truth values"}


@dataclass(frozen=True)
class Elementwise(Op):
    """A function of the table, applied to every element of operands that broadcast as numpy's do."""

    fn: str
    params: tuple[float, ...] = ()
    layout: ClassVar[Literal["any"]] = "any"

    @property
    def row(self) -> Row:
        return TABLE[self.fn]

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        given = [t for t in types if t is not None]
        if len(given) != self.row.arity:
            raise GraphError(f"{self.fn} takes {self.row.arity} operands, not {len(given)}")
        typed = [t.dtype for t in (given[1:] if self.fn == "where" else given)]
        if len(set(typed)) > 1:
            raise GraphError(f"{self.fn} of {' and '.join(t.name for t in typed)}; operands of one type would be accepted")
        if any(t.dtype.kind not in self.row.kinds or self.row.width not in (0, t.dtype.itemsize) for t in given):
            accepted = ", ".join(KINDS[k] + (f" of {8 * self.row.width} bits" if self.row.width else "") for k in self.row.kinds)
            raise GraphError(f"{self.fn} of {typed[0].name}; {accepted} would be accepted")
        try:
            shape = np.broadcast_shapes(*(t.shape for t in given))
        except ValueError:
            raise GraphError(f"{self.fn}: {', '.join(map(str, given))} do not broadcast to one shape") from None
        dtype = {"same": given[0].dtype, "bool": np.dtype(bool), "last": given[-1].dtype}[self.row.result]
        return (TensorType(tuple(shape), dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        dtype = self.infer(*(TensorType.of(a) for a in arrays if a is not None))[0].dtype
        with np.errstate(all="ignore"):
            return (np.asarray(self.row.numpy(*arrays, *self.params)).astype(dtype, copy=False),)

    def expression(self, args: Sequence[str], dtype: np.dtype[Any], ctype: str, near: str = "") -> str:
        """The OpenCL C expression of the result.

        Args:
            args: the operands, as C names.
            dtype: of the operands; ctype: the C type of the result.
            near: the function to use for a sigmoid, where that may be some 2e-6 off.
        """
        row = self.row
        text = (dtype.kind == "u" and row.unsigned) or (dtype.kind in "iu" and row.integer) or (near and row.near) or row.cl
        if dtype == np.float64:
            text = _SUFFIX.sub("", text)
        params = {f"p{k}": literal(p, dtype) for k, p in enumerate(self.params)}
        return text.format(*args, T=ctype, L=ctype.replace("int", "long"), BITS=8 * dtype.itemsize, near=near, **params)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import elementwise

        return elementwise(site)

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return self, perm


@dataclass(frozen=True)
class Cast(Op):
    """The same numbers in another type; floats are cut towards zero, as numpy's `astype` does."""

    dtype: np.dtype[Any]
    layout: ClassVar[Literal["any"]] = "any"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        assert types[0] is not None
        return (TensorType(types[0].shape, self.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        assert arrays[0] is not None
        with np.errstate(all="ignore"):
            return (arrays[0].astype(self.dtype),)

    def expression(self, args: Sequence[str], dtype: np.dtype[Any], ctype: str) -> str:
        if self.dtype == np.bool_:
            return f"convert_{ctype}(({args[0]} != 0) & 1)"
        return f"convert_{ctype}({args[0]})"

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import elementwise

        return elementwise(site)

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return self, perm


def literal(number: float, dtype: np.dtype[Any] = FLOAT) -> str:
    """An OpenCL C constant: an integer or a truth value as it is, a float as one that gives the same float32, or the same double."""
    if dtype.kind != "f":
        whole = int(number)
        return "LONG_MIN" if whole == -(1 << 63) else f"{whole}{'ul' if whole >> 63 > 0 else ''}"
    with np.errstate(over="ignore"):
        value = float(number if dtype == np.float64 else np.float32(number))
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    if dtype == np.float64:
        return repr(value) if value >= 0 else f"({value!r})"
    text = np.format_float_positional(np.float32(value), trim="0") if 1e-5 < abs(value) < 1e7 or not value else f"{np.float32(value):.9e}"
    return f"{text}f" if value >= 0 else f"({text}f)"
