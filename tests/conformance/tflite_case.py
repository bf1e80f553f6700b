"""What a case of the TFLite suite is: one operator, or a small program, with what to feed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from flatbuffers import flexbuffers

from tests.tflite_schema import members
from tests.tflite_writer import Quantization, TensorSpec, TfliteWriter

SHAPES = ((1,), (5,), (17,), (3, 5), (1, 16), (2, 3, 5), (1, 5, 7, 3), (3, 4, 5, 17), (2, 1, 3, 4, 5), (1, 2, 3, 2, 3, 2))
BROADCASTS = (((1,), (1,)), ((5,), (1,)), ((3, 5), (5,)), ((1, 5), (3, 1)), ((2, 3, 5), (1, 3, 1)), ((2, 1, 4, 3), (3,)),
              ((2, 4, 5, 17), (2, 1, 1, 17)), ((1, 4, 5, 3), (1, 4, 5, 1)), ((3, 1, 5, 1), (1, 4, 1, 17)), ((2, 3, 4, 5), (2, 3, 4, 5)))
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
CHANNELS = (1, 3, 5, 17)


@dataclass(frozen=True)
class Stored:
    """Integers that stand for reals.

    Attributes:
        kind: of storage, where it is not the array's dtype: int4.
    """

    array: np.ndarray
    grid: Quantization
    kind: str = ""


@dataclass(frozen=True)
class Variable:
    """A tensor that the operator keeps from one run to the next, zero at first."""

    shape: Sequence[int]
    dtype: str = "float32"
    grid: Quantization | None = None


Operand = np.ndarray | Stored | Variable | None
Result = str | tuple[str, Quantization]
Model = tuple[bytes, list[np.ndarray]]


class AnyCase(Protocol):
    """A model with what to feed it.

    Attributes:
        op: the operator that it is about; runs: how often it runs.
    """

    @property
    def op(self) -> str: ...

    @property
    def runs(self) -> int: ...

    def model(self, shapes: Sequence[tuple[int, ...]] = ()) -> Model:
        """The file, and the arrays to feed.

        Args:
            shapes: of the results, as the file records them; LiteRT refuses some that are wrong, and computes others anew.
        """
        ...


@dataclass(frozen=True)
class Case:
    """One operator on given operands.

    Attributes:
        operands: None where one is left out.
        fed: which of them come at run time, or how many in front; the others are constants.
        results: the element type of each result, with the grid where it is quantised.
        custom: the options of a custom operator.
        intermediates: the grids of what the operator has for numbers in between; None where it has none.
    """

    op: str
    operands: Sequence[Operand]
    options: Mapping[str, Any] = field(default_factory=dict)
    fed: int | Sequence[int] = 1
    results: Sequence[Result] = ("float32",)
    version: int = 1
    runs: int = 1
    custom: Mapping[str, Any] | None = None
    intermediates: Sequence[Quantization | None] = ()

    def __str__(self) -> str:
        return f"{self.op} {','.join(map(_told, self.operands))} {dict(self.options)} fed {self.fed}"

    def model(self, shapes: Sequence[tuple[int, ...]] = ()) -> Model:
        m, feed = TfliteWriter(), list[np.ndarray]()
        fed = range(self.fed) if isinstance(self.fed, int) else self.fed
        tensors = [self._tensor(m, k, operand, feed if k in fed else None) for k, operand in enumerate(self.operands)]
        outputs = [(s, r) if isinstance(r, str) else (s, *r) for s, r in zip(shapes or [(1,)] * len(self.results), self.results)]
        if self.op in members("BuiltinOperator"):
            between = [TensorSpec((0,), "int8" if own else "float32", own) for own in self.intermediates]
            made = m.op(self.op, tensors, self.options, outputs=outputs, version=self.version, intermediates=between)
        else:
            packed = flexbuffers.Builder()
            packed.MapFromElements(self.custom or {})
            made = m.op("CUSTOM", tensors, outputs=outputs, custom_code=self.op, custom_options=bytes(packed.Finish()))
        m.output(*made)
        return m.finish(), feed

    def _tensor(self, m: TfliteWriter, k: int, operand: Operand, feed: list[np.ndarray] | None) -> int:
        if operand is None:
            return -1
        if isinstance(operand, Variable):
            return m.variable(operand.shape, operand.dtype, operand.grid)
        array, grid, kind = (operand.array, operand.grid, operand.kind) if isinstance(operand, Stored) else (operand, None, "")
        if feed is None:
            return m.constant(array, kind or None, grid)
        feed.append(array)
        return m.input(f"x{k}", array.shape, array.dtype.name, grid)


@dataclass(frozen=True)
class Program:
    """Several operators, perhaps in several subgraphs.

    Attributes:
        op: the operator that it is about.
        build: writes them and gives what to feed.
    """

    op: str
    build: Callable[[TfliteWriter], list[np.ndarray]]
    name: str = ""
    runs: int = 1

    def __str__(self) -> str:
        return f"{self.op} {self.name}"

    def model(self, shapes: Sequence[tuple[int, ...]] = ()) -> Model:
        m = TfliteWriter()
        feed = self.build(m)
        return m.finish(), feed


Cases = Iterator[Case | Program]
FAMILIES: list[Callable[[], Cases]] = []


def family(function: Callable[[], Cases]) -> Callable[[], Cases]:
    """Enters a function in the list of those that make cases."""
    FAMILIES.append(function)
    return function


def numbers(shape: Sequence[int], dtype: str = "float32", seed: int = 0, low: float = -4, high: float = 4) -> np.ndarray:
    """Random numbers in a range, of unsigned types from 0 on."""
    rng = np.random.default_rng([seed, *shape])
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith("float"):
        return rng.uniform(low, high, shape).astype(dtype)
    return rng.integers(max(int(low), 0) if dtype.startswith("u") else int(low), int(high) + 1, shape).astype(dtype)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def scalar(value: float, dtype: str = "int32") -> np.ndarray:
    return np.array(value, dtype)


def grid(dtype: str, low: float = -4, high: float = 4) -> Quantization:
    """The grid of about that range, and of zero; of 16 bits it is symmetric."""
    low, high = min(low, 0), max(high, 0)
    if dtype == "int16":
        return Quantization([max(abs(low), abs(high)) / 32767], [0])
    least, scale = int(np.iinfo(dtype).min), (high - low) / 255
    return Quantization([scale], [round(least - low / scale)])


def stored(shape: Sequence[int], dtype: str, low: float = -4, high: float = 4, seed: int = 0) -> Stored:
    """Random points of such a grid, between `low` and `high`."""
    own = grid(dtype, low, high)
    real = np.random.default_rng([seed, *shape]).uniform(low, high, shape)
    info = np.iinfo(dtype)
    return Stored(np.clip(np.rint(real / own.scale[0]) + own.zero_point[0], info.min, info.max).astype(dtype), own)


def _told(operand: Operand) -> str:
    if operand is None:
        return "-"
    if isinstance(operand, Variable):
        return f"variable {operand.dtype}{list(operand.shape)}"
    array, mark = (operand.array, "*") if isinstance(operand, Stored) else (operand, "")
    return f"{(isinstance(operand, Stored) and operand.kind) or array.dtype.name}{mark}{list(array.shape)}"
