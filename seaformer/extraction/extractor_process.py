"""The child process of a `Extractor`, which parses the file and creates models of its operators."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from seaformer.extraction.onnx_extraction import OnnxExtraction
from seaformer.extraction.tflite_extraction import TFLiteExtraction
from seaformer.runtimes.channel import Array, Message
from seaformer.runtimes.child_server import serve


class ExtractorServer:
    """Answers the requests of one `Extractor`."""

    def answer(self, request: dict[str, Any], _arrays: Sequence[Array]) -> Message:
        """Serve one request; see `child_server.serve`."""
        if "path" in request:
            path = Path(request["path"])
            self._extraction = (
                OnnxExtraction(path) if path.suffix.lower() == ".onnx" else TFLiteExtraction(path)
            )
            return asdict(self._extraction.description), []
        model, inputs, outputs, keys = self._extraction.extract(**request)
        described = {"inputs": inputs, "outputs": outputs, "keys": keys}
        return described, [np.frombuffer(model, np.uint8)]


if __name__ == "__main__":
    serve(ExtractorServer().answer)
