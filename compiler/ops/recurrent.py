"""Recurrent layers: one kernel walks a whole sequence; the products of its inputs are computed before, all steps at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .dynamic_quantization import Grid, RunTimeGrid, rounded_rows
from .elementwise import Elementwise, literal
from .op import Op

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
OPERANDS = ("z", "r", "h0", "c0", "lengths", "peepholes", "reset_bias", "scale", "shift", "projection", "projection_bias")
CPU_GROUP, GPU_GROUP = 64, 256
"""Work-items that share a sequence, at most."""


@dataclass(frozen=True)
class Recurrence(Op):
    """The states of a recurrent cell along a sequence of T steps, for each of B sequences by itself.

    Operands, those of `operands` in this order, with H units, G gates, and S = H but for a projection:
        z [T,B,G*H]: the products of the inputs, biases included. Gates: "lstm" input, forget, cell, output; "gru" update, reset, new.
        r [S,G*H]: the recurrent weights.
        h0 [B,S], c0 [B,H] (lstm): the states before the first step.
        lengths [B], int32: steps of each sequence; h is 0 behind them. Without: T.
        peepholes [3,H]: of the gates input, forget, output of an lstm.
        reset_bias [H]: of the new gate of a gru, inside of the reset; with it the reset is applied to the product.
        scale, shift [G*H]: every gate is normalised over its units, scaled and shifted.
        projection [H,S], projection_bias [S]: of the hidden state.
    Result, of rank 1: h [T,B,S] at every step, h [B,S] behind the last step, c [B,H] (lstm) behind the last step, one after another.

    Attributes:
        activations: of the gates, of the new state, of an lstm's output.
        reverse: from the last step to the first.
        clip: of what goes into activations; cell_clip: of c; projection_clip: of the projected h. 0: none.
        coupled: the gate of an lstm that is 1 - the other.
        grid: on which h lies before it meets weights, and what is projected; "" for none. Not of a gru, nor with lengths.
    """

    cell: Literal["lstm", "gru", "rnn"]
    operands: tuple[str, ...]
    activations: tuple[Elementwise, ...]
    reverse: bool = False
    clip: float = 0.0
    cell_clip: float = 0.0
    projection_clip: float = 0.0
    coupled: Literal["", "input", "forget"] = ""
    grid: Grid | Literal[""] = ""
    layout: ClassVar[Literal["linear"]] = "linear"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        t = {name: type for name, type in zip(self.operands, types, strict=True) if type is not None}
        z, h0 = t["z"], t["h0"]
        if z.rank != 3 or h0.rank != 2 or z.shape[2] % GATES[self.cell] or any(v.dtype != z.dtype for k, v in t.items() if k != "lengths"):
            raise GraphError(f"a recurrent layer of {z} with states {h0}")
        if self.grid and (self.cell == "gru" or "lengths" in t):
            raise GraphError(f"a {self.cell} whose state lies on a grid; an lstm or rnn without lengths would be accepted")
        steps, batch, width = z.shape
        units, state = width // GATES[self.cell], h0.shape[1]
        shapes = {"r": (state, width), "h0": (batch, state), "c0": (batch, units), "lengths": (batch,), "peepholes": (3, units),
                  "reset_bias": (units,), "scale": (width,), "shift": (width,), "projection": (units, state), "projection_bias": (state,)}
        for name, type in t.items():
            if type.shape != shapes.get(name, type.shape):
                raise GraphError(f"a recurrent layer of {z}: {name} is {type}, not {list(shapes[name])}")
        size = (steps + 1) * batch * state + (batch * units if self.cell == "lstm" else 0)
        return (TensorType((size,), z.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        a = {name: x.astype(np.float64) for name, x in zip(self.operands, arrays, strict=True) if x is not None}
        h, c = a["h0"], a.get("c0", np.zeros(0))
        steps = len(a["z"])
        rows = np.zeros((steps, *h.shape))
        for t in reversed(range(steps)) if self.reverse else range(steps):
            h_new, c_new = self._step(a, a["z"][t], h, c)
            alive = t < a["lengths"][:, None] if "lengths" in a else np.ones((h.shape[0], 1), bool)
            h, c = np.where(alive, h_new, h), np.where(alive, c_new, c) if c.size else c
            rows[t] = np.where(alive, h_new, 0)
        assert arrays[0] is not None
        return (np.concatenate([rows.ravel(), h.ravel(), c.ravel()]).astype(arrays[0].dtype),)

    def _step(self, a: dict[str, np.ndarray], z: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The states behind a step."""

        def act(k: int, x: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                return np.asarray(self.activations[k].row.numpy(_clip(x, self.clip), *self.activations[k].params))

        h = self._on_grid(h)
        gates = np.split(z + h @ a["r"], GATES[self.cell], axis=1)
        if "scale" in a:
            scales, shifts = (np.split(a[k], GATES[self.cell]) for k in ("scale", "shift"))
            gates = [(g - g.mean(1, keepdims=True)) / np.sqrt(g.var(1, keepdims=True) + 1e-8) * k + b
                     for g, k, b in zip(gates, scales, shifts)]
        if self.cell == "rnn":
            return act(0, gates[0]), c
        if self.cell == "gru":
            units = h.shape[1]
            update, reset = act(0, gates[0]), act(0, gates[1])
            new, weights = z[:, 2 * units :], a["r"][:, 2 * units :]
            new = new + (reset * (h @ weights + a["reset_bias"]) if "reset_bias" in a else (reset * h) @ weights)
            return (1 - update) * act(1, new) + update * h, c
        peep = a.get("peepholes", np.zeros((3, c.shape[1])))
        i, f = (act(0, gates[k] + peep[k] * c) for k in (0, 1))
        i, f = 1 - f if self.coupled == "input" else i, 1 - i if self.coupled == "forget" else f
        c = _clip(f * c + i * act(1, gates[2]), self.cell_clip)
        with np.errstate(all="ignore"):
            h = act(0, gates[3] + peep[2] * c) * self.activations[2].row.numpy(c, *self.activations[2].params)
        if "projection" in a:
            h = _clip(self._on_grid(h) @ a["projection"] + a.get("projection_bias", 0.0), self.projection_clip)
        return h, c

    def _on_grid(self, h: np.ndarray) -> np.ndarray:
        return rounded_rows(h.astype(np.float32), self.grid).astype(h.dtype) if self.grid else h

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..access import compute_type

        dtype = site.input(0).type.dtype
        ctype = compute_type(dtype)
        forms = {f"ACT{k}": act.expression(("x",), dtype, ctype) for k, act in enumerate(self.activations)}
        clips = {name: literal(limit, dtype) if limit else "" for name, limit in
                 (("CLIP", self.clip), ("CELL_CLIP", self.cell_clip), ("PROJECTION_CLIP", self.projection_clip))}
        params = {**clips, "cell": self.cell, "has": self.operands, "reverse": self.reverse, "coupled": self.coupled, "forms": forms}
        for name, operands in (("counts", ("x", "low", "high")), ("reals", ("count", "1.0f", "low", "high"))):
            params[name] = RunTimeGrid(f"{self.grid}_{name}").expression(operands, dtype, ctype) if self.grid else ""
        return [walking(site, "recurrent", GATES[self.cell], params)]


def walking(site: Site, template: str, gates: int, params: Mapping[str, Any]) -> Kernel:
    """The kernel of a group of work-items for each sequence, of an op with operands z [T,B,gates*H], r and h0 [B,S] in front."""
    from ..kernel import Kernel

    target, node, names = site.target, site.node, site.op.operands
    (steps, batch, width), state = site.input(0).shape, site.input(names.index("h0")).shape[1]
    units = width // gates
    widest = max(units, state)
    limit = CPU_GROUP if target.kind == "cpu" else GPU_GROUP
    group = min(limit, 1 << (widest - 1).bit_length()) if widest > 1 else 1
    sizes = {"STEPS": steps, "BATCH": batch, "UNITS": units, "STATE": state, "GATES": gates, "WG": group, "OWN": ceil(widest / group)}
    reads = tuple(site.read(name, k) for k, name in enumerate(names))
    flops = 2 * steps * batch * (state * width + (units * state if "projection" in names else 0))
    nbytes = site.moved(sum(site.graph.type(v).size for v in node.inputs if site.graph.constant(v) is not None))
    speed = target.gflops / target.units / (4 if target.kind == "cpu" else 1)
    cost = target.launch + max(flops / speed * ceil(batch / target.units) / batch, nbytes / target.bandwidth) / 1e3
    return Kernel(template, {**sizes, **params}, reads, (group, batch, 1), (group, 1, 1), 1, flops, nbytes, cost)


def _clip(x: np.ndarray, limit: float) -> np.ndarray:
    return np.clip(x, -limit, limit) if limit else x
