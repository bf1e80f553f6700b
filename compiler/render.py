"""Kernel -> OpenCL C: the template, with its operands, its epilogue and its addresses written out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from .ir import Step
from .kernel import Kernel, Pack, Read, Site, View
from .layout import Layout
from .mapping import aligned, is_elementwise, merged, preserves_zero
from .ops.elementwise import literal

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
STORAGE = {"float32": "float", "float16": "half", "float64": "double", "bool": "uchar", "int8": "char", "uint8": "uchar",
           "int16": "short", "uint16": "ushort", "int32": "int", "uint32": "uint", "int64": "long", "uint64": "ulong"}
COMPUTE = {"float16": "float", "bool": "int", "int8": "int", "uint8": "int", "int16": "int", "uint16": "int"}


@dataclass(frozen=True)
class At:
    """Where in the result a vector lies.

    Attributes:
        index: C expressions of the coordinates; on the last axis, of the first lane.
        block: C expression of index[-1] / lanes.
    """

    index: tuple[str, ...]
    block: str
    lanes: int


@dataclass(frozen=True)
class Source:
    """A rendered kernel: what the plan holds of it.

    Attributes:
        name: of the file and the OpenCL function: the template and a hash of the text.
        operands: what to bind to each argument, in order: a value's name or packed weights.
    """

    name: str
    text: str
    operands: tuple[str | Packed, ...]


@dataclass(frozen=True)
class Packed:
    """Weights ready for the blob."""

    pack: Pack
    storage: np.dtype[Any]


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                              keep_trailing_newline=True, autoescape=False)


def source(site: Site, kernel: Kernel) -> Source:
    """Renders one candidate of a node."""
    body = _Body(site, kernel)
    template = environment().get_template(f"{kernel.template}.cl.j2")
    context: dict[str, Any] = {k: v for k, v in kernel.params.items()}
    text = template.render(
        **context, name="KERNEL_NAME", args=body.args, operand=body.operand, epilogue_args=body.epilogue_args,
        epilogue=body.epilogue, load=body.load, map_body=body.map_body, vector=body.ctype, outer=body.outer,
        fetch=body.fetch, element=body.element, store_at=body.store_at, store_index=body.store_index,
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    name = f"{kernel.template}_{digest}"
    return Source(name, text.replace("KERNEL_NAME", name), body.bound)


class _Body:
    """The parts of a kernel that depend on its operands: arguments, loads, the epilogue, the store."""

    def __init__(self, site: Site, kernel: Kernel):
        self.site, self.kernel = site, kernel
        self.node, self.lanes = site.node, kernel.lanes
        self.rank = max(site.output.type.rank, 1)
        self.y = self._placed(site.output)
        self.names: dict[str, tuple[str, View]] = {}
        self.literals: dict[str, str] = {}
        extra: list[Read] = []
        own = self.node.inputs if is_elementwise(self.node) else ()
        named = [a for step in self.node.epilogue for a in step.args if isinstance(a, str)]
        for value in dict.fromkeys((*own, *named)):
            data = site.graph.constant(value)
            if data is not None and data.size == 1 and data.dtype.kind in "fiub":
                number = data.reshape(()).item()
                self.literals[value] = literal(number) if data.dtype.kind == "f" else str(int(number))
                continue
            name = f"e{len(extra)}"
            view = self._placed(site.view(value))
            if data is not None:
                view = self._constant(view, data)
                extra.append(Read(name, Pack(_packer(view.layout, data.reshape(view.shape))), view.storage))
            else:
                extra.append(Read(name, view, view.storage))
            self.names[value] = (name, view)
        self.extra = tuple(extra)

    def _placed(self, view: View) -> View:
        if self.kernel.groups is not None:
            return merged(view, self.kernel.groups, self.rank)
        return aligned(view, self.rank) if self.rank > view.type.rank else view

    def _constant(self, view: View, data: np.ndarray) -> View:
        """Constants are stored as the kernel reads them: vectors along the last axis, padded with zeros."""
        shape = view.shape
        wide = shape[-1] > 1 and self.lanes > 1
        layout = Layout.blocked(shape, self.lanes) if wide else Layout.linear(shape)
        return View(view.value, view.type, view.storage, layout)

    # -- what the template's head asks for

    @property
    def bound(self) -> tuple[str | Packed, ...]:
        reads = [*self.kernel.reads, *self.extra]
        values = [Packed(r.source, r.storage) if isinstance(r.source, Pack) else r.source.value for r in reads]
        return (*values, self.site.output.value)

    def args(self) -> str:
        """The kernel's parameters: the template's operands, the epilogue's, the result."""
        reads = [_parameter(r) for r in (*self.kernel.reads, *self.extra)]
        return ", ".join([*reads, f"__global {STORAGE[self.y.storage.name]} *restrict y"])

    def epilogue_args(self) -> str:
        """The parameters that the epilogue adds to a template which names its own."""
        return "".join(f"{_parameter(r)}, " for r in self.extra)

    def operand(self, name: str) -> str:
        """What a template says of an operand: its type, where its elements lie, how one and how V of them are loaded."""
        prefix = name.upper()
        if name == "y":
            return "\n".join([f"#define Y_T {STORAGE[self.y.storage.name]}", *_strides(prefix, self.y, self.lanes)])
        read = next(r for r in self.kernel.reads if r.name == name)
        lines = [f"#define {prefix}_T {STORAGE[read.storage.name]}"]
        if isinstance(read.source, View):
            lines += _strides(prefix, read.source, self.lanes)
        lines.append(f"#define LOAD_{prefix}(i) {_load(name, '(i)', read.storage, 1)}")
        if self.lanes > 1:
            lines.append(f"#define LOADV_{prefix}(i) {_load(name, '(i)', read.storage, self.lanes)}")
        return "\n".join(lines)

    def load(self, name: str, *index: str, block: str = "", lanes: int | None = None, whole: bool = False) -> str:
        """The expression of `lanes` neighbours along the last axis of an operand, whatever its layout.

        Args:
            index: C expressions of the coordinates; on the last axis, of the first lane.
            block: C expression of index[-1] / lanes, where the vector is a whole block.
            whole: all lanes exist; without, those past the last element are zero.
        """
        view = next(r.source for r in self.kernel.reads if r.name == name)
        assert isinstance(view, View)
        at = At(index, block, self.lanes if lanes is None else lanes)
        ctype = _vector(_compute(view.storage), at.lanes)
        if view.shape[-1] == 1 and at.lanes > 1 and view.layout.axis is None:
            return f"({ctype})({_load(name, address(view, at), view.storage, 1)}{', 0' * (at.lanes - 1)})"
        if view.shape[-1] == 1 and at.lanes == view.layout.lanes:
            return _load(name, address(view, at), view.storage, at.lanes)
        if whole and view.layout.axis is None and view.layout.strides[-1] == 1:
            return _load(name, address(view, at), view.storage, at.lanes)
        return load(name, view, at, ctype)

    def ctype(self, lanes: int | None = None) -> str:
        return _vector(_compute(self.y.type.dtype), self.lanes if lanes is None else lanes)

    # -- the store

    def epilogue(self, value: str, *, n: str = "n", cb: str = "cb", y: str = "y", x: str = "x") -> str:
        """Runs the epilogue on `value` and stores it: channels cb*V … of pixel (n, y, x) of an NHWC result."""
        channel = f"({cb}) * {self.lanes}"
        if self.kernel.place is not None:
            index = self.kernel.place((n, y, x, channel))
        elif self.y.type.rank == 2:
            index = (n, channel)
        else:
            index = (n, y, x, channel)
        return self.store(value, At(index, cb, self.lanes))

    def store(self, value: str | None, at: At) -> str:
        """Statements that run the epilogue on a vector (None: on the loaded operands) and store it."""
        lines: list[str] = []
        results: list[tuple[str, np.dtype[Any]]] = []
        if value is None:
            results.append(self._step(lines, Step(self.node.op, self.node.inputs), results, at))
        else:
            dtype = self.site.graph.type(self.node.output).dtype if not self.node.epilogue else self._first_dtype()
            results.append((value, dtype))
        for step in self.node.epilogue:
            results.append(self._step(lines, step, results, at))
        result, _ = results[-1]
        result = self._masked(lines, result, at)
        lines += self._store(result, at)
        return "{\n" + "\n".join(f"    {line}" for line in lines) + "\n}"

    def _first_dtype(self) -> np.dtype[Any]:
        types = [self.site.graph.type(v) if v else None for v in self.node.inputs]
        return self.node.op.infer(*types)[0].dtype  # type: ignore[no-any-return]

    def _step(self, lines: list[str], step: Step, results: list[tuple[str, np.dtype[Any]]], at: At) -> tuple[str, np.dtype[Any]]:
        args, dtypes = [], []
        for a in step.args:
            if isinstance(a, int):
                args.append(results[a][0])
                dtypes.append(results[a][1])
            else:
                dtypes.append(self.site.graph.type(a).dtype)
                args.append(self._operand(lines, a, at))
        result = step.op.infer(*(_scalar_type(d) for d in dtypes))[0].dtype
        ctype = _vector(_compute(result), at.lanes)
        name = f"t{len(lines)}"
        lines.append(f"const {ctype} {name} = {step.op.expression(args, dtypes[0], ctype)};")  # type: ignore[attr-defined]
        return name, result

    def _operand(self, lines: list[str], value: str, at: At) -> str:
        if value in self.literals:
            ctype = _vector(_compute(self.site.graph.type(value).dtype), at.lanes)
            return f"({ctype})({self.literals[value]})"
        pointer, view = self.names[value]
        ctype = _vector(_compute(view.storage), at.lanes)
        name = f"t{len(lines)}"
        lines.append(f"const {ctype} {name} = {load(pointer, view, at, ctype)};")
        return name

    def _masked(self, lines: list[str], result: str, at: At) -> str:
        """Lanes past the last channel are zero in memory, so that readers need no mask."""
        layout = self.y.layout
        extent = self.y.shape[-1]
        if layout.axis is None or extent % layout.lanes == 0 or preserves_zero(self.site):
            return result
        ctype, itype = self.ctype(at.lanes), f"int{at.lanes}"
        name = f"t{len(lines)}"
        order = ", ".join(map(str, range(at.lanes)))
        lines.append(f"const {ctype} {name} = ({itype})({order}) < ({itype})({extent} - ({at.index[-1]})) ? {result} : ({ctype})(0);")
        return name

    def _store(self, result: str, at: At) -> list[str]:
        y = self.y
        place = address(y, at)
        name = y.storage.name
        whole = f"{_store_call(result, place, name, at.lanes)};"
        if at.lanes == 1 or y.layout.axis is not None:
            return [whole]
        contiguous = y.layout.strides[-1] == 1
        ragged = y.shape[-1] % at.lanes
        if contiguous and not ragged:
            return [whole]
        ctype = self.ctype(1)
        lines = [f"{ctype} lane[{at.lanes}];", f"vstore{at.lanes}({result}, 0, lane);"]
        step = at.index[-1]
        single = At((*at.index[:-1], f"({step} + k)"), "", 1)
        part = f"for (int k = 0; k < {at.lanes} && {step} + k < {y.shape[-1]}; ++k) {_store_call('lane[k]', address(y, single), name, 1)};"
        if contiguous:
            return [f"if ({step} + {at.lanes} <= {y.shape[-1]}) {{", f"    {whole}", "} else {", *(f"    {s}" for s in (*lines, part)), "}"]
        return [*lines, part]

    # -- results of any rank: the last two axes are the template's, those before are decoded here

    def outer(self) -> str:
        """Coordinates of the axes before the last two, from the third dimension of the grid."""
        lines, rest = [], "(int)get_global_id(2)"
        for d in reversed(range(self.rank - 2)):
            extent = self.y.shape[d]
            lines.append(f"    const int i{d} = {rest}{f' % {extent}' if d else ''};")
            rest = f"{rest} / {extent}"
        return "\n".join(lines)

    def _at(self, lanes: int, last: tuple[str, ...], block: str = "") -> At:
        return At((*(f"i{d}" for d in range(self.rank - 2)), *last), block, lanes)

    def fetch(self, name: str, *last: str) -> str:
        """A vector of an operand, at the outer coordinates and the given last ones."""
        return load(name, aligned(self._operand_view(name), self.rank), self._at(self.lanes, last), self.ctype())

    def element(self, name: str, *last: str) -> str:
        """One element of an operand."""
        return load(name, aligned(self._operand_view(name), self.rank), self._at(1, last), self.ctype(1))

    def store_at(self, value: str, *last: str, block: str) -> str:
        return self.store(value, self._at(self.lanes, last, block))

    def store_index(self, value: str, index: tuple[str, ...]) -> str:
        """Runs the epilogue on a vector at the given coordinates and stores it."""
        return self.store(value, At(index, "", self.lanes))

    def _operand_view(self, name: str) -> View:
        read = next(r for r in self.kernel.reads if r.name == name)
        if isinstance(read.source, View):
            return read.source
        index = [r.name for r in self.kernel.reads].index(name)
        return self.site.input(index)

    # -- the body of `map`

    def map_body(self) -> str:
        """Coordinates of the vector that a work-item owns, its loads, the epilogue and the store."""
        shape = self.y.shape or (1,)
        rank = len(shape)
        lines = []
        index = [f"i{d}" for d in range(rank)]
        block = "get_global_id(0)"
        lines.append(f"const int b = {block};")
        lines.append(f"const int {index[-1]} = b * {self.lanes};" if self.lanes > 1 else f"const int {index[-1]} = b;")
        if rank > 1:
            lines.append(f"const int {index[-2]} = get_global_id(1);")
        outer = "(int)get_global_id(2)"
        for d in reversed(range(rank - 2)):
            last = d == 0
            lines.append(f"const int {index[d]} = {outer};" if last else f"const int {index[d]} = {outer} % {shape[d]};")
            outer = f"{outer} / {shape[d]}"
        at = At(tuple(index), "b", self.lanes)
        if self.kernel.gather is None:
            lines += self.store(None, at).split("\n")
        else:
            lines += self._gather(at).split("\n")
            lines += self.store("v", at).split("\n")
        return "\n".join(f"    {line}" for line in lines)

    def _gather(self, at: At) -> str:
        kernel, x = self.kernel, self.kernel.reads[0]
        view = x.source if isinstance(x.source, View) else self.site.input(0)
        assert kernel.gather is not None
        dtype = view.storage
        ctype = _vector(_compute(dtype), at.lanes)
        fill = literal(kernel.fill) if dtype.kind == "f" else str(int(kernel.fill))
        index = at.index if self.site.output.shape else ()
        if at.lanes == 1:
            return f"const {ctype} v = {self._element(view, index, fill)};"
        source, inside = kernel.gather(index)
        moves = len(source) > 0 and source[-1] == index[-1] and not any(index[-1] in s for s in (*source[:-1], inside or ""))
        if moves and view.vectors(at.lanes):
            value = load(x.name, view, At(source, at.block, at.lanes), ctype)
            return f"const {ctype} v = " + (f"{inside} ? {value} : ({ctype})({fill})" if inside else value) + ";"
        scalar = _vector(_compute(dtype), 1)
        element = self._element(view, (*index[:-1], f"({index[-1]} + k)"), fill)
        extent = self.y.shape[-1]
        bound = f" && {index[-1]} + k < {extent}" if extent % at.lanes else ""
        return (f"{scalar} lane[{at.lanes}] = {{0}};\n"
                f"for (int k = 0; k < {at.lanes}{bound}; ++k) lane[k] = {element};\n"
                f"const {ctype} v = vload{at.lanes}(0, lane);")

    def _element(self, view: View, index: tuple[str, ...], fill: str) -> str:
        assert self.kernel.gather is not None
        source, inside = self.kernel.gather(index)
        value = _load("x", address(view, At(source, "", 1)), view.storage, 1)
        return f"({inside} ? {value} : {fill})" if inside else value


def address(view: View, at: At) -> str:
    """The element offset of a vector's first lane, as a C expression; axes of extent 1 are broadcast."""
    layout = view.layout
    terms = [str(layout.offset)] if layout.offset else []
    for d, (extent, stride, i) in enumerate(zip(view.shape, layout.strides, at.index)):
        if extent == 1:
            continue
        if d == layout.axis:
            if at.lanes == layout.lanes and d == len(view.shape) - 1 and at.block:
                terms.append(_times(at.block, stride))
            else:
                terms.append(f"({i}) / {layout.lanes} * {stride} + ({i}) % {layout.lanes}")
        else:
            terms.append(_times(i, stride))
    return " + ".join(terms) or "0"


def load(pointer: str, view: View, at: At, ctype: str) -> str:
    """The expression of a vector of an operand that broadcasts to the result."""
    lanes = at.lanes
    extent = view.shape[-1] if view.shape else 1
    if lanes == 1 or extent == 1:
        value = _load(pointer, address(view, At(at.index, "", 1)), view.storage, 1)
        return value if lanes == 1 else f"({ctype})({value})"
    layout = view.layout
    if layout.axis == len(view.shape) - 1 and layout.lanes == lanes:
        return _load(pointer, address(view, at), view.storage, lanes)
    contiguous = layout.axis is None and layout.strides[-1] == 1
    whole = _load(pointer, address(view, at), view.storage, lanes)
    if contiguous and extent % lanes == 0:
        return whole
    last = at.index[-1]
    singles = []
    for k in range(lanes):
        single = At((*at.index[:-1], f"({last} + {k})"), "", 1)
        value = _load(pointer, address(view, single), view.storage, 1)
        singles.append(f"({last} + {k} < {extent} ? {value} : 0)" if extent % lanes else value)
    apart = f"({ctype})({', '.join(singles)})"
    return f"({last} + {lanes} <= {extent} ? {whole} : {apart})" if contiguous else apart


def _load(pointer: str, place: str, storage: np.dtype[Any], lanes: int) -> str:
    if storage == np.float16:
        return f"vload_half({place}, {pointer})" if lanes == 1 else f"vload_half{lanes}(0, {pointer} + {place})"
    compute = _compute(storage)
    if lanes == 1:
        return f"{pointer}[{place}]" if compute == STORAGE[storage.name] else f"(({compute}){pointer}[{place}])"
    value = f"vload{lanes}(0, {pointer} + {place})"
    return value if compute == STORAGE[storage.name] else f"convert_{compute}{lanes}({value})"


def _store_call(value: str, place: str, storage: str, lanes: int) -> str:
    if storage == "float16":
        return f"vstore_half({value}, {place}, y)" if lanes == 1 else f"vstore_half{lanes}({value}, 0, y + {place})"
    ctype = STORAGE[storage]
    converted = value if _compute(np.dtype(storage)) == ctype else f"convert_{_vector(ctype, lanes)}({value})"
    return f"y[{place}] = {converted}" if lanes == 1 else f"vstore{lanes}({converted}, 0, y + {place})"


def _parameter(read: Read) -> str:
    return f"__global const {STORAGE[read.storage.name]} *restrict {read.name}"


def _strides(prefix: str, view: View, lanes: int) -> list[str]:
    """Of an NHWC image: the offset of its first element, and the strides of image, row, pixel and block of channels."""
    if view.type.rank not in (2, 4):
        return []
    n, y, x, c = (0,) * (4 - view.type.rank) + view.layout.strides
    c = c if view.layout.axis is not None else c * lanes
    names = {"OFFSET": view.layout.offset, "SN": n, "SC": c, "SY": y, "SX": x}
    return [f"#define {prefix}_{key} {number}" for key, number in names.items()]


def _times(index: str, stride: int) -> str:
    simple = index.isidentifier()
    if stride == 1:
        return index if simple else f"({index})"
    return f"{index} * {stride}" if simple else f"({index}) * {stride}"


def _compute(dtype: np.dtype[Any]) -> str:
    return COMPUTE.get(dtype.name, STORAGE[dtype.name])


def _vector(ctype: str, lanes: int) -> str:
    return f"{ctype}{lanes}" if lanes > 1 else ctype


def _scalar_type(dtype: np.dtype[Any]) -> Any:
    from .ir import TensorType

    return TensorType((), dtype)


def _packer(layout: Layout, data: np.ndarray) -> Any:
    return lambda: layout.pack(data)
