"""Every type of image is converted to upright 8-bit RGB; all other files are a clear error."""

import hashlib
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from image_bombs import png_bomb, renamed_size, tiled_tiff
from PIL import Image

from seaformer.errors import SeaformerError
from seaformer.extras import MissingExtraError
from seaformer.imaging import images
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.photos import find_photos

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)
COLORS = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=2)

ORIENTATION = 0x0112


def png_header(width: int, height: int) -> bytes:
    """Return a gray PNG with a header of this size and only 100 bytes of zeros."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, data)
    )


def test_the_sample_photo() -> None:
    path = sample_photograph()
    image = read_image(path)
    assert (image.shape, image.dtype) == ((400, 600, 3), np.uint8)
    # Red and bright wood: swapped channels would be detected.
    assert image[:, :, 0].mean() > image[:, :, 1].mean() > image[:, :, 2].mean()
    assert "CC0" in path.with_name("PHOTOGRAPH.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm"])
def test_rgb_is_unchanged(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(COLORS).save(path)
    assert np.array_equal(read_image(path), COLORS)


def test_the_content_determines_the_format_not_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "really a png.jpg"
    Image.fromarray(COLORS).save(path, format="PNG")
    assert np.array_equal(read_image(str(path)), COLORS)


def test_gray_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "gray.png"
    Image.fromarray(RAMP).save(path)
    assert np.array_equal(read_image(path), np.stack([RAMP] * 3, axis=2))


def test_black_and_white_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "fax.png"
    Image.fromarray(RAMP > 100).save(path)
    assert np.array_equal(read_image(path)[:, :, 1], np.where(RAMP > 100, 255, 0))


@pytest.mark.parametrize("suffix", ["png", "tiff", "ppm"])
def test_16_bit_gray_is_reduced_to_its_upper_bits(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"deep.{suffix}"
    deep = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    if suffix == "ppm":
        path.write_bytes(b"P5 64 64 65535\n" + deep.astype(">u2").tobytes())
    else:
        Image.fromarray(deep).save(path)
    assert np.array_equal(read_image(path), np.stack([deep >> 8] * 3, axis=2))


def test_16_bit_rgb_is_reduced_to_its_upper_bits(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    deep = np.arange(0, 65536, 64, dtype=">u2")[: 3 * 16 * 16].reshape(16, 16, 3)
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    chunks = [
        b"IHDR" + struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0),
        b"IDAT" + zlib.compress(rows),
        b"IEND",
    ]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
            for chunk in chunks
        )
    )
    assert np.array_equal(read_image(path), deep >> 8)


def test_transparency_becomes_white(tmp_path: Path) -> None:
    path = tmp_path / "cut out.png"
    rgba = np.zeros((1, 3, 4), dtype=np.uint8)
    rgba[0, :, 3] = (0, 255, 51)
    Image.fromarray(rgba).save(path)
    assert read_image(path)[0].tolist() == [[255] * 3, [0] * 3, [204] * 3]


def test_a_transparent_palette_becomes_white(tmp_path: Path) -> None:
    path = tmp_path / "palette.png"
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    image.save(path, transparency=1)
    assert read_image(path)[0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path, quality=100)
    red = read_image(path)[4, 4].astype(int)
    assert np.abs(red - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda stored: stored),
        (2, lambda stored: stored[:, ::-1]),
        (3, lambda stored: stored[::-1, ::-1]),
        (6, lambda stored: np.rot90(stored, -1)),
        (8, lambda stored: np.rot90(stored, 1)),
    ],
)
def test_the_orientation_is_applied(
    tmp_path: Path, orientation: int, upright: Callable[[np.ndarray], np.ndarray]
) -> None:
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(COLORS[:, :10]).save(path, exif=exif)
    assert np.array_equal(read_image(path), upright(COLORS[:, :10]))


@pytest.mark.parametrize("suffix", ["gif", "webp", "tiff"])
def test_the_first_of_several_images_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"several.{suffix}"
    first, second = Image.new("RGB", (8, 8), "black"), Image.new("RGB", (8, 8), "white")
    first.save(path, save_all=True, append_images=[second])
    assert read_image(path).max() == 0


def test_an_image_may_be_a_pipe() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, sample_photograph().read_bytes()[:4096])
        os.close(writing)
        with pytest.raises(SeaformerError, match="damaged, truncated"):
            read_image(f"/dev/fd/{reading}")
    finally:
        os.close(reading)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeaformerError, match=r"there is no file '.*absent\.jpg'"):
        read_image(tmp_path / "absent.jpg")


def test_a_folder_is_not_an_image(tmp_path: Path) -> None:
    with pytest.raises(SeaformerError, match=r"is a folder.*Accepted: JPEG"):
        read_image(tmp_path)


def test_an_empty_file_is_not_an_image(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(SeaformerError, match=r"empty\.jpg' is empty"):
        read_image(tmp_path / "empty.jpg")


def test_a_text_is_not_an_image(tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("not an image")
    with pytest.raises(SeaformerError, match=r"notes\.jpg' is not an image.*Accepted: JPEG"):
        read_image(path)


def test_other_programs_are_not_started(tmp_path: Path) -> None:
    path = tmp_path / "program.eps"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n")
    with pytest.raises(SeaformerError, match="is not an image that can be read"):
        read_image(path)


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_truncated_image_is_an_error(tmp_path: Path, part: float) -> None:
    content = sample_photograph().read_bytes()
    path = tmp_path / "half.jpg"
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(SeaformerError, match=r"half\.jpg' is damaged, truncated"):
        read_image(path)


def test_values_without_a_defined_white_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "depth.tiff"
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(path)
    with pytest.raises(SeaformerError, match="have no defined white"):
        read_image(path)


def test_the_largest_images_are_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(20_000, 20_000))
    with pytest.raises(
        SeaformerError, match=r"20000 x 20000.*400 megapixels.*up to 250 megapixels"
    ):
        read_image(path)


def test_images_of_the_largest_phone_cameras_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png_header(16_320, 12_240))
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(SeaformerError, match="damaged, truncated"):
        read_image(path)
    after = Image.MAX_IMAGE_PIXELS
    assert after == before


@pytest.mark.parametrize(
    ("bits", "color"),
    [(1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (1, 3), (8, 3), (8, 4), (16, 4), (8, 6), (16, 6)],
)
def test_the_limit_applies_to_every_type_of_png(tmp_path: Path, bits: int, color: int) -> None:
    path = png_bomb(tmp_path / "bomb.png", 60_000, 60_000, bits, color)
    with pytest.raises(SeaformerError, match=r"60000 x 60000 pixels \(3600 megapixels\)"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "gif", "ppm"])
def test_the_limit_applies_to_every_format(tmp_path: Path, suffix: str) -> None:
    path = renamed_size(tmp_path / f"bomb.{suffix}", 65_500, 65_500)
    with pytest.raises(SeaformerError, match=r"65500 x 65500 pixels .*Allowed: up to \d+ mega"):
        read_image(path)


def test_a_fourth_channel_counts_towards_the_limit(tmp_path: Path) -> None:
    path = png_bomb(tmp_path / "bomb.png", 15_000, 15_000, 16, 6)
    with pytest.raises(SeaformerError, match=r"225 megapixels.*4 bytes.*up to 187 megapixels"):
        read_image(path)


def test_a_large_tile_in_a_small_image_is_refused(tmp_path: Path) -> None:
    assert read_image(tiled_tiff(tmp_path / "tile.tiff", 16, 256)).shape == (16, 16, 3)
    with pytest.raises(SeaformerError, match="32768 x 32768 pixels"):
        read_image(tiled_tiff(tmp_path / "bomb.tiff", 16, 32_768))


def test_a_file_larger_than_any_image_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    Image.fromarray(COLORS).save(path)
    with path.open("r+b") as file:
        file.truncate(2_000_000_000)  # a sparse file, which takes no space
    with pytest.raises(SeaformerError, match=r"has 2000 MB\. Allowed: up to 1500 MB"):
        read_image(path)


def test_corruption_is_one_of_our_errors(tmp_path: Path) -> None:
    """Overwrites bytes of small images: if one becomes unreadable, a SeaformerError is raised."""
    path = tmp_path / "damaged"
    outcomes = set()
    for suffix in ("jpeg", "png", "webp", "gif", "tiff", "bmp", "avif"):
        Image.fromarray(COLORS).save(path, format=suffix.upper())
        whole = path.read_bytes()
        for seed in range(60):
            place = int(hashlib.sha256(f"{suffix}{seed}".encode()).hexdigest(), 16) % len(whole)
            path.write_bytes(whole[:place] + b"\xff\x00\xa5" + whole[place + 3 :])
            try:
                outcomes.add(read_image(path).shape[2])
            except SeaformerError:
                outcomes.add("refused")
    assert outcomes == {3, "refused"}


def test_heic_is_read_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    colors = np.zeros((64, 96, 3), np.uint8)
    colors[:, :48] = (250, 10, 10)
    pillow_heif.from_pillow(Image.fromarray(colors)).save(tmp_path / "a.heic", quality=95)
    read = read_image(tmp_path / "a.heic")
    assert read.shape == colors.shape
    assert np.abs(read[32, [8, 88]].astype(int) - colors[32, [8, 88]]).max() < 12
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    images._formats.cache_clear()
    try:
        for read_it in (read_image, lambda path: images.unreadable([path])):
            with pytest.raises(MissingExtraError, match=r"pip install 'seaformer\[heic\]'"):
                read_it(tmp_path / "a.heic")
        Image.fromarray(colors).save(tmp_path / "0.png")
        with pytest.raises(MissingExtraError):  # not after the first image
            find_photos([tmp_path])
        Image.fromarray(colors).save(tmp_path / "a.heic", "JPEG")
        assert len(find_photos([tmp_path]).files) == 2
    finally:
        images._formats.cache_clear()
