"""Models compiled when they are first met: kept by what decides the plan, and as little trusted as all that is in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import planish.compiler
from planish.runtime import InferenceSession, InputError, Interpreter, PlanError, models
from planish.runtime.models import plan_of
from planish.runtime.plan import Plan
from tests.harness import floats
from tests.oracles import onnx_model, write
from tests.tflite_writer import TfliteWriter

pytestmark = pytest.mark.device
ROOT = Path(__file__).resolve().parents[1]
X = floats((2, 8))[0]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of each compilation, as it happens."""
    calls: list[dict[str, Any]] = []
    compile_model = planish.compiler.compile_model

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(options)
        return compile_model(*arguments, **options)

    monkeypatch.setattr(planish.compiler, "compile_model", counted)
    return calls


def model(factor: float = 2) -> TfliteWriter:
    m = TfliteWriter()
    x = m.input("x", (1, 8), "float32", signature=(-1, 8))
    m.output(m.op("MUL", [x, m.constant(np.float32([factor]))], {}, shape=(1, 8), dtype="float32"))
    return m


def entries(cache: Path) -> set[Path]:
    return set(cache.glob("plans/*"))


def doubled(path: Path, **options: Any) -> None:
    session = InferenceSession(path, batch=2, **options)
    (result,) = session.run(None, {"x": X})
    np.testing.assert_allclose(result, 2 * X, rtol=1e-3 if options.get("precision") == "f16" else 0)


def test_the_second_time_nothing_is_compiled(tmp_path: Path, cache: Path, compiled: list[Any]) -> None:
    path = write(tmp_path, model())
    doubled(path)
    (entry,) = entries(cache)
    assert len(compiled) == 1 and Plan.read(entry).provenance["source"] == "model.tflite"
    doubled(path)
    doubled(path.rename(tmp_path / "elsewhere.tflite"))
    assert len(compiled) == 1 and entries(cache) == {entry}


def test_what_decides_the_plan_has_an_entry_of_its_own(
    tmp_path: Path, cache: Path, compiled: list[Any], monkeypatch: pytest.MonkeyPatch, device: Any
) -> None:
    path = write(tmp_path, model())
    array = np.ones((2, 8), np.float32)
    ways: list[dict[str, Any]] = [
        {}, {"precision": "f16"}, {"batch": 2}, {"batch": 3}, {"input_shapes": {"x": (2, 8)}}, {"host": False},
        {"input_values": {"x": array}}, {"input_values": {"x": 2 * array}}, {"input_values": {"x": array.astype(np.float64)}},
    ]  # fmt: skip
    for _ in range(2):
        for options in ways:
            plan_of(path, device, options, recorded_shapes=True)
        assert len(compiled) == len(entries(cache)) == len(ways)
    plan_of(model(3).finish(), device, {}, recorded_shapes=True)  # another content
    monkeypatch.setattr(models, "identity", lambda device: ("another device",))
    plan_of(path, device, {}, recorded_shapes=True)
    monkeypatch.setattr(models, "_toolchain", lambda: "another compiler")
    plan_of(path, device, {}, recorded_shapes=True)
    assert len(compiled) == len(entries(cache)) == len(ways) + 3


@pytest.mark.parametrize("damage", ["cut", "alter", "remove", "fold", "replace"])
def test_a_damaged_entry_is_compiled_again(damage: str, tmp_path: Path, cache: Path, compiled: list[Any]) -> None:
    path = write(tmp_path, model())
    doubled(path)
    (entry,) = entries(cache)
    whole = (entry / "plan.json").read_bytes()
    (source,) = (entry / "kernels").glob("*.cl")
    match damage:
        case "cut":
            (entry / "plan.json").write_bytes(whole[: len(whole) // 2])
        case "alter":
            source.write_text(source.read_text().replace("*", "+"))
        case "remove":
            (entry / "weights.bin").unlink()
        case "fold":
            (entry / "plan.json").unlink()
            (entry / "plan.json").mkdir()
        case "replace":
            entry.rename(tmp_path / "moved")
            entry.write_text("no folder")
    doubled(path)
    assert len(compiled) == 2 and (entry / "plan.json").read_bytes() == whole
    doubled(path)
    assert len(compiled) == 2


def test_a_cache_that_cannot_be_written_or_is_off(
    tmp_path: Path, cache: Path, compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, model())
    cache.write_text("no folder")
    doubled(path)
    monkeypatch.setenv("PLANISH_CACHE", "off")
    doubled(path)
    assert len(compiled) == 2 and cache.read_text() == "no folder"


def test_weights_in_another_file_are_read_anew(tmp_path: Path, cache: Path, compiled: list[Any]) -> None:
    """The content of the model's file does not say what lies there."""
    node = helper.make_node("Mul", ["x", "w"], ["y"])
    whole = onnx_model([node], {"x": (np.float32, (2, 8))}, ["y"], {"w": np.full((2, 8), 2, np.float32)})
    path = tmp_path / "model.onnx"
    onnx.save(whole, path, save_as_external_data=True, location="weights", size_threshold=0)
    assert models.ELSEWHERE in path.read_bytes()
    for factor in (2, 5):
        (tmp_path / "weights").write_bytes(np.full((2, 8), factor, np.float32).tobytes())
        (result,) = InferenceSession(path).run(None, {"x": X})
        np.testing.assert_allclose(result, factor * X)
    assert len(compiled) == 2 and not entries(cache)


FILL = """
import sys
import numpy as np
from planish.runtime import InferenceSession
(result,) = InferenceSession(sys.argv[1], batch=2).run(None, {"x": np.ones((2, 8), np.float32)})
assert (result == 2).all()
"""


def test_several_processes_fill_it_at_once(tmp_path: Path, cache: Path, compiled: list[Any]) -> None:
    path = write(tmp_path, model())
    at_once = [subprocess.Popen([sys.executable, "-c", FILL, path], env={**os.environ}, cwd=ROOT) for _ in range(3)]
    assert [process.wait() for process in at_once] == [0, 0, 0]
    assert len(entries(cache)) == 1
    doubled(path)
    assert not compiled


def test_without_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, model())
    monkeypatch.setitem(sys.modules, "planish.compiler", None)
    monkeypatch.setattr(models, "_toolchain", models._toolchain.__wrapped__)
    for open_model in (Interpreter, InferenceSession):
        with pytest.raises(PlanError, match=r"model\.tflite is a model, and there is no compiler to make a plan of it: "):
            open_model(path)


def test_options_are_for_models(tmp_path: Path, device: Any) -> None:
    plan = plan_of(model().finish(), device, {"batch": 2})
    plan.write(tmp_path / "plan")
    assert plan_of(tmp_path / "plan", device, {}).inputs == plan.inputs
    with pytest.raises(InputError, match="plan is a plan, for which 'batch' comes too late; it is an option beside a model's file"):
        plan_of(tmp_path / "plan", device, {"batch": 2})
    with pytest.raises(InputError, match="no option 'tune'; precision, input_shapes, input_values, dims, batch, host are accepted"):
        plan_of(model().finish(), device, {"tune": "full"})
