"""The networks that the onnx package carries for `onnx.backend.test`: as they ship, and with weights that differ.

As they ship all weights are the same number, and the results of a last softmax too; so the second test gives each network random
weights, and looks at what goes into the softmax.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from planish.compiler import compile_model
from planish.runtime import Session
from tests.oracles import ort, write

CASES = sorted(load_model_tests(kind="real"), key=lambda c: c.name)
NETWORKS = pytest.mark.parametrize("case", CASES, ids=lambda c: c.model_name)
LARGE = 1 << 22
"""Elements above which a weight is a random block, repeated: so the files stay small."""
BLOCK = 256
FACTORS = {("BatchNormalization", 1), ("BatchNormalization", 4), ("Mul", 1)}
"""Operands that are scales or variances."""


def test_all_nine_are_here() -> None:
    assert [c.model_name for c in CASES] == [
        "bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19", "zfnet512",
    ]  # fmt: skip


@pytest.mark.device
@pytest.mark.slow
@NETWORKS
def test_as_shipped(case: Any, device: Any) -> None:
    """Against the outputs that ship with the network, within the tolerance that ships too."""
    path = file_of(case)
    expected = TensorProto.FromString(path.with_name(f"{path.stem}_output_0.pb").read_bytes())
    actual = run(path, Runner.generate_dummy_data(image_of(onnx.load(path))), device)
    Runner.assert_similar_outputs([numpy_helper.to_array(expected)], [actual], case.rtol, case.atol)


@pytest.mark.device
@pytest.mark.slow
@NETWORKS
def test_with_random_weights(case: Any, device: Any, tmp_path: Path) -> None:
    """Against ONNX Runtime."""
    model = onnx.load(file_of(case))
    randomise(model)
    image = np.random.default_rng(1).standard_normal([d.dim_value for d in image_of(model).type.tensor_type.shape.dim], np.float32)
    path = write(tmp_path, model)
    (expected,) = ort(path, [image])
    assert expected.std() > 1e-2 * np.abs(expected).max()
    np.testing.assert_allclose(run(path, image, device), expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def file_of(case: Any) -> Path:
    return Path(onnx.__file__).parents[1] / case.url


def image_of(model: ModelProto) -> onnx.ValueInfoProto:
    """The only input that is no constant."""
    constants = {t.name for t in model.graph.initializer}
    (image,) = (i for i in model.graph.input if i.name not in constants)
    return image


def run(path: Path, image: np.ndarray, device: Any) -> np.ndarray:
    plan, _ = compile_model(path)
    assert plan is not None
    with Session(plan, device) as session:
        (output,) = session.run([image]).values()
    return output


def randomise(model: ModelProto) -> None:
    """Puts random weights, scaled by their fan-in, in the place of equal ones; a softmax at the end is left out."""
    graph, rng = model.graph, np.random.default_rng(0)
    if graph.node[-1].op_type == "Softmax":
        graph.output[0].name = graph.node.pop().input[0]
        graph.output[0].ClearField("type")
    constants = {t.name: t for t in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape, name = numpy_helper.to_array(constants[node.input[0]]).tolist(), node.output[0]
        if len(shape) == 1:
            array = rng.uniform(0.5, 1.5, shape) if _is_factor(graph.node, name) else 0.1 * rng.standard_normal(shape)
            graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), name))
            continue
        repeats = shape[0] // BLOCK if np.prod(shape) > LARGE else 1
        block = rng.standard_normal([shape[0] // repeats, *shape[1:]], np.float32) * np.float32(np.sqrt(2 / np.prod(shape[1:])))
        graph.initializer.append(numpy_helper.from_array(block, f"{name}:block"))
        graph.initializer.append(numpy_helper.from_array(np.array([repeats, *[1] * (len(shape) - 1)]), f"{name}:repeats"))
        nodes.append(helper.make_node("Tile", [f"{name}:block", f"{name}:repeats"], [name]))
    del graph.node[:]
    graph.node.extend(nodes)


def _is_factor(nodes: Any, name: str) -> bool:
    """Whether a vector multiplies or divides, directly or with more axes."""
    readers = [(n, list(n.input).index(name)) for n in nodes if name in n.input]
    return any((n.op_type, k) in FACTORS or (n.op_type == "Unsqueeze" and _is_factor(nodes, n.output[0])) for n, k in readers)
