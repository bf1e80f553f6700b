"""The examples do what they say: the demo's numbers are right, and its pictures are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples import demo, litert_script
from planish.runtime import Plan
from planish.runtime.devices import describe, find
from tests.oracles import write
from tests.tflite_writer import Quantization, TfliteWriter

pytestmark = pytest.mark.device
TRUTH = Path(demo.__file__).parent / "upscaler" / "picture_truth.png"


def run(folder: Path, *options: str) -> int:
    return demo.main(["--repeat", "1", "-o", str(folder), *options])


@pytest.mark.parametrize("format", ["tflite", "onnx"])
def test_demo(format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--format", format) == 0
    said = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert describe(find()) in said["device"]
    assert float(said["error"].split("at most ")[1].split()[0]) < 2e-6
    assert f"upscaler.{format}" in said["model"] and "ms" in said["time"] and said["result"].endswith("right")

    pixels, truth = (np.asarray(Image.open(p), np.float64) for p in (tmp_path / "upscaled.png", TRUTH))
    psnr = 20 * np.log10(255 / np.sqrt(np.square(pixels - truth).mean()))
    assert psnr == pytest.approx(33.13, abs=0.02)  # as examples/upscaler/README.md says of this picture
    assert f"{psnr:.2f} dB" in said["PSNR"]
    assert Plan.read(tmp_path / "upscaler.plan").provenance["source"] == f"upscaler.{format}"

    sheet = np.asarray(Image.open(tmp_path / "comparison.png"))
    side = demo.ZOOM * (demo.DETAIL[2] - demo.DETAIL[0])
    left, top, right, bottom = demo.DETAIL
    corner = sheet.shape[0] - 8 - side, sheet.shape[1] - 8 - side  # of the truth's detail
    shown = sheet[corner[0] : corner[0] + side : demo.ZOOM, corner[1] : corner[1] + side : demo.ZOOM]
    np.testing.assert_array_equal(shown, truth[top:bottom, left:right])


@pytest.mark.parametrize(("what", "change"), [
    ("too far from the reference", ("TOLERANCE", 1e-12)),
    ("no better than bicubic", ("psnr", lambda picture, truth: 30.0)),
])  # fmt: skip
def test_a_wrong_result_is_a_failure(
    what: str, change: tuple[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, *change)
    assert run(tmp_path) == 1
    assert f"WRONG: {what}" in capsys.readouterr().out


def test_litert_script(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With LiteRT itself, which takes the import that it names, it prints the same."""
    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path / "cache"))
    litert_script.main([])
    ours = capsys.readouterr().out
    source = Path(litert_script.__file__).read_text()
    before = "from planish.runtime import Interpreter  # in place of: from ai_edge_litert.interpreter import Interpreter"
    assert source.count(before) == 1
    names: dict[str, object] = {"__name__": "script", "__file__": litert_script.__file__}
    code = compile(source.replace(before, "from ai_edge_litert.interpreter import Interpreter"), "script", "exec", dont_inherit=True)
    exec(code, names)
    names["main"]([])  # type: ignore[operator]
    assert capsys.readouterr().out.splitlines()[0] == ours.splitlines()[0] and ours.startswith("33.1")


def classifier(quantised: bool) -> TfliteWriter:
    """The mean of each channel of a picture."""
    grid = Quantization([1 / 127.5], [-1]) if quantised else None
    m, dtype = TfliteWriter(), "int8" if quantised else "float32"
    x = m.input("x", (1, 16, 16, 3), dtype, grid)
    m.output(m.op("MEAN", [x, m.constant(np.int32([1, 2]))], {}, shape=(1, 3), dtype=dtype, quantization=grid))
    return m


@pytest.mark.parametrize("quantised", [False, True])
def test_litert_script_classifies(
    quantised: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path / "cache"))
    Image.new("RGB", (20, 30), (30, 200, 90)).save(tmp_path / "green.png")
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    model = write(tmp_path, classifier(quantised))
    litert_script.main(["-m", str(model), "-i", str(tmp_path / "green.png"), "-l", str(tmp_path / "labels.txt"), "--top", "2"])
    first, second, _ = capsys.readouterr().out.splitlines()
    assert (first.split()[1], second.split()[1]) == ("green", "blue")
    assert float(first.split()[0]) == pytest.approx(200 / 127.5 - 1, abs=1 / 127.5 if quantised else 1e-5)


def test_demo_without_its_device(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--device", "no such device") == 1
    assert capsys.readouterr().err.startswith("error: no OpenCL device fits")
    assert not any(tmp_path.iterdir())
