"""The child process of an `IsolatedSession`: it opens the file and serves requests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seaformer.runtimes import open_session
from seaformer.runtimes.channel import Array, Message
from seaformer.runtimes.child_server import serve
from seaformer.runtimes.isolated import describe
from seaformer.runtimes.session import Session

opened: list[Session] = []
"""The only session, opened by the first request."""


def answer(request: dict[str, Any], arrays: Sequence[Array]) -> Message:
    """Serve one request; see `child_server.serve`."""
    match request:
        case {"method": "open", "path": path, **arguments}:
            opened.append(open_session(Path(path), isolated=False, **arguments))
            return describe(opened[0]), []
        case {"method": "resize", "shape": shape}:
            opened[0].resize(shape)
            return describe(opened[0]), []
        case {"method": "run"}:
            return {}, opened[0].run(arrays)
        case {"method": "time_ms", "runs": runs}:
            return {"times_ms": opened[0].time_ms(arrays, runs)}, []
        case {"method": "computed_by", "operator": operator}:
            return {"key": opened[0].computed_by(operator)}, []
        case {"method": "fetch", "keys": keys}:
            return {}, opened[0].fetch(keys, arrays)
    raise ValueError(f"unknown request {request}")


if __name__ == "__main__":
    serve(answer)
