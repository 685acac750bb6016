"""Real image files of a few megabytes whose decoding would take gigabytes of memory."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""PNG color type -> number of channels: gray, RGB, palette, gray and alpha, RGBA."""


def png_bomb(path: Path, width: int, height: int, bits: int = 8, color: int = 0) -> Path:
    """Write a complete PNG of zeros without allocating its pixels.

    Args:
        path: path of the file.
        width: width of the image.
        height: height of the image, a multiple of 100.
        bits: bits per channel.
        color: color type.
    """
    row = bytes(1 + -(-width * CHANNELS[color] * bits // 8))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    # A full flush makes a block independent of its position, so it can be repeated.
    rows = packer.compress(row * 100) + packer.flush(zlib.Z_FULL_FLUSH)
    # For zeros, the lower half of the checksum is 1, and the upper half is the number of bytes.
    checksum = (len(row) * height % 65521) << 16 | 1
    data = b"\x78\xda" + rows * (height // 100) + packer.flush() + struct.pack(">I", checksum)
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)]
    if color == 3:
        chunks.append(b"PLTE" + bytes(768))
    chunks += [b"IDAT" + data, b"IEND"]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks)))
    return path


def tiled_tiff(path: Path, side: int, tile: int) -> Path:
    """Write a small TIFF with a single large tile of zeros, compressed with deflate."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(tile)) for _ in range(tile)) + packer.flush()
    numbers = {256: side, 257: side, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile, 323: tile}
    numbers |= {324: 8 + 2 + 12 * 10 + 4, 325: len(data)}
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, numbers[tag]) for tag in sorted(numbers))
    head = b"II*\0" + struct.pack("<IH", 8, len(numbers)) + tags + bytes(4)
    path.write_bytes(head + data)
    return path


def renamed_size(path: Path, width: int, height: int) -> Path:
    """Write a small image and replace the size in its header; the suffix selects the format."""
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(path)
    data = bytearray(path.read_bytes())
    if path.suffix == ".jpg":
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = struct.pack(">HH", height, width)
    elif path.suffix == ".bmp":
        data[18:26] = struct.pack("<ii", width, height)
    elif path.suffix == ".gif":
        data[6:10] = struct.pack("<HH", width, height)
    elif path.suffix == ".ppm":
        data = bytearray(f"P6 {width} {height} 255\n".encode() + bytes(100))
    path.write_bytes(data)
    return path


def _chunk(data: bytes) -> bytes:
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
