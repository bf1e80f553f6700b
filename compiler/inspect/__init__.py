"""A model or a plan, opened: graphs, launches, rules, memory, roofline; as a page, as text, as JSON."""

from .command import add_inspect_arguments, inspect
from .document import Course, document

__all__ = ["Course", "add_inspect_arguments", "document", "inspect"]
