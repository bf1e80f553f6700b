"""`planish verify`: what is right passes, what is wrong is named, and half precision is mended where it has to be."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyopencl as cl
import pytest
from onnx import helper

from planish.compiler import compile_model, targets
from planish.compiler.cli import main
from planish.compiler.kernel import Site
from planish.compiler.lower import Launch, lower
from planish.compiler.verify.deviation import deviation
from planish.compiler.verify.layers import compare
from planish.compiler.verify.pair import matched, pair
from planish.runtime import Plan
from planish.runtime.plan import Launch as Launched
from planish.runtime.stepping import Stepper
from tests.oracles import onnx_model, write
from tests.runtime.plans import linear

ROOT = Path(__file__).resolve().parents[2]
UPSCALER = ROOT / "examples/upscaler/upscaler"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def layered(*scales: float, size: int = 32, channels: int = 16) -> Path:
    """Convolutions `conv0`, `conv1`, … with weights from 0 to a scale, each with a `relu0`, … behind it."""
    rng, nodes, weights, x = np.random.default_rng(5), [], {}, "x"
    for k, scale in enumerate(scales):
        weights[f"w{k}"] = (scale * rng.random((channels, channels if k else 3, 3, 3))).astype(np.float32)
        nodes += [helper.make_node("Conv", [x, f"w{k}"], [f"c{k}"], f"conv{k}", pads=[1, 1, 1, 1]),
                  helper.make_node("Relu", [f"c{k}"], [f"r{k}"], f"relu{k}")]
        x = f"r{k}"
    return write(Path(), onnx_model(nodes, {"x": (np.float32, (1, 3, size, size))}, [x], weights))


LARGE = (0.1, 2e3, 1e-3, 1e-3)
"""Behind the second convolution values are too large for half precision, and behind the third no more."""


def compiled(model: Path, *options: str) -> Path:
    assert main(["compile", str(model), "-o", "plan", *options]) == 0
    return Path("plan")


def verified(capsys: Capture, *arguments: object, status: int = 0) -> tuple[str, str]:
    """What is told, and the verdict."""
    capsys.readouterr()
    assert main(["verify", *map(str, arguments)]) == status
    out, err = capsys.readouterr()
    assert err.count("\n") == status
    return out, err if status else out.splitlines()[-1]


def altered(number: int) -> Plan:
    """The plan with the weights of a launch times 1.5."""
    plan = Plan.read("plan")
    launch = plan.launches[number]
    assert isinstance(launch, Launched)
    place = max((a for a in launch.arguments if a.buffer == "weights"), key=lambda a: a.nbytes)
    weights = bytearray(plan.weights)
    numbers = np.frombuffer(weights, np.float32, place.nbytes // 4, place.offset)
    numbers *= 1.5
    return replace(plan, weights=weights)


@pytest.mark.device
@pytest.mark.parametrize(("name", "reference"), [
    ("onnx", "numpy"), ("tflite", "numpy"), ("tflite", "litert"), ("onnx", "onnxruntime"), ("tflite", "auto")])  # fmt: skip
def test_the_example(capsys: Capture, name: str, reference: str) -> None:
    if reference in ("litert", "auto"):
        pytest.importorskip("ai_edge_litert")
    if reference == "onnxruntime":
        pytest.importorskip("onnxruntime")
    model = UPSCALER.with_suffix(f".{name}")
    compiled(model)
    out, verdict = verified(capsys, model, "plan", "--reference", reference, "--layers")
    meant = "litert" if reference == "auto" else reference
    assert verdict == f"plan gives what {meant} makes of {model}: within 0.0001"
    assert re.search(r"^upscaled +\S+ +[\d.]+ +\S+e-0[678] +within 0.0001$", out, re.MULTILINE)
    assert len(re.findall(r"^ *\d+ ", out, re.MULTILINE)) == len(Plan.read("plan").launches)
    assert "no launch errs by more than the tolerance by itself" in out


@pytest.mark.device
@pytest.mark.parametrize("options", [[], ["--no-megakernel"], ["--no-winograd"]], ids=str)
def test_an_altered_weight_is_found(capsys: Capture, options: list[str]) -> None:
    """In the plan itself, though the model that it is held against, compiled again, is sound."""
    model = UPSCALER.with_suffix(".onnx")
    compiled(model, *options)
    number = 4
    altered(number).write("plan")
    out, verdict = verified(capsys, model, "plan", "--reference", "numpy", "--layers", status=1)
    nodes = ", ".join(Plan.read("plan").launches[number].nodes)
    assert re.search(rf"^the error jumps at launch {number}, .*; nodes: {re.escape(nodes)}$", out, re.MULTILINE)
    assert verdict.startswith("error: plan does not give what numpy makes of ")
    assert "'upscaled' deviates by " in verdict
    _, verdict = verified(capsys, model, "plan", status=1)
    assert "; --layers names the launch" in verdict


@pytest.mark.device
def test_within_a_chain(device: cl.Device) -> None:
    """Launches that are computed band by band are one, whose result is looked at."""
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(96, 16, 1, 1)), "b": rng.normal(size=(96, 1, 3, 3)), "c": rng.normal(size=(16, 96, 1, 1))}
    nodes = [helper.make_node("Conv", ["x", "f"], ["x0"], "first", pads=[1, 1, 1, 1]),
             helper.make_node("Conv", ["x0", "a"], ["y"], "expand"),
             helper.make_node("Conv", ["y", "b"], ["z"], "depthwise", pads=[1, 1, 1, 1], group=96),
             helper.make_node("Conv", ["z", "c"], ["out"], "project")]  # fmt: skip
    weights["f"] = rng.normal(size=(16, 3, 3, 3))
    model = write(Path(), onnx_model(nodes, {"x": (np.float32, (1, 3, 128, 128))}, ["out"],
                                     {name: array.astype(np.float32) for name, array in weights.items()}))  # fmt: skip
    plan, _ = compile_model(model, replace(targets.named("cpu"), cache=500_000))
    assert plan is not None
    both = pair(model, Path("plan"), plan, {})
    graph = both.laid_out()
    matches = matched(plan, both.schedule(graph))
    assert any(len(match.sites) > 1 for match in matches)
    inputs = {"x": rng.random((1, 3, 128, 128), np.float32)}
    with Stepper(plan, device) as session:
        found = compare(session, graph, matches, inputs, inputs)
        expected = session.run(inputs)["out"]
    assert len(found.layers) == len(plan.launches)
    assert all(layer.own.within(1e-5) and layer.error.within(1e-5) for layer in found.layers)
    assert deviation(expected, found.outputs["out"]).within(1e-5)


@pytest.mark.device
def test_steps_on_the_host(capsys: Capture) -> None:
    nodes = [helper.make_node("Neg", ["x"], ["n"], "neg"), helper.make_node("Relu", ["n"], ["r"], "relu"),
             helper.make_node("NonZero", ["r"], ["found"], "where")]  # fmt: skip
    model = onnx_model(nodes, {"x": (np.float32, (4, 6))}, ["found"])
    model.graph.output[0].type.tensor_type.elem_type = 7
    path = write(Path(), model)
    np.save("x.npy", np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32))
    compiled(path)
    out, _ = verified(capsys, path, "plan", "--layers", "--input", "x=x.npy", "--reference", "numpy")
    assert "host nonzero" in out


@pytest.mark.device
def test_a_loop_is_compared_by_its_outputs_alone(capsys: Capture) -> None:
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "s"], ["t"], "twice"), helper.make_node("ReduceSum", ["t"], ["sum"], keepdims=0),
         helper.make_node("Less", ["sum", "most"], ["more"])], "body",
        [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("go", 9, []), helper.make_tensor_value_info("s", 1, [4])],
        [helper.make_tensor_value_info("more", 9, []), helper.make_tensor_value_info("t", 1, [4])])  # fmt: skip
    node = helper.make_node("Loop", ["", "yes", "x"], ["y"], "loop", body=body)
    constants = {"yes": np.array(True), "most": np.array(100, np.float32)}
    model = write(Path(), onnx_model([node], {"x": (np.float32, (4,))}, ["y"], constants))
    compiled(model)
    assert Plan.read("plan").loops
    verified(capsys, model, "plan")
    _, verdict = verified(capsys, model, "plan", "--layers", status=1)
    assert "a loop that the host drives, loop; without --layers and --keep-f32 it would be accepted" in verdict


@pytest.mark.device
def test_a_plan_for_gpus(capsys: Capture) -> None:
    """A kernel each, images in blocks of four channels."""
    model = UPSCALER.with_suffix(".onnx")
    compiled(model, "--target", "gpu", "--precision", "f16")
    out, _ = verified(capsys, model, "plan", "--layers", "--reference", "numpy")
    assert len(re.findall(r"^ *\d+ ", out, re.MULTILINE)) == len(Plan.read("plan").launches)


# -- half precision


@pytest.mark.device
def test_half_precision_is_mended(capsys: Capture) -> None:
    model = layered(*LARGE)
    compiled(model, "--precision", "f16")
    out, verdict = verified(capsys, model, "plan", "--layers", status=1)
    assert re.search(r"^the error jumps at launch 2, .* by inf .*nodes: conv1, relu1$", out, re.MULTILINE)
    assert "'r3' deviates by inf" in verdict
    out, verdict = verified(capsys, model, "plan", "--keep-f32", "keep.json", status=1)
    assert "launches that stay in float32: 1; then" in out
    assert "compile it with --keep-f32 keep.json" in verdict
    assert json.loads(Path("keep.json").read_text()) == ["conv1", "relu1"]
    for given in ("keep.json", "conv1", "conv1,relu1"):
        compiled(model, "--precision", "f16", "--keep-f32", given)
        verified(capsys, model, "plan", "--layers")
    assert Plan.read("plan").provenance["keep_f32"] == ["conv1", "relu1"]


@pytest.mark.device
@pytest.mark.slow
def test_values_that_hide_others(capsys: Capture) -> None:
    """Behind a value that overflowed the next one cannot be seen; what does not overflow stays in half precision."""
    model = layered(0.1, 2e3, 0.1, 1e-5, 1e-2, 0.1)
    compiled(model, "--precision", "f16")
    verified(capsys, model, "plan", "--keep-f32", "keep.json", status=1)
    kept = json.loads(Path("keep.json").read_text())
    assert {"conv1", "conv2"} <= set(kept)
    assert not {"conv0", "conv5"} & set(kept)
    compiled(model, "--precision", "f16", "--keep-f32", "keep.json")
    verified(capsys, model, "plan")


@pytest.mark.device
@pytest.mark.slow
def test_a_tolerance_that_half_precision_misses_everywhere(capsys: Capture) -> None:
    """No launch is far off; some of them are kept in float32, and float32 is not asked for more than it can."""
    model = layered(0.1, 0.1, 0.1, 0.1)
    compiled(model, "--precision", "f16")
    verified(capsys, model, "plan", "--tolerance", "5e-5", "--keep-f32", "keep.json", status=1)
    assert 2 <= len(json.loads(Path("keep.json").read_text())) <= 8
    compiled(model, "--precision", "f16", "--keep-f32", "keep.json")
    verified(capsys, model, "plan", "--tolerance", "5e-5")
    compiled(model, "--precision", "f16")
    _, verdict = verified(capsys, model, "plan", "--tolerance", "1e-12", "--keep-f32", "keep.json", status=1)
    assert "with all launches in float32 the outputs still deviate" in verdict


def test_what_is_kept_is_stored_in_float32() -> None:
    """Weights and result; all that lies in the same buffer, too, and the compiler's copies of it."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"], "one"), helper.make_node("Conv", ["a", "v"], ["b"], "two"),
             helper.make_node("Conv", ["a", "v"], ["c"], "three"), helper.make_node("Concat", ["b", "c"], ["d"], "both", axis=1),
             helper.make_node("Conv", ["d", "u"], ["e"], "four"), helper.make_node("Conv", ["e", "v"], ["f"], "five")]  # fmt: skip
    rng = np.random.default_rng(0)
    shapes = {"w": (16, 3, 1, 1), "v": (16, 16, 1, 1), "u": (16, 32, 1, 1)}
    constants = {name: rng.random(shape).astype(np.float32) for name, shape in shapes.items()}
    model = write(Path(), onnx_model(nodes, {"x": (np.float32, (1, 3, 8, 8))}, ["f"], constants))
    for keep, single in (((), set()), (("two",), {"two", "three"}), (("one", "four"), {"one", "four"})):
        plan, _ = compile_model(model, "cpu", precision="f16", keep_f32=keep)
        assert plan is not None
        both = pair(model, Path("plan"), plan, {})
        schedule = both.schedule(both.laid_out())
        sites: dict[str, Site] = {source: step.site for step in schedule.launches if isinstance(step, Launch)
                                  for source in step.site.node.sources}  # fmt: skip
        assert {name for name in ("one", "two", "three", "four") if sites[name].output.storage == np.float32} == single
        weights = {name: sites[name].pack("w", lambda: np.zeros(1)).storage for name in ("one", "two", "three", "four", "five")}
        assert {name for name, storage in weights.items() if storage == np.float32} == single
        assert matched(plan, schedule)


def test_without_names_nothing_changes() -> None:
    model = layered(*LARGE)
    plans = [compile_model(model, "cpu", precision="f16", **given)[0] for given in ({}, {"keep_f32": ()})]
    assert plans[0] == plans[1]
    graph = pair(model, Path("plan"), plans[0], {}).laid_out()  # type: ignore[arg-type]
    sites = [step.site for step in lower(graph, targets.named("cpu"), "f16").launches if isinstance(step, Launch)]
    assert [site.output.storage for site in sites[:-1]] == [np.float16] * (len(sites) - 1)


# -- what is refused


def test_deviations() -> None:
    a = np.array([0.0, -4.0, np.inf, np.nan])
    assert deviation(a, a).error == 0
    assert deviation(np.array([1.0, -4.0]), np.array([0.0, -4.0])).relative == 0.25
    assert deviation(np.array([np.inf]), np.array([1.0])).error == np.inf
    assert deviation(np.array([np.nan]), np.array([1.0])).error == np.inf
    assert deviation(np.zeros((2, 1)), np.zeros(2)).error == np.inf
    assert deviation(np.array([3], np.uint8), np.array([5], np.uint8)).error == 2
    assert deviation(np.array([0.5]), np.array([0.0])).relative == 0.5
    assert deviation(np.zeros((0,)), np.zeros((0,))).within(0)


def test_a_plan_of_another_model(capsys: Capture) -> None:
    compiled(UPSCALER.with_suffix(".onnx"), "--target", "cpu")
    _, verdict = verified(capsys, UPSCALER.with_suffix(".tflite"), "plan", status=1)
    assert re.match(r"error: plan is not a plan of \S+upscaler.tflite: it was made of upscaler.onnx, SHA-256 \w{12}…, and", verdict)
    linear().write("plain")
    _, verdict = verified(capsys, UPSCALER.with_suffix(".onnx"), "plain", status=1)
    assert "plain does not tell of which model it was made" in verdict


@pytest.mark.device
def test_a_plan_that_another_version_made(capsys: Capture) -> None:
    model = UPSCALER.with_suffix(".onnx")
    compiled(model)
    plan = Plan.read("plan")
    replace(plan, launches=(*plan.launches[:3], replace(plan.launches[3], nodes=("other",)), *plan.launches[4:])).write("plan")
    _, verdict = verified(capsys, model, "plan", "--layers", "--reference", "numpy", status=1)
    assert "the plan is not as it would be compiled today" in verdict
    assert "its launch 3 is for other, and now " in verdict


@pytest.mark.device
def test_an_input_that_became_a_constant(capsys: Capture) -> None:
    model = write(Path(), onnx_model([helper.make_node("Reshape", ["x", "shape"], ["a"], "r"), helper.make_node("Relu", ["a"], ["y"])],
                                     {"x": (np.float32, (2, 6)), "shape": (np.int64, (2,))}, ["y"]))  # fmt: skip
    compiled(model, "--input-value", "shape=3,4")
    _, verdict = verified(capsys, model, "plan", status=1)
    assert "--input-value shape=" in verdict
    for reference in ("numpy", "onnxruntime"):
        verified(capsys, model, "plan", "--input-value", "shape=3,4", "--reference", reference)


@pytest.mark.parametrize(("arguments", "message"), [
    (["--tolerance", "-1"], "'-1' is not a tolerance"),
    (["--keep-f32", "f"], "--keep-f32 is for plans of half precision, and plan is of f32"),
    (["--reference", "onnxruntime"], "--reference onnxruntime does not read such a model; numpy or litert would be accepted"),
])  # fmt: skip
def test_refusals(capsys: Capture, arguments: list[str], message: str) -> None:
    model = UPSCALER.with_suffix(".tflite")
    compiled(model, "--target", "cpu")
    _, verdict = verified(capsys, model, "plan", *arguments, status=1)
    assert message in verdict


@pytest.mark.parametrize(("arguments", "message"), [
    (["--keep-f32", "conv0"], "--keep-f32 is for --precision f16"),
    (["--precision", "f16", "--keep-f32", "conv9"], "no node 'conv9' to keep in float32; the nearest are 'conv"),
    (["--precision", "f16", "--keep-f32", "gone.json"], "no such file: gone.json"),
    (["--precision", "f16", "--keep-f32", "model.onnx"], "model.onnx is not a list of names, in JSON"),
])  # fmt: skip
def test_nodes_that_cannot_be_kept(capsys: Capture, arguments: list[str], message: str) -> None:
    model = layered(0.1, 0.1)
    assert main(["compile", str(model), "--target", "cpu", *arguments]) == 1
    assert message in capsys.readouterr().err
