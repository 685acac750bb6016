"""Reads the definitions and references in a dex file."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NONE = 0xFFFFFFFF


@dataclass(frozen=True)
class DefinedClass:
    """A class of the file; names are descriptors ("Ljava/lang/Object;").

    Attributes:
        parents: its superclass and its interfaces.
        members: "name(parameters)result" of methods, "name:type" of fields.
    """

    parents: tuple[str, ...]
    members: frozenset[str]


@dataclass(frozen=True)
class Reference:
    """A reference to a method or field; `member` is as in `DefinedClass`."""

    owner: str
    member: str

    @property
    def is_field(self) -> bool:
        """Whether it is a field."""
        return "(" not in self.member

    def __str__(self) -> str:
        """Return the reference in the notation of disassemblers."""
        return f"{self.owner}->{self.member}"


class Dex:
    """A dex file; see https://source.android.com/docs/core/runtime/dex-format for the layout."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        if self._data[:4] != b"dex\n":
            raise ValueError(f"'{path}' is not a dex file")
        tables = struct.unpack_from("<12I", self._data, 0x38)
        (_, self._strings, types, self._types, _, self._protos) = tables[:6]
        (fields, self._fields, methods, self._methods, classes, self._classes) = tables[6:]
        self.types = [self._string(self._u32(self._types + 4 * i)) for i in range(types)]
        self.fields = [self._field(i) for i in range(fields)]
        self.methods = [self._method(i) for i in range(methods)]
        self.classes = dict(self._class(self._classes + 32 * i) for i in range(classes))

    @property
    def references(self) -> Iterator[Reference]:
        """Yield every referenced method and field."""
        yield from self.methods
        yield from self.fields

    def _u16(self, at: int) -> int:
        value: int = struct.unpack_from("<H", self._data, at)[0]
        return value

    def _u32(self, at: int) -> int:
        value: int = struct.unpack_from("<I", self._data, at)[0]
        return value

    def _uleb(self, at: int) -> tuple[int, int]:
        """Read a number of variable length; return it and the offset after it."""
        value = shift = 0
        while True:
            byte = self._data[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at

    def _string(self, index: int) -> str:
        _, begin = self._uleb(self._u32(self._strings + 4 * index))
        end = self._data.index(0, begin)
        return self._data[begin:end].decode("utf-8", "surrogatepass")

    def _type_list(self, at: int) -> tuple[str, ...]:
        if at == 0:
            return ()
        return tuple(self.types[self._u16(at + 4 + 2 * i)] for i in range(self._u32(at)))

    def _field(self, index: int) -> Reference:
        owner, kind, name = struct.unpack_from("<HHI", self._data, self._fields + 8 * index)
        return Reference(self.types[owner], f"{self._string(name)}:{self.types[kind]}")

    def _method(self, index: int) -> Reference:
        owner, proto, name = struct.unpack_from("<HHI", self._data, self._methods + 8 * index)
        _, result, parameters = struct.unpack_from("<3I", self._data, self._protos + 12 * proto)
        parameter_types = "".join(self._type_list(parameters))
        return Reference(
            self.types[owner], f"{self._string(name)}({parameter_types}){self.types[result]}"
        )

    def _class(self, at: int) -> tuple[str, DefinedClass]:
        kind, _, superclass, interfaces, _, _, content, _ = struct.unpack_from(
            "<8I", self._data, at
        )
        parents = self._type_list(interfaces)
        if superclass != NONE:
            parents = (self.types[superclass], *parents)
        return self.types[kind], DefinedClass(parents, frozenset(self._members(content)))

    def _members(self, at: int) -> Iterator[str]:
        if at == 0:
            return
        counts = []
        for _ in range(4):
            count, at = self._uleb(at)
            counts.append(count)
        tables = (self.fields, self.fields, self.methods, self.methods)
        for count, table in zip(counts, tables, strict=True):
            index = 0
            for _ in range(count):
                step, at = self._uleb(at)
                index += step
                _, at = self._uleb(at)
                if table is self.methods:
                    _, at = self._uleb(at)
                yield table[index].member
