"""Ops that move elements without computing: transpose, reshape, slice, concatenation, padding, tiling, blocks of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .op import Op, Perm, Shape

if TYPE_CHECKING:
    from ..kernel import Index, Kernel, Site


@dataclass(frozen=True)
class Copy(Op):
    """The operand as it is; the layout pass puts it where a value is wanted in another place or order."""

    layout: ClassVar[Literal["any"]] = "any"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        assert types[0] is not None
        return (types[0],)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        assert arrays[0] is not None
        return (arrays[0],)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import gathered

        return gathered(site, lambda at: (at, None))


@dataclass(frozen=True)
class Transpose(Op):
    """Axis d of the result is axis perm[d] of the operand."""

    perm: Perm
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if sorted(self.perm) != list(range(x.rank)):
            raise GraphError(f"{self.perm} does not permute the axes of {x}")
        return (TensorType(tuple(x.shape[d] for d in self.perm), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        assert arrays[0] is not None
        return (np.transpose(arrays[0], self.perm),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import gathered

        inverse = tuple(np.argsort(self.perm))
        return gathered(site, lambda at: (tuple(at[d] for d in inverse), None))


@dataclass(frozen=True)
class Reshape(Op):
    """The same elements, in row-major order, under another shape."""

    shape: Shape
    view: ClassVar[bool] = True
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if prod(self.shape) != x.size:
            raise GraphError(f"{x} does not have the elements of shape {self.shape}")
        return (TensorType(self.shape, x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        assert arrays[0] is not None
        return (arrays[0].reshape(self.shape),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        """A gather, where the operand cannot be viewed: the row-major number of an element gives its coordinates."""
        from ..mapping import gathered

        x, y = site.input(0).shape, site.output.shape

        def gather(at: Index) -> tuple[Index, None]:
            number = " + ".join(f"({i}) * {prod(y[d + 1 :])}" for d, i in enumerate(at)) or "0"
            return tuple(f"({number}) / {prod(x[d + 1 :])} % {x[d]}" for d in range(len(x))), None

        return gathered(site, gather)


@dataclass(frozen=True)
class Slice(Op):
    """Element i of axis d is element begin[d] + i * step[d] of the operand; steps may be negative."""

    begin: Shape
    shape: Shape
    step: Shape
    layout: ClassVar[Literal["any"]] = "any"
    view: ClassVar[bool] = True

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        for d, (b, e, s) in enumerate(zip(self.begin, self.shape, self.step)):
            last = b + (e - 1) * s
            if e > 0 and not (0 <= b < x.shape[d] and 0 <= last < x.shape[d]):
                raise GraphError(f"axis {d}: {b} … {last} lies outside {x}")
        return (TensorType(self.shape, x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        index = np.ix_(*(b + np.arange(e) * s for b, e, s in zip(self.begin, self.shape, self.step)))
        return (x[index] if x.ndim else x,)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import gathered

        def gather(at: Index) -> tuple[Index, None]:
            return tuple(i if (b, s) == (0, 1) else f"{b} + ({i}) * {s}" for i, b, s in zip(at, self.begin, self.step)), None

        return gathered(site, gather)

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        inverse = np.argsort(perm)
        begin, shape, step = (tuple(v[d] for d in inverse) for v in (self.begin, self.shape, self.step))
        return Slice(begin, shape, step), perm


@dataclass(frozen=True)
class Concat(Op):
    """The operands one after another along an axis.

    It never computes: the layout pass lets its operands be written where it wants them.
    """

    axis: int
    layout: ClassVar[Literal["any"]] = "any"
    view: ClassVar[bool] = True

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        first = types[0]
        assert first is not None
        total = 0
        for t in types:
            assert t is not None
            if t.rank != first.rank or any(t.shape[d] != first.shape[d] for d in range(t.rank) if d != self.axis):
                raise GraphError(f"{t} does not continue {first} along axis {self.axis}")
            total += t.shape[self.axis]
        shape = (*first.shape[: self.axis], total, *first.shape[self.axis + 1 :])
        return (TensorType(shape, first.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return (np.concatenate([a for a in arrays if a is not None], self.axis),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        return ()

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return Concat(perm[self.axis]), perm


@dataclass(frozen=True)
class Shuffle(Op):
    """An axis of `groups` equal parts, dealt out: element c is element c / groups of part c % groups.

    The channel shuffle of Zhang et al., ShuffleNet, 2017.
    """

    axis: int
    groups: int
    layout: ClassVar[Literal["any"]] = "any"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if not 0 <= self.axis < x.rank or self.groups < 1 or x.shape[self.axis] % self.groups:
            raise GraphError(f"axis {self.axis} of {x} has no {self.groups} equal parts")
        return (x,)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        assert arrays[0] is not None
        return (arrays[0].take(self.order(arrays[0].shape[self.axis]), self.axis),)

    def order(self, extent: int) -> np.ndarray:
        """Which element of the operand each element of the result is."""
        return np.arange(extent).reshape(self.groups, -1).T.reshape(-1)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import gathered

        a, part = self.axis, site.output.shape[self.axis] // self.groups
        return gathered(site, lambda at: ((*at[:a], f"({at[a]}) % {self.groups} * {part} + ({at[a]}) / {self.groups}", *at[a + 1 :]), None))

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return Shuffle(perm[self.axis], self.groups), perm


PadMode = Literal["constant", "reflect", "symmetric", "edge", "wrap"]


@dataclass(frozen=True)
class Pad(Op):
    """Elements around the operand: `value`, or mirrored without (reflect) or with (symmetric) the edge, the edge's, or
    those of the other end (wrap). Negative padding cuts."""

    pads: tuple[tuple[int, int], ...]
    mode: PadMode = "constant"
    value: float = 0.0
    layout: ClassVar[Literal["any"]] = "any"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if len(self.pads) != x.rank:
            raise GraphError(f"padding of {len(self.pads)} axes does not fit {x}")
        shape = tuple(e + a + b for e, (a, b) in zip(x.shape, self.pads))
        limits = {"reflect": -1, "symmetric": 0}
        for d, (a, b) in enumerate(self.pads):
            kept = x.shape[d] + min(a, 0) + min(b, 0)
            most = kept + limits[self.mode] if self.mode in limits else np.inf if kept or self.mode == "constant" else 0
            if kept < 0 or max(a, b, 0) > most:
                raise GraphError(f"axis {d} of {x} cannot be padded by {(a, b)} with mode {self.mode}")
        return (TensorType(shape, x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        cut = tuple(slice(max(-a, 0), e - max(-b, 0)) for e, (a, b) in zip(x.shape, self.pads))
        grow = [(max(a, 0), max(b, 0)) for a, b in self.pads] or 0
        if self.mode == "constant":
            return (np.pad(x[cut], grow, constant_values=x.dtype.type(self.value)),)
        return (np.pad(x[cut], grow, mode=self.mode),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import gathered

        shape = site.input(0).shape

        def gather(at: Index) -> tuple[Index, str | None]:
            moved, inside = [], []
            for i, (a, b), e in zip(at, self.pads, shape):
                k = f"({i} - {a})" if a else i
                if a <= 0 and b <= 0:
                    moved.append(k)
                elif self.mode == "constant":
                    moved.append(k)
                    inside.append(f"{k} >= 0 && {k} < {e}")
                elif self.mode == "edge":
                    moved.append(f"min(max({k}, 0), {e - 1})")
                elif self.mode == "wrap":
                    moved.append(f"(({k} % {e} + {e}) % {e})")
                else:
                    mirror = 2 * (e - 1) if self.mode == "reflect" else 2 * e - 1
                    start = f"abs({k})" if self.mode == "reflect" else f"({k} < 0 ? -1 - {k} : {k})"
                    moved.append(f"min((int){start}, {mirror} - (int){start})")
            return tuple(moved), " && ".join(inside) if inside else None

        return gathered(site, gather, self.value)

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return Pad(tuple(self.pads[d] for d in np.argsort(perm)), self.mode, self.value), perm


@dataclass(frozen=True)
class Tile(Op):
    """The operand repeated along each axis."""

    repeats: Shape
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if len(self.repeats) != x.rank:
            raise GraphError(f"{len(self.repeats)} repeats do not fit {x}")
        return (TensorType(tuple(e * r for e, r in zip(x.shape, self.repeats)), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        assert arrays[0] is not None
        return (np.tile(arrays[0], self.repeats),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import gathered

        shape = site.input(0).shape
        return gathered(site, lambda at: (tuple(i if r == 1 else f"({i}) % {e}" for i, e, r in zip(at, shape, self.repeats)), None))


@dataclass(frozen=True)
class Broadcast(Op):
    """The operand under a larger shape, as numpy broadcasts it."""

    shape: Shape
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if len(x.shape) > len(self.shape) or np.broadcast_shapes(x.shape, self.shape) != self.shape:
            raise GraphError(f"{x} does not broadcast to {self.shape}")
        return (TensorType(self.shape, x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        assert arrays[0] is not None
        return (np.broadcast_to(arrays[0], self.shape),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import gathered

        shape = site.input(0).shape
        extra = len(self.shape) - len(shape)
        return gathered(site, lambda at: (tuple("0" if e == 1 else i for i, e in zip(at[extra:], shape)), None))


@dataclass(frozen=True)
class DepthToSpace(Op):
    """NHWC: groups of channels become blocks of pixels.

    With `columns_last` (ONNX's mode CRD) channel c*b*b + i*b + j goes to pixel (i, j) of the block, channel c; without
    (DCR, and TFLite) channel (i*b + j) * C + c does.
    """

    block: int
    columns_last: bool = False
    layout: ClassVar[Literal["any"]] = "any"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, b = types[0], self.block
        assert x is not None
        if x.rank != 4 or b < 1 or x.shape[3] % (b * b):
            raise GraphError(f"{x} has no channels for blocks of {b}x{b} pixels")
        n, h, w, c = x.shape
        return (TensorType((n, h * b, w * b, c // (b * b)), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, b = arrays[0], self.block
        assert x is not None
        n, h, w, c = x.shape
        if self.columns_last:
            parts = x.reshape(n, h, w, c // (b * b), b, b).transpose(0, 1, 4, 2, 5, 3)
        else:
            parts = x.reshape(n, h, w, b, b, c // (b * b)).transpose(0, 1, 3, 2, 4, 5)
        return (parts.reshape(n, h * b, w * b, c // (b * b)),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import gathered

        b, c = self.block, site.output.shape[3]

        def gather(at: Index) -> tuple[Index, None]:
            n, y, x, k = at
            pixel = f"(({y}) % {b} * {b} + ({x}) % {b})"
            channel = f"({k}) * {b * b} + {pixel}" if self.columns_last else f"{pixel} * {c} + {k}"
            return (n, f"({y}) / {b}", f"({x}) / {b}", channel), None

        return gathered(site, gather)


@dataclass(frozen=True)
class SpaceToDepth(Op):
    """NHWC: blocks of pixels become groups of channels; pixel (i, j) of a block, channel c goes to (i*b + j) * C + c."""

    block: int
    layout: ClassVar[Literal["any"]] = "any"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, b = types[0], self.block
        assert x is not None
        if x.rank != 4 or b < 1 or x.shape[1] % b or x.shape[2] % b:
            raise GraphError(f"{x} does not divide into blocks of {b}x{b} pixels")
        n, h, w, c = x.shape
        return (TensorType((n, h // b, w // b, c * b * b), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, b = arrays[0], self.block
        assert x is not None
        n, h, w, c = x.shape
        parts = x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)
        return (parts.reshape(n, h // b, w // b, b * b * c),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import gathered

        b, c = self.block, site.input(0).shape[3]

        def gather(at: Index) -> tuple[Index, None]:
            n, y, x, k = at
            return (n, f"({y}) * {b} + ({k}) / {c * b}", f"({x}) * {b} + ({k}) / {c} % {b}", f"({k}) % {c}"), None

        return gathered(site, gather)
