"""A value on the host, once more: an output of the model that is two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..ir import TensorType
from .op import Op


@dataclass(frozen=True)
class HostCopy(Op):
    """The operand as it is, whose shape depends on data."""

    host: ClassVar[str] = "copy"
    reason: ClassVar[str] = "its shape depends on data"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        assert types[0] is not None
        return (types[0],)
