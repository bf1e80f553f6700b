"""Well-known networks with seeded weights. A new one is a function that calls `Builder`, and a row of `NETWORKS`.

Each takes the batch and the height and width of its input; the defaults are those it is known by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.formats import to_onnx, to_tflite
from benchmarks.layers import Builder, Network

__all__ = ["NETWORKS", "to_onnx", "to_tflite"]


def mobilenet_v1(batch: int = 1, size: int = 224) -> Network:
    """MobileNet v1 1.0, Howard et al. 2017, with the head of TensorFlow's models: a pool and a 1x1 convolution."""
    net = Builder("mobilenet_v1", (batch, size, size, 3))
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


def mobilenet_v2(batch: int = 1, size: int = 224) -> Network:
    """MobileNet v2 1.0, Sandler et al. 2018, with the head of the Keras model: a mean and a dense layer."""
    net = Builder("mobilenet_v2", (batch, size, size, 3))
    x = net.conv(32, 3, 2)
    for channels, repeats, first in MOBILENET_V2:
        for stride in [first] + [1] * (repeats - 1):
            x = _inverted_residual(net, x, channels, 1 if channels == 16 else 6, stride=stride)
    net.conv(1280, 1)
    net.global_average()
    net.dense(1000, gain=2)
    net.softmax()
    return net.finish()


def squeezenet(batch: int = 1, size: int = 224) -> Network:
    """SqueezeNet 1.1, Iandola et al. 2016."""
    net = Builder("squeezenet", (batch, size, size, 3))
    net.conv(64, 3, 2, padding="VALID", activation="RELU")
    for channels, squeezed, pooled in SQUEEZENET:
        if pooled:
            net.pool("MAX", 3, 2, padding="VALID")
        x = net.conv(squeezed, 1, activation="RELU")
        net.concat(*(net.conv(channels, kernel, activation="RELU", x=x) for kernel in (1, 3)))
    net.conv(1000, 1, activation="RELU", gain=2)
    net.global_average()
    net.softmax()
    return net.finish()


def efficientnet_lite0(batch: int = 1, size: int = 224) -> Network:
    """EfficientNet-Lite0: EfficientNet-B0 without squeeze and excitation, with ReLU6."""
    net = Builder("efficientnet_lite0", (batch, size, size, 3))
    x = net.conv(32, 3, 2)
    for channels, repeats, first, kernel in EFFICIENTNET:
        for stride in [first] + [1] * (repeats - 1):
            x = _inverted_residual(net, x, channels, 1 if channels == 16 else 6, kernel, stride=stride)
    net.conv(1280, 1)
    net.global_average()
    net.dense(1000, gain=2)
    net.softmax()
    return net.finish()


def efficientnet_b0(batch: int = 1, size: int = 224) -> Network:
    """EfficientNet-B0, Tan and Le 2019: swish, and squeeze and excitation to a quarter of a block's input."""
    net = Builder("efficientnet_b0", (batch, size, size, 3))
    net.conv(32, 3, 2, activation="NONE", gain=1.6)
    x = net.swish()
    for channels, repeats, first, kernel in EFFICIENTNET:
        for stride in [first] + [1] * (repeats - 1):
            x = _squeezed_residual(net, x, channels, 1 if channels == 16 else 6, kernel, stride)
    net.conv(1280, 1, activation="NONE", gain=1.6)
    net.swish()
    net.global_average()
    net.dense(1000, gain=2)
    net.softmax()
    return net.finish()


def resnet50(batch: int = 1, size: int = 224) -> Network:
    """ResNet-50 v1.5, He et al. 2015, with the stride on the 3x3 convolutions."""
    net = Builder("resnet50", (batch, size, size, 3))
    net.conv(64, 7, 2, activation="RELU")
    x = net.pool("MAX", 3, 2)
    for channels, repeats, first in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for stride in [first] + [1] * (repeats - 1):
            net.conv(channels, 1, activation="RELU", x=x)
            net.conv(channels, 3, stride, activation="RELU")
            y = net.conv(4 * channels, 1, activation="NONE", gain=0.3)  # else the sums double from block to block
            if net.channels(x) != 4 * channels:
                x = net.conv(4 * channels, 1, stride, activation="NONE", x=x)
            x = net.add(x, y, activation="RELU")
    net.global_average()
    net.dense(1000, gain=4)
    net.softmax()
    return net.finish()


def deeplab_v3(batch: int = 1, size: int = 257) -> Network:
    """DeepLab v3 on MobileNet v2, Chen et al. 2017: output stride 8, dilated after it, 21 classes a pixel, no softmax."""
    net = Builder("deeplab_v3", (batch, size, size, 3))
    x = net.conv(32, 3, 2)
    reached, dilation = 2, 1
    for channels, repeats, first in MOBILENET_V2:
        for stride in [first] + [1] * (repeats - 1):
            here = 1 if reached == 8 else stride
            x = _inverted_residual(net, x, channels, 1 if channels == 16 else 6, stride=here, dilation=dilation)
            reached, dilation = reached * here, dilation * stride // here
    net.global_average(keep=True, x=x)
    net.conv(256, 1, activation="RELU")
    whole = net.resize(x)
    net.concat(whole, net.conv(256, 1, activation="RELU", x=x))
    net.conv(256, 1, activation="RELU")
    net.conv(21, 1, activation="NONE")
    net.resize("input")
    return net.finish()


def unet(batch: int = 1, size: int = 256) -> Network:
    """U-Net, Ronneberger et al. 2015, padded, from 16 channels at full size to 256 at a sixteenth; one mask."""
    net = Builder("unet", (batch, size, size, 3))
    skipped = []
    for channels in (16, 32, 64, 128):
        net.conv(channels, 3, activation="RELU")
        skipped.append(net.conv(channels, 3, activation="RELU"))
        net.pool("MAX", 2, 2)
    net.conv(256, 3, activation="RELU")
    net.conv(256, 3, activation="RELU")
    for x in reversed(skipped):
        net.concat(x, net.upsample(net.channels(x), 2))
        net.conv(net.channels(x), 3, activation="RELU")
        net.conv(net.channels(x), 3, activation="RELU")
    net.conv(1, 1, activation="NONE")
    net.sigmoid()
    return net.finish()


def vgg16(batch: int = 1, size: int = 224) -> Network:
    """The convolutional part of VGG-16, Simonyan and Zisserman 2014."""
    net = Builder("vgg16", (batch, size, size, 3))
    for channels, repeats in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(repeats):
            net.conv(channels, 3, activation="RELU")
        net.pool("MAX", 2, 2)
    return net.finish()


MOBILENET_V2: Sequence[tuple[int, int, int]] = [
    (16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1),
]  # fmt: skip
"""Stages: channels, blocks, stride of the first; the first stage does not expand."""

EFFICIENTNET: Sequence[tuple[int, int, int, int]] = [
    (16, 1, 1, 3), (24, 2, 2, 3), (40, 2, 2, 5), (80, 3, 2, 3), (112, 3, 1, 5), (192, 4, 2, 5), (320, 1, 1, 3),
]  # fmt: skip
"""As `MOBILENET_V2`, and the depthwise kernel's size."""

SQUEEZENET: Sequence[tuple[int, int, bool]] = [
    (64, 16, True), (64, 16, False), (128, 32, True), (128, 32, False),
    (192, 48, True), (192, 48, False), (256, 64, False), (256, 64, False),
]  # fmt: skip
"""Fire modules: channels of each of the two expansions, channels squeezed to, whether a pool comes before."""


def _inverted_residual(net: Builder, x: str, channels: int, expansion: int, kernel: int = 3, *, stride: int = 1, dilation: int = 1) -> str:
    """Expand, filter each channel, project; the sum with `x` where the shapes agree."""
    if expansion > 1:
        net.conv(expansion * net.channels(x), 1, x=x)
    net.depthwise(kernel, stride, dilation=dilation, x=None if expansion > 1 else x)
    y = net.conv(channels, 1, activation="NONE")
    return net.add(x, y) if stride == 1 and net.channels(x) == channels else y


def _squeezed_residual(net: Builder, x: str, channels: int, expansion: int, kernel: int, stride: int) -> str:
    """The same with swish, and each channel scaled before it is projected. Gains make up for swish and the scale."""
    filtered = x
    if expansion > 1:
        net.conv(expansion * net.channels(x), 1, activation="NONE", gain=1.6, x=x)
        filtered = net.swish()
    net.depthwise(kernel, stride, activation="NONE", x=filtered)
    filtered = net.swish()
    net.global_average(keep=True)
    net.conv(max(1, net.channels(x) // 4), 1, activation="NONE")
    net.swish()
    net.conv(net.channels(filtered), 1, activation="NONE")
    net.multiply(filtered, net.sigmoid())
    y = net.conv(channels, 1, activation="NONE", gain=2.7)
    return net.add(x, y) if stride == 1 and net.channels(x) == channels else y


NETWORKS: dict[str, Callable[..., Network]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "squeezenet": squeezenet,
    "efficientnet_lite0": efficientnet_lite0,
    "efficientnet_b0": efficientnet_b0,
    "resnet50": resnet50,
    "deeplab_v3": deeplab_v3,
    "unet": unet,
    "vgg16": vgg16,
}
