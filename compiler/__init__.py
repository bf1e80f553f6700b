"""The compiler: model file -> plan.

    from planish.compiler import compile_model
    plan, report = compile_model("model.tflite")
    plan.write("model.plan")
"""

from .driver import Report, compile_model
from .errors import CompileError
from .targets import Target
from .tune import Tuning

__all__ = ["CompileError", "Report", "Target", "Tuning", "compile_model"]
