"""Runtimes with kernels of their own for processors, float32."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.engines.job import Array, EngineError, Facts, Job, Loaded


def litert(job: Job) -> Loaded:
    """LiteRT on the .tflite; its XNNPACK delegate is on by default."""
    from ai_edge_litert.interpreter import Interpreter

    x = job.nhwc
    interpreter = Interpreter(model_path=str(job.tflite), num_threads=job.threads)
    interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run() -> Array:
        interpreter.set_tensor(into, x)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(out))

    return Loaded(run, channels_first=False)


def onnxruntime(job: Job) -> Loaded:
    """ONNX Runtime on the .onnx, CPU provider, its default graph optimisation and spinning."""
    import onnxruntime as ort

    x = job.nchw
    options = ort.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.log_severity_level = 3  # no warnings of constants that the graph does not use
    session = ort.InferenceSession(str(job.onnx), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return Loaded(lambda: np.asarray(session.run(None, {name: x})[0]), channels_first=True)


def openvino(job: Job) -> Loaded:
    """OpenVINO on the .onnx, one stream, for latency; float32, where it would take bfloat16 by itself."""
    import openvino as ov

    x = job.nchw
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": job.threads,
        "NUM_STREAMS": 1,
    }
    request = ov.Core().compile_model(str(job.onnx), "CPU", settings).create_infer_request()
    return Loaded(lambda: np.asarray(request.infer([x], share_inputs=True)[0]), channels_first=True)


def mnn(job: Job) -> Loaded:
    """MNN on its own form of the .onnx, in float32, its default choice of algorithms, Winograd among them."""
    return mnn_on(job, "CPU")


def mnn_convert(job: Job) -> Facts:
    """The converter's function itself: the wheel's `mnnconvert` program installs packages by pip and reports its use."""
    if find_spec("MNN") is None:
        raise EngineError("not installed: MNN")
    import _tools  # of MNN's wheel

    model = job.converted(".mnn")
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(job.onnx), "--MNNModel", str(model), "--bizCode", "planish"])
    if not model.exists():
        raise EngineError("its converter makes nothing of the .onnx")
    return {}


MNN_BACKENDS = {"OPENCL": 3}
"""The numbers by which a session tells what it runs on; one for a processor depends on what the processor knows."""


def mnn_on(job: Job, backend: str) -> Loaded:
    """MNN on a backend of `MNN_BACKENDS`, or CPU. Raises EngineError where its build lacks the backend: MNN takes another."""
    import MNN
    from MNN import expr, nn

    x, model = job.nchw, str(job.converted(".mnn"))
    settings = {"backend": backend, "precision": "high", "numThread": job.threads}
    if backend in MNN_BACKENDS:
        probe = MNN.Interpreter(model)
        if probe.getSessionInfo(probe.createSession(settings), 2) != MNN_BACKENDS[backend]:
            raise EngineError(f"PyPI's build has no {backend} backend")
    runtime = nn.create_runtime_manager((settings,))
    module = nn.load_module_from_file(model, ["input"], ["output"], runtime_manager=runtime)
    variable = expr.placeholder(list(x.shape), expr.NCHW)

    def run() -> Array:
        variable.write(x)
        output = module.forward([variable])[0]
        if output.data_format == expr.NC4HW4:
            output = expr.convert(output, expr.NCHW)
        return np.asarray(output.read())

    return Loaded(run, channels_first=True)


def ncnn(job: Job) -> Loaded:
    """ncnn on its own form of the .onnx, in float32, its default choice of algorithms, Winograd among them."""
    import ncnn as runtime

    x = job.nchw
    if len(x) > 1:
        raise EngineError("it takes one image at a time")
    net = runtime.Net()
    net.opt.num_threads = job.threads
    for half in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
        setattr(net.opt, f"use_{half}", False)
    if net.load_param(str(job.converted(".ncnn.param"))) or net.load_model(str(job.converted(".ncnn.bin"))):
        raise EngineError("it cannot load what pnnx has made of the .onnx")
    (into,), (out,) = net.input_names(), net.output_names()

    def run() -> Array:
        extractor = net.create_extractor()
        extractor.input(into, runtime.Mat(x[0]))
        failed, output = extractor.extract(out)
        if failed:
            raise EngineError(f"it cannot run what pnnx has made of the .onnx: error {failed}")
        return np.array(output)[None]

    return Loaded(run, channels_first=True)


def ncnn_convert(job: Job) -> Facts:
    """The converter of pnnx's wheel, as a program: its Python module needs PyTorch."""
    found = find_spec("pnnx")
    if found is None or found.origin is None:
        raise EngineError("not installed: its converter, pnnx")
    program = next(iter(Path(found.origin).parent.glob("pnnx*")), Path("pnnx"))
    made = {f"{kind}{part}": job.converted(f".{kind}.{part}") for kind in ("pnnx", "ncnn") for part in ("param", "bin")}
    rest = {"pnnxpy": job.converted("-pnnx.py"), "pnnxonnx": job.converted("-pnnx.onnx"), "ncnnpy": job.converted("-ncnn.py")}
    options = [f"{name}={path}" for name, path in (made | rest).items()]
    done = subprocess.run([str(program), str(job.onnx), "fp16=0", *options], cwd=job.onnx.parent, capture_output=True, text=True)
    if done.returncode or not made["ncnnbin"].exists():
        raise EngineError(f"pnnx makes nothing of the .onnx: {(done.stderr or done.stdout).strip()[-200:]}")
    return {}
