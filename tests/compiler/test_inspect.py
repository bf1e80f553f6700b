"""`planish inspect`: what its document says, and that page and text show it, whatever names a model has."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pyopencl as cl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from planish.compiler import compile_model
from planish.compiler.cli import main
from planish.compiler.driver import compile_graph
from planish.compiler.inspect import Course, document, memory_map, page
from planish.compiler.inspect.drawing import FAR, GAP, draw
from planish.compiler.inspect.graphs import Picture
from planish.compiler.inspect.roofline import Point, Roof
from planish.compiler.inspect.sources import Sources
from planish.runtime import limits
from planish.runtime.plan import Plan
from tests.compiler.ops.test_control import model
from tests.compiler.ops.test_loop import CASES
from tests.compiler.test_bands import SMALL, inverted_residual
from tests.graphs import Build
from tests.oracles import onnx_model
from tests.runtime.plans import hosted, linear, looped
from tests.runtime.test_limits import KNOWN

UPSCALER = Path(__file__).resolve().parents[2] / "examples" / "upscaler" / "upscaler.onnx"
ROOF = Roof(100.0, ((1 << 20, 50.0), (1 << 24, 10.0)), "by hand", True)
HOSTILE = ("</script><script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{ 7 * 7 }}", "</template></svg>'&amp;",
           "a\x00\n\x1b[31mb")  # fmt: skip
VOID = {"meta", "input"}


class Page(HTMLParser):
    """A page: fails where an element ends that is not the last one open."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.elements, self.words = list[str](), list[tuple[str, dict[str, str | None]]](), list[str]()
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        assert len(dict(attributes)) == len(attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def count(self, tag: str, kind: str = "") -> int:
        return sum(t == tag and kind in (a.get("class") or "").split() if kind else t == tag for t, a in self.elements)


def inspected(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert main(["inspect", *map(str, arguments), "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def of_model(path: Path, target: str = "cpu") -> tuple[Plan, dict[str, Any]]:
    course = Course()
    plan, course.report = compile_model(path, target, watch=course.watch)
    assert plan
    return plan, document(plan, ROOF, course=course)


@pytest.fixture(scope="module")
def upscaler() -> tuple[Plan, dict[str, Any]]:
    return of_model(UPSCALER)


# -- the document


def test_a_point_under_a_roof() -> None:
    """By hand: 2e6 operations at 100 GFLOP/s take 20 us; 1 MB at 50 GB/s 20.97, 2 MB at 10 GB/s 209.7."""
    compute = Point.under(ROOF, 2_000_000, 100_000, 40.0)
    assert (compute.bound, compute.least, compute.share, compute.gain, compute.intensity) == ("arithmetic", 20.0, 0.5, 20.0, 20.0)
    near, far, beyond = (Point.under(ROOF, 2_000_000, mb << 20, 300.0) for mb in (1, 2, 32))
    assert (near.bound, far.bound) == ("memory", "memory")
    assert near.least == pytest.approx(20.97, abs=0.01)
    assert far.least == pytest.approx(209.7, abs=0.1)
    assert beyond.least == pytest.approx(16 * 209.7, abs=1.6)
    assert beyond.share == pytest.approx(beyond.least / 300) and beyond.gain == 0
    empty = Point.under(ROOF, 0, 0)
    assert (empty.intensity, empty.least, empty.share, empty.gain) == (None, 0, None, None)


def test_the_document_counts_what_the_network_computes(upscaler: tuple[Plan, dict[str, Any]]) -> None:
    """Of the convolutions of examples/upscaler/README.md: 128 x 128 pixels, 2 operations a product."""
    plan, found = upscaler
    by_node = {launch["nodes"][0]: launch for launch in found["launches"] if launch["nodes"] and launch["variant"].startswith("conv")}
    pixels = 2 * 128 * 128
    known = {"head": 5 * 5 * 3 * 32, **{f"block{k}_{x}": 9 * 32 * 32 for k in range(3) for x in "ab"}, "gather": 128 * 32,
             "spread": 25 * 32, "tail": 9 * 32 * 12}
    assert {name: launch["flops"] for name, launch in by_node.items()} == {name: pixels * n for name, n in known.items()}
    assert by_node["gather"]["nbytes"] == 4 * (128 * 128 * (128 + 32) + 128 * 32)
    assert [launch["number"] for launch in found["launches"]] == [str(k) for k in range(len(plan.launches))]
    assert found["total"]["flops"] == sum(launch["flops"] for launch in found["launches"])
    assert found["total"]["least"] == pytest.approx(sum(max(launch["flops"] / 1e5, launch["nbytes"] / ROOF.reach(launch["nbytes"]) / 1e3)
                                                        for launch in found["launches"]))
    assert found["total"]["microseconds"] is None and found["device"] is None
    json.dumps(found)


def test_graphs_before_and_after(upscaler: tuple[Plan, dict[str, Any]]) -> None:
    _, found = upscaler
    before, after = found["graphs"]["before"], found["graphs"]["after"]
    assert [sum(n["kind"] == "node" for n in g["nodes"]) for g in (before, after)] == [found["nodes"]["before"], found["nodes"]["after"]]
    for graph in (before, after):
        assert [n["op"] for n in graph["nodes"] if n["kind"] != "node"] == ["image", "upscaled"]
        assert all(0 <= e["from"] < e["to"] < len(graph["nodes"]) for e in graph["edges"])
    runs = [number for n in after["nodes"] for number in n["launches"]]
    assert sorted(runs, key=int) == [launch["number"] for launch in found["launches"]]
    (head,) = (n for n in before["nodes"] if n["name"] == "head")
    assert {found["launches"][int(number)]["nodes"][0] for number in head["launches"]} == {"head"}


def test_rules_stand_at_the_launches_that_they_met(upscaler: tuple[Plan, dict[str, Any]]) -> None:
    _, found = upscaler
    (head,) = (launch for launch in found["launches"] if launch["nodes"] == ["head", "head_prelu"])
    met = [found["rules"][k] for k in head["rules"]]
    assert any(e["pass"] == "fuse" and e["fired"] and e["op"] == "Elementwise.prelu" for e in met)
    assert any(e["pass"] == "transpose" and e["fired"] for e in met)
    assert not any("block0" in e["node"] for e in met)
    assert any(not e["fired"] for e in found["rules"])


@pytest.mark.parametrize("target", ["cpu", "nvidia"])
def test_every_launch_has_its_source(target: str) -> None:
    plan, found = of_model(UPSCALER, target)
    sources = Sources(plan.kernels)
    for launch, shown in zip(plan.launches, found["launches"]):
        (name,) = sources.of(launch)
        template = launch.variant.split()[0]
        assert name.startswith(f"{template}_") and f" {name}(" in found["sources"][name]
        assert "#pragma OPENCL FP_CONTRACT ON" not in found["sources"][name]
        tile = {p["name"].lower(): p["value"] for p in shown["tile"]}
        assert {f"{k}{v}" for k, v in tile.items()} >= {part for part in launch.variant.split()[1:] if part[-1].isdigit()}
    assert any(p["meaning"].startswith("tile: pixels") for launch in found["launches"] for p in launch["tile"])
    if target == "cpu":
        assert f"__kernel void {plan.kernels[0].name}(" in found["sources"][plan.kernels[0].name]


def test_a_chain_of_launches_has_all_their_sources() -> None:
    found = document(compile_graph(inverted_residual().graph, SMALL), ROOF)
    chains = [launch for launch in found["launches"] if " bands of " in launch["variant"]]
    for chain in chains:
        templates = [kernel.split()[0] for kernel in chain["variant"].partition(" bands of ")[2].split(" + ")]
        assert [name.rsplit("_", 1)[0] for name in chain["sources"]] == templates
        assert {p["of"] for p in chain["tile"]} == set(chain["sources"])
    assert any(len(chain["sources"]) > 1 for chain in chains)


# -- memory


def apart(blocks: Sequence[memory_map.Block]) -> bool:
    def meet(a: memory_map.Block, b: memory_map.Block) -> bool:
        in_time = a.first <= b.last and b.first <= a.last
        return in_time and a.offset < b.offset + b.nbytes and b.offset < a.offset + a.nbytes

    return not any(meet(a, b) for a, b in combinations(blocks, 2))


def test_blocks_of_memory_are_apart_and_hold_what_is_bound(upscaler: tuple[Plan, dict[str, Any]]) -> None:
    plan, found = upscaler
    placed = [memory_map.Block(**b) for b in found["memory"]["blocks"]]
    touched = memory_map.of_plan(plan)
    assert apart(placed) and apart(touched)
    for blocks in (placed, touched):
        for time, launch in enumerate(plan.launches):
            for a in launch.arguments:
                end = a.offset + a.nbytes
                inside = [b for b in blocks if b.first <= time <= b.last and b.offset <= a.offset and end <= b.offset + b.nbytes]
                assert a.buffer != "arena" or len(inside) == 1
    assert found["memory"]["most"] == max(sum(b.nbytes for b in placed if b.first <= t <= b.last) for t in range(len(plan.launches)))
    assert found["memory"]["most"] == found["arena_bound"] <= found["memory"]["arena"] == plan.arena


def test_ranges_end_where_others_overlap_them() -> None:
    found = memory_map.of_plan(linear())
    assert found == [memory_map.Block("", 512, 24, 0, 2)]
    assert memory_map.live(found, 3) == [24, 24, 24]


# -- drawings


def test_boxes_are_apart_and_edges_go_down() -> None:
    sizes = [(100.0, 40.0)] * 7
    edges = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 5), (4, 5), (0, 6), (5, 6)]
    drawing = draw(sizes, edges)
    holds(drawing.places, sizes)
    assert drawing.width >= 3 * 100 + 2 * GAP
    for (start, end), route in zip(edges, drawing.routes):
        (x0, y0), (x1, y1) = drawing.places[start], drawing.places[end]
        assert route[0] == (x0, y0 + 20) and route[-1] == (x1, y1 - 20)
        assert [y for _, y in route] == sorted(y for _, y in route)


def holds(places: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]]) -> None:
    rows: dict[float, list[tuple[float, float]]] = {}
    for (x, y), (width, height) in zip(places, sizes):
        rows.setdefault(y - height / 2, []).append((x - width / 2, x + width / 2))
    for row in rows.values():
        row.sort()
        assert all(right + GAP <= left + 1e-6 for (_, right), (left, _) in pairwise(row))


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_graph_can_be_drawn(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 30))
    sizes = data.draw(st.lists(st.tuples(st.floats(10, 200), st.just(30.0)), min_size=count, max_size=count))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    edges = data.draw(st.lists(st.sampled_from(pairs), unique=True, max_size=60)) if pairs else []
    drawing = draw(sizes, edges)
    holds(drawing.places, sizes)
    assert all(drawing.places[a][1] < drawing.places[b][1] for a, b in edges)
    assert all(w / 2 - 1e-6 <= x <= drawing.width - w / 2 + 1e-6 for (x, _), (w, _) in zip(drawing.places, sizes))


def test_large_graphs_take_time_in_proportion() -> None:
    """Eight times the graph takes eight times as long, not sixty-four; edges over the whole graph included."""

    def seconds(count: int) -> float:
        edges = [(k, k + 1) for k in range(count - 1)] + [(0, k) for k in range(FAR, count, 3)]
        edges += [(k, k + 30) for k in range(0, count - 30, 5)]
        start = process_time()
        draw([(100.0, 40.0)] * count, edges)
        return process_time() - start

    few, many = (min(seconds(count) for _ in range(3)) for count in (1000, 8000))
    assert many < 24 * few


def test_a_large_graph_becomes_a_page(upscaler: tuple[Plan, dict[str, Any]]) -> None:
    b = Build()
    x = y = b.input(1, 4)
    for _ in range(1500):
        x, y = b("relu", b("add", x, y)), x
    picture = Picture.of(b.returns(x))
    assert len(picture.boxes) == 3002 and len(picture.edges) == 4500
    nodes = [{"kind": box.kind, "op": box.title, "name": box.name, "type": box.type, "steps": box.steps, "sources": list(box.sources),
              "detail": box.detail, "launches": []} for box in picture.boxes]
    graph = {"nodes": nodes, "edges": [{"from": s, "to": e, "value": v} for s, e, v in picture.edges]}
    start = process_time()
    parsed = Page(page.render({**upscaler[1], "graphs": {"before": graph, "after": graph}}))
    assert process_time() - start < 60
    assert parsed.count("g", "node") == 2 * 3002


# -- the page


def test_the_page_is_whole_and_needs_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report.html"
    assert main(["inspect", str(UPSCALER), "--target", "cpu", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    text = out.read_text()
    parsed = Page(text)
    attributes = {name for _, a in parsed.elements for name in a}
    assert not attributes & {"src", "srcset", "data", "action", "xlink:href"} and not any(name.startswith("on") for name in attributes)
    assert all((a["href"] or "").startswith("#") for _, a in parsed.elements if "href" in a)
    assert not re.search(r"https?:|@import|url\((?!#)", text)
    policy = next(a["content"] for _, a in parsed.elements if a.get("http-equiv") == "Content-Security-Policy")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    ids = {a["id"] for _, a in parsed.elements if "id" in a}
    assert {"roofline", "graphs", "launches", "memory", "rules"} <= ids
    assert parsed.count("svg", "graph") == 2 and parsed.count("circle", "dot") >= 10
    assert parsed.count("tr", "launch") == len({i for i in ids if i and re.fullmatch(r"launch-\d+", i)})
    assert re.search(r'<span class="kt">floatV?</span>', text)


def test_names_are_text_whatever_they_hold(tmp_path: Path) -> None:
    shape = (1, 4, 8, 8)
    nodes, value = [], HOSTILE[0]
    for k, name in enumerate(HOSTILE):
        nodes.append(helper.make_node(("Softmax", "Sigmoid")[k % 2], [value], [f"{name}:y"], name))
        value = f"{name}:y"
    path = tmp_path / "hostile.onnx"
    path.write_bytes(onnx_model(nodes, {HOSTILE[0]: (np.float32, shape)}, [value]).SerializeToString())
    _, found = of_model(path)
    text = page.render(found)
    parsed = Page(text)
    assert text.count("<script>") == parsed.count("script") == 1 and parsed.count("img") == 0
    assert "\x1b" not in text and "\x00" not in text and "49" not in re.findall(r"<title>(.*?)</title>", text)[-1]
    words = "".join(parsed.words)
    assert all(name in words for name in HOSTILE[1:4])
    assert "a\\x00 \\x1b[31mb" in words


def test_a_page_is_written_over_a_page_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    linear().write(tmp_path / "linear.plan")
    command = ["inspect", str(tmp_path / "linear.plan"), "--static"]
    assert main(command) == main(command) == 0
    out = tmp_path / "linear.html"
    assert "planish inspect" in out.read_text()
    out.write_text("a letter")
    capsys.readouterr()
    assert main(command) == 1
    assert "linear.html exists and is not a page of planish inspect; choose another file" in capsys.readouterr().err
    assert out.read_text() == "a letter"
    assert main([*command, "--force"]) == 0
    assert main([*command, "-o", str(tmp_path / "linear.plan" / "plan.json"), "--force"]) == 1
    assert "belongs to what is inspected" in capsys.readouterr().err
    assert main([*command, "-o", str(tmp_path / "nowhere" / "x.html")]) == 1
    assert "nowhere is not a folder" in capsys.readouterr().err


# -- a plan alone, text, devices


def test_a_plan_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, _ = compile_model(UPSCALER, "cpu")
    assert plan
    plan.write(tmp_path / "up.plan")
    found = inspected(capsys, tmp_path / "up.plan", "--static")
    assert found.keys() & {"graphs", "rules", "nodes"} == set()
    assert len(found["launches"]) == len(plan.launches) and found["limits"]["measured"] is False
    assert found["limits"]["source"] == "the compiler's guess for target cpu"
    assert set(found["sources"]) >= {name for launch in found["launches"] for name in launch["sources"]}
    assert not list(tmp_path.glob("*.html"))
    parsed = Page(page.render(found))
    assert parsed.count("svg", "graph") == 0 and parsed.count("svg", "chart") == 2


def test_steps_on_the_host_have_no_roof(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hosted().write(tmp_path / "plan")
    found = inspected(capsys, tmp_path / "plan", "--static")
    steps = [launch for launch in found["launches"] if launch["where"] == "host"]
    assert len(steps) == found["total"]["host"] == 4 and steps[0]["reason"] == "it depends on data"
    assert all(step["bound"] is None and step["least"] is None for step in steps)
    assert Page(page.render(found)).count("tr", "launch") == len(found["launches"])


def test_what_loops_run_is_numbered_within(tmp_path: Path) -> None:
    plan, found = of_model(model(tmp_path, CASES["nested"][0]))
    numbers = [launch["number"] for launch in found["launches"]]
    assert len(numbers) == len(set(numbers)) == len(plan.steps) and max(n.count(".") for n in numbers) == 2
    assert {launch["where"] for launch in found["launches"] if "." not in launch["number"]} >= {"driven"}
    drawn = [number for node in found["graphs"]["after"]["nodes"] for number in node["launches"]]
    assert sorted(drawn) == sorted(numbers)
    assert Page(page.render(found)).count("tr", "launch") == len(numbers)


def test_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(UPSCALER), "--target", "cpu", "--text"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^nodes +\d+ -> \d+, in \d+ launches$", out, re.MULTILINE)
    assert "400 GFLOP/s; 20 GB/s (the compiler's guess for target cpu)" in out
    assert re.search(r"^ *\d+ +302 M +\d\.\d\d MB +[\d.]+ +arithmetic +755 µs +conv_", out, re.MULTILINE)
    assert re.search(r"^  \+  fuse  .*prelu", out, re.MULTILINE) and re.search(r"^  -  ", out, re.MULTILINE)


@pytest.mark.device
def test_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str], device: cl.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "of", lambda device, fresh=False: KNOWN)
    linear().write(tmp_path / "plan")
    for path in (tmp_path / "plan", UPSCALER):
        found = inspected(capsys, path)
        assert found["device"] and found["limits"]["gflops"] == KNOWN.gflops
        for launch in found["launches"]:
            assert launch["microseconds"] > 0
            assert launch["share"] == pytest.approx(launch["least"] / launch["microseconds"])
            assert launch["gain"] == max(launch["microseconds"] - launch["least"], 0)
        assert found["total"]["microseconds"] == pytest.approx(sum(launch["microseconds"] for launch in found["launches"]))
        assert Page(page.render(found)).count("span", "bar") == len(found["launches"])
    looped().write(tmp_path / "loop")
    found = inspected(capsys, tmp_path / "loop")
    times = {launch["number"]: launch["microseconds"] for launch in found["launches"]}
    assert list(times) == ["0", "1", "1.0", "1.1", "1.2", "2"]
    assert {number for number, time in times.items() if time is None} == {"1.0", "1.1", "1.2"}


@pytest.mark.parametrize(("arguments", "message"), [
    (["--text", "--json"], "--text and --json both print"),
    (["--static", "--batch", "2"], "--batch is for a model, and plan is a folder"),
    (["--target", "cpu"], "--target is for a model, and plan is a folder"),
    (["--static", "--input", "a=a.npy"], "--input is for measuring, and nothing is measured"),
    (["--device", "no such device"], "no OpenCL device fits 'no such device'"),
])  # fmt: skip
def test_refuses(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    linear().write("plan")
    assert main(["inspect", "plan", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert not Path("plan.html").exists()
