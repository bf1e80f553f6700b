"""Figures as people read them."""

from __future__ import annotations

FILTERS = ("amount", "count", "time", "percent", "megabytes")


def amount(value: float | None) -> str:
    """Three digits, with k, M, G or T."""
    if value is None:
        return "–"
    for factor, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= factor * 0.9995:
            return f"{_three(value / factor)}{unit}"
    return _three(value)


def count(value: int) -> str:
    """With thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u2009")


def time(microseconds: float | None) -> str:
    """Microseconds, or milliseconds where they are many."""
    if microseconds is None:
        return "–"
    return f"{_three(microseconds / 1e3)} ms" if microseconds >= 9995 else f"{_three(microseconds)} µs"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %" if share >= 0.0995 or not share else f"{100 * share:.1f} %"


def megabytes(nbytes: float | None) -> str:
    if nbytes is None:
        return "–"
    return f"{_three(nbytes / 1e6)} MB" if nbytes >= 1e5 else f"{_three(nbytes / 1e3)} kB" if nbytes >= 1e3 else f"{nbytes:.0f} B"


def _three(value: float) -> str:
    """Three digits, or all in front of the point."""
    size = abs(value)
    if size >= 99.95 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 9.995 else f"{value:.2f}" if size >= 0.0995 else f"{value:.2g}"
