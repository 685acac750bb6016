"""Reads the headers and dependencies of an ELF file."""

import struct
from collections.abc import Iterator
from pathlib import Path

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB = 1, 5


class Elf:
    """The headers of a 64-bit ELF file."""

    def __init__(self, path: Path) -> None:
        self.bytes = path.read_bytes()
        assert self.bytes[:6] == b"\x7fELF\x02\x01"
        self.type, self.machine = struct.unpack_from("<HH", self.bytes, 16)
        (offset,) = struct.unpack_from("<Q", self.bytes, 32)
        size, count = struct.unpack_from("<HH", self.bytes, 54)
        self.segments = [
            struct.unpack_from("<IIQQQQQQ", self.bytes, offset + i * size) for i in range(count)
        ]

    def of(self, kind: int) -> Iterator[tuple[int, ...]]:
        return (segment for segment in self.segments if segment[0] == kind)

    def text(self, address: int) -> str:
        for _, _, offset, start, _, size, _, _ in self.of(PT_LOAD):
            if start <= address < start + size:
                at = offset + address - start
                return self.bytes[at : self.bytes.index(0, at)].decode()
        raise AssertionError(address)

    def needed(self) -> list[str]:
        (dynamic,) = self.of(PT_DYNAMIC)
        entries = list(struct.iter_unpack("<QQ", self.bytes[dynamic[2] : dynamic[2] + dynamic[5]]))
        (strings,) = (value for tag, value in entries if tag == DT_STRTAB)
        return [self.text(strings + value) for tag, value in entries if tag == DT_NEEDED]
