"""The bits of a tensor taken as another type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .elementwise import Cast, Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .lowbit import FLOATS, INTEGERS, Decode, Encode, converted, stored_as, width_of
from .op import Op, Perm

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

UINT32 = np.dtype(np.uint32)


@dataclass(frozen=True)
class Reinterpret(Op):
    """Numbers of 32 bits taken as another type of 32 bits, in registers: what the bits say in single precision, however it is stored."""

    dtype: np.dtype[Any]
    layout: ClassVar[Literal["any"]] = "any"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if (x.dtype.itemsize, self.dtype.itemsize) != (4, 4):
            raise GraphError(f"{x} and {self.dtype} do not both have 32 bits")
        return (TensorType(x.shape, self.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        assert arrays[0] is not None
        return (np.ascontiguousarray(arrays[0]).view(self.dtype).reshape(arrays[0].shape),)

    def expression(self, args: Sequence[str], dtype: np.dtype[Any], ctype: str) -> str:
        return f"as_{ctype}({args[0]})"

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import elementwise

        return elementwise(site)

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return self, perm


@dataclass(frozen=True)
class BitCast(Op):
    """The bytes of the elements, as they lie in memory, taken as another type.

    To a narrower type a last axis is added, along which the parts of an element lie, the lowest bits first; to a wider one
    the last axis gives way. Importers put a `Reinterpret` beside it where one is float32, which may be stored in half precision.
    """

    dtype: np.dtype[Any]

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        wide, narrow = max(x.dtype.itemsize, self.dtype.itemsize), min(x.dtype.itemsize, self.dtype.itemsize)
        if wide == narrow:
            return (TensorType(x.shape, self.dtype),)
        if x.dtype.itemsize == wide:
            return (TensorType((*x.shape, wide // narrow), self.dtype),)
        if x.shape[-1:] != (wide // narrow,):
            raise GraphError(f"{x} does not hold, along its last axis, the {wide // narrow} parts of {self.dtype}")
        return (TensorType(x.shape[:-1], self.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        (y,) = self.infer(TensorType.of(x))
        return (np.ascontiguousarray(x).reshape(-1).view(self.dtype).reshape(y.shape),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..access import STORAGE, At, address
        from ..indexing import unravel
        from ..kernel import Kernel

        x, y = site.input(0), site.output
        wide, narrow = x.storage.itemsize, self.dtype.itemsize
        size = min(wide, narrow)
        words, parts = narrow // size, wide // size
        at = unravel("i", y.shape)
        source = (*at[:-1], at[-1]) if words == parts else at[:-1] if parts > 1 else (*at, "k")
        first = address(x, At(source[: len(x.shape)]))
        params = {"T": STORAGE[self.dtype.name], "WORD": {1: "uchar", 2: "ushort", 4: "uint", 8: "ulong"}[size], "WORDS": words,
                  "source": f"({first}) * {parts} + {at[-1]}" if parts > 1 else first, "target": address(y, At(at)),
                  "half": self.dtype == np.float16, "at": at, "raw": not site.node.epilogue}
        cost = site.target.launch + site.moved() / site.target.bandwidth / 1e3
        flops = len(site.node.epilogue) * y.type.size
        return [Kernel("bitcast", params, (site.read("x", 0),), (prod(y.shape),), flops=flops, nbytes=site.moved(), cost=cost)]


def bit_cast(n: SourceNode, dtype: np.dtype[Any]) -> str:
    """Emits the cast: of integers of one width that of numbers, of 32 bits in registers, else in memory."""
    x = n.input(0)
    given = n.type(x).dtype
    if dtype.isbuiltin != 1 or dtype.kind not in "fbiu":
        raise Unsupported(f"bits taken as {dtype.name}; float, double, float16, bool and integers would be accepted")
    if given == dtype:
        return x
    if given.itemsize == dtype.itemsize and given.kind in "iub" and dtype.kind in "iub":
        return n.emit(Cast(dtype), x)
    if given.itemsize == dtype.itemsize == 4:
        return n.emit(Reinterpret(dtype), x)
    if given == np.float32:
        x = n.emit(Reinterpret(UINT32), x)
    if dtype == np.float32:
        return n.emit(Reinterpret(dtype), n.emit(BitCast(UINT32), x))
    return n.emit(BitCast(dtype), x)


@onnx_op("BitCast")
def onnx_bit_cast(n: OnnxNode) -> str:
    import onnx

    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(n.attr("to")))
    given, width = n.elements[0] or n.type(0).dtype.name, width_of(dtype.name)
    if width_of(given) != width:
        raise Unsupported(f"the bits of {given} as {dtype.name}; a type of the same width would be accepted")
    if given in FLOATS:
        n = replace(n, inputs=(n.emit(Encode(given), n.input(0)),))
    if n.element in INTEGERS:
        return converted(n, n.input(0), n.element)
    if n.element not in FLOATS:
        return bit_cast(n, dtype)
    bits = bit_cast(n, stored_as(n.element))
    if given in INTEGERS:
        bits = n.emit(Elementwise("bitwise_and"), bits, n.scalar((1 << width) - 1, bits))
    return n.emit(Decode(n.element), bits)


@tflite_op("BITCAST")
def tflite_bit_cast(n: TfliteNode) -> str:
    return bit_cast(n, n.results[0].dtype)
