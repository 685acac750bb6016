"""The child process of a `Cutter`: it parses the file and makes models of its operators."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from seaformer.export.blame.cutting import cut, describe
from seaformer.runtimes.channel import Array, Message
from seaformer.runtimes.child_server import serve
from seaformer.runtimes.tflite_flatbuffer import parse


class CutterServer:
    """Answers the requests of one `Cutter`."""

    def answer(self, request: dict[str, Any], _arrays: Sequence[Array]) -> Message:
        """Serve one request; see `child_server.serve`."""
        if "path" in request:
            self._parsed = parse(Path(request["path"]).read_bytes())
            self._description = describe(self._parsed)
            return asdict(self._description), []
        model, inputs, outputs, keys = cut(self._parsed, self._description, **request)
        described = {"inputs": inputs, "outputs": outputs, "keys": keys}
        return described, [np.frombuffer(model, np.uint8)]


if __name__ == "__main__":
    serve(CutterServer().answer)
