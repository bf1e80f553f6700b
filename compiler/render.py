"""Kernel -> OpenCL C: the template, with its operands, its epilogue and its addresses written out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from .access import STORAGE, At, address, compute_type, load, load_from, narrowed, narrowing, near_sigmoid, parameter, store, strides
from .ir import Step, TensorType
from .kernel import Kernel, Pack, Read, Scratch, Site, View
from .layout import Layout
from .mapping import aligned, is_elementwise, merged, preserves_zero, updatable
from .ops.elementwise import Elementwise, literal
from .targets import Target

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
Typed = tuple[str, np.dtype[Any]]
"""The C name of a result of the epilogue, and its type in the graph."""


@dataclass(frozen=True)
class Source:
    """A rendered kernel: what the plan holds of it.

    Attributes:
        name: of the file and the OpenCL function: the template and a hash of the text.
        operands: what to bind to each argument, in order: a value's name, packed weights, or memory for the time of the launch.
    """

    name: str
    text: str
    operands: tuple[str | Packed | Scratch, ...]

    @property
    def stores(self) -> tuple[bool, ...]:
        """To which operands it writes: the last, the result, and memory for the time of the launch."""
        return tuple(k == len(self.operands) - 1 or isinstance(o, Scratch) for k, o in enumerate(self.operands))


@dataclass(frozen=True)
class Packed:
    """Weights ready for the blob; `image`: of which the kernel reads pixels."""

    pack: Pack
    storage: np.dtype[Any]
    image: bool


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                              keep_trailing_newline=True, autoescape=False)


def source(site: Site, kernel: Kernel, *, stage: bool = False) -> Source:
    """Renders one candidate of a node.

    Args:
        stage: as a function of a megakernel, which is given the ids of a work-item.
    """
    body = _Body(site, kernel)
    template = environment().get_template(f"{kernel.template}.cl.j2")
    text = template.render(
        **kernel.params, kernel="static inline void KERNEL_NAME" if stage else _head(site.target, kernel),
        args=body.args, operand=body.operand, epilogue_args=body.epilogue_args, result=body.result, parameter=body.parameter,
        vector=body.vector, load=body.load, narrow=body.narrow, store=body.store, epilogue=body.epilogue, map_body=body.map_body,
    )
    functions = [*map(narrowing, sorted(body.narrowed)), *map(near_sigmoid, sorted(body.near))]
    text = "".join(f"{function}\n" for function in functions) + text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    name = f"{kernel.template}_{digest}"
    head = f"{name}(const int item0, const int item1, const int item2, " if stage else f"{name}("
    return Source(name, text.replace("KERNEL_NAME(", head), body.bound)


def _head(target: Target, kernel: Kernel) -> str:
    """How the definition of a kernel begins, up to its name.

    The hint keeps Intel's driver for CPUs from looking for work-items to put in one vector, which takes it most of a build.
    """
    if kernel.group is None:
        return "__kernel void KERNEL_NAME"
    group = (*kernel.group, 1, 1)[:3]
    hint = f" __attribute__((vec_type_hint(float{kernel.lanes})))" if target.kind == "cpu" and kernel.lanes > 1 else ""
    if size := kernel.params.get("SUBGROUP"):
        hint += f" __attribute__((intel_reqd_sub_group_size({size})))"
    return f"__attribute__((reqd_work_group_size({', '.join(map(str, group))}))){hint}\n__kernel void KERNEL_NAME"


class _Body:
    """The parts of a kernel that depend on its operands: arguments, loads, the epilogue, the store."""

    def __init__(self, site: Site, kernel: Kernel):
        self.site, self.kernel = site, kernel
        self.node, self.lanes = site.node, kernel.lanes
        self.rank = max(site.output.type.rank, 1)
        self.y = self._placed(site.output)
        self.updatable = updatable(site, kernel)
        types = [site.graph.type(v) if v else None for v in self.node.inputs]
        self.own = self.node.op.infer(*types)[0].dtype
        self.operands: dict[str, tuple[str, View]] = {}
        self.literals: dict[str, str] = {}
        extra: list[Read] = []
        own = self.node.inputs if is_elementwise(self.node) else ()
        named = [a for step in self.node.epilogue for a in step.args if isinstance(a, str)]
        for value in dict.fromkeys((*own, *named)):
            data = site.graph.constant(value)
            if data is not None and data.size == 1:
                self.literals[value] = literal(data.item(), data.dtype)
                continue
            name, view = f"e{len(extra)}", self._placed(site.view(value))
            if data is not None:
                view = self._constant(view)
                extra.append(Read(name, Pack(_packer(view.layout, data.reshape(view.shape))), view.storage))
            else:
                extra.append(Read(name, view, view.storage))
            self.operands[value] = (name, view)
        self.extra = tuple(extra)
        self.narrowed: set[int] = set()
        self.near: set[int] = set()

    def _placed(self, view: View) -> View:
        if self.kernel.groups is not None:
            return merged(view, self.kernel.groups, self.rank)
        return aligned(view, self.rank)

    def _constant(self, view: View) -> View:
        """Constants are stored as the kernel reads them: vectors along the last axis, padded with zeros."""
        wide = view.shape[-1] > 1 and self.lanes > 1
        layout = Layout.blocked(view.shape, self.lanes) if wide else Layout.linear(view.shape)
        return View(view.value, view.type, view.storage, layout)

    # -- what the template's head asks for

    @property
    def bound(self) -> tuple[str | Packed | Scratch, ...]:
        reads = [*self.kernel.reads, *self.extra]
        return (*(_bound(r) for r in reads), self.site.output.value)

    def args(self) -> str:
        """The kernel's parameters: the template's operands, the epilogue's, the result."""
        return f"{''.join(f'{parameter(r)}, ' for r in self.kernel.reads)}{self.epilogue_args()}{self.result(STORAGE[self.y.storage.name])}"

    def parameter(self, name: str) -> str:
        """The parameter of an operand that only some kernels of a template have."""
        return parameter(next(r for r in self.kernel.reads if r.name == name))

    def epilogue_args(self) -> str:
        """The parameters that the epilogue adds to a template which names its own."""
        return "".join(f"{parameter(r, shared=_bound(r) in self.updatable)}, " for r in self.extra)

    def result(self, ctype: str = "Y_T") -> str:
        """The parameter of the result, which may lie in the place of an operand."""
        return f"__global {ctype} *{'' if self.updatable else 'restrict '}y"

    def operand(self, name: str) -> str:
        """What a template says of an operand: its type, where its elements lie, how one and how V of them are loaded."""
        prefix = name.upper()
        if name == "y":
            return "\n".join([f"#define Y_T {STORAGE[self.y.storage.name]}", *strides(prefix, self.y, self.lanes)])
        read = next(r for r in self.kernel.reads if r.name == name)
        lines = [f"#define {prefix}_T {STORAGE[read.storage.name]}"]
        if isinstance(read.source, View):
            lines += strides(prefix, read.source, self.lanes)
        if read.image:
            return f"#define LOADV_{prefix}(i) read_imagef({name}, {name}_begin + (i) / {self.lanes})"
        lines.append(f"#define LOAD_{prefix}(i) {load_from(name, '(i)', read.storage, 1)}")
        if self.lanes > 1:
            aligned = not isinstance(read.source, View) or read.source.layout.axis is not None
            lines.append(f"#define LOADV_{prefix}(i) {load_from(name, '(i)', read.storage, self.lanes, aligned)}")
        return "\n".join(lines)

    def vector(self, lanes: int | None = None) -> str:
        """The C type of a vector of the op's own results, before its epilogue."""
        return compute_type(self.own, self.lanes if lanes is None else lanes)

    # -- loads

    def load(self, name: str, *index: str, block: str = "", lanes: int | None = None, whole: bool = False, fill: str = "0") -> str:
        """The expression of `lanes` neighbours along the last axis of an operand, whatever its layout.

        Args:
            index: C expressions of the coordinates, on the last axis of the first lane; leading axes that the operand lacks,
                and those where its extent is 1, are broadcast.
            block: C expression of index[-1] / lanes, where the vector is a whole block.
            whole: all lanes exist; without, those past the last element of a strided operand are `fill`.
        """
        view = aligned(self._view(name), len(index))
        at = At(index, block, self.lanes if lanes is None else lanes, whole)
        single = at.lanes > 1 and view.shape[-1] == 1
        if single and view.layout.axis is None:
            first = load_from(name, address(view, at), view.storage, 1)
            return f"({compute_type(view.storage, at.lanes)})({first}{', 0' * (at.lanes - 1)})"
        if single and at.lanes == view.layout.lanes:
            return load_from(name, address(view, at), view.storage, at.lanes)
        return load(name, view, at, fill)

    def _view(self, name: str) -> View:
        """A template's operand as it lies; a constant one lies as its value says."""
        k = [r.name for r in self.kernel.reads].index(name)
        source = self.kernel.reads[k].source
        return source if isinstance(source, View) else self.site.input(k)

    # -- the epilogue and the store

    def epilogue(self, value: str, *, n: str = "n", cb: str = "cb", y: str = "y", x: str = "x") -> str:
        """Runs the epilogue on `value` and stores it: channels cb*V … of pixel (n, y, x) of an NHWC result."""
        channel = f"({cb}) * {self.lanes}"
        if self.kernel.place is not None:
            return self.store(value, *self.kernel.place((n, y, x, channel)), block=cb)
        return self.store(value, *((n, channel) if self.y.type.rank == 2 else (n, y, x, channel)), block=cb)

    def store(self, value: str | None, *index: str, block: str = "") -> str:
        """Statements that run the epilogue on a vector (None: on the loaded operands) and store it at coordinates of the result.

        Args:
            block: C expression of index[-1] / lanes, where the vector is a whole block.
        """
        return self._store(value, At(index, block, self.lanes))

    def _store(self, value: str | None, at: At) -> str:
        lines: list[str] = []
        results: list[Typed] = []
        if value is None:
            results.append(self._step(lines, Step(self.node.op, self.node.inputs), results, at))
        else:
            results.append((value, self.own))
        for step in self.node.epilogue:
            results[-1] = self._narrowed(lines, results[-1], at)
            results.append(self._step(lines, step, results, at))
        result = self._masked(lines, results[-1][0], at)
        lines += store(self.y, at, result)
        return "{\n" + "\n".join(f"    {line}" for line in lines) + "\n}"

    def _step(self, lines: list[str], step: Step, results: list[Typed], at: At) -> Typed:
        args, dtypes = [], []
        for a in step.args:
            name, dtype = results[a] if isinstance(a, int) else self._operand(lines, a, at)
            args.append(name)
            dtypes.append(dtype)
        result = step.op.infer(*(TensorType((), d) for d in dtypes))[0].dtype
        ctype = compute_type(result, at.lanes)
        if isinstance(step.op, Elementwise) and step.op.row.near and self.site.target.kind == "cpu" and ctype.startswith("float"):
            self.near.add(at.lanes)
            text = step.op.expression(args, dtypes[0], ctype, f"near_sigmoid{at.lanes if at.lanes > 1 else ''}")
        else:
            text = step.op.expression(args, dtypes[0], ctype)  # type: ignore[attr-defined]
        if result.kind in "iu" and result.itemsize < 4:
            text = f"convert_{ctype}(convert_{STORAGE[result.name]}{at.lanes if at.lanes > 1 else ''}({text}))"
        name = f"t{len(lines)}"
        lines.append(f"const {ctype} {name} = {text};")
        return name, result

    def _narrowed(self, lines: list[str], result: Typed, at: At) -> Typed:
        """A result that is float16 in the graph, rounded to that before the epilogue goes on with it."""
        value, dtype = result
        if dtype != np.float16:
            return result
        name = f"t{len(lines)}"
        lines.append(f"const {compute_type(dtype, at.lanes)} {name} = {self.narrow(value, at.lanes, dtype)};")
        return name, dtype

    def narrow(self, value: str, lanes: int | None = None, dtype: np.dtype[Any] | None = None) -> str:
        """The expression of a vector, rounded to half precision if it is float16 in the graph: if the op's own results are."""
        if (dtype or self.own) != np.float16:
            return value
        lanes = self.lanes if lanes is None else lanes
        self.narrowed.add(lanes)
        return narrowed(value, lanes)

    def _operand(self, lines: list[str], value: str, at: At) -> Typed:
        dtype = self.site.graph.type(value).dtype
        ctype = compute_type(dtype, at.lanes)
        if value in self.literals:
            return f"({ctype})({self.literals[value]})", dtype
        pointer, view = self.operands[value]
        name = f"t{len(lines)}"
        lines.append(f"const {ctype} {name} = {load(pointer, view, at)};")
        return name, dtype

    def _masked(self, lines: list[str], result: str, at: At) -> str:
        """Lanes past the last channel are stored as zero.

        Kernels whose windows reach over channels rely on that, and so do those that multiply the lanes by packed zeros. Only
        where a channel of the same pixel overflows may a convolution leave NaN there, and then no channel of it is a number.
        """
        layout, extent = self.y.layout, self.y.shape[-1]
        if layout.axis is None or extent % layout.lanes == 0 or preserves_zero(self.site, self.kernel):
            return result
        ctype = compute_type(self.y.type.dtype, at.lanes)
        itype = f"{'long' if ctype.startswith(('long', 'ulong', 'double')) else 'int'}{at.lanes}"
        name = f"t{len(lines)}"
        order = ", ".join(map(str, range(at.lanes)))
        lines.append(f"const {ctype} {name} = ({itype})({order}) < ({itype})({extent} - ({at.index[-1]})) ? {result} : ({ctype})(0);")
        return name

    # -- the body of `map`

    def map_body(self) -> str:
        """Coordinates of the vector that a work-item owns, its loads, the epilogue and the store.

        Where the last axis of a strided result is no multiple of a vector, its last elements are computed one by one.
        """
        shape = self.y.shape or (1,)
        rank = len(shape)
        lines = ["const int b = get_global_id(0);"]
        index = [f"i{d}" for d in range(rank)]
        lines.append(f"const int {index[-1]} = b * {self.lanes};" if self.lanes > 1 else f"const int {index[-1]} = b;")
        if rank > 1:
            lines.append(f"const int {index[-2]} = get_global_id(1);")
        outer = "(int)get_global_id(2)"
        for d in reversed(range(rank - 2)):
            last = d == 0
            lines.append(f"const int {index[d]} = {outer};" if last else f"const int {index[d]} = {outer} % {shape[d]};")
            outer = f"{outer} / {shape[d]}"
        at = At(tuple(index), "b", self.lanes)
        if self.kernel.gather is not None:
            lines += [*self._gather(at).split("\n"), *self._store("v", at).split("\n")]
        elif self.y.layout.axis is None and shape[-1] % self.lanes:
            lines += [f"if ({index[-1]} + {self.lanes} <= {shape[-1]})", *self._store(None, replace(at, whole=True)).split("\n"),
                      f"else for (int i = {index[-1]}; i < {shape[-1]}; ++i)", *self._store(None, At((*index[:-1], "i"))).split("\n")]
        else:
            lines += self._store(None, at).split("\n")
        return "\n".join(f"    {line}" for line in lines)

    def _gather(self, at: At) -> str:
        kernel, x = self.kernel, self._view("x")
        assert kernel.gather is not None
        ctype = compute_type(x.storage, at.lanes)
        fill = literal(kernel.fill, x.type.dtype)
        index = at.index if self.site.output.shape else ()
        if at.lanes == 1:
            return f"const {ctype} v = {self._element(x, index, fill)};"
        source, inside = kernel.gather(index)
        moves = len(source) > 0 and source[-1] == index[-1] and not any(index[-1] in s for s in (*source[:-1], inside or ""))
        if moves and x.vectors(at.lanes):
            value = load("x", x, At(source, at.block, at.lanes))
            return f"const {ctype} v = " + (f"{inside} ? {value} : ({ctype})({fill})" if inside else value) + ";"
        element = self._element(x, (*index[:-1], f"({index[-1]} + k)"), fill)
        extent = self.y.shape[-1]
        bound = f" && {index[-1]} + k < {extent}" if extent % at.lanes else ""
        return (f"{compute_type(x.storage)} lane[{at.lanes}] = {{0}};\n"
                f"for (int k = 0; k < {at.lanes}{bound}; ++k) lane[k] = {element};\n"
                f"const {ctype} v = vload{at.lanes}(0, lane);")

    def _element(self, view: View, index: tuple[str, ...], fill: str) -> str:
        assert self.kernel.gather is not None
        source, inside = self.kernel.gather(index)
        value = load_from("x", address(view, At(source)), view.storage, 1)
        return f"({inside} ? {value} : {fill})" if inside else value


def _packer(layout: Layout, data: np.ndarray) -> Callable[[], np.ndarray]:
    return lambda: layout.pack(data)


def _bound(read: Read) -> str | Packed | Scratch:
    match read.source:
        case Pack():
            return Packed(read.source, read.storage, read.image)
        case Scratch():
            return read.source
        case View():
            return read.source.value
