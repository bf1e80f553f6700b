"""Tuning: what it chooses, what it keeps, and that whatever it may choose computes the same."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.compiler import Target, cli, compile_model, memory, survey, tune
from planish.compiler import tuning_database as database
from planish.compiler.emit import emit
from planish.compiler.errors import OptionError
from planish.compiler.frontend import load
from planish.compiler.ir import Graph, TensorType, evaluate
from planish.compiler.launches import distinct
from planish.compiler.lower import Launch, LoopStep, Schedule, lower
from planish.compiler.measure import Samples, _every, measure
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Reshape, Transpose
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.softmax import Softmax
from planish.compiler.passes import run
from planish.compiler.targets import of_present
from planish.compiler.tune import Tuning
from planish.compiler.tuning_database import Entry
from planish.runtime import DeviceError, cache
from tests.compiler.ops.test_control import model
from tests.compiler.ops.test_loop import ROTATED, WEIGHTS, loop
from tests.graphs import Build
from tests.harness import CPU, CPU8, GPU, assert_close, execute

ROOT = Path(__file__).resolve().parents[2]
UPSCALER = ROOT / "examples" / "upscaler" / "upscaler.tflite"
ENTRY = Entry("Conv2D", "a #1", 9, {"a #1": 2.5, "b #2": 3.0, "c #3": None})
Capture = pytest.CaptureFixture[str]


def every_kind() -> tuple[Graph, dict[str, np.ndarray]]:
    """First layer, depthwise, pointwise, direct and grouped convolution, pooling, a mean, products of both kinds, a softmax."""
    b = Build()
    pads = ((1, 1), (1, 1))
    x = b("relu", b("add", b(Conv2D((2, 2), pads), b.input(2, 13, 15, 3), b.constant(24, 3, 3, 3, scale=0.2)), b.constant(24)))
    x = b("relu", b(Conv2D((1, 1), pads, groups=24), x, b.constant(24, 3, 3, 1, scale=0.3)))
    x = b("add", b(Conv2D(), x, b.constant(40, 1, 1, 24, scale=0.2)), b.constant(40))
    x = b("add", x, b("relu", b(Conv2D((1, 1), pads), x, b.constant(40, 3, 3, 40, scale=0.05))))
    x = b(Conv2D((1, 1), pads, groups=4), b(Pool2D("max", (2, 2), (2, 2)), x), b.constant(32, 3, 3, 10, scale=0.1))
    rows = b(Reshape((2, 9, 32)), b(Pool2D("average", (1, 2), (1, 1)), x))
    y = b(Softmax(2), b(MatMul(), rows, b(Transpose((0, 2, 1)), b(MatMul(), rows, b.constant(32, 32, scale=0.05)))))
    mean = b(MatMul(), b(Reduce("mean", (1,), False), rows), b.constant(32, 10, scale=0.2))
    return b.returns(y, mean), b.feed


def small(extent: int = 6, name: str = "x") -> Graph:
    """A network of which a single launch has a choice."""
    b = Build()
    b.graph.add_input(name, TensorType((1, extent, 4, 16), np.dtype(np.float32)))
    return b.returns(b("relu", b(Conv2D(), b("neg", name), b.constant(32, 1, 1, 16))))


def lowered(graph: Graph, target: Target) -> Schedule:
    return lower(run(graph, target), target)


def launches(schedule: Schedule) -> list[Launch]:
    return [step for step in schedule.walk() if isinstance(step, Launch)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder."""
    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def by_rank(best: Callable[[int], int], samples: int = 8) -> Callable[..., dict[int, Samples]]:
    """A measurement that finds, of each launch, the candidate that `best` names of so many the fastest."""

    def measured(schedule: Schedule, target: Target, device: object, tries: Any, *rest: Any) -> dict[int, Samples]:
        return {n: Samples({c: [1.0 if c == best(len(choices)) else 2.0 + c] * samples for c in choices}) for n, choices in tries.items()}

    return measured


# -- the space


@pytest.mark.device
@pytest.mark.parametrize(("target", "precision"), [(CPU, "f32"), (CPU, "f16"), (CPU8, "f32"), (GPU, "f32")],
                         ids=lambda p: getattr(p, "name", p))
def test_whatever_is_chosen_computes_the_same(target: Target, precision: str) -> None:
    """Configurations by chance out of the whole space: any candidate of any launch beside any of the others."""
    graph, feed = every_kind()
    values = evaluate(graph, feed)
    schedule = lower(run(graph, target), target, precision)
    space = launches(schedule)
    assert {"conv_direct", "conv_winograd", "conv_pointwise", "conv_depthwise", "conv_first", "matmul", "pool", "reduce", "softmax"} <= {
        k.template for step in space for k in step.candidates}
    assert sum(len(step.candidates) > 1 for step in space) > 7
    chance = random.Random(f"{target.name} {precision}")
    for _ in range(4):
        chosen = [step.choose(chance.randrange(len(step.candidates))) if isinstance(step, Launch) else step for step in schedule.launches]
        actual = execute(Schedule(schedule.graph, tuple(chosen)), target, feed)
        told = ", ".join(step.kernel.variant() for step in chosen if isinstance(step, Launch))
        for name, value in graph.outputs.items():
            assert_close(actual[name], values[value], precision, 16, told)


# -- measuring


@pytest.mark.device
def test_every_try_is_measured(device: cl.Device) -> None:
    target = of_present(device)
    graph, _ = every_kind()
    schedule = lowered(graph, target)
    several = [n for n, step in enumerate(schedule.walk()) if isinstance(step, Launch) and len(step.candidates) > 1]
    built: list[None] = []
    found = measure(schedule, target, device, {several[0]: range(2), several[-1]: range(1, 2)}, lambda: 0.0, {}, lambda: built.append(None))
    assert {n: sorted(samples.times) for n, samples in found.items()} == {several[0]: [0, 1], several[-1]: [1]}
    for samples in found.values():
        assert all(len(times) >= 3 and min(times) >= 0 for times in samples.times.values()) and not samples.refused
        assert samples.best() == min(samples.time(c) for c in samples.times)
    assert len(built) >= len(launches(schedule)) - 1


@pytest.mark.device
def test_launches_of_a_loop_are_measured(tmp_path: Path, device: cl.Device) -> None:
    text = loop(ROTATED, "float[1, 5, 6, 6] x, bool c", f"int64 m = {{6}}, {WEIGHTS}", before="q = Conv <pads = [1, 1, 1, 1]>(x, w)",
                outputs="float[?, ?, ?, ?] y")
    target = of_present(device)
    schedule = lowered(load(model(tmp_path, text)), target)
    (step,) = (s for s in schedule.launches if isinstance(s, LoopStep))
    tuning = Tuning(device, "fast", tmp_path / "tuning.json")
    tuned_schedule, tuned = tune.tune(schedule, target, tuning)
    inside = {launch.site.node.name for launch in launches(step.body) if len(launch.candidates) > 1}
    assert inside and inside <= {c.launch.site.node.name for c in tuned.choices} and not tuned.unknown
    assert [s.site.node.name for s in tuned_schedule.walk()] == [s.site.node.name for s in schedule.walk()]


@pytest.mark.device
def test_what_the_device_refuses_is_no_choice(device: cl.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    target = of_present(device)
    schedule = lowered(small(), target)
    (number,) = (n for n, step in enumerate(schedule.walk()) if isinstance(step, Launch) and len(step.candidates) > 1)
    first = emit(schedule, memory.assign(schedule, target.alignment), replace(target, megakernel=False)).kernels[number].name
    build = cache.build

    def refusing(context: cl.Context, device: cl.Device, name: str, *rest: Any) -> cl.Program:
        if name == first:
            raise DeviceError("no registers left")
        return build(context, device, name, *rest)

    monkeypatch.setattr(cache, "build", refusing)
    found = measure(schedule, target, device, {number: range(2)}, lambda: 0.0, {})
    assert list(found[number].times) == [1] and found[number].refused == [0]
    (each,) = distinct(schedule).values()
    entry = survey.entry(each, found[number])
    assert entry.chosen == each.names[1] and entry.microseconds[each.names[0]] is None
    with pytest.raises(DeviceError, match="no registers left"):
        measure(schedule, target, device, {number: range(1)}, lambda: 0.0, {})


def test_scratch_of_every_candidate_fits() -> None:
    """Of a launch that is there in several ways, the arena holds what the largest needs."""
    schedule = lowered(every_kind()[0], CPU)
    steps = [(n, step) for n, step in enumerate(schedule.walk()) if isinstance(step, Launch)]
    number, launch = next((n, step) for n, step in steps if any(k.scratch for k in step.candidates))
    needs = [k.scratch for k in launch.candidates]
    assert len(set(needs)) > 2 and min(needs) == 0
    for order in (sorted(range(len(needs)), key=needs.__getitem__), sorted(range(len(needs)), key=lambda c: -needs[c])):
        every = _every(schedule, {number: order}, count(), [])
        arena = memory.assign(every, CPU.alignment)
        begin = arena.scratch[launch.site.node.name]
        assert any(offset == begin and arena.sizes[name] >= max(needs) for name, offset in arena.offsets.items())


@pytest.mark.parametrize("seconds", [12.0, 40.0, 1000.0])
def test_time_is_kept(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """As long as all can be built in it, all are measured; else those that should take the longest. A portion ends in time."""
    launches = distinct(lowered(every_kind()[0], CPU))
    candidates = sum(len(each.names[:4]) for each in launches.values())
    assert 25 < candidates < 40
    now = [0.0]
    monkeypatch.setattr(survey, "monotonic", lambda: now[0])

    def slow(schedule: Any, target: Any, device: Any, tries: Any, until: Any, programs: Any, built: Any) -> dict[int, Samples]:
        for _ in range(sum(map(len, tries.values()))):
            now[0] += 1
            built()
        now[0] = max(now[0], until())
        return by_rank(lambda n: 0)(schedule, target, device, tries)

    monkeypatch.setattr(survey, "measure", slow)
    told: list[float] = []
    device: Any = SimpleNamespace(max_mem_alloc_size=1 << 30)
    parts = survey.survey(lowered(every_kind()[0], CPU), CPU, device, launches, 4, seconds, lambda done, what: told.append(done))
    found = [key for part in parts for key in part]
    assert now[0] <= max(seconds, survey.PORTION // 4)
    assert told == sorted(told) and told[-1] <= 1
    if seconds < candidates:
        assert 0 < len(found) < len(launches)
        assert min(launches[key].cost for key in found) >= max(each.cost for key, each in launches.items() if key not in found)
    else:
        assert len(found) == len(launches)


def test_noise_changes_no_choice() -> None:
    """What is slower at most moments is slower; what is not clearly faster than the first guess does not replace it."""
    assert Samples({0: [10, 11, 90, 12], 1: [40, 9.5, 80, 70]}).time(0) == 11
    assert Samples({0: [10, 11, 90, 12], 1: [9.5, 40, 80, 70]}).best() == 11
    (each,) = distinct(lowered(small(), CPU)).values()
    assert survey.entry(each, Samples({0: [10.0] * 4, 1: [9.9] * 4})).chosen == each.names[0]
    assert survey.entry(each, Samples({0: [10.0] * 4, 1: [9.5] * 4})).chosen == each.names[1]
    assert survey.entry(each, Samples({0: [10.0, 10.0, 9.5, 11.0], 1: [9.5] * 4})).chosen == each.names[0]


# -- what makes launches the same


def test_names_do_not_matter_and_shapes_do() -> None:
    keys = [list(distinct(lowered(graph, CPU))) for graph in (small(), small(name="image"), small(7))]
    assert keys[0] == keys[1] != keys[2] and len(keys[0]) == 1
    assert list(distinct(lowered(small(), CPU8))) != keys[0]


def test_equal_launches_are_one() -> None:
    b = Build()
    x = b("neg", b.input(1, 6, 4, 16))
    for _ in range(4):
        x = b("relu", b(Conv2D(), x, b.constant(16, 1, 1, 16)))
    found = distinct(lowered(b.returns(b("neg", x)), CPU))
    assert sorted(len(each.numbers) for each in found.values())[-1] >= 2
    assert all(len(set(each.names)) == len(each.launch.candidates) for each in found.values())


# -- choosing


@pytest.mark.device
def test_a_second_time_nothing_is_measured(device: cl.Device, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the database in the cache folder: what was chosen is looked up, and the plans are the same."""
    monkeypatch.setattr(survey, "measure", by_rank(lambda n: n - 1))
    first, report = compile_model(UPSCALER, tuning=Tuning(device, "fast"))
    assert report.tuned and report.tuned.measured > 3 and not report.tuned.found and not report.tuned.unknown
    assert all(c.chosen != c.guess and c.microseconds == 1 and c.guessed == 2 for c in report.tuned.choices)
    assert report.tuned.gain == 0.5
    monkeypatch.setattr(survey, "measure", None)
    for effort in ("fast", None):
        again, later = compile_model(UPSCALER, tuning=Tuning(device, effort))
        assert later.tuned and later.tuned.found == report.tuned.measured and not later.tuned.measured
        assert first and again and first.document() == again.document() and first.weights == again.weights
    plain, untouched = compile_model(UPSCALER)
    assert plain and plain.document() != first.document() and untouched.tuned is None


@pytest.mark.device
def test_what_was_measured_by_halves_is_measured_whole(device: cl.Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """"full" takes up launches of which "fast" left candidates; the other way round there is nothing to do."""
    target, file = of_present(device), tmp_path / "tuning.json"
    schedule = lowered(small(), target)
    (each,) = distinct(schedule).values()
    monkeypatch.setitem(tune.EFFORTS, "fast", 2)
    monkeypatch.setattr(survey, "measure", by_rank(lambda n: n - 1))
    for effort, measured, choice in (("fast", 1, 1), ("full", 1, len(each.names) - 1), ("full", 0, len(each.names) - 1),
                                     ("fast", 0, len(each.names) - 1)):
        chosen, tuned = tune.tune(schedule, target, Tuning(device, effort, file))
        assert tuned.measured == measured and tuned.found == 1 - measured
        assert [step.choice for step in launches(chosen) if len(step.candidates) > 1] == [choice]


@pytest.mark.device
def test_a_first_impression_is_taken_and_measured_again(device: cl.Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, file = of_present(device), tmp_path / "tuning.json"
    schedule = lowered(small(), target)
    for samples, measured in ((3, 1), (9, 1), (9, 0)):
        monkeypatch.setattr(survey, "measure", by_rank(lambda n: 1, samples))
        assert tune.tune(schedule, target, Tuning(device, "full", file))[1].measured == measured
        chosen, tuned = tune.tune(schedule, target, Tuning(device, None, file))
        assert tuned.found == 1 and [step.choice for step in launches(chosen) if len(step.candidates) > 1] == [1]


@pytest.mark.device
def test_time_is_up(device: cl.Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not reached keeps the first guess, is told, and comes next; what an interrupted tuning measured is kept."""
    graph, _ = every_kind()
    target, file = of_present(device), tmp_path / "tuning.json"
    schedule = lowered(graph, target)
    monkeypatch.setattr(survey, "PORTION", 1)
    now = [0.0]
    monkeypatch.setattr(survey, "monotonic", lambda: now[0])

    def slow(*arguments: Any) -> dict[int, Samples]:
        now[0] += 4
        if now[0] > 100:
            raise KeyboardInterrupt
        return by_rank(lambda n: 1)(*arguments)

    monkeypatch.setattr(survey, "measure", slow)
    chosen, tuned = tune.tune(schedule, target, Tuning(device, "fast", file, seconds=10))
    assert tuned.measured == 3 and tuned.unknown
    costs = [c.launch.candidates[0].cost for c in tuned.choices]
    assert min(costs) >= max(step.candidates[0].cost for step in tuned.unknown)
    assert all(step.choice == 0 for step in launches(chosen) if step.site.node.name in {u.site.node.name for u in tuned.unknown})
    now[0] = 95
    with pytest.raises(KeyboardInterrupt):
        tune.tune(schedule, target, Tuning(device, "fast", file, seconds=10))
    (entries,) = database.read(file).values()
    assert len(entries) == 4


@pytest.mark.device
def test_another_compiler_measures_again(device: cl.Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A choice that is no candidate any more is none."""
    target = of_present(device)
    schedule = lowered(small(), target)
    ((key, each),) = distinct(schedule).items()
    entry = Entry("", "old #1", 9, {"old #1": 1.0, each.names[0]: 2.0})
    database.write(tmp_path / "tuning.json", {database.device_key(device): {key: entry}})
    chosen, _ = tune.tune(schedule, target, Tuning(device, None, tmp_path / "tuning.json"))
    assert all(step.choice == 0 for step in launches(chosen))


def test_portions() -> None:
    """Together are measured so many candidates, and of so many bytes, but one launch at least."""
    found = distinct(lowered(every_kind()[0], CPU))
    keys = list(found)
    assert survey._portion(keys, found, 2, 4, 1e9) == keys[:2]
    assert survey._portion(keys, found, None, 1, 1e9) == survey._portion(keys, found, 2, 4, 1.0) == keys[:1]


# -- the file


def test_what_is_written_is_read(tmp_path: Path) -> None:
    held = {"device": {"b": ENTRY, "a": replace(ENTRY, samples=3)}}
    database.write(tmp_path / "deep" / "t.json", held)
    assert database.read(tmp_path / "deep" / "t.json") == held
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["t.json"]
    text = (tmp_path / "deep" / "t.json").read_text()
    assert text.index('"a":') < text.index('"b":') and '\n     "a #1": 2.5,\n' in text
    database.write(tmp_path / "same.json", {"device": dict(reversed(held["device"].items()))})
    assert (tmp_path / "same.json").read_text() == text
    assert database.read(tmp_path / "missing.json") == {}


def test_merging_keeps_what_knows_more() -> None:
    """Whatever the order, and the files."""
    less = replace(ENTRY, microseconds={"a #1": 1.0})
    more = replace(ENTRY, samples=10, chosen="b #2")
    parts: list[database.Database] = [{"one": {"k": less}}, {"one": {"k": ENTRY}, "two": {}}, {"one": {"k": more, "l": less}}]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        assert database.merged(*(parts[k] for k in order)) == {"one": {"k": more, "l": less}, "two": {}}
    assert database.merged() == {}


def holding(**changes: Any) -> str:
    """A database of one entry."""
    return json.dumps({"format": "planish tuning", "version": 1, "devices": {"d": {"k": {**asdict(ENTRY), **changes}}}})


CORRUPTED: dict[str, tuple[str, str]] = {
    "no JSON": ('{"format": ', "not a whole tuning database"),
    "no text": ("\x00", "not a whole tuning database"),
    "of something else": ('{"format": "planish plan", "version": 1}', "not a whole tuning database"),
    "a list": ("[]", "not a whole tuning database"),
    "of a newer version": ('{"format": "planish tuning", "version": 2, "devices": {}}', "version 2; up to 1 is read"),
    "without devices": ('{"format": "planish tuning", "version": 1}', "KeyError: 'devices'"),
    "a choice that was not measured": (holding(chosen="z"), "KeyError: 'z'"),
    "a choice that was refused": (holding(chosen="c #3"), "chooses what the device does not take"),
    "times that are none": (holding(microseconds={"a #1": "x"}), "not a whole tuning database"),
}


@pytest.mark.parametrize("name", CORRUPTED)
def test_corrupted_files_are_told(tmp_path: Path, name: str) -> None:
    text, message = CORRUPTED[name]
    file = tmp_path / "tuning.json"
    file.write_text(text)
    with pytest.raises(OptionError, match=f"tuning.json.*{message}"):
        database.read(file)
    with pytest.raises(OptionError):
        database.add(file, {"d": {"k": ENTRY}})
    assert file.read_text() == text


@pytest.mark.device
def test_a_corrupted_file_of_the_cache_is_begun_anew(device: cl.Device, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "measure", by_rank(lambda n: 0))
    target = of_present(device)
    schedule = lowered(small(), target)
    folder.mkdir()
    (folder / tune.FILE).write_text("{")
    with pytest.raises(OptionError, match="not a whole tuning database"):
        tune.tune(schedule, target, Tuning(device, "fast", folder / tune.FILE))
    _, looked = tune.tune(schedule, target, Tuning(device))
    assert "not a whole tuning database" in looked.note and (folder / tune.FILE).read_text() == "{"
    _, tuned = tune.tune(schedule, target, Tuning(device, "fast"))
    assert "not a whole tuning database" in tuned.note and tuned.measured == 1
    assert tune.tune(schedule, target, Tuning(device))[1].found == 1


@pytest.mark.device
def test_without_a_cache_nothing_is_kept(device: cl.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANISH_CACHE", "off")
    monkeypatch.setattr(survey, "measure", by_rank(lambda n: 0))
    target = of_present(device)
    for _ in range(2):
        assert tune.tune(lowered(small(), target), target, Tuning(device, "fast"))[1].measured == 1


def test_processes_write_one_file_at_once(tmp_path: Path) -> None:
    """Each leaves it whole."""
    code = ("import sys; from pathlib import Path; from planish.compiler import tuning_database as d\n"
            "for k in range(20): d.add(Path(sys.argv[1]), {'d': {f'{sys.argv[2]}{k}': d.Entry('', 'a', 1, {'a': 1.0})}})")
    file = tmp_path / "tuning.json"
    processes = [subprocess.Popen([sys.executable, "-c", code, str(file), name], cwd=ROOT) for name in "pq"]
    assert [p.wait() for p in processes] == [0, 0]
    (entries,) = database.read(file).values()
    assert {"p19", "q19"} & entries.keys() and [p.name for p in tmp_path.iterdir()] == ["tuning.json"]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match=r"cannot (read|write) .*file/tuning.json"):
        database.add(tmp_path / "file" / "tuning.json", {"d": {"k": ENTRY}})


# -- the command line


def refused(capsys: Capture, *arguments: str) -> str:
    assert cli.main(list(arguments)) == 1
    return capsys.readouterr().err


def test_refusals(tmp_path: Path, capsys: Capture) -> None:
    model = ["compile", str(UPSCALER), "-o", str(tmp_path / "plan")]
    assert "--tune fast measures on a device, and --target nvidia looks at none" in refused(
        capsys, *model, "--tune", "fast", "--target", "nvidia")
    assert "--tuning looks up a device, and --target cpu" in refused(capsys, *model, "--tuning", "t.json", "--target", "cpu")
    assert "--tune-seconds is for --tune" in refused(capsys, *model, "--tune-seconds", "3")
    with pytest.raises(OptionError, match="target 'nvidia': tuning is for that of its device"):
        compile_model(UPSCALER, "nvidia", tuning=Tuning(object()))  # type: ignore[arg-type]
    for wrong, message in (({"effort": "some"}, "no effort 'some' of tuning; one of fast, full"), ({"seconds": 0.0}, "more than 0")):
        with pytest.raises(OptionError, match=message):
            Tuning(object(), **wrong)  # type: ignore[arg-type]


@pytest.mark.device
def test_the_command(tmp_path: Path, folder: Path, device: cl.Device, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "measure", by_rank(lambda n: min(1, n - 1)))
    monkeypatch.setenv("PLANISH_DEVICE", os.environ.get("PLANISH_DEVICE", device.platform.name.strip()))
    command = ["compile", str(UPSCALER), "-o", str(tmp_path / "plan")]
    shipped = str(tmp_path / "shipped.json")
    assert f"no tuning database {shipped}" in refused(capsys, *command, "--tuning", shipped)
    assert cli.main([*command, "--tune", "full", "--tuning", shipped, "--tune-seconds", "30", "--explain"]) == 0
    told = capsys.readouterr().out
    assert " distinct launches measured; " in told and "us; the cost model's " in told
    assert not (folder / tune.FILE).exists()
    first = (tmp_path / "plan" / "plan.json").read_bytes()
    assert cli.main([*command, "--tuning", shipped]) == 0
    assert " distinct launches looked up; " in capsys.readouterr().out
    assert (tmp_path / "plan" / "plan.json").read_bytes() == first
    assert "no tuning database" in refused(capsys, "tuning")
    assert cli.main([*command, "--tune", "fast"]) == 0
    capsys.readouterr()
    for files in ([], [shipped], [shipped, str(folder / tune.FILE)]):
        assert cli.main(["tuning", *files, "-o", str(tmp_path / "merged.json")]) == 0
        assert database.device_key(device) in capsys.readouterr().out
    assert database.read(tmp_path / "merged.json") == database.read(Path(shipped))
