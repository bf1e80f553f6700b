"""Pictures as inputs and outputs of `planish run`."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from planish.runtime.cli import read_array, write_array
from planish.runtime.errors import InputError
from planish.runtime.plan import Tensor

FAULTS = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises for files that are no pictures, or broken ones."""

def read(path: Path, tensor: Tensor) -> np.ndarray:
    """An input from an array (.npy), or from a picture scaled to the image that the input takes.

    The input is [1,H,W,C] or [1,C,H,W] with 1 or 3 channels; floats get values from 0 to 1, integers from 0 to 255.

    Raises:
        InputError: the file is neither, or the input is no image.
    """
    if path.suffix.lower() == ".npy":
        return read_array(path, tensor)
    try:
        with Image.open(path) as picture:
            picture.load()
    except FAULTS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "neither an array (.npy) nor a whole picture"
        raise InputError(f"input '{tensor.name}': {path}: {reason}") from None
    shape = tensor.shape
    last = len(shape) == 4 and shape[3] in (1, 3)
    if len(shape) != 4 or shape[0] != 1 or not (last or shape[1] in (1, 3)):
        raise InputError(f"input '{tensor.name}' of shape {list(shape)} takes no picture; give an array (.npy)")
    height, width, channels = (shape[1], shape[2], shape[3]) if last else (shape[2], shape[3], shape[1])
    scaled = picture.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(scaled).reshape(height, width, channels)
    image = (pixels if last else pixels.transpose(2, 0, 1))[None]
    dtype = np.dtype(tensor.dtype)
    return np.ascontiguousarray((image / 255).astype(dtype) if dtype.kind == "f" else image.astype(dtype))


def write(path: Path, array: np.ndarray) -> list[Path]:
    """Writes an output as an array, and as a picture where it is one: an image of 1 or 3 channels in 0 to 1."""
    files = write_array(path, array)
    if is_picture(array):
        files.append(path.with_name(path.name + ".png"))
        save(files[-1], array[0] if array.shape[3] in (1, 3) else array[0].transpose(1, 2, 0))
    return files


def is_picture(array: np.ndarray) -> bool:
    if array.ndim != 4 or array.shape[0] != 1 or array.dtype.kind != "f" or array.size == 0:
        return False
    return bool({array.shape[1], array.shape[3]} & {1, 3}) and array.min() >= -0.01 and array.max() <= 1.01


def save(path: Path, image: np.ndarray) -> None:
    """Saves [H,W,C], C of 1 or 3, values from 0 to 1."""
    pixels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path)
