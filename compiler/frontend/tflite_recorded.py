"""What a .tflite file says of its inputs and outputs beyond what a run needs: for those who use a plan as they use LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tflite

from planish.runtime.plan import Recorded, Signature

from ..errors import ModelError
from .tflite_file import DAMAGE, Tensor


def recorded(index: int, name: str, tensor: Tensor) -> Recorded:
    """What is kept of a tensor, which has that name in the graph."""
    said = "" if tensor.unnamed else tensor.name
    shape = tensor.signature if -1 in tensor.signature else None
    q = tensor.quantization
    if q is None:
        return Recorded(index, None if said == name else said, shape)
    zero_point = np.broadcast_to(q.zero_point.ravel(), q.scale.size)
    scale = tuple(map(float, q.scale.ravel()))
    return Recorded(index, None if said == name else said, shape, scale, tuple(map(int, zero_point)), q.axis)


def signatures(data: bytes, path: Path, known: Mapping[tuple[str, str], Recorded]) -> tuple[Signature, ...]:
    """Those of the main subgraph, of whose inputs and outputs it speaks.

    Args:
        known: the inputs and outputs, as of `Graph.recorded`.

    Raises:
        ModelError: the file is damaged.
    """
    names = {(kind, each.index): name for (kind, name), each in reversed([*known.items()])}
    try:
        model = tflite.Model.GetRootAs(data, 0)
        tables = (model.SignatureDefs(k) for k in range(_length(data, model.SignatureDefsLength())))
        found = [_signature(data, table, names) for table in tables if table.SubgraphIndex() == 0]
    except DAMAGE as error:
        what = f"{type(error).__name__}: {error}"
        raise ModelError(f"{path}: a damaged or truncated TFLite flatbuffer ({what})") from error
    return tuple(signature for signature in found if signature)


def _signature(data: bytes, table: Any, names: Mapping[tuple[str, int | None], str]) -> Signature | None:
    """None where it speaks of other tensors."""
    inputs = _entries(data, table.InputsLength(), table.Inputs)
    outputs = _entries(data, table.OutputsLength(), table.Outputs)
    if not all(("input", k) in names for k in inputs.values()) or not all(("output", k) in names for k in outputs.values()):
        return None
    return Signature((table.SignatureKey() or b"").decode(), {name: names["input", k] for name, k in inputs.items()},
                     {name: names["output", k] for name, k in outputs.items()})


def _entries(data: bytes, length: int, read: Callable[[int], Any]) -> dict[str, int]:
    """Name -> number of the tensor; in the order of the names, as LiteRT has them."""
    maps = [read(k) for k in range(_length(data, length))]
    return dict(sorted(((m.Name() or b"").decode(), int(m.TensorIndex())) for m in maps))


def _length(data: bytes, length: int) -> int:
    if length > len(data) // 4:
        raise ValueError(f"{length} entries")
    return length
