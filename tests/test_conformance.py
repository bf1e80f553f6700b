"""Samples of the conformance suites; `make conformance` runs all of them."""

from __future__ import annotations

import pytest

from planish.compiler.ops.importing import TFLITE
from tests.conformance import tflite_suite
from tests.conformance.__main__ import SUITES, listing

EVERY = {"onnx": 20, "tflite": 50}
"""Of so many cases one is run; each builds its kernels."""
NO_KERNEL = {
    "Convolution2DTransposeBias", "Landmarks2TransformMatrix", "MaxPoolingWithArgmax2D", "MaxUnpooling2D", "Resampler", "STABLEHLO_ABS",
    "STABLEHLO_BROADCAST_IN_DIM", "STABLEHLO_CBRT", "STABLEHLO_CLAMP", "STABLEHLO_COSINE", "STABLEHLO_DIVIDE", "STABLEHLO_EXPONENTIAL",
    "STABLEHLO_FLOOR", "STABLEHLO_LOG", "STABLEHLO_LOGISTIC", "STABLEHLO_NEGATE", "STABLEHLO_OR", "STABLEHLO_POWER", "STABLEHLO_REMAINDER",
    "STABLEHLO_RSQRT", "STABLEHLO_SELECT", "STABLEHLO_SUBTRACT", "STABLEHLO_TANH", "TransformLandmarks", "TransformTensorBilinear",
}  # fmt: skip
"""Operators for which LiteRT's interpreter has no kernel; tests of their ops hold them against numpy."""


@pytest.mark.device
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suite", SUITES)
def test_a_sample(suite: str) -> None:
    """Every 20th case, or 50th, passes, or is listed."""
    listed = listing(suite)
    names = [name for name in sorted(SUITES[suite].cases()) if name not in listed]
    outcomes = [SUITES[suite].run(name) for name in names[:: EVERY[suite]]]
    assert len(names) > len(listed)
    assert not [o for o in outcomes if o.status != "passed"]


def test_every_tflite_operator_has_cases() -> None:
    assert {case.op for case in tflite_suite.cases().values()} == TFLITE.keys() - NO_KERNEL
