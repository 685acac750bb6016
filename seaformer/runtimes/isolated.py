"""A session in a child process, for files that may crash, hang or exhaust memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seaformer.artifact.metadata import Scale
from seaformer.errors import SeaformerError
from seaformer.runtimes.child_process import DAMAGED, ChildProcess
from seaformer.runtimes.session import Array, Session, Tensor


class IsolatedSession(Session):
    """A proxy for the session of a child process, which validates everything it receives.

    Args:
        path: path of the file.
        program: name of the runtime, for error messages.
        environment: additional environment variables of the child.
        advice: what to do about a file that crashes it.
        time_factor: factor on the time limit of every request.
        arguments: arguments of `seaformer.runtimes.open_session`, without the path.
    """

    def __init__(
        self,
        path: Path,
        program: str,
        environment: Mapping[str, str] | None = None,
        advice: str = DAMAGED,
        time_factor: float = 1.0,
        **arguments: Any,
    ) -> None:
        self.path, self._time_factor = path, time_factor
        self._child = ChildProcess(
            "seaformer.runtimes.session_process", path, program, environment, advice
        )
        try:
            self._adopt(self._call("loaded", "open", path=str(path), **arguments)[0])
        except BaseException:
            self.close()
            raise

    def resize(self, shape: Sequence[int]) -> None:
        """Fix the shape of the first input."""
        self._adopt(self._call("loaded", "resize", shape=list(shape))[0])

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once."""
        _, outputs = self._call("run", "run", inputs)
        if [str(array.dtype) for array in outputs] != [tensor.dtype for tensor in self.outputs]:
            raise self._child.malformed("run")
        if any(array.size == 0 for array in outputs):
            raise SeaformerError(
                f"'{self.path}' returns an output without values. Export it again."
            )
        return outputs

    def time_ms(self, inputs: Sequence[Array], runs: int) -> list[float]:
        """Run several times; timed in the child, without the transfer between processes."""
        answer, _ = self._call("run", "time_ms", inputs, scale=runs, runs=runs)
        times = answer.get("times_ms")
        if not isinstance(times, list) or not all(type(time) is float for time in times):
            raise self._child.malformed("run")
        return times

    def computed_by(self, operator: int) -> str:
        """Return the key of the first tensor that an operator computes."""
        answer, _ = self._call("read", "computed_by", operator=operator)
        return str(answer.get("key"))

    def fetch(self, keys: Sequence[str], inputs: Sequence[Array]) -> list[Array]:
        """Run once with all tensors preserved; return those with these keys."""
        _, tensors = self._call("run", "fetch", inputs, keys=list(keys))
        if len(tensors) != len(keys):
            raise self._child.malformed("run")
        return tensors

    def close(self) -> None:
        """End the process."""
        self._child.close()

    def _call(
        self,
        doing: str,
        method: str,
        arrays: Sequence[Array] = (),
        scale: float = 1,
        **arguments: Any,
    ) -> tuple[dict[str, Any], list[Array]]:
        fields = {"method": method, **arguments}
        return self._child.call(doing, fields, arrays, scale * self._time_factor)

    def _adopt(self, described: dict[str, Any]) -> None:
        """Adopt the description of the child's session."""
        try:
            self.runtime = str(described["runtime"])
            self.inputs = tuple(_tensor(one) for one in described["inputs"])
            self.outputs = tuple(_tensor(one) for one in described["outputs"])
            text = described["metadata_text"]
            self.metadata_text = None if text is None else str(text)
        except (KeyError, TypeError, ValueError) as error:
            raise self._child.malformed("loaded") from error


def describe(session: Session) -> dict[str, Any]:
    """Describe a session for the parent process."""
    return {
        "runtime": session.runtime,
        "inputs": [_fields(tensor) for tensor in session.inputs],
        "outputs": [_fields(tensor) for tensor in session.outputs],
        "metadata_text": session.metadata_text,
    }


def _fields(tensor: Tensor) -> dict[str, Any]:
    integers = tensor.integers
    return {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": tensor.shape,
        "integers": integers and [integers.scale, integers.zero_point],
    }


def _tensor(stored: dict[str, Any]) -> Tensor:
    dtype, shape, integers = np.dtype(str(stored["dtype"])), stored["shape"], stored["integers"]
    if not all(side is None or type(side) is int for side in shape):
        raise ValueError(f"an axis of {shape}")
    if integers is not None:
        integers = Scale(scale=float(integers[0]), zero_point=int(integers[1]))
    return Tensor(str(stored["name"]), str(dtype), tuple(shape), integers)
