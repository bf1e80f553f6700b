"""Plans held against their models."""

from .command import add_verify_arguments, verify_plan

__all__ = ["add_verify_arguments", "verify_plan"]
