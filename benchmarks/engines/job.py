"""What an engine is given and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Facts = dict[str, str | float]


class EngineError(Exception):
    """An engine is not there, or could not convert, load or run a model; the message says why."""


@dataclass(frozen=True)
class Job:
    """A network in both formats, its input (NHWC, as .npy), and how to run it. `device` is for OpenCL engines."""

    engine: str
    tflite: Path
    onnx: Path
    x: Path
    threads: int
    device: str | None = None

    @property
    def nhwc(self) -> Array:
        """The input as the .tflite wants it."""
        return np.asarray(np.load(self.x))

    @property
    def nchw(self) -> Array:
        """The input as the .onnx wants it."""
        return np.ascontiguousarray(self.nhwc.transpose(0, 3, 1, 2))

    def converted(self, ending: str) -> Path:
        """Where the engine's own form of the network lies, beside the others."""
        return self.onnx.with_name(f"{self.onnx.stem}-{self.engine}{ending}")


@dataclass(frozen=True)
class Loaded:
    """`run` does what a user does for one inference: hand over the input, compute, take the output as a numpy array.

    `channels_first` tells that images come out as NCHW.
    """

    run: Callable[[], Array]
    channels_first: bool
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Engine:
    """`convert` is what is done once, ahead of time, in a process of its own; `load` is what every process does.

    `package` is PyPI's name of the runtime. Both functions import it inside, so that no process loads a runtime that it
    does not run.
    """

    package: str
    load: Callable[[Job], Loaded]
    convert: Callable[[Job], Facts] = lambda job: {}
