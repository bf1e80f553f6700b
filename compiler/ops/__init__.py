"""Every op: importing this package fills the registries of importers."""

from . import (
    activation,
    conv,
    conv_transpose,
    elementwise,
    gather,
    lrn,
    matmul,
    movement,
    norm,
    pool,
    recurrent_onnx,
    reduce,
    reshaping_onnx,
    reshaping_tflite,
    resize,
    softmax,
)

__all__ = [
    "activation",
    "conv",
    "conv_transpose",
    "elementwise",
    "gather",
    "lrn",
    "matmul",
    "movement",
    "norm",
    "pool",
    "recurrent_onnx",
    "reduce",
    "reshaping_onnx",
    "reshaping_tflite",
    "resize",
    "softmax",
]
