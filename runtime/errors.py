"""What can go wrong between a plan and its numbers.

    PlanishError                  every error that this project raises on purpose
    ├── DeviceError               no such OpenCL device, or no driver at all
    ├── PlanError                 a plan that is missing, damaged, or of another version
    └── InputError                an array that does not fit the plan: name, shape or dtype

The compiler's own errors derive from `PlanishError` too, so one `except` covers both halves.
"""


class PlanishError(Exception):
    """Root of the tree; its message, passed through `one_line`, is fit to be shown to a user."""


class DeviceError(PlanishError):
    """No OpenCL device fits; the message lists those present, or says what to install."""


class PlanError(PlanishError):
    """The plan cannot be read, or does not hold what it says."""


class InputError(PlanishError):
    """An input is missing, unknown, or of the wrong shape or dtype; the message says what is accepted."""


def one_line(text: str) -> str:
    """A text on one line, and without control characters: names in it come from model files."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.splitlines()))
