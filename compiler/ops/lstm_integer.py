"""An LSTM layer in LiteRT's integers, number for number: weights and hidden state of 8 bits, gates and cell state of 16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from . import q15
from .op import Op
from .q15 import halved, inverse_root, saturated, scaled, sigmoid, tanh
from .recurrent import walking

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

Factor = tuple[int, int]
"""A multiplier, a fraction of 2**31, and an exponent of two."""

OPERANDS = ("z", "r", "h0", "c0", "peepholes", "scale", "shift", "projection", "projection_bias")
GATES = ("input", "forget", "cell", "output")
PEEPED = ("input", "forget", "output")
BYTE = (-128, 127)


@dataclass(frozen=True)
class IntegerLstm(Op):
    """The states of an LSTM along a sequence of T steps, for each of B sequences by itself.

    Operands, those of `operands` in this order, of int32 but for weights, with U units, and S = U but for a projection:
        z [T,B,G*U]: the products of the inputs, biases included, cut to 16 bits. G = 4 gates: input, forget, cell, output; 3 if `coupled`.
        r [S,G*U], int8: the recurrent weights.
        h0 [B,S], c0 [B,U]: the states before the first step, in steps.
        peepholes [3,B,U], int16: of the gates input, forget, output.
        scale [G*U], int16, shift [G*U]: every gate is normalised over its units, scaled and shifted.
        projection [U,S], int8, projection_bias [S]: of the hidden state.
    Result, of rank 1: h [T,B,S] at every step, h [B,S] and c [B,U] behind the last step, one after another, in steps.

    Attributes:
        recurrent: the factors that bring the products of the recurrent weights to the scale of the gates; peephole: those of
            the peepholes; norm: those that bring normalised gates to units of 2**-12; hidden, projected: of the hidden state
            and of the projection.
        guards: the variance of gates whose units are all the same.
        cell_bits: integer bits of the cell state.
        hidden_zero, state_zero: zero points of the hidden state, and of the state, the same but for a projection.
        cell_clip, projection_clip: of the cell state, and of the projection as it is stored. 0: none.
        coupled: the input gate is 1 - the forget gate.
    """

    operands: tuple[str, ...]
    recurrent: tuple[Factor, ...]
    hidden: Factor
    cell_bits: int
    hidden_zero: int
    state_zero: int
    peephole: tuple[Factor, ...] = ()
    norm: tuple[Factor, ...] = ()
    guards: tuple[int, ...] = ()
    projected: Factor = (0, 0)
    cell_clip: int = 0
    projection_clip: int = 0
    coupled: bool = False
    layout: ClassVar[Literal["linear"]] = "linear"

    @property
    def gates(self) -> tuple[str, ...]:
        return GATES[self.coupled :]

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        t = {name: type for name, type in zip(self.operands, types, strict=True) if type is not None}
        z, h0 = t["z"], t["h0"]
        if z.rank != 3 or h0.rank != 2 or z.shape[2] % len(self.gates):
            raise GraphError(f"an LSTM layer of {z} with states {h0}")
        steps, batch, width = z.shape
        units, state = width // len(self.gates), h0.shape[1]
        shapes = {"z": z.shape, "r": (state, width), "h0": (batch, state), "c0": (batch, units), "peepholes": (3, batch, units),
                  "scale": (width,), "shift": (width,), "projection": (units, state), "projection_bias": (state,)}
        dtypes = {"r": "int8", "projection": "int8", "peepholes": "int16", "scale": "int16"}
        for name, type in t.items():
            wanted = TensorType(shapes[name], np.dtype(dtypes.get(name, "int32")))
            if type != wanted:
                raise GraphError(f"an LSTM layer of {z}: {name} is {type}, not {wanted}")
        return (TensorType(((steps + 1) * batch * state + batch * units,), z.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        a = {name: x.astype(np.int64) for name, x in zip(self.operands, arrays, strict=True) if x is not None}
        h, c, rows = a["h0"], a["c0"], []
        for z in a["z"]:
            h, c = self._step(a, z, h, c)
            rows.append(h)
        return (np.concatenate([x.ravel() for x in (*rows, h, c)]).astype(np.int32),)

    def _step(self, a: dict[str, np.ndarray], z: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The states behind a step."""
        products, sums = np.split(h @ a["r"], len(self.gates), axis=1), np.split(z, len(self.gates), axis=1)

        def gate(name: str, c: np.ndarray) -> np.ndarray:
            k = self.gates.index(name)
            x = saturated(sums[k] + scaled(products[k], *self.recurrent[k]))
            if "peepholes" in a and name in PEEPED:
                x = saturated(x + scaled(a["peepholes"][PEEPED.index(name)] * c, *self.peephole[PEEPED.index(name)]))
            if "scale" in a:
                scale, shift = (np.split(a[o], len(self.gates))[k] for o in ("scale", "shift"))
                x = _normalised(x, scale, shift, self.norm[k], self.guards[k])
            return tanh(x, 3) if name == "cell" else sigmoid(x)

        forget, new = gate("forget", c), gate("cell", c)
        taken = 32767 - forget if self.coupled else gate("input", c)
        c = saturated(halved(forget * c, 15) + halved(taken * new, 15 + self.cell_bits))
        if self.cell_clip:
            c = saturated(c, -self.cell_clip, self.cell_clip)
        h = scaled(gate("output", c) * tanh(c, self.cell_bits), *self.hidden)
        if "projection" not in a:
            return saturated(h + self.hidden_zero, *BYTE) - self.state_zero, c
        h = saturated(h - self.hidden_zero, *BYTE) + self.hidden_zero
        h = scaled(h @ a["projection"] + a.get("projection_bias", 0), *self.projected)
        h = saturated(h + self.state_zero, *BYTE)
        if self.projection_clip:
            h = saturated(h, -self.projection_clip, self.projection_clip)
        return h - self.state_zero, c

    def kernels(self, site: Site) -> Sequence[Kernel]:
        return [walking(site, "lstm_integer", len(self.gates), {"op": self, "has": self.operands, "q15": q15})]



def _normalised(x: np.ndarray, scale: np.ndarray, shift: np.ndarray, factor: Factor, guard: int) -> np.ndarray:
    """Layer normalisation of rows: deviations from the mean in units of 2**-10, over the root of the variance."""
    count = x.shape[1]
    total = x.sum(1, keepdims=True) * 1024
    mean = np.sign(total) * (np.abs(total) // count)
    spread = (x * x).sum(1, keepdims=True) * ((1 << 20) // count) - mean * mean
    variance = np.where(spread < 1 << 20, guard, spread >> 20)
    y = scaled(1024 * x - mean, *inverse_root(variance)) * scale + shift
    y = np.sign(y) * ((np.abs(y) + 512) // 1024)
    return saturated(scaled(y, factor[0], factor[1] + 12))
