"""Where files lie in an APK: libraries at multiples of 16 KB, as large as pages are."""

import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = 16384
WORD = 4

# An extra field whose content is padding; zipalign uses the same number.
_PADDING = 0xD935
_LOCAL_HEADER = 30
_SAME_TIME = (1981, 1, 1, 1, 1, 2)


def write_aligned(
    base: Path, compressed: Mapping[str, Path], libraries: Mapping[str, Path], to: Path
) -> None:
    """Write an unsigned APK.

    Args:
        base: an APK to take everything of, compressed as it is there.
        compressed: name in the APK -> file to compress.
        libraries: name in the APK -> file that is loaded from the APK without unpacking it.
        to: the APK.
    """
    with zipfile.ZipFile(base) as source, zipfile.ZipFile(to, "w") as target:
        for entry in source.infolist():
            _add(target, entry.filename, source.read(entry), entry.compress_type, WORD)
        for name, file in compressed.items():
            _add(target, name, file.read_bytes(), zipfile.ZIP_DEFLATED, WORD)
        for name, file in libraries.items():
            _add(target, name, file.read_bytes(), zipfile.ZIP_STORED, PAGE)


def _add(
    target: zipfile.ZipFile, name: str, content: bytes, compression: int, alignment: int
) -> None:
    entry = zipfile.ZipInfo(name, _SAME_TIME)
    entry.compress_type = compression
    if compression == zipfile.ZIP_STORED:
        assert target.fp is not None  # it is open
        begin = target.fp.tell() + _LOCAL_HEADER + len(name.encode()) + 6
        padding = -begin % alignment
        entry.extra = struct.pack("<HHH", _PADDING, 2 + padding, alignment) + bytes(padding)
    target.writestr(entry, content)


@dataclass(frozen=True)
class Library:
    """How a library lies in an APK.

    Attributes:
        name: in the APK.
        is_stored: whether it is not compressed.
        offset: of its first byte in the APK.
        segment_alignments: of the parts that are mapped into memory, as the library asks for.
    """

    name: str
    is_stored: bool
    offset: int
    segment_alignments: tuple[int, ...]

    @property
    def fits_16kb_pages(self) -> bool:
        """Whether a phone with pages of 16 KB can map it straight from the APK."""
        segments = (alignment % PAGE == 0 for alignment in self.segment_alignments)
        return self.is_stored and self.offset % PAGE == 0 and all(segments)


def libraries(apk: Path) -> list[Library]:
    """Describe the libraries of an APK."""
    found = []
    with apk.open("rb") as file, zipfile.ZipFile(apk) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith(".so"):
                file.seek(entry.header_offset + 26)
                name_length, extra_length = struct.unpack("<HH", file.read(4))
                found.append(
                    Library(
                        entry.filename,
                        entry.compress_type == zipfile.ZIP_STORED,
                        entry.header_offset + _LOCAL_HEADER + name_length + extra_length,
                        _segment_alignments(archive.read(entry)),
                    )
                )
    return found


def _segment_alignments(elf: bytes) -> tuple[int, ...]:
    """Read p_align of the PT_LOAD segments of a 64-bit little-endian ELF file."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise ValueError("no 64-bit little-endian ELF file")
    table, size, count = struct.unpack_from("<Q14xHH", elf, 32)
    alignments = []
    for begin in range(table, table + size * count, size):
        kind, alignment = struct.unpack_from("<I44xQ", elf, begin)
        if kind == 1:
            alignments.append(alignment)
    return tuple(alignments)
