"""Runtimes on an OpenCL driver: planish, and others on the same device."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines.cpu import mnn_on
from benchmarks.engines.job import Array, EngineError, Facts, Job, Loaded


def planish(job: Job) -> Loaded:
    """planish on the .tflite."""
    return _planish(job, job.nhwc, channels_first=False)


def planish_onnx(job: Job) -> Loaded:
    """planish on the .onnx."""
    return _planish(job, job.nchw, channels_first=True)


def planish_convert(job: Job) -> Facts:
    """What a user does: the command line compiles the .tflite for the device."""
    return _compile(job, job.tflite)


def planish_onnx_convert(job: Job) -> Facts:
    """The same with the .onnx."""
    return _compile(job, job.onnx)


def planish_f16_convert(job: Job) -> Facts:
    """The .tflite, with intermediates and weights in half precision."""
    return _compile(job, job.tflite, "--precision", "f16")


def _compile(job: Job, model: Path, *options: str) -> Facts:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [shutil.which("planish", path=path) or "planish", "compile", str(model), "-o", str(job.converted("-plan")), *options]
    done = subprocess.run(command + (["--device", job.device] if job.device else []), capture_output=True, text=True)
    if done.returncode:
        raise EngineError(done.stderr.strip())
    return {}


def _planish(job: Job, x: Array, *, channels_first: bool) -> Loaded:
    from planish.runtime import load

    session = load(job.converted("-plan"), device=job.device)
    name = session.inputs[0].name

    def run() -> Array:
        return np.asarray(next(iter(session.run({name: x}).values())))

    return Loaded(run, channels_first, _device(session.device))


def _device(device: Any) -> Facts:
    return {"device": device.name.strip(), "driver": f"{device.platform.name.strip()} {device.driver_version.strip()}"}


def tinygrad(job: Job) -> Loaded:
    """tinygrad on the .onnx, jitted, its default heuristics (no search of kernels), on the device that planish takes."""
    from planish.runtime import devices

    device = devices.find(job.device)
    os.environ["DEV"] = "CL"
    from tinygrad import Tensor, TinyJit
    from tinygrad.nn.onnx import OnnxRunner
    from tinygrad.runtime import ops_cl

    # It would take the first device of the first platform. A cl_device_id is the driver's, whatever loader found it.
    ops_cl.CLDevice.device_ids = (ops_cl.cl.cl_device_id * 1).from_buffer(ctypes.c_void_p(device.int_ptr))
    x, model = job.nchw, OnnxRunner(str(job.onnx))
    name, output = next(iter(model.graph_inputs)), next(iter(model.graph_outputs))

    @TinyJit
    def infer(x: Any) -> Any:
        return model({name: x})[output].realize()

    return Loaded(lambda: np.asarray(infer(Tensor(x).realize()).numpy()), channels_first=True, facts=_device(device))


def mnn_opencl(job: Job) -> Loaded:
    """MNN on OpenCL, where its build has that."""
    return mnn_on(job, "OPENCL")
