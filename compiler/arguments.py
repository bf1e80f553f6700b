"""What commands take that compile a model: the target, the inputs, which kernels."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from . import driver, targets
from .errors import OptionError
from .targets import Target

T = TypeVar("T")


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """The device to compile for, and how it stores numbers."""
    parser.add_argument("--target", choices=targets.NAMES, default="auto", metavar="NAME",
                        help=f"kind of device to compile for: {', '.join(targets.NAMES)} (default: auto, the device present)")
    parser.add_argument("--device", help="for --target auto: gpu, cpu, part of a name, or platform:device (default: the best)")
    add_precision_argument(parser)


def add_precision_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--precision", choices=driver.PRECISIONS, default="f32",
                        help="f16 stores intermediates and weights in half precision")


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    """What the model leaves open of its inputs."""
    parser.add_argument("--input-shape", action="append", default=[], type=_shape, metavar="NAME=1,224,224,3",
                        help="shape of an input that the model leaves open, repeatable")
    parser.add_argument("--dim", action="append", default=[], type=_dim, metavar="NAME=8",
                        help="extent of a dimension that the model leaves open under a name, wherever it stands, repeatable")
    parser.add_argument("--batch", type=int, metavar="N", help="extent of the first dimension of every input that leaves it open")
    parser.add_argument("--input-value", action="append", default=[], type=value, metavar="NAME=1,2|FILE",
                        help="make an input a constant, as one that decides shapes has to be: numbers or an .npy file; repeatable")


def add_kernel_arguments(parser: argparse.ArgumentParser) -> None:
    """Kernels to do without."""
    parser.add_argument("--no-winograd", action="store_true",
                        help="compute every convolution as its definition does: slower, with less rounding")
    parser.add_argument("--no-megakernel", action="store_true",
                        help="for a CPU: one kernel a launch, in place of one for all; slower, for drivers older than OpenCL 3.0")


def target_of(options: argparse.Namespace) -> Target:
    """The target that the arguments name.

    Raises:
        OptionError, DeviceError: as of `targets.resolve`.
    """
    target = targets.resolve(options.target, options.device)
    return replace(target, winograd=not options.no_winograd, megakernel=target.megakernel and not options.no_megakernel)


def inputs(options: argparse.Namespace) -> dict[str, Any]:
    """What the arguments say of the inputs, as `driver.compile_model` takes it.

    Raises:
        OptionError: something is given twice.
    """
    return {"input_shapes": once("--input-shape", options.input_shape), "input_values": once("--input-value", options.input_value),
            "dims": once("--dim", options.dim), "batch": options.batch}


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, extents = text.rpartition("=")
    try:
        shape = tuple(int(e) for e in extents.split(",")) if extents else ()
    except ValueError:
        shape = (-1,)
    if not equals or not name or any(e < 0 for e in shape):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=1,224,224,3")
    return name, shape


def _dim(text: str) -> tuple[str, int]:
    name, _, extent = text.rpartition("=")
    try:
        if name:
            return name, int(extent)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not NAME=8")


def value(argument: str) -> tuple[str, np.ndarray]:
    """Numbers, which have rank 1, or rank 0 without a comma; or a file."""
    name, _, given = argument.rpartition("=")
    try:
        text = f"[{given}]" if "," in given else given
        array = np.load(given, allow_pickle=False) if given.endswith(".npy") else np.array(json.loads(text))
    except (OSError, ValueError):
        array = None
    if not name or not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise argparse.ArgumentTypeError(f"{argument!r} is not NAME=1,2,3, NAME=0.5 or NAME=file.npy")
    return name, array


def once(option: str, given: Sequence[tuple[str, T]]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, value in given:
        if name in found:
            raise OptionError(f"{option} gives '{name}' twice: {_listed(found[name])}, {_listed(value)}")
        found[name] = value
    return found


def _listed(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else list(value) if isinstance(value, tuple) else value
