"""Messages between two processes that do not trust each other: JSON, then the bytes of arrays.

A message is the length of its JSON as a little-endian uint32, the JSON object, and the bytes of the
arrays that it describes under `arrays`. Reading a message never runs code of the sender.
"""

import json
import math
import socket
import struct
from collections.abc import Sequence
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Message = tuple[dict[str, Any], list[Array]]

MAX_JSON_BYTES = 1 << 26
MAX_ARRAY_BYTES = 1 << 31
"""Limit for the arrays of a message in total."""

_LENGTH = struct.Struct("<I")
_KINDS = "biuf"
"""Allowed kinds of NumPy dtypes: numbers and booleans."""


class MalformedMessageError(Exception):
    """The peer violated the message format."""


class Channel:
    """One end of a connection; it owns and closes its stream socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def send(self, fields: dict[str, Any], arrays: Sequence[Array], limit_s: float | None) -> None:
        """Send a message.

        Raises:
            TimeoutError: the peer did not accept it within `limit_s` seconds.
            OSError: the peer is gone.
        """
        described = [{"dtype": array.dtype.str, "shape": array.shape} for array in arrays]
        text = json.dumps({**fields, "arrays": described}).encode()
        self._socket.settimeout(limit_s)
        self._socket.sendall(_LENGTH.pack(len(text)) + text)
        for array in arrays:
            self._socket.sendall(_bytes_of(np.ascontiguousarray(array)))

    def receive(self, limit_s: float | None) -> Message:
        """Wait for a message.

        Raises:
            TimeoutError: it did not arrive within `limit_s` seconds.
            EOFError: the peer closed the connection.
            OSError: the peer is gone.
            MalformedMessageError: it violates the format.
        """
        end = None if limit_s is None else monotonic() + limit_s
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, end))
        if length > MAX_JSON_BYTES:
            raise MalformedMessageError(f"{length} bytes of JSON")
        try:
            fields = json.loads(bytes(self._read(length, end)))
            described = [_description(one) for one in fields.pop("arrays")]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise MalformedMessageError(str(error)) from error
        if sum(math.prod(shape) * dtype.itemsize for dtype, shape in described) > MAX_ARRAY_BYTES:
            raise MalformedMessageError(f"more than {MAX_ARRAY_BYTES} bytes of arrays")
        arrays = [np.empty(shape, dtype) for dtype, shape in described]
        for array in arrays:
            self._fill(_bytes_of(array), end)
        return fields, arrays

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _read(self, length: int, end: float | None) -> bytearray:
        data = bytearray(length)
        self._fill(memoryview(data), end)
        return data

    def _fill(self, buffer: memoryview, end: float | None) -> None:
        while buffer:
            left_s = None if end is None else end - monotonic()
            if left_s is not None and left_s <= 0:
                raise TimeoutError
            self._socket.settimeout(left_s)
            count = self._socket.recv_into(buffer)
            if count == 0:
                raise EOFError
            buffer = buffer[count:]


def _bytes_of(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _description(stored: dict[str, Any]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    dtype, shape = np.dtype(str(stored["dtype"])), tuple(stored["shape"])
    if dtype.kind not in _KINDS or not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"an array of type {dtype} and shape {shape}")
    return dtype, shape
