"""Mutations of plans: of plan.json under a right seal, so that what lies behind it is reached, and of bytes of any file."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from tests.fuzz import octets
from tests.fuzz.octets import HOSTILE, number

LEAVES = (None, True, -1, 0, 1, 1.5, 1e308, 1 << 63, 1 << 64, 10**400, [], {}, "arena", "weights", "host", "output", "float32", "int64")
RAW = ("1e999", "-1e999", "NaN", "1" * 5000)
"""Numbers that Python's JSON reads, and others do not."""
Files = Mapping[str, bytes]


def mutate(r: random.Random, files: Files) -> tuple[dict[str, bytes], bool]:
    """Other files, and whether a reader has to refuse them: that is so where bytes are altered and no hash is."""
    changed = dict(files)
    if r.random() < 0.3:
        name = r.choice(sorted(files))
        if r.random() < 0.1:
            del changed[name]
        else:
            changed[name] = octets.mutate(r, files[name])
        return changed, changed != files
    document = json.loads(files["plan.json"])
    del document["sha256"]
    for _ in range(r.choice((1, 1, 2, 4))):
        document = r.choice(MUTATIONS)(r, document)
    if r.random() < 0.1:
        changed["weights.bin"] = weights = octets.mutate(r, files["weights.bin"])
        if isinstance(document, dict) and isinstance(document.get("weights"), dict):
            document["weights"]["sha256"] = hashlib.sha256(weights).hexdigest()
    changed["plan.json"] = sealed(r, document)
    return changed, False


def sealed(r: random.Random, document: Any) -> bytes:
    """A document with its hash, as docs/plan.md says; one that is no object as it is."""
    text = json.dumps(document)
    if r.random() < 0.1:
        digits = [k for k, c in enumerate(text) if c.isdigit() and text[k - 1] in " ["]
        if digits:
            k = r.choice(digits)
            text = text[:k] + r.choice(RAW) + text[k + 1 :].lstrip("0123456789")
    if not isinstance(document, dict):
        return text.encode("utf-8", "surrogatepass")
    head = text[:-1].encode("utf-8", "surrogatepass") + b",\n"
    return head + b' "sha256": "%s"\n}\n' % hashlib.sha256(head).hexdigest().encode()


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a document."""
    found = []
    stack = [value]
    while stack:
        container = stack.pop()
        for key, inner in list(container.items() if isinstance(container, dict) else enumerate(container)):
            found.append((container, key))
            if isinstance(inner, (dict, list)):
                stack.append(inner)
    return found


def _leaf(r: random.Random, document: Any) -> Any:
    """Something becomes something else."""
    places = _nodes(document) if isinstance(document, (dict, list)) else []
    if not places:
        return r.choice(LEAVES)
    container, key = r.choice(places)
    container[key] = r.choice((number(r), r.choice(LEAVES), r.choice(HOSTILE), r.randrange(4)))
    return document


def _shuffle(r: random.Random, document: Any) -> Any:
    """Something goes, occurs twice, or changes places."""
    places = _nodes(document) if isinstance(document, (dict, list)) else []
    if not places:
        return document
    container, key = r.choice(places)
    if r.random() < 0.3:
        del container[key]
    elif isinstance(container, list) and r.random() < 0.6:
        container.extend([container[key]] * r.choice((1, 1, 2, 3000)))
    else:
        other, place = r.choice(places)
        if not any(part is container for part in _within(other[place])):
            container[key] = other[place]
    return document


def _within(value: Any) -> list[Any]:
    return [value, *(c[k] for c, k in _nodes(value))] if isinstance(value, (dict, list)) else []


def _nest(r: random.Random, document: Any) -> Any:
    """Loops within loops."""
    if not isinstance(document, dict) or not isinstance(document.get("launches"), list):
        return document
    for _ in range(r.choice((1, 5, 31, 32, 33, 200))):
        loop = {"condition": ["arena", 0, 0, 1], "most": r.choice((1, None, 5)), "body": document["launches"]}
        document["launches"] = [{**loop, "rows": [], "nodes": [], "reason": ""}]
    return document


MUTATIONS: tuple[Callable[[random.Random, Any], Any], ...] = (_leaf, _leaf, _leaf, _shuffle, _shuffle, _nest)
