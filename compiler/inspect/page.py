"""The document as one HTML page that needs nothing else: no network, no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from planish.runtime.errors import one_line

from . import charts, figures

GENERATOR = "planish inspect"
"""Stands in the head of a page, so that it can be told from other files."""


def render(found: Mapping[str, Any]) -> str:
    """The page of a document. Names in it are text, whatever they hold; no script but the page's own may run."""
    from . import highlight  # what only a page needs no other command waits for

    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    graphs = {name: charts.graph(graph, found["launches"]) for name, graph in found.get("graphs", {}).items()}
    return _environment().get_template("page.html.j2").render(
        found=found, generator=GENERATOR, script=Markup(script), digest=digest, css=Markup(_styles()), graphs=graphs,
        sources={name: Markup(highlight.html(text)) for name, text in found["sources"].items()},
        roofline=charts.roofline(found), memory=charts.memory(found))  # fmt: skip


def _styles() -> str:
    from . import highlight

    light, dark = (highlight.css(style, ".source") for style in ("friendly", "github-dark"))
    return f"{_file('page.css')}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{_file('source.css')}"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(loader=jinja2.FunctionLoader(_file), autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined, finalize=_plain)
    environment.filters.update({name: getattr(figures, name) for name in figures.FILTERS})
    return environment


def _plain(value: Any) -> Any:
    """What is written of a value: of a text that is not the page's own, nothing that is not printable."""
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
