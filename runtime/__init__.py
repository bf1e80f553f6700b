"""The thin runtime: plan -> numbers, on any OpenCL device. It needs numpy and pyopencl, and never the compiler.

    from planish.runtime import load
    session = load("plan/")
    outputs = session.run({"image": array})
"""

from .errors import DeviceError, InputError, PlanError, PlanishError
from .inference_session import InferenceSession
from .interpreter import Interpreter
from .plan import Plan, Tensor
from .running import Run
from .session import Session, load

__all__ = [
    "DeviceError", "InferenceSession", "InputError", "Interpreter", "Plan", "PlanError", "PlanishError", "Run", "Session", "Tensor", "load",
]  # fmt: skip
