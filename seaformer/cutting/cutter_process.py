"""The child process of a `Cutter`, which parses the file and creates models of its operators."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from seaformer.cutting.onnx_cutting import OnnxCuts
from seaformer.cutting.tflite_cutting import TFLiteCuts
from seaformer.runtimes.channel import Array, Message
from seaformer.runtimes.child_server import serve


class CutterServer:
    """Answers the requests of one `Cutter`."""

    def answer(self, request: dict[str, Any], _arrays: Sequence[Array]) -> Message:
        """Serve one request; see `child_server.serve`."""
        if "path" in request:
            path = Path(request["path"])
            self._cuts = OnnxCuts(path) if path.suffix.lower() == ".onnx" else TFLiteCuts(path)
            return asdict(self._cuts.description), []
        model, inputs, outputs, keys = self._cuts.cut(**request)
        described = {"inputs": inputs, "outputs": outputs, "keys": keys}
        return described, [np.frombuffer(model, np.uint8)]


if __name__ == "__main__":
    serve(CutterServer().answer)
