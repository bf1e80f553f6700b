"""Recurrent layers: the cases of the ONNX standard, every option against ONNX Runtime, and every kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.recurrent import GATES, OPERANDS, Recurrence
from tests.harness import CPU, GPU, Case, check, floats
from tests.oracles import evaluated, onnx_model, onnx_node, ort, same, standard_case, standard_cases, write

DEVICE = pytest.mark.device
OPERATORS = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}
ACTIVATIONS = {"lstm": ("sigmoid", "tanh", "tanh"), "gru": ("sigmoid", "tanh"), "rnn": ("tanh",)}


def case(cell: Any, steps: int, batch: int, units: int, more: Sequence[str] = (), state: int = 0, **options: Any) -> Case:
    """A recurrent op with small weights; `more` names its optional operands."""
    width, state = GATES[cell] * units, state or units
    shapes = {"z": (steps, batch, width), "r": (state, width), "h0": (batch, state), "peepholes": (3, units), "reset_bias": (units,),
              "scale": (width,), "shift": (width,), "projection": (units, state), "projection_bias": (state,)}
    if cell == "lstm":
        shapes["c0"] = (batch, units)
    names = [name for name in OPERANDS if name in ("z", "r", "h0", "c0", *more) and name in (*shapes, "lengths")]
    arrays = dict(zip(shapes, (0.5 * a for a in floats(*shapes.values()))))
    arrays["lengths"] = np.random.default_rng(1).integers(0, steps + 1, batch).astype(np.int32)
    acts = options.pop("activations", ACTIVATIONS[cell])
    op = Recurrence(cell, tuple(names), tuple(Elementwise(fn) if isinstance(fn, str) else fn for fn in acts), **options)
    constants = frozenset(k for k, name in enumerate(names) if name not in ("z", "h0", "c0", "lengths"))
    return Case(op, [arrays[name] for name in names], constants, framed=False)


CASES = [
    case("rnn", 1, 1, 1),
    case("rnn", 5, 3, 7, ["lengths"], reverse=True),
    case("rnn", 3, 2, 300, activations=["softsign"]),
    case("gru", 4, 2, 17),
    case("gru", 4, 3, 5, ["lengths", "reset_bias"], clip=0.3),
    case("gru", 3, 1, 270, reverse=True),
    case("lstm", 4, 2, 17),
    case("lstm", 5, 3, 6, ["lengths", "peepholes"], reverse=True, clip=0.4),
    case("lstm", 3, 2, 5, coupled="forget", activations=[Elementwise("hard_sigmoid", (0.2, 0.5)), "softsign", "relu"]),
    case("lstm", 3, 2, 5, ["peepholes"], coupled="input"),
    case("lstm", 4, 2, 9, ["projection", "projection_bias"], state=5, cell_clip=0.4, projection_clip=0.3),
    case("lstm", 3, 2, 4, ["projection", "scale", "shift"], state=7),
]


@DEVICE
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.op.cell}-{'-'.join(map(str, c.operands[0].shape))}")
def test_every_candidate(case: Case) -> None:
    assert check(case) >= 3


@DEVICE
def test_computed_weights_and_epilogue() -> None:
    for plain in (CASES[3], CASES[7]):
        computed = Case(plain.op, plain.operands, epilogue=(Step(Elementwise("relu"), (0,)),))
        assert check(computed, targets=[CPU, GPU]) == 2


@DEVICE
def test_half_precision() -> None:
    assert check(CASES[6], targets=[CPU, GPU], precision="f16") == 2


@pytest.mark.parametrize("case", standard_cases(["lstm", "gru", "rnn"], [*OPERATORS]), ids=lambda c: c.name)
@pytest.mark.parametrize("fed", [1, 8], ids=["constant", "computed"])
def test_standard(tmp_path: Path, case: Any, fed: int) -> None:
    """With weights that are constant, and computed at run time."""
    path, inputs, outputs = standard_case(tmp_path, case, fed)
    same(evaluated(path, inputs), outputs)


def layer(folder: Path, op: str, directions: int, held: Mapping[str, np.ndarray], **attributes: Any) -> tuple[Path, np.ndarray]:
    """An ONNX layer of 3 steps, 2 sequences, 4 inputs, 5 units as a file with all its results, and its input."""
    gates, units = GATES[OPERATORS[op]], 5
    w, r, x = floats((directions, gates * units, 4), (directions, gates * units, units), (3, 2, 4))
    order = ["W", "R", "B", "sequence_lens", "initial_h", *(["initial_c", "P"] if op == "LSTM" else [])]
    constants = {"W": w, "R": r, **held}
    results = ["Y", "Y_h", *(["Y_c"] if op == "LSTM" else [])]
    node = helper.make_node(op, ["X", *(v if v in constants else "" for v in order)], results, hidden_size=units, **attributes)
    return write(folder, onnx_model([node], {"X": (np.float32, x.shape)}, results, constants, 14)), x


def biases(op: str, directions: int) -> np.ndarray:
    return floats((directions, 2 * GATES[OPERATORS[op]] * 5), seed=3)[0]


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("lengths", [None, [3, 1]], ids=str)
def test_directions(tmp_path: Path, op: str, direction: str, lengths: list[int] | None) -> None:
    d = 2 if direction == "bidirectional" else 1
    held = {"B": biases(op, d), "initial_h": floats((d, 2, 5), seed=4)[0]}
    if op == "LSTM":
        held |= {"initial_c": floats((d, 2, 5), seed=5)[0], "P": floats((d, 15), seed=6)[0]}
    if lengths:
        held["sequence_lens"] = np.asarray(lengths, np.int32)
    path, x = layer(tmp_path, op, d, held, direction=direction)
    same(evaluated(path, [x]), ort(path, [x]))


FUNCTIONS = [
    ("RNN", ["Relu"], {}), ("RNN", ["Affine"], {"activation_alpha": [0.7], "activation_beta": [0.1]}),
    ("RNN", ["ScaledTanh"], {"activation_alpha": [0.7], "activation_beta": [0.4]}), ("RNN", ["Softplus"], {}),
    ("RNN", ["LeakyRelu"], {"activation_alpha": [0.3]}), ("RNN", ["ThresholdedRelu"], {"activation_alpha": [0.3]}),
    ("RNN", ["Elu"], {"activation_alpha": [0.7]}),
    ("GRU", ["HardSigmoid", "Softsign"], {"activation_alpha": [0.3], "activation_beta": [0.4]}),
    ("LSTM", ["HardSigmoid", "Softsign", "Relu"], {"activation_alpha": [0.3], "activation_beta": [0.4]}),
]  # fmt: skip


@pytest.mark.parametrize(("op", "names", "numbers"), FUNCTIONS, ids=lambda v: str(v[0]) if isinstance(v, list) else None)
def test_activations(tmp_path: Path, op: str, names: list[str], numbers: dict[str, list[float]]) -> None:
    path, x = layer(tmp_path, op, 1, {"B": biases(op, 1)}, activations=names, **numbers)
    same(evaluated(path, [x]), ort(path, [x]))


@pytest.mark.parametrize(("op", "options"), [
    ("RNN", {"clip": 0.3}), ("GRU", {"clip": 0.3}), ("LSTM", {"clip": 0.3}), ("GRU", {"linear_before_reset": 1}),
    ("GRU", {"linear_before_reset": 1, "clip": 0.3}), ("LSTM", {"input_forget": 1}),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("biased", [True, False])
def test_options(tmp_path: Path, op: str, options: dict[str, Any], biased: bool) -> None:
    held = {"B": biases(op, 1)} if biased else {}
    path, x = layer(tmp_path, op, 1, held, **options)
    same(evaluated(path, [x]), ort(path, [x]))


def test_refused(tmp_path: Path) -> None:
    weights = floats((1, 5, 4), (1, 5, 5))
    for attributes, reason in (({"activations": ["Nope"]}, "activation Nope"), ({"direction": "up"}, "forward, reverse, bidirectional")):
        with pytest.raises(UnsupportedError, match=reason):
            load(onnx_node(tmp_path, "RNN", floats((3, 2, 4)), weights, hidden_size=5, **attributes))
