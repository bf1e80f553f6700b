"""Buckets of elements: against LiteRT, on the device too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness import check_file
from tests.oracles import evaluated, litert, same, tflite_node


@pytest.mark.device
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
@pytest.mark.parametrize(("shape", "boundaries"), [((2, 3, 17), [-1.0, 0.0, 0.5, 2.0]), ((5,), [3.0]), ((4, 4), [0.0, 0.0, 1.0])])
def test_bucketize(tmp_path: Path, shape: tuple[int, ...], boundaries: list[float], dtype: Any) -> None:
    x = (np.random.default_rng(0).integers(-6, 9, shape) / (2 if dtype == np.float32 else 1)).astype(dtype)
    path, feed = tflite_node(tmp_path, "BUCKETIZE", [x], {"boundaries": boundaries}, dtype="int32", fed=1)
    same(evaluated(path, feed), litert(path, feed), 0)
    assert check_file(path, feed) == 1
