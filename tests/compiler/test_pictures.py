"""Pictures as inputs and outputs, alone and through `planish run`."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from planish.compiler import pictures
from planish.compiler.cli import main
from planish.runtime.errors import InputError
from planish.runtime.plan import Tensor
from tests.tflite_writer import TfliteWriter

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run, with a picture of 6 x 5 pixels."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PIXELS).save("p.png")
    return tmp_path


def read(shape: tuple[int, ...], dtype: str = "float32", file: str = "p.png") -> np.ndarray:
    return pictures.read(Path(file), Tensor("x", shape, dtype))


def test_pixels_are_taken_as_they_are_where_the_size_fits() -> None:
    np.testing.assert_array_equal(read((1, 6, 5, 3)), (PIXELS[None] / 255).astype(np.float32))
    np.testing.assert_array_equal(read((1, 6, 5, 3), "uint8"), PIXELS[None])
    np.testing.assert_array_equal(read((1, 3, 6, 5), "float16"), (PIXELS.transpose(2, 0, 1)[None] / 255).astype(np.float16))
    assert read((1, 3, 6, 5)).flags.c_contiguous


def test_gray_inputs_take_luminance() -> None:
    gray = np.asarray(Image.fromarray(PIXELS).convert("L"))
    np.testing.assert_array_equal(read((1, 6, 5, 1), "uint8")[0, ..., 0], gray)
    np.testing.assert_array_equal(read((1, 1, 6, 5), "uint8")[0, 0], gray)


@pytest.mark.parametrize("shape", [(1, 12, 9, 3), (1, 3, 2, 20), (1, 1, 1, 1), (1, 3, 3, 3)])
def test_other_sizes_are_scaled(shape: tuple[int, ...]) -> None:
    image = read(shape)
    assert (image.shape, image.dtype) == (shape, np.float32)
    assert image.min() >= 0
    assert image.max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "LA", "1", "CMYK", "I;16"])
def test_pictures_of_every_kind_become_rgb(mode: str) -> None:
    file = "other.tiff"
    (Image.fromarray(np.full((6, 5), 300, np.uint16)) if mode == "I;16" else Image.fromarray(PIXELS).convert(mode)).save(file)
    assert read((1, 6, 5, 3), "uint8", file).shape == (1, 6, 5, 3)


def test_content_decides_not_the_name() -> None:
    Path("p.png").rename("p.dat")
    np.testing.assert_array_equal(read((1, 6, 5, 3), "uint8", "p.dat"), PIXELS[None])


def test_arrays_are_taken_as_they_are() -> None:
    np.save("x.npy", PIXELS)
    np.testing.assert_array_equal(read((7,), file="x.npy"), PIXELS)


def bomb() -> bytes:
    """A picture of 4 000 megapixels, as its head says."""
    head = bytearray(Path("p.png").read_bytes())
    head[16:24] = (64_000).to_bytes(4, "big") * 2
    head[29:33] = zlib.crc32(head[12:29]).to_bytes(4, "big")
    return bytes(head)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b"\xff\xd8\xff\xe0", b"II*\0\0\0\0\0"])
def test_what_is_no_picture(content: bytes) -> None:
    Path("p.png").write_bytes(content)
    with pytest.raises(InputError, match=r"^input 'x': p.png: neither an array \(.npy\) nor a whole picture$"):
        read((1, 6, 5, 3))


def test_pictures_that_are_cut_or_too_large() -> None:
    data, large = Path("p.png").read_bytes(), bomb()
    for k in range(8, len(data) // 2, 3):
        Path("p.png").write_bytes(data[:k])
        with pytest.raises(InputError, match="neither an array"):
            read((1, 6, 5, 3))
    Path("p.png").write_bytes(large)
    with pytest.raises(InputError, match="neither an array"):
        read((1, 6, 5, 3))


@pytest.mark.parametrize("shape", [(1, 6, 5, 4), (2, 6, 5, 3), (6, 5, 3), (1, 100), ()])
def test_inputs_that_take_no_picture(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^input 'x' of shape \[.*\] takes no picture; give an array \(.npy\)$"):
        read(shape)


# -- outputs


@pytest.mark.parametrize("shape", [(1, 6, 5, 3), (1, 3, 6, 5), (1, 6, 5, 1), (1, 1, 6, 5)])
def test_images_are_written_as_pictures_too(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32) / 255
    assert [p.name for p in pictures.write(Path("out.1"), image)] == ["out.1.npy", "out.1.png"]
    np.testing.assert_array_equal(np.load("out.1.npy"), image)
    np.testing.assert_array_equal(pictures.read(Path("out.1.png"), Tensor("x", shape, "float32")), image)


@pytest.mark.parametrize(
    "array",
    [np.full((1, 6, 5, 3), 2.0, np.float32), np.full((1, 6, 5, 3), -1.0, np.float32), np.ones((2, 6, 5, 3), np.float32),
     np.ones((1, 6, 5, 3), np.int32), np.ones((6, 5), np.float32), np.ones((1, 0, 5, 3), np.float32), np.ones((1, 6, 5, 4), np.float32),
     np.full((1, 6, 5, 3), np.nan, np.float32)],
)  # fmt: skip
def test_other_outputs_are_arrays_only(array: np.ndarray) -> None:
    assert [p.name for p in pictures.write(Path("out"), array)] == ["out.npy"]


@pytest.mark.device
def test_a_picture_through_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    m = TfliteWriter()
    m.output(m.op("RELU", [m.input("x", (1, 6, 5, 3), "float32")], shape=(1, 6, 5, 3), dtype="float32"))
    Path("model.tflite").write_bytes(m.finish())
    assert main(["compile", "model.tflite"]) == 0
    assert main(["run", "model.plan", "--input", "x=p.png", "-o", "out", "--repeat", "1"]) == 0
    assert capsys.readouterr().err == ""
    (picture,) = Path("out").glob("*.png")
    np.testing.assert_array_equal(np.asarray(Image.open(picture)), PIXELS)
    Path("p.png").write_bytes(b"no picture")
    assert main(["run", "model.plan", "--input", "p.png", "-o", "out2"]) == 1
    assert capsys.readouterr().err == "error: input 'x': p.png: neither an array (.npy) nor a whole picture\n"
    assert not Path("out2").exists()
