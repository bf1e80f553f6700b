"""The examples do what they say: their numbers are right, their pictures are there, and a wrong result is a failure."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from examples import common, demo, litert_script
from planish.runtime import Plan
from planish.runtime.devices import describe, find
from tests.oracles import write
from tests.tflite_writer import Quantization, TfliteWriter

pytestmark = pytest.mark.device
EXAMPLES = Path(demo.__file__).parent
TRUTH = EXAMPLES / "upscaler" / "picture_truth.png"
PAGE = (EXAMPLES / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python (examples/\w+\.py)$", PAGE, re.MULTILINE)
LEFT = {"classify": ["classify.png"], "segment": ["segment.png"], "detect": ["detect.png"], "upscale": ["upscale.png"],
        "keywords": ["keywords.png", "keywords.wav"], "stream": ["stream.png", "noisy.wav", "denoised.wav"], "camera": ["camera.png"],
        "batch": ["batch.csv"]}  # fmt: skip


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


def example(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, command)], cwd=EXAMPLES.parent, capture_output=True, text=True, encoding="utf-8")


def test_every_example_has_its_command_and_its_test() -> None:
    scripts = {p.stem for p in EXAMPLES.glob("*.py")} - {"common"}
    assert {Path(command).stem for command in COMMANDS} == scripts == {*LEFT, "demo", "litert_script", "intensities"}


@pytest.mark.parametrize("name", LEFT)
def test_example(name: str, tmp_path: Path) -> None:
    done = example(f"examples/{name}.py", "-o", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].split() == ["result", "right"]
    for file in LEFT[name]:
        assert (tmp_path / file).stat().st_size > 100
        if file.endswith(".png"):
            assert np.ptp(np.asarray(Image.open(tmp_path / file))) > 100
    told = dict(re.findall(r"^\| `(\w+)\.py` \|.*\| ([^|]*) \|$", PAGE, re.MULTILINE))[name]
    said = next((line.split(maxsplit=1)[1] for line in done.stdout.splitlines() if line.split()[0] in ("accuracy", "PSNR")), "")
    numbers = [float(number) for number in re.findall(r"\d+\.\d+", told)]
    np.testing.assert_allclose([float(number) for number in re.findall(r"\d+\.\d+", said)][: len(numbers)], numbers, atol=0.6)


@pytest.mark.parametrize(("command", "status", "what"), [
    ("classify.py digits/digits.onnx upscaler/picture.png --expect cat", 1, "WRONG: cat: not in 'class "),
    ("segment.py shapes/segmenter.onnx upscaler/picture.png --expect dog", 1, "WRONG: no dog found"),
    ("detect.py shapes/detector.onnx upscaler/picture.png --expect 1000", 1, " found instead of 1000"),
    ("detect.py shapes/segmenter.onnx", 1, "error: the model's outputs are {'classes'"),
    ("keywords.py sounds/keywords.onnx upscaler/picture.png", 1, "picture.png: no .wav file of PCM samples"),
    ("classify.py sounds/keywords.onnx", 1, "error: the model's input is samples float32[1, 16000]; one picture is accepted"),
    ("stream.py digits/digits.onnx", 1, "error: the model's first input is image float32[1, 1, 8, 8]"),
    ("camera.py shapes/segmenter.onnx upscaler/upscaler.onnx", 1, " would be accepted"),
    ("classify.py no/such/file.onnx", 1, "error: "),
])  # fmt: skip
def test_what_an_example_refuses(command: str, status: int, what: str, tmp_path: Path) -> None:
    script, *rest = shlex.split(command)
    done = example(EXAMPLES / script, *(EXAMPLES / word if "/" in word else word for word in rest), "-o", tmp_path)
    assert done.returncode == status
    assert what in done.stdout + done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("states", [1, 0])
def test_states_that_the_caller_keeps(states: int, tmp_path: Path) -> None:
    """What a network gives as a state comes back in the next run; of one without any stream.py says that it remembers nothing."""
    names = ["magnitude", "sums"][: 1 + states]
    nodes = [helper.make_node("Add", names, ["more"]) if states else helper.make_node("Identity", names, ["more"]),
             helper.make_node("Sigmoid", ["more"], ["mask"]), helper.make_node("Identity", ["more"], ["sums_out"])]  # fmt: skip
    ports = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 1, 129)) for name in group]
             for group in (names, ["mask", "sums_out"][: 1 + states])]  # fmt: skip
    graph = helper.make_graph(nodes[: 2 + states], "sums", *ports)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "sums.onnx")
    common.write_wav(tmp_path / "noise.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 4000), 16000)
    done = example("examples/stream.py", tmp_path / "sums.onnx", tmp_path / "noise.wav", "-o", tmp_path)
    assert done.returncode == 1 - states, done.stdout + done.stderr
    assert ("right" if states else "WRONG: nothing remembered") in done.stdout
