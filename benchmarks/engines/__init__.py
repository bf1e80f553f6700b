"""The runtimes that are compared. A new one is a function from `Job` to `Loaded`, and a row of `ENGINES`."""

from __future__ import annotations

from benchmarks.engines import cpu, opencl
from benchmarks.engines.job import Array, Engine, EngineError, Facts, Job, Loaded

__all__ = ["ENGINES", "OPENCL", "OURS", "Array", "Engine", "EngineError", "Facts", "Job", "Loaded"]

ENGINES = {
    "planish": Engine("planish", opencl.planish, opencl.planish_convert),
    "planish_onnx": Engine("planish", opencl.planish_onnx, opencl.planish_onnx_convert),
    "planish_f16": Engine("planish", opencl.planish, opencl.planish_f16_convert),
    "litert": Engine("ai-edge-litert", cpu.litert),
    "onnxruntime": Engine("onnxruntime", cpu.onnxruntime),
    "openvino": Engine("openvino", cpu.openvino),
    "mnn": Engine("mnn", cpu.mnn, cpu.mnn_convert),
    "ncnn": Engine("ncnn", cpu.ncnn, cpu.ncnn_convert),
    "tinygrad": Engine("tinygrad", opencl.tinygrad),
    "mnn_opencl": Engine("mnn", opencl.mnn_opencl, cpu.mnn_convert),
}

OURS = ("planish", "planish_onnx", "planish_f16")
OPENCL = ("tinygrad", "mnn_opencl")
"""The other engines of OpenCL: told apart, for their kernels are compared on the same driver."""
