"""How many operations well-known networks have for each byte that they move, layer by layer as planish runs them: what the roofline asks.

    python examples/intensities.py [--batch N] [--layers NETWORK]

The networks are written down as their papers have them, without weights to compute with; parameters and multiplications are held against
the figures that are published for them, and status 1 says that they differ. Batch normalisation is taken to be part of the convolution
in front of it, as it is in a network that is ready to run; its factors count as parameters.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.table import Table

from planish.compiler import analyze
from planish.compiler.analyze import Layer
from planish.compiler.ir import Graph, Node, TensorType
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.lrn import LocalResponseNorm
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Concat, Reshape, Slice, Transpose
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.softmax import Softmax
from planish.compiler.report import standard_output

FLOAT = np.dtype(np.float32)


class Network:
    """A network in the making; every method adds a node and returns its result.

    Attributes:
        factors: of batch normalisations, which have gone into weights.
    """

    def __init__(self, batch: int, side: int = 224):
        self.graph, self.factors = Graph("network"), 0
        self.x = self.graph.add_input("image", TensorType((batch, side, side, 3), FLOAT))

    def __call__(self, op: object, *values: str) -> str:
        name = f"{type(op).__name__.lower()}{len(self.graph)}"
        self.graph.add_node(Node(name, op, values, (f"{name}:y",), position=len(self.graph), sources=(name,)))
        return f"{name}:y"

    def shape(self, x: str) -> tuple[int, ...]:
        return self.graph.type(x).shape

    def weights(self, *shape: int) -> str:
        """All alike, in no memory: nothing is computed with them."""
        return self.graph.add_constant(np.broadcast_to(np.float32(0.5), shape))

    def conv(self, x: str, channels: int, size: int = 1, stride: int = 1, groups: int = 1, *, act: str = "relu", norm: bool = True) -> str:
        """A convolution that keeps an image's extent, but for its stride; its bias, or that of its normalisation; an activation."""
        self.factors += channels if norm else 0
        pad = (size // 2, size // 2)
        y = self(Conv2D((stride, stride), (pad, pad), groups=groups), x, self.weights(channels, size, size, self.shape(x)[3] // groups))
        y = self(Elementwise("add"), y, self.weights(channels))
        return self.act(y, act) if act else y

    def act(self, x: str, act: str = "relu") -> str:
        return self(Elementwise("clip", (0.0, 6.0)), x) if act == "relu6" else self(Elementwise(act), x)

    def add(self, x: str, y: str) -> str:
        return self.act(self(Elementwise("add"), x, y))

    def depthwise(self, x: str, stride: int = 1, *, act: str = "relu") -> str:
        channels = self.shape(x)[3]
        return self.conv(x, channels, 3, stride, channels, act=act)

    def pool(self, x: str, size: int = 3, stride: int = 2, pads: tuple[int, int] = (1, 1)) -> str:
        return self(Pool2D("max", (size, size), (stride, stride), (pads, pads)), x)

    def dense(self, x: str, channels: int, *, act: str = "") -> str:
        y = self(Elementwise("add"), self(MatMul(), x, self.weights(self.shape(x)[1], channels)), self.weights(channels))
        return self.act(y, act) if act else y

    def classify(self, x: str, classes: int = 1000) -> Graph:
        """The mean of each channel, a dense layer, a softmax; ends the network."""
        x = self(Reduce("mean", (1, 2)), x) if len(self.shape(x)) == 4 else x
        self.graph.outputs = {"classes": self(Softmax(1), self.dense(x, classes))}
        self.graph.verify()
        return self.graph


def vgg16(n: Network) -> Graph:
    """Simonyan and Zisserman, 2014, configuration D."""
    x = n.x
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x = n.conv(x, channels, 3, norm=False)
        x = n.pool(x, 2, 2, (0, 0))
    x = n(Reshape((n.shape(x)[0], 7 * 7 * 512)), x)
    return n.classify(n.dense(n.dense(x, 4096, act="relu"), 4096, act="relu"))


def resnet(n: Network, blocks: Sequence[int], *, bottleneck: bool) -> Graph:
    """He, Zhang, Ren and Sun, 2015."""
    x = n.pool(n.conv(n.x, 64, 7, 2))
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for block in range(count):
            stride, out = 2 if stage and not block else 1, 4 * width if bottleneck else width
            y = n.conv(n.conv(x, width, 1, stride), width, 3) if bottleneck else n.conv(x, width, 3, stride)
            y = n.conv(y, out, 1 if bottleneck else 3, act="")
            x = n.add(y, x if n.shape(x) == n.shape(y) else n.conv(x, out, 1, stride, act=""))
    return n.classify(x)


INCEPTION = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), None,
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128), None, (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)  # fmt: skip
"""Channels of each module: 1x1; 3x3, and in front of it; 5x5, and in front of it; behind the pooling. None: a pooling between modules."""


def inception(n: Network) -> Graph:
    """Szegedy et al., Going Deeper with Convolutions, 2014: GoogLeNet, without what only trains it."""
    norm = LocalResponseNorm(2, 2, 2e-5, 0.75, 1.0)
    x = n(norm, n.pool(n.conv(n.x, 64, 7, 2, norm=False), pads=(0, 1)))
    x = n.pool(n(norm, n.conv(n.conv(x, 64, norm=False), 192, 3, norm=False)), pads=(0, 1))
    for module in INCEPTION:
        if module is None:
            x = n.pool(x, pads=(0, 1))
            continue
        one, before3, three, before5, five, pooled = module
        parts = (n.conv(x, one, norm=False), n.conv(n.conv(x, before3, norm=False), three, 3, norm=False),
                 n.conv(n.conv(x, before5, norm=False), five, 5, norm=False), n.conv(n.pool(x, 3, 1), pooled, norm=False))
        x = n(Concat(3), *parts)
    return n.classify(x)


def mobilenet_v1(n: Network) -> Graph:
    """Howard et al., 2017."""
    x = n.conv(n.x, 32, 3, 2)
    for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)):
        x = n.conv(n.depthwise(x, stride), channels)
    return n.classify(x)


def mobilenet_v2(n: Network) -> Graph:
    """Sandler et al., 2018."""
    x = n.conv(n.x, 32, 3, 2, act="relu6")
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for widen, channels, count, first in stages:
        for block in range(count):
            y = n.conv(x, widen * n.shape(x)[3], act="relu6") if widen > 1 else x
            y = n.conv(n.depthwise(y, first if not block else 1, act="relu6"), channels, act="")
            x = n(Elementwise("add"), x, y) if n.shape(x) == n.shape(y) else y
    return n.classify(n.conv(x, 1280, act="relu6"))


def shufflenet_v2(n: Network) -> Graph:
    """Ma, Zhang, Zheng and Sun, 2018, of width 1."""
    x = n.pool(n.conv(n.x, 24, 3, 2))
    for channels, count in ((116, 4), (232, 8), (464, 4)):
        half = channels // 2
        for block in range(count):
            batch, height, width, _ = shape = n.shape(x)
            if block:
                kept, y = (n(Slice((0, 0, 0, start), (*shape[:3], half), (1, 1, 1, 1)), x) for start in (0, half))
            else:
                kept, y = n.conv(n.depthwise(x, 2, act=""), half), x
            y = n.conv(n.depthwise(n.conv(y, half), 1 if block else 2, act=""), half)
            both = n(Concat(3), kept, y)
            batch, height, width, _ = n.shape(both)
            pairs = n(Transpose((0, 1, 2, 4, 3)), n(Reshape((batch, height, width, 2, half)), both))
            x = n(Reshape((batch, height, width, channels)), pairs)
    return n.classify(n.conv(x, 1024))


@dataclass(frozen=True)
class Known:
    """A network, and what is published of it.

    Attributes:
        parameters: exactly, of the reference implementations; macs: of one picture, in the precision of the paper; within: a part of that.
    """

    build: Callable[[Network], Graph]
    parameters: int
    macs: float
    within: float = 0.02


NETWORKS = {
    "VGG-16": Known(vgg16, 138_357_544, 15.5e9),
    "ResNet-18": Known(lambda n: resnet(n, (2, 2, 2, 2), bottleneck=False), 11_689_512, 1.8e9),
    "ResNet-50": Known(lambda n: resnet(n, (3, 4, 6, 3), bottleneck=True), 25_557_032, 3.8e9),
    "ResNet-152": Known(lambda n: resnet(n, (3, 8, 36, 3), bottleneck=True), 60_192_808, 11.3e9),
    "Inception v1": Known(inception, 6_998_552, 1.6e9),
    "MobileNet v1": Known(mobilenet_v1, 4_231_976, 569e6, 0.001),
    "MobileNet v2": Known(mobilenet_v2, 3_504_872, 300e6),
    "ShuffleNet v2": Known(shufflenet_v2, 2_278_604, 146e6),
}


class Different(Exception):
    """A network is not the one that is published."""


def counted(name: str, batch: int = 1, precision: str = "f32") -> list[Layer]:
    """The layers of a network, which are those that are known.

    Raises:
        Different: they are not.
    """
    known, network = NETWORKS[name], Network(batch)
    layers = analyze.layers(known.build(network), precision)
    whole = analyze.total(layers)
    if whole.parameters + network.factors != known.parameters:
        raise Different(f"{name}: {whole.parameters + network.factors:,} parameters; {known.parameters:,} are known")
    if abs(whole.macs / batch - known.macs) > known.within * known.macs:
        raise Different(f"{name}: {whole.macs / batch / 1e6:,.1f} million multiplications; {known.macs / 1e6:,.1f} are known")
    return layers


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Operations a byte of well-known networks.")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="pictures at a time (default: 1)")
    parser.add_argument("--layers", choices=NETWORKS, metavar="NETWORK", help=f"every layer of one: {', '.join(NETWORKS)}")
    options = parser.parse_args(arguments)
    if options.batch < 1:
        parser.error("--batch takes a number from 1 on")
    console = standard_output()
    try:
        console.print(analyze.table(counted(options.layers, options.batch)) if options.layers else _table(options.batch))
    except Different as error:
        print(f"WRONG: {error}")
        return 1
    return 0


def _table(batch: int) -> Table:
    table = Table(box=box.MARKDOWN)
    table.add_column("network")
    for head in ("parameters, M", "MACs, M", "MB moved", "FLOP/byte", "in half precision", "layers: least", "median", "most"):
        table.add_column(head, justify="right")
    for name in NETWORKS:
        layers = counted(name, batch)
        whole, half = analyze.total(layers), analyze.total(counted(name, batch, "f16"))
        of_layers = [layer.intensity or 0.0 for layer in layers if layer.macs]
        table.add_row(name, f"{NETWORKS[name].parameters / 1e6:.2f}", f"{whole.macs / 1e6:,.0f}", f"{whole.nbytes / 1e6:.1f}",
                      f"{whole.intensity:.1f}", f"{half.intensity:.1f}", f"{min(of_layers):.2f}", f"{np.median(of_layers):.1f}",
                      f"{max(of_layers):.1f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
