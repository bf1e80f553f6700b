"""The parts of the benchmarks: networks in two formats, turns, tables, the plot. Nothing is measured here."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import comparison, growth, plot, ranking, tables
from benchmarks.__main__ import main
from benchmarks.engines import ENGINES, Facts, Job
from benchmarks.layers import Builder
from benchmarks.networks import NETWORKS, to_onnx, to_tflite
from benchmarks.rounds import Measured, measure
from benchmarks.worker import Turn
from tests import oracles

MULTIPLICATIONS = {
    "mobilenet_v1": 569e6, "mobilenet_v2": 300e6, "squeezenet": 349e6, "efficientnet_lite0": 385e6, "efficientnet_b0": 386e6,
    "resnet50": 4.09e9, "vgg16": 15.35e9,
}  # fmt: skip
"""As published, of one image of 224 x 224."""


@pytest.mark.parametrize("name", NETWORKS)
def test_formats_agree(name: str, tmp_path: Path) -> None:
    """Both files compute the same, of each image of a batch, and what they compute depends on the image."""
    net = NETWORKS[name](batch=2, size=65 if name == "deeplab_v3" else 64)
    x = np.random.default_rng(0).uniform(-1, 1, net.input_shape).astype(np.float32)
    (tmp_path / "model.tflite").write_bytes(to_tflite(net))
    (tmp_path / "model.onnx").write_bytes(to_onnx(net).SerializeToString())
    (y,) = oracles.litert(tmp_path / "model.tflite", [x])
    (z,) = oracles.ort(tmp_path / "model.onnx", [np.ascontiguousarray(x.transpose(0, 3, 1, 2))])
    assert y.shape == net.output_shape
    assert comparison.difference(y, z.transpose(0, 2, 3, 1) if z.ndim == 4 else z) < 1e-4
    assert np.abs(y[0] - y[1]).max() > 0.02 * np.abs(y).max()
    assert y.max() < 0.9 or name in ("deeplab_v3", "unet", "vgg16")  # a softmax that is saturated hides mistakes


@pytest.mark.parametrize("name", MULTIPLICATIONS)
def test_networks_have_the_published_arithmetic(name: str) -> None:
    assert NETWORKS[name]().flops == pytest.approx(2 * MULTIPLICATIONS[name], rel=0.02)


def tiny(folder: Path, engine: str, tflite: bytes | None = None) -> Job:
    """A job of a network that takes no time; `tflite` replaces its file."""
    net = Builder("tiny", (1, 8, 8, 3))
    net.conv(8, 3)
    made = net.finish()
    folder.mkdir()
    (folder / "tiny.tflite").write_bytes(to_tflite(made) if tflite is None else tflite)
    (folder / "tiny.onnx").write_bytes(to_onnx(made).SerializeToString())
    np.save(folder / "x.npy", np.random.default_rng(0).uniform(-1, 1, made.input_shape).astype(np.float32))
    return Job(engine, folder / "tiny.tflite", folder / "tiny.onnx", folder / "x.npy", 1)


def test_engines_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs come as NHWC; an engine that cannot load, and one that is not there, are told and hinder no other."""
    (tmp_path / "openvino.py").write_text("raise ModuleNotFoundError(name='openvino')")
    monkeypatch.syspath_prepend(tmp_path)
    jobs = {name: tiny(tmp_path / name, name) for name in ("litert", "onnxruntime", "openvino")}
    measured, failures = measure({**jobs, "broken": tiny(tmp_path / "broken", "litert", b"garbage!")}, rounds=2, runs=3)
    assert [(label, len(m.turns), len(m.turns[0].seconds)) for label, m in measured.items()] == [("litert", 2, 3), ("onnxruntime", 2, 3)]
    assert comparison.difference(measured["onnxruntime"].output, measured["litert"].output) < 1e-5
    assert all(0 < m.facts["load_s"] < m.facts["start_s"] for m in measured.values())
    assert failures.keys() == {"openvino", "broken"}
    assert failures["openvino"] == "not installed: openvino"


def made_up(milliseconds: float, output: tuple[float, ...] = (1, 2, 4), wobble: float = 0.1) -> Measured:
    """Two rounds, of `milliseconds` and of some more."""
    turns = [Turn([1e-3 * milliseconds] * 3, 0.0), Turn([1e-3 * milliseconds * (1 + wobble)] * 3, 0.0)]
    facts: Facts = {"version": "1", "load_s": 0.1, "first_start_s": 0.5, "start_s": 0.3, "peak_mb": 80.0}
    return Measured(facts, np.asarray(output, np.float32), turns)


@pytest.fixture
def found() -> dict[str, Any]:
    """A run of two networks: planish 4 ms; LiteRT 5 and wrong on the second; MNN 2 on the second; tinygrad 40; ncnn failed."""
    first = {"planish": made_up(4), "litert": made_up(5), "mnn": made_up(8), "tinygrad": made_up(40, wobble=0.2)}
    second = {"planish": made_up(4), "litert": made_up(5, (1, 2, 5)), "mnn": made_up(2)}
    failed = {"ncnn": "not installed: ncnn"}
    return {
        "settings": {"engines": ["planish", "litert", "mnn", "ncnn", "tinygrad"]},
        "networks": {
            "one": comparison.of_network(1.0, first, failed),
            "two": comparison.of_network(2.0, second, {**failed, "tinygrad": "it has\nno kernel"}),
        },
    }


def test_ratios_are_to_the_fastest(found: dict[str, Any]) -> None:
    one, two = found["networks"].values()
    assert (one["fastest"], one["fastest_opencl"], two["fastest"], two["fastest_opencl"]) == ("litert", "tinygrad", "mnn", None)
    assert one["ratios"]["litert"] == pytest.approx({"median": 0.8, "p10": 0.8, "p90": 0.8, "of_minima": 0.8})
    assert one["ratios"]["tinygrad"]["p10"] < one["ratios"]["tinygrad"]["median"] < one["ratios"]["tinygrad"]["p90"]
    assert comparison.geometric_mean(found) == pytest.approx((0.8 * 2) ** 0.5)
    assert comparison.geometric_mean({**found, "networks": {}}) is None


def test_mistakes(found: dict[str, Any]) -> None:
    """What others cannot run, or not exactly, is told; a run fails where planish does or differs."""
    one, two = found["networks"].values()
    assert comparison.remarks(one) == {"ncnn": "did not run: not installed: ncnn"}
    assert comparison.remarks(two)["litert"] == "differs by 2.5e-01"
    assert comparison.mistakes(one) == comparison.mistakes(two) == []
    absent = comparison.of_network(1.0, {"mnn": made_up(1)}, {"planish": "no device"})
    assert comparison.mistakes(absent) == ["planish did not run: no device"]
    outputs = {"litert": (1, 2, 4), "planish": (1, 2, 4.1), "mnn": (1, 2), "planish_onnx": (1, 2, float("nan")), "ncnn": (1, 2, 4)}
    odd = comparison.of_network(1.0, {label: made_up(1, output) for label, output in outputs.items()}, {})
    assert comparison.remarks(odd).keys() == {"planish", "mnn", "planish_onnx"}
    assert comparison.mistakes(odd) == ["planish differs by 2.5e-02", "planish_onnx differs by inf"]
    outputs = {"litert": (1, 2, 4), "mnn": (1, 2, 4), "planish_f16": (1, 2, 4.1)}
    half = comparison.of_network(1.0, {label: made_up(1, output) for label, output in outputs.items()}, {})
    assert comparison.mistakes(half) == []


def test_tables_tell_all(found: dict[str, Any]) -> None:
    table = tables.of_network("two", found["networks"]["two"])
    assert [list(column.cells)[1] for column in table.columns][:6] == ["litert", "5.25", "5.00", "381", "0.800", "2.5e-01 !"]
    assert "ncnn did not run: not installed: ncnn" in str(table.caption)
    text = tables.markdown(found)
    assert "| one | 4.00 / 4.20 | 5.00 / 5.25 | 8.00 / 8.40 | – | 40.00 / 44.00 | 0.80 (litert) | 0.10 (tinygrad) |" in text
    assert "| two | 4.00 / 4.20 | 5.00 / 5.25 | 2.00 / 2.10 | – | – | 2.00 (mnn) | – |" in text
    assert "| one | 0.50 / 0.30; 80 |" in text
    assert "- two: tinygrad did not run: it has no kernel\n" in text
    assert "- two: litert differs by 2.5e-01\n" in text
    nothing = comparison.of_network(1.0, {}, {"planish": "no device"})
    assert "planish did not run: no device" in str(tables.of_network("none", nothing).caption)


def test_plot(found: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot.ratios(found, tmp_path / "ratios.svg")
    text = " ".join(ElementTree.parse(tmp_path / "ratios.svg").getroot().itertext()).split()
    assert {"one", "two", "litert", "mnn", "tinygrad"} <= set(text)
    assert "ncnn" not in text
    plot.ratios({**found, "networks": {}}, tmp_path / "empty.svg")
    assert not (tmp_path / "empty.svg").exists()


def test_growth() -> None:
    """A point that takes the time of its arithmetic is at 1; one that takes twice that, at 2."""
    nets = [growth.NETWORKS["squeezenet"](), growth.NETWORKS["squeezenet"](batch=2), growth.NETWORKS["squeezenet"](batch=4)]
    times = {"planish": (3.0, 6.0, 24.0), "litert": (3.0, 12.0)}
    measured = {growth.label(engine, net): made_up(ms) for engine, row in times.items() for net, ms in zip(nets, row)}
    found = growth.record("squeezenet", nets, ["planish", "litert"], measured, {"litert 4 x 224": "no memory"})
    shares = [[e.get("of_proportional") for e in point["engines"].values()] for point in found["points"]]
    assert shares == [[pytest.approx(1), pytest.approx(1)], [pytest.approx(1), pytest.approx(2)], [pytest.approx(2), None]]
    table = growth.table(found, ["planish", "litert"])
    assert list(table.columns[3].cells) == ["3.15  1.00", "3.15  1.00", "6.30  2.00"]
    assert "no memory" in str(table.caption)


@pytest.mark.parametrize("argv", [["--engines", "tvm"], ["--networks", "alexnet"], ["--growth", "alexnet"], ["--rounds", "0"]])
def test_command_line_refuses(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert argv[0] in said or argv[1] in said


def test_every_engine_says_what_it_is() -> None:
    assert all(engine.package and engine.load.__doc__ for engine in ENGINES.values())


def test_ranking(tmp_path: Path) -> None:
    """Correlations of ranks, and what the first guesses lose."""
    assert ranking.correlation([1, 2, 3, 9], [10, 20, 25, 400]) == pytest.approx(1)
    assert ranking.correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert ranking.correlation([1, 2, 2, 3], [1, 3, 2, 4]) == pytest.approx(0.9486833)
    assert ranking.correlation([1, 1, 1], [3, 2, 1]) == 0

    def launch(count: int, *times: float) -> dict[str, Any]:
        rows = [{"name": "a", "template": "ab"[k % 2], "cost": k + 1.0, "microseconds": t} for k, t in enumerate(times)]
        return {"launch": "Conv2D", "count": count, "candidates": rows}

    found = ranking.of_network([launch(3, 11, 10, 12), launch(1, 20, 21), launch(2, 5, 6, 7)], 4)
    assert found["launches"] == 3 and found["candidates"] == 8 and found["within"] == pytest.approx(0.75)
    assert found["loss"] == {"1": pytest.approx(3 / 60), "2": 0, "4": 0, "8": 0, "16": 0}
    assert {name: (row["launches"], row["candidates"], row["within"]) for name, row in found["templates"].items()} == {
        "a": (3, 5, None), "b": (3, 3, None)}  # fmt: skip
    text = ranking.markdown({"device": "a device", "networks": {"net": found}})
    assert "| net | 3 of 4 | 8 | 0.75 | 5.0 % | 0.0 % |" in text and "| net | `a` | 3 | 5 | – | " in text
    with pytest.raises(SystemExit):
        ranking.main(["--networks", "nothing"])
    assert ranking.main(["--device", "no such device", "--out", str(tmp_path / "r")]) == 1
