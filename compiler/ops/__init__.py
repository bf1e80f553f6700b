"""Every op: importing this package fills the registries of importers."""

from . import (
    activation,
    conv,
    elementwise,
    gather,
    movement,
    reshaping_onnx,
    reshaping_tflite,
)

__all__ = [
    "activation",
    "conv",
    "elementwise",
    "gather",
    "movement",
    "reshaping_onnx",
    "reshaping_tflite",
]
