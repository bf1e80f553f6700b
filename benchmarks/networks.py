"""Well-known networks with seeded weights. A new one is a function that calls `Builder`, and a row of `NETWORKS`."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.formats import to_onnx, to_tflite
from benchmarks.layers import Builder, Network

__all__ = ["NETWORKS", "mobilenet_v1", "mobilenet_v2", "to_onnx", "to_tflite"]


def mobilenet_v1() -> Network:
    """MobileNet v1 1.0/224, Howard et al. 2017, with the head of TensorFlow's models: a pool and a 1x1 convolution."""
    net = Builder("mobilenet_v1", (1, 224, 224, 3))
    net.conv(32, 3, 2)
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for channels, stride in blocks:
        net.depthwise(3, stride)
        net.conv(channels, 1)
    net.global_average(keep=True)
    net.conv(1000, 1, activation="NONE", gain=2)
    net.flatten()
    net.softmax()
    return net.finish()


def mobilenet_v2() -> Network:
    """MobileNet v2 1.0/224, Sandler et al. 2018, with the head of the Keras model: a mean and a dense layer."""
    net = Builder("mobilenet_v2", (1, 224, 224, 3))
    x = net.conv(32, 3, 2)
    # (expansion, channels, repeats, stride of the first)
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, channels, repeats, first in stages:
        for stride in [first] + [1] * (repeats - 1):
            if expansion > 1:
                net.conv(expansion * net.channels(x), 1, x=x)
            net.depthwise(3, stride)
            y = net.conv(channels, 1, activation="NONE")
            x = net.add(x, y) if stride == 1 and net.channels(x) == channels else y
    net.conv(1280, 1)
    net.global_average()
    net.dense(1000, gain=2)
    net.softmax()
    return net.finish()


NETWORKS: dict[str, Callable[[], Network]] = {"mobilenet_v1": mobilenet_v1, "mobilenet_v2": mobilenet_v2}
