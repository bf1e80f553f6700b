"""OpenCL C in colours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers.c_cpp import CLexer
from pygments.token import Keyword, Name

TYPES = re.compile(r"(float|half|double|u?(char|short|int|long))(2|3|4|8|16|V)?|size_t|atomic_int")
WORDS = re.compile(r"__(global|kernel|constant|local|private|attribute__)|restrict")
BUILT_IN = re.compile(r"get_(global|local|group)_(id|size)|get_num_groups|barrier|v(load|store)(_half)?(2|3|4|8|16)?|fma|mad|min|max|clamp|"
                      r"exp|log|sqrt|rsqrt|tanh|erf|pow|floor|ceil|fabs|select|mix|convert_\w+|as_\w+|atomic_\w+|native_\w+|half_\w+")


class OpenCLLexer(CLexer):  # type: ignore[misc]  # pygments tells no types
    """C, and what OpenCL adds to it."""

    name = "OpenCL C"

    def get_tokens_unprocessed(self, text: str, *arguments: Any, **named: Any) -> Iterator[tuple[int, Any, str]]:
        for index, token, value in super().get_tokens_unprocessed(text, *arguments, **named):
            if token in Name:
                known = ((TYPES, Keyword.Type), (WORDS, Keyword), (BUILT_IN, Name.Builtin))
                token = next((kind for words, kind in known if words.fullmatch(value)), token)
            yield index, token, value


def html(source: str) -> str:
    """The lines of a source, escaped, each token of a kind in a span."""
    return highlight(source, OpenCLLexer(stripnl=False), HtmlFormatter(nowrap=True))


def css(style: str, scope: str) -> str:
    """The rules that colour what `html` gives, within a scope."""
    return HtmlFormatter(style=style).get_style_defs(scope)
