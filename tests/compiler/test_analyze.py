"""`planish analyze`, and the networks of examples/intensities.py: counts held against what is known of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from examples import intensities
from planish.compiler import analyze
from planish.compiler.cli import main
from tests.oracles import onnx_model

ROOT = Path(__file__).resolve().parents[2]


def small(folder: Path) -> Path:
    """A convolution with its bias and a rectifier; two depthwise ones by the same weights; a pooling; a dense layer."""
    weights = {"w": np.ones((32, 16, 3, 3), np.float32), "b": np.ones(32, np.float32), "d": np.ones((32, 1, 5, 5), np.float32),
               "m": np.full((32, 10), 0.5, np.float32)}
    wide = {"group": 32, "pads": [2, 2, 2, 2]}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "dense", pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["r"], "rectify"),
        helper.make_node("Conv", ["r", "d"], ["e"], "spread", **wide), helper.make_node("Sigmoid", ["e"], ["s"], "act"),
        helper.make_node("Conv", ["s", "d"], ["f"], "again", **wide),
        helper.make_node("GlobalAveragePool", ["f"], ["g"], "mean"), helper.make_node("Flatten", ["g"], ["h"], "flat"),
        helper.make_node("MatMul", ["h", "m"], ["y"], "classes"),
    ]  # fmt: skip
    path = folder / "small.onnx"
    path.write_bytes(onnx_model(nodes, {"x": (np.float32, (1, 16, 20, 20))}, ["y"], weights).SerializeToString())
    return path


@pytest.mark.parametrize(("precision", "itemsize"), [("f32", 4), ("f16", 2)])
def test_counts(precision: str, itemsize: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(small(tmp_path)), "--json", "--precision", precision]) == 0
    found = json.loads(capsys.readouterr().out)
    layers = {name: layer for layer in found["layers"] for name in layer["name"].split(", ")}
    pixels = 20 * 20
    assert layers["dense"] is layers["rectify"] and layers["dense"]["op"] == "Conv2D + add + relu"
    assert (layers["dense"]["parameters"], layers["dense"]["macs"]) == (9 * 16 * 32 + 32, pixels * 9 * 16 * 32)
    assert (layers["spread"]["parameters"], layers["spread"]["macs"]) == (25 * 32, pixels * 25 * 32)
    assert layers["spread"]["nbytes"] == itemsize * (2 * pixels * 32 + 25 * 32)
    assert layers["spread"]["intensity"] == pytest.approx(layers["spread"]["flops"] / layers["spread"]["nbytes"])
    assert layers["spread"]["flops"] == 2 * layers["spread"]["macs"]
    assert (layers["again"]["parameters"], layers["again"]["macs"]) == (25 * 32, pixels * 25 * 32)
    assert (layers["classes"]["parameters"], layers["classes"]["macs"]) == (320, 320)
    assert (layers["mean"]["parameters"], layers["mean"]["macs"]) == (0, 0)
    whole = found["total"]
    assert whole["parameters"] == 9 * 16 * 32 + 32 + 2 * 25 * 32 + 320
    assert whole["macs"] == pixels * (9 * 16 * 32 + 2 * 25 * 32) + 320
    assert whole["nbytes"] == sum(layer["nbytes"] for layer in found["layers"])


def test_winograd_counts_as_it_is_defined(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(ROOT / "examples/upscaler/upscaler.onnx"), "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)["total"]
    products = 5 * 5 * 3 * 32 + 6 * 9 * 32 * 32 + 128 * 32 + 25 * 32 + 9 * 32 * 12
    assert whole["macs"] == 128 * 128 * products
    assert whole["parameters"] == products + 32 + 32 + 6 * 32 + 32 + 32 + 32 + 12  # biases and slopes


def test_as_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(small(tmp_path))]) == 0
    lines = capsys.readouterr().out.splitlines()
    (dense,) = (line for line in lines if line.lstrip().startswith("dense, "))
    assert dense.split()[:7] == ["dense,", "rectify", "Conv2D", "+", "add", "+", "relu"] and "4,640" in dense and "1,843,200" in dense
    assert next(line for line in reversed(lines) if line.strip()).split()[:4] == ["in", "all", "6,560", "2,483,520"]


def test_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(tmp_path / "none.onnx")]) == 1
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("name", intensities.NETWORKS)
def test_known_networks(name: str) -> None:
    known = intensities.NETWORKS[name]
    one, many = (analyze.total(intensities.counted(name, batch)) for batch in (1, 8))
    assert many.macs == 8 * one.macs and many.parameters == one.parameters
    assert known.parameters * 0.99 < one.parameters <= known.parameters
    assert one.nbytes < many.nbytes < 8 * one.nbytes


def test_a_network_that_is_not_as_published(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    known = intensities.NETWORKS["MobileNet v1"]
    for wrong in ({"parameters": known.parameters + 1}, {"macs": 500e6}):
        monkeypatch.setitem(intensities.NETWORKS, "MobileNet v1", intensities.Known(**{**vars(known), **wrong}))
        assert intensities.main(["--layers", "MobileNet v1"]) == 1
        assert capsys.readouterr().out.startswith("WRONG: MobileNet v1: ")


def test_the_table_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/inspect.md has the figures that the example prints."""
    assert intensities.main([]) == 0

    def rows(text: str) -> list[list[str]]:
        lines = (line.strip() for line in text.splitlines())
        cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|"))
        return [row for row in cells if row[0] in intensities.NETWORKS]

    printed = rows(capsys.readouterr().out)
    assert [row[0] for row in printed] == list(intensities.NETWORKS)
    assert rows((ROOT / "docs/inspect.md").read_text()) == printed
