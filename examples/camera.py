"""A loop as of a camera: networks one behind the other, each frame on the device from the first to the last: camera.png.

    python examples/camera.py
    python examples/camera.py style.onnx style.onnx --picture photo.jpg --range 0..255

The first network's input and the last one's output are arrays that the device shares, where it shares the host's memory; what
goes from one network to the next is an OpenCL buffer; nothing waits until the frame is needed, and the host draws the last frame
while the device computes the next one. The bundled two double the size of a frame, and segment it. The status is 1 if a frame
differs from what the networks compute one at a time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
import pyopencl as cl
from common import COLOURS, ROOT, ending, loaded, parser, say, sides, to_input
from PIL import Image
from shapes.scenes import HELD_OUT, scene

from planish.runtime import Run, Session
from planish.runtime.errors import InputError

SHOWN = 4


def camera() -> dict[str, bool]:
    options = parser(__doc__.partition("\n")[0], "upscaler/upscaler.onnx")
    options.add_argument("--picture", type=Path, help="what the camera moves over (default: a synthetic scene)")
    options.add_argument("--frames", type=int, default=24, help="how many")
    options = options.parse_args()
    models = [options.model, *options.files]
    if models == [ROOT / "upscaler" / "upscaler.onnx"]:
        models += [ROOT / "shapes" / "segmenter.onnx"]
    sessions = [loaded(model, options, batch=1) for model in models]
    chain = Chain(sessions)
    frames = list(view(options, sessions[0]))
    shots = []

    start = perf_counter()
    run = chain.begin(frames[0])
    for following in [*frames[1:], None]:
        run.wait()
        shots.append(chain.screen.copy())
        if following is not None:
            run = chain.begin(following)
        if len(shots) % (len(frames) // SHOWN or 1) == 0:
            shown(shots[-1]).save(options.output / f"camera_{len(shots):03}.png")  # while the device computes
    chained = perf_counter() - start
    start = perf_counter()
    apart = [one_at_a_time(sessions, frame) for frame in frames]
    each = [1e3 * seconds / len(frames) for seconds in (chained, perf_counter() - start)]
    say("time", f"{each[0]:.2f} ms a frame, drawing included; {each[1]:.2f} ms with copies and a wait after each network, nothing drawn")
    same = all(np.array_equal(a, b) for a, b in zip(shots, apart))
    say("frames", f"{len(shots)}, {len({shot.tobytes() for shot in shots})} of them different")
    strip = [shown(shot) for shot in shots[:: max(1, len(shots) // SHOWN)][:SHOWN]]
    page = Image.new("RGB", (sum(s.width for s in strip), strip[0].height))
    for k, picture in enumerate(strip):
        page.paste(picture, (k * picture.width, 0))
    page.save(options.output / "camera.png")
    say("pictures", str(options.output / "camera.png"))
    return {"a frame differs from the networks' one at a time": same, "the picture stands still": shots[0].tobytes() != shots[-1].tobytes()}


class Chain:
    """Sessions of one device, the output of each in a buffer that the next one takes."""

    def __init__(self, sessions: list[Session]):
        self.sessions = sessions
        for first, second in pairwise(sessions):
            if first.outputs[0].shape != second.inputs[0].shape or first.outputs[0].dtype != second.inputs[0].dtype:
                raise InputError(f"{first.outputs[0]} is no input of the next network; {second.inputs[0]} would be accepted")
        self.camera = sessions[0].input(sessions[0].inputs[0].name)
        self.screen = sessions[-1].output(sessions[-1].outputs[0].name)
        self.buffers = [cl.Buffer(s.queue.context, cl.mem_flags.READ_WRITE, s.outputs[0].nbytes) for s in sessions[:-1]]
        self.runs: list[Run] = []

    def begin(self, frame: np.ndarray) -> Run:
        """Enqueues all networks for a frame, and returns; the last one's run fills `screen`."""
        self.camera[...] = frame
        runs: list[Run] = []
        for k, session in enumerate(self.sessions):
            if k:  # queues are in order, each by itself: this one waits for the one before
                before = self.sessions[k - 1].queue
                cl.enqueue_barrier(session.queue, wait_for=[cl.enqueue_marker(before)])
                before.flush()
            target = self.screen if session is self.sessions[-1] else self.buffers[k]
            runs.append(session.run_async([self.buffers[k - 1] if k else self.camera], {session.outputs[0].name: target}))
        self.runs = runs  # kept, for who drops a run waits for it
        return runs[-1]


def one_at_a_time(sessions: list[Session], frame: np.ndarray) -> np.ndarray:
    for session in sessions:
        frame = session.run([frame])[session.outputs[0].name]
    return frame


def view(options: argparse.Namespace, session: Session) -> Iterator[np.ndarray]:
    """What the camera sees as it moves over the picture."""
    picture = Image.open(options.picture).convert("RGB") if options.picture else scene(HELD_OUT).picture
    width, height, *_ = sides(session.inputs[0])
    picture = picture.resize((width * 5 // 4, height * 5 // 4), Image.Resampling.BICUBIC)
    for k in range(options.frames):
        x, y = (int((side - seen) * k / max(1, options.frames - 1)) for side, seen in zip(picture.size, (width, height)))
        yield to_input(picture.crop((x, y, x + width, y + height)), session.inputs[0], options)


def shown(output: np.ndarray) -> Image.Image:
    """A picture of what the last network gives: itself, or each pixel's class in a colour."""
    values = output[0] if output.shape[-1] in (1, 3, 4) else output[0].transpose(1, 2, 0)
    if values.shape[-1] in (1, 3):
        values = np.broadcast_to(values, (*values.shape[:2], 3))
        return Image.fromarray((values * (255 if values.max() <= 2 else 1)).clip(0, 255).astype(np.uint8))
    return Image.fromarray(np.uint8([(0, 0, 0), *COLOURS])[values.argmax(-1) % (1 + len(COLOURS))])


if __name__ == "__main__":
    sys.exit(ending(camera))
