"""The parts of a plan, as plain records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

ITEMSIZE = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
            "float16": 2, "float32": 4, "float64": 8}  # fmt: skip
"""The element types of inputs and outputs, by numpy's names, and their bytes."""


@dataclass(frozen=True)
class Recorded:
    """What the model's file says of an input or an output beyond what a run needs.

    Attributes:
        index: its number there; name: its name there, where that is none, or one that another tensor has, too.
        shape: where the file leaves dimensions open, with -1 for these.
        scale, zero_point: of integers that stand for reals, scale * (integer - zero point): one of each, or one for each slice of `axis`.
        element: the type of its numbers, where numpy lacks it.
    """

    index: int | None = None
    name: str | None = None
    shape: tuple[int, ...] | None = None
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    axis: int = 0
    element: str = ""


NOTHING = Recorded()
"""Nothing is known beyond what a run needs."""


@dataclass(frozen=True)
class Signature:
    """A name under which the model's file offers its inputs and outputs; the names that these have there -> those of the plan."""

    name: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Tensor:
    """An input or an output: row-major, in a buffer of its own. dtype is numpy's name of it.

    An output that the host computes may have dimensions, -1, that depend on data; it has no buffer then.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    recorded: Recorded = field(default=NOTHING, repr=False, compare=False)

    @property
    def open(self) -> bool:
        """Whether its shape depends on data."""
        return -1 in self.shape

    @property
    def nbytes(self) -> int:
        """Of its buffer."""
        return 0 if self.open else math.prod(self.shape) * ITEMSIZE[self.dtype]

    def noise(self, rng: np.random.Generator) -> np.ndarray:
        """An array that stands in for an input: floats from 0 to 1, integers 0 or 1."""
        dtype = np.dtype(self.dtype)
        return rng.random(self.shape).astype(dtype) if dtype.kind == "f" else rng.integers(0, 2, self.shape).astype(dtype)

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}{list(self.shape)}"


@dataclass(frozen=True)
class Argument:
    """What is bound to one argument of a kernel.

    Attributes:
        buffer: "arena", "weights", "input", "output" or "state".
        index: which input, output or state; 0 for the others.
        offset: bytes from its start; nbytes: the kernel touches no more.
        image: of weights that are read as an image, the type of their numbers, by numpy's name; "" for a pointer.
    """

    buffer: str
    index: int
    offset: int
    nbytes: int
    image: str = ""


@dataclass(frozen=True)
class State:
    """A buffer whose contents stay from one run to the next.

    Attributes:
        initial: its bytes in the weights before the first run; None for zeros.
    """

    name: str
    nbytes: int
    initial: Argument | None = None


@dataclass(frozen=True)
class Kernel:
    """A kernel: the name of its function, which is that of its file without extension, and its text.

    Attributes:
        stages: launches that it computes one after another, each for itself or several at once; 0 of a kernel that is launched as it is.
    """

    name: str
    source: str
    stages: int = 0


@dataclass(frozen=True)
class Launch:
    """One launch.

    Attributes:
        kernel: index into the plan's kernels.
        grid: global work size; group: local work size, or None to leave it to the driver.
        nodes: the nodes of the source model that it stands for.
        flops: arithmetic operations; nbytes: bytes of operands and results.
        variant: template and tile, for people.
        stage: of a kernel of several launches, which of them this is; grid and arguments are then what it would have by itself.
    """

    kernel: int
    grid: tuple[int, ...]
    group: tuple[int, ...] | None
    arguments: tuple[Argument, ...]
    nodes: tuple[str, ...] = ()
    flops: int = 0
    nbytes: int = 0
    variant: str = ""
    stage: int | None = None


@dataclass(frozen=True)
class Operand:
    """An operand or a result of a step on the host.

    Attributes:
        place: where it lies: row-major bytes of a buffer, whose offset may be any. Where the shape depends on data,
            ("output", index, 0, 0), or ("host", index, 0, 0), the index-th array that the host keeps during a run.
        shape: -1 for a dimension that depends on data.
        dtype: what the function sees; storage: what the bytes are.
    """

    place: Argument
    shape: tuple[int, ...]
    dtype: str
    storage: str

    @property
    def open(self) -> bool:
        """Whether its shape depends on data."""
        return -1 in self.shape


@dataclass(frozen=True)
class HostStep:
    """A function of `planish.runtime.host` in the place of a launch.

    Attributes:
        host: its name.
        attributes: by name, as JSON has them.
        inputs: None for an absent operand.
        nodes: the nodes of the source model that it stands for.
        reason: why it does not run on the device, for people.
    """

    host: str
    attributes: dict[str, Any]
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand, ...]
    nodes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def what(self) -> str:
        """What it computes, for people: the name of the function, or of what an `array` does."""
        return str(self.attributes.get("fn", self.host))


@dataclass(frozen=True)
class Row:
    """What each run of a loop leaves.

    Attributes:
        place: its row-major bytes.
        stacked: all of them, along a new axis in front, as the host keeps them behind the loop.
    """

    place: Argument
    stacked: Operand


@dataclass(frozen=True)
class Loop:
    """Steps that run while a condition holds: the host looks before each run.

    Attributes:
        condition: a byte, which the body changes; it runs where that is not 0.
        most: runs that there are at most; None where nothing is known to bound them, and there are no rows.
        nodes: the nodes of the source model that it stands for, those of its body left out.
        reason: why the host drives it, for people.
    """

    condition: Argument
    most: int | None
    body: tuple[Step, ...]
    rows: tuple[Row, ...] = ()
    nodes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def what(self) -> str:
        """What it is, for people."""
        return "branch" if self.most == 1 else "loop"


Step: TypeAlias = "Launch | HostStep | Loop"
