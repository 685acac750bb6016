"""The child process of an `IsolatedSession`: it opens the file and serves requests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seaformer.runtimes import open_session
from seaformer.runtimes.channel import Array, Message
from seaformer.runtimes.child_server import serve
from seaformer.runtimes.isolated import describe
from seaformer.runtimes.session import Session


class SessionServer:
    """Answers the requests of one `IsolatedSession`."""

    def __init__(self) -> None:
        self._session: Session | None = None

    def answer(self, request: dict[str, Any], arrays: Sequence[Array]) -> Message:
        """Serve one request; see `child_server.serve`."""
        arguments = dict(request)
        method = arguments.pop("method")
        if method == "open":
            path = Path(arguments.pop("path"))
            self._session = open_session(path, isolated=False, **arguments)
            return describe(self._session), []
        session = self._session
        assert session is not None  # opened by the first request
        if method == "resize":
            session.resize(**arguments)
            return describe(session), []
        if method == "run":
            return {}, session.run(arrays)
        if method == "time_ms":
            return {"times_ms": session.time_ms(arrays, **arguments)}, []
        if method == "computed_by":
            return {"key": session.computed_by(**arguments)}, []
        if method == "fetch":
            return {}, session.fetch(inputs=arrays, **arguments)
        raise ValueError(f"unknown method '{method}'")


if __name__ == "__main__":
    serve(SessionServer().answer)
