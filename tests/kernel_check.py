"""Kernels in Oclgrind, which sees what a device does not: accesses out of bounds, data races, values that nobody wrote.

    python -m tests.kernel_check [arguments of pytest]

runs the tests of `TESTS` with this file as a plugin of pytest. A test fails if Oclgrind reports anything about its kernels.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from functools import cached_property
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

import pyopencl as cl
import pytest

from planish.runtime import session
from planish.runtime.binding import Binder
from planish.runtime.plan import Argument, Kernel, Launch

ROOT = Path(__file__).parent.parent
LIBRARY = "liboclgrind-rt-icd.so"
BUILD = "-cl-opt-disable -D__builtin_prefetch(...)=((void)0)"
"""Without what it cannot simulate: LLVM's freeze, which its optimiser leaves behind, and a hint that touches no memory."""
SETTINGS = {
    "OCLGRIND_DATA_RACES": "1", "OCLGRIND_UNINITIALIZED": "1", "OCLGRIND_NUM_THREADS": "1", "OCLGRIND_MAX_ERRORS": "1000000000",
    "OCLGRIND_BUILD_OPTIONS": BUILD,
    "PLANISH_CACHE": "off", "PLANISH_DEVICE": "oclgrind", "PYOPENCL_NO_CACHE": "1",
}  # fmt: skip
CANDIDATES = ("conv", "conv_transpose", "cumulative", "lstm_integer", "matmul", "pool", "recurrent", "reduce", "softmax", "windows",
              "winograd")
HALF = ("conv", "conv_transpose", "elementwise", "matmul", "movement", "pool", "recurrent", "reduce", "resize", "softmax", "winograd")
OTHERS = ("not_finite.py", "conv.py::test_tiles_in_local_memory", "conv.py::test_weights_as_images",
          "winograd.py::test_reads_and_writes_what_the_user_sees", "resize.py::test_kernel", "norm.py::test_lrn_kernel",
          "scatter.py::test_every_kernel", "gather.py::test_every_kernel", "bitcast.py", "det.py", "max_place.py", "roi.py",
          "sample.py::test_every_mode", "top.py", "trees.py")
TESTS = tuple(f"tests/compiler/ops/test_{name}" for name in (
    *(f"{name}.py::test_every_candidate" for name in CANDIDATES), *(f"{name}.py::test_half_precision" for name in HALF), *OTHERS))
"""Every candidate of every template."""
UNKNOWN = re.compile("half|f16|images")
"""Tests, by name, in which Oclgrind does not look for values that nobody wrote: of half precision its own notes of them break down, of
what is read from images it has none."""
SHOWN = 1500
"""Characters of a report that a failure shows."""
TOUCH = "__kernel void touch(__global const uchar *x) {}"

_folder = Path()
_numbers = count()
_building = Lock()
"""Oclgrind's compiler does not bear two at once."""
_seen: set[str] = set()
"""Names of the kernels that were run."""


def main(arguments: list[str]) -> int:
    """Runs the tests; without arguments, every template has to be among them."""
    driver = library()
    if not driver:
        print(f"no Oclgrind: {LIBRARY} lies neither beside the command oclgrind nor in /usr/lib; apt install oclgrind brings it")
        return 2
    with tempfile.TemporaryDirectory() as vendors:
        Path(vendors, "oclgrind.icd").write_text(f"{driver}\n")
        command = [sys.executable, "-m", "pytest", "-p", "tests.kernel_check", "-m", "device and not slow", *arguments]
        named = any(".py" in argument for argument in arguments)
        chosen = () if named else TESTS
        whole = not named and not {"-k", "--lf"} & set(arguments)
        environment = {**os.environ, **SETTINGS, "OCL_ICD_VENDORS": vendors}
        return subprocess.run([*command, *(["--every-template"] if whole else []), *chosen], cwd=ROOT, env=environment).returncode


def library() -> Path | None:
    """Oclgrind as a driver."""
    found = shutil.which("oclgrind")
    roots = [Path(found).resolve().parent.parent] if found else []
    places = (root / folder / LIBRARY for root in (*roots, Path("/usr")) for folder in ("lib", "lib64", "lib/oclgrind", "lib64/oclgrind"))
    return next((place for place in places if place.exists()), None)


class Apart(Binder):
    """Gives each range of the arena and of the weights a buffer that ends where it ends, those that overlap one for all: what lies
    beyond a range of a larger buffer would be in bounds."""

    def __init__(self, queue: cl.CommandQueue, plan: Any, buffers: dict[str, list[cl.Buffer]]):
        super().__init__(queue, plan, buffers)
        _seen.update(kernel.name for kernel in plan.kernels)

    def _build(self, kernel: Kernel) -> cl.Program:
        with _building:
            return super()._build(kernel)

    @cached_property
    def _ranges(self) -> list[tuple[str, int, int, cl.Buffer]]:
        """Of each: kind, begin, end, buffer."""
        launches = [step for step in self._plan.launches if isinstance(step, Launch)]
        arguments = {a for launch in launches for a in launch.arguments if a.buffer in ("arena", "weights")}
        joined: list[tuple[str, int, int, int]] = []
        for a in sorted(arguments, key=lambda a: (a.buffer, a.offset)):
            end = a.offset + max(a.nbytes, 1)
            if joined and joined[-1][0] == a.buffer and a.offset < joined[-1][2]:
                kind, begin, most, members = joined[-1]
                joined[-1] = kind, begin, max(most, end), members + 1
            else:
                joined.append((a.buffer, a.offset, end, 1))
        return [(kind, begin, end, self._buffer(kind, begin, end, members > 1)) for kind, begin, end, members in joined]

    def _buffer(self, kind: str, begin: int, end: int, shared: bool) -> cl.Buffer:
        context, flags = self._queue.context, cl.mem_flags
        if kind == "weights":
            return cl.Buffer(context, flags.READ_ONLY | flags.COPY_HOST_PTR, hostbuf=bytes(self._plan.weights[begin:end]))
        buffer = cl.Buffer(context, flags.READ_WRITE, end - begin)
        if shared:  # what is to be known of a buffer is set up right only by a kernel that gets it from its beginning
            touch = cl.Program(context, TOUCH).build().touch
            touch(self._queue, (1,), None, buffer)
            self._queue.finish()
        return buffer

    def _part(self, argument: Argument) -> cl.Buffer:
        if argument in self._parts or argument.buffer not in ("arena", "weights") or self._plan.host_steps or self._plan.loops:
            return super()._part(argument)
        for kind, begin, end, buffer in self._ranges:
            if kind == argument.buffer and begin <= argument.offset < end:
                whole = (argument.offset, argument.offset + max(argument.nbytes, 1)) == (begin, end)
                self._parts[argument] = buffer if whole else buffer.get_sub_region(argument.offset - begin, max(argument.nbytes, 1))
        return self._parts[argument]


def _context(device: cl.Device) -> cl.Context:
    """A context for each session: what Oclgrind knows of a buffer outlives it, and is taken for that of the next one."""
    os.environ["OCLGRIND_LOG"] = str(_folder / f"{next(_numbers)}.log")
    return cl.Context([device])


def _reports() -> list[str]:
    """What Oclgrind has said since the last call."""
    found = []
    for path in sorted(_folder.glob("*.log")):
        found += [text.strip() for text in re.split(r"\n\n(?=\S)", path.read_text()) if text.strip()]
        path.write_text("")
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-template", action="store_true", help="fail unless a kernel of every template was run in Oclgrind")


def pytest_configure(config: pytest.Config) -> None:
    global _folder
    _folder = Path(tempfile.mkdtemp(prefix="planish-oclgrind-"))
    config.add_cleanup(lambda: shutil.rmtree(_folder, ignore_errors=True))
    setattr(session, "context", _context)  # noqa: B010
    setattr(session, "Binder", Apart)  # noqa: B010


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    _reports()
    os.environ["OCLGRIND_UNINITIALIZED"] = str(int(not UNKNOWN.search(item.name)))
    try:
        result = yield
    finally:
        found = _reports()
        item.add_report_section("call", "Oclgrind", "\n\n".join(found)[:SHOWN])
    if found:
        pytest.fail(f"Oclgrind reports {len(found)}, the first of them:\n{found[0][:SHOWN]}", pytrace=False)
    return result


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    _seen.update(getattr(node, "workeroutput", {}).get("kernels", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["kernels"] = sorted(_seen)
    elif session.config.getoption("--every-template") and _missing() and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    terminalreporter.write_line(f"{len(_seen)} kernels in Oclgrind, of {len(_templates() - _missing())} templates")
    if config.getoption("--every-template") and _missing():
        terminalreporter.write_line(f"no kernel of {', '.join(sorted(_missing()))}", red=True)


def _templates() -> set[str]:
    """Of kernels with one launch: OpenCL C 3.0, in which launches are joined, is beyond Oclgrind."""
    return {path.name.partition(".")[0] for path in (ROOT / "templates").glob("*.cl.j2")} - {"megakernel"}


def _missing() -> set[str]:
    return _templates() - {name.rpartition("_")[0] for name in _seen}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
