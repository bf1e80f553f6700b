"""Train the bundled 2x upscaler, score it on pictures it has never seen, and write upscaler.tflite and upscaler.onnx.

    pip install tensorflow scikit-image scikit-learn pillow onnx onnxruntime
    python examples/upscaler/train.py [--steps N] [--seed 0] [-o FOLDER]

Every picture comes with scikit-image or scikit-learn; nothing is downloaded. A low-resolution picture is always the
truth halved by Pillow's BICUBIC filter and rounded to 8 bits. Values are sRGB in 0..1.
"""

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import onnx
import onnxruntime
import skimage.data
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_sample_image
from tensorflow.lite.tools import flatbuffer_utils
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

HELD_OUT = ("chelsea", "coffee", "astronaut")
GREY = ("brick", "camera", "clock", "coins", "grass", "gravel")
COLOUR = ("hubble_deep_field", "immunohistochemistry", "retina", "rocket", "china.jpg", "flower.jpg")
SAMPLE, SAMPLE_BOX = "coffee", (150, 60, 406, 316)  # picture.png and picture_truth.png: left, top, right, bottom
SHRINKS = (1.0, 0.75, 0.5)  # each training picture is seen at these sizes: smaller is sharper
SIDE = 128  # of the exported network's input
PATCH = 48  # side of a low-resolution training patch
BATCH = 16
CHANNELS = 32
BLOCKS = 3
LEARNING_RATE = 2e-3
TOLERANCE = 1e-4  # largest difference allowed between Keras and the exported files

Pair = tuple[np.ndarray, np.ndarray]  # low resolution [h, w, 3] and its truth [2h, 2w, 3], uint8 unless said otherwise


def load(name: str) -> Image.Image:
    """The picture `name` of scikit-learn (with a suffix) or scikit-image (without), as RGB."""
    pixels = load_sample_image(name) if "." in name else getattr(skimage.data, name)()
    return Image.fromarray(pixels).convert("RGB")


def resize(picture: Image.Image, scale: float) -> Image.Image:
    """`picture` scaled by Pillow's BICUBIC filter, which smooths before it shrinks."""
    size = (round(picture.width * scale), round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC)


def halve(picture: Image.Image) -> Pair:
    """The picture at half its size, and the picture, cropped to even sides."""
    truth = picture.crop((0, 0, picture.width // 2 * 2, picture.height // 2 * 2))
    return np.asarray(resize(truth, 0.5)), np.asarray(truth)


def batches(pairs: list[Pair], rng: np.random.Generator) -> Iterator[Pair]:
    """Endless float32 batches of patches, turned and mirrored, their colours permuted.

    Of two random patches the one with more contrast is taken: sky and black space teach little.
    """
    sides = np.sqrt([low.shape[0] * low.shape[1] for low, _ in pairs])

    def cut() -> Pair:
        low, high = pairs[rng.choice(len(pairs), p=sides / sides.sum())]
        y, x = (rng.integers(side - PATCH + 1) for side in low.shape[:2])
        return low[y : y + PATCH, x : x + PATCH], high[2 * y : 2 * (y + PATCH), 2 * x : 2 * (x + PATCH)]

    while True:
        lows, highs = [], []
        for _ in range(BATCH):
            low, high = max((cut() for _ in range(2)), key=lambda pair: pair[1].std())
            turns, mirror, colours = int(rng.integers(4)), rng.choice((-1, 1)), rng.permutation(3)
            lows.append(np.rot90(low, turns)[:, ::mirror, colours])
            highs.append(np.rot90(high, turns)[:, ::mirror, colours])
        yield np.stack(lows).astype(np.float32) / 255, np.stack(highs).astype(np.float32) / 255


def build() -> keras.Model:
    """The network: NHWC [n, h, w, 3] to [n, 2h, 2w, 3], any h and w, not yet clipped to 0..1."""
    layers = keras.layers

    def conv(name: str, size: int, channels: int = CHANNELS, activation: str | None = None) -> keras.Layer:
        return layers.Conv2D(channels, size, padding="same", activation=activation, name=name)

    def prelu(name: str) -> keras.Layer:
        return layers.PReLU(shared_axes=[1, 2], alpha_initializer=keras.initializers.Constant(0.25), name=name)

    image = keras.Input((None, None, 3), name="image")
    x = prelu("head_prelu")(conv("head", 5)(image))
    features = [x]
    for i in range(BLOCKS):
        y = conv(f"block{i}_a", 3, activation="relu")(x)
        x = layers.Add()([x, conv(f"block{i}_b", 3)(y)])
        features.append(x)
    x = prelu("gather_prelu")(conv("gather", 1)(layers.Concatenate()(features)))
    x = layers.DepthwiseConv2D(5, padding="same", activation="relu", name="spread")(x)
    detail = layers.Lambda(lambda t: tf.nn.depth_to_space(t, 2))(conv("tail", 3, channels=12)(x))
    smooth = layers.Lambda(lambda t: tf.image.resize(t, 2 * tf.shape(t)[1:3], "bilinear"))(image)
    return keras.Model(image, layers.Add()([smooth, detail]), name="upscaler")


def train(model: keras.Model, pairs: list[Pair], *, steps: int, seed: int) -> None:
    """Minimise the mean absolute error with Adam and a learning rate that falls to zero along a cosine."""
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)), loss="mae")
    start, losses = time.perf_counter(), []
    for step, (low, high) in zip(range(1, steps + 1), batches(pairs, np.random.default_rng(seed)), strict=False):
        losses.append(float(model.train_on_batch(low, high)))
        if step % 100 == 0 or step == steps:
            seconds = time.perf_counter() - start
            print(f"step {step:5d}/{steps}  loss {np.mean(losses[-100:]):.5f}  {seconds:4.0f} s", flush=True)


def psnr(truth: np.ndarray, guess: np.ndarray) -> tuple[float, float]:
    """Of two uint8 pictures, all pixels counted: dB over RGB, and dB over the luma of ITU-R BT.601."""
    error = truth.astype(np.float64) - guess
    luma = error @ (65.481, 128.553, 24.966) / 255
    rgb_db, luma_db = (float(10 * np.log10(255**2 / np.mean(e**2))) for e in (error, luma))
    return rgb_db, luma_db


def score(model: keras.Model, pair: Pair) -> tuple[tuple[float, float], tuple[float, float]]:
    """(RGB dB, luma dB) of bicubic enlargement, then of the network."""
    low, truth = pair
    guess = model.predict_on_batch(low[None].astype(np.float32) / 255)[0].clip(0, 1)
    bicubic = np.asarray(resize(Image.fromarray(low), 2))
    return psnr(truth, bicubic), psnr(truth, np.rint(guess * 255).astype(np.uint8))


def to_tflite(model: keras.Model) -> bytes:
    """The network for one picture of SIDE, clipped to 0..1, its tensors `image` and `upscaled`."""
    upscale = tf.function(lambda image: tf.clip_by_value(model(image, training=False), 0.0, 1.0), autograph=False)
    traced = upscale.get_concrete_function(tf.TensorSpec((1, SIDE, SIDE, 3), tf.float32, name="image"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(traced)])
    converted = flatbuffer_utils.convert_bytearray_to_object(bytearray(converter.convert()))
    graph = converted.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = "image"
    graph.tensors[graph.outputs[0]].name = "upscaled"
    return bytes(flatbuffer_utils.convert_object_to_bytearray(converted))


def to_onnx(model: keras.Model) -> onnx.ModelProto:
    """The same network and weights in NCHW, opset 17, from `image` to `upscaled`."""
    nodes: list[onnx.NodeProto] = []
    weights: list[TensorProto] = []

    def constant(name: str, values: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def add(op: str, *inputs: str, to: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [to], name=to, **attributes))
        return to

    def conv(x: str, name: str) -> str:
        w, b = model.get_layer(name).get_weights()
        depthwise = isinstance(model.get_layer(name), keras.layers.DepthwiseConv2D)
        w = w.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        group, size = len(w) if depthwise else 1, w.shape[-1]
        inputs = (x, constant(f"{name}.w", w), constant(f"{name}.b", b))
        return add("Conv", *inputs, to=name, kernel_shape=[size, size], pads=[size // 2] * 4, group=group)

    def prelu(x: str, name: str) -> str:
        (slope,) = model.get_layer(name).get_weights()
        return add("PRelu", x, constant(f"{name}.slope", slope.reshape(-1, 1, 1)), to=name)

    x = prelu(conv("image", "head"), "head_prelu")
    features = [x]
    for i in range(BLOCKS):
        y = add("Relu", conv(x, f"block{i}_a"), to=f"block{i}_relu")
        x = add("Add", x, conv(y, f"block{i}_b"), to=f"block{i}")
        features.append(x)
    x = prelu(conv(add("Concat", *features, to="features", axis=1), "gather"), "gather_prelu")
    x = conv(add("Relu", conv(x, "spread"), to="spread_relu"), "tail")
    detail = add("DepthToSpace", x, to="detail", blocksize=2, mode="DCR")
    scales = constant("scales", np.array([1, 1, 2, 2]))
    smooth = add("Resize", "image", "", scales, to="smooth", mode="linear", coordinate_transformation_mode="half_pixel")
    limits = (constant("black", np.array(0)), constant("white", np.array(1)))
    add("Clip", add("Add", smooth, detail, to="sharp"), *limits, to="upscaled")

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, SIDE, SIDE))
    upscaled = helper.make_tensor_value_info("upscaled", TensorProto.FLOAT, (1, 3, 2 * SIDE, 2 * SIDE))
    graph = helper.make_graph(nodes, "upscaler", [image], [upscaled], weights)
    exported = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(exported, full_check=True)
    return exported


def check(model: keras.Model, folder: Path, low: np.ndarray) -> None:
    """Raise unless both files give what `model` gives on the picture `low`, uint8 [SIDE, SIDE, 3]."""
    image = low[None].astype(np.float32) / 255
    expected = model.predict_on_batch(image).clip(0, 1)

    interpreter = tf.lite.Interpreter(str(folder / "upscaler.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    tflite = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    session = onnxruntime.InferenceSession(folder / "upscaler.onnx", providers=["CPUExecutionProvider"])
    (nchw,) = session.run(["upscaled"], {"image": image.transpose(0, 3, 1, 2)})

    for name, found in (("upscaler.tflite", tflite), ("upscaler.onnx", nchw.transpose(0, 2, 3, 1))):
        difference = float(np.abs(found - expected).max())
        size = (folder / name).stat().st_size
        print(f"{name}: {size:,} bytes, differs from Keras by at most {difference:.1e}")
        if not difference < TOLERANCE:  # so that NaN fails too
            raise ValueError(f"{name}: differs from Keras by {difference:.1e}; less than {TOLERANCE:.0e} is accepted")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train, score and export the 2x upscaler.")
    parser.add_argument("--steps", type=int, default=5000, help=f"of {BATCH} patches each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and patches (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    args = parser.parse_args()

    keras.utils.set_random_seed(args.seed)
    tf.config.experimental.enable_op_determinism()
    model = build()
    print(f"{model.count_params():,} parameters")
    pairs = [halve(resize(load(name), s)) for name in GREY + COLOUR for s in SHRINKS]
    train(model, pairs, steps=args.steps, seed=args.seed)

    sample = halve(load(SAMPLE).crop(SAMPLE_BOX))
    print("PSNR in dB    bicubic RGB      Y  network RGB      Y     gain RGB      Y")
    for name, pair in [(name, halve(load(name))) for name in HELD_OUT] + [("picture.png", sample)]:
        bicubic, network = score(model, pair)
        gain = np.subtract(network, bicubic)
        print(f"{name:12s}" + "".join(f"  {rgb:11.2f}  {luma:5.2f}" for rgb, luma in (bicubic, network, gain)))

    args.output.mkdir(parents=True, exist_ok=True)
    for name, pixels in zip(("picture.png", "picture_truth.png"), sample, strict=True):
        Image.fromarray(pixels).save(args.output / name, optimize=True)
    (args.output / "upscaler.tflite").write_bytes(to_tflite(model))
    (args.output / "upscaler.onnx").write_bytes(to_onnx(model).SerializeToString())
    check(model, args.output, sample[0])


if __name__ == "__main__":
    main()
