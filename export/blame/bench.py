"""Running a file, and models cut out of it, on the target, and comparing with the reference.

The reference is LiteRT's own CPU kernels, without delegates, on the whole file: it gives every
intermediate tensor. What is cut out gets the reference's tensors, so that only its own error shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seaformer.errors import SeaformerError
from seaformer.export.blame.control_model import SHAPE, control_model
from seaformer.export.blame.cutter import Cut
from seaformer.export.blame.differences import (
    ACCUMULATED,
    EXACT,
    HYBRID,
    Difference,
    Tolerance,
    compare,
)
from seaformer.export.blame.graph_description import GraphDescription
from seaformer.export.blame.probes import Probe, noise
from seaformer.export.blame.targets import Target
from seaformer.runtimes import open_session
from seaformer.runtimes.child_process import CrashError, TimeLimitError
from seaformer.runtimes.session import Array, Session

Tensors = Mapping[int, Array]
"""Tensor of the file -> its values, as they are stored."""

ATTEMPTS = 2
"""A driver in software on a busy computer was seen to lose a buffer and fail; not twice."""


@dataclass(frozen=True)
class Failure:
    """Why a target computes nothing.

    Attributes:
        kind: "refused", "crashes the accelerator" or "does not finish".
        reason: in the target's words.
    """

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


@dataclass(frozen=True)
class Trial:
    """What a target made of a model.

    Attributes:
        failure: None if it computed something.
        differences: tensor of the file -> the worst difference over all inputs.
        runtime: what computed.
    """

    failure: Failure | None
    differences: Mapping[int, Difference]
    runtime: str = ""

    @property
    def worst(self) -> Difference | None:
        """The worst difference; None if nothing was computed."""
        return max(self.differences.values(), key=lambda one: one.badness, default=None)

    @property
    def is_good(self) -> bool:
        """Whether it computed the same as the reference."""
        return self.failure is None and all(one.agrees for one in self.differences.values())

    def __str__(self) -> str:
        if self.failure is not None:
            return str(self.failure)
        if self.is_good:
            return f"the same: {self.worst}"
        return f"computes something else: {self.worst}"


class Bench:
    """Tries models on a target.

    Args:
        path: of the whole file.
        graph: of the file.
        target: to try them on.
        reference: the file on the CPU.
        probes: what the whole file is given.
        folder: an empty one for temporary files.

    Attributes:
        sessions: how many were opened on the target so far.
    """

    def __init__(
        self,
        path: Path,
        graph: GraphDescription,
        target: Target,
        reference: Session,
        probes: Sequence[Probe],
        folder: Path,
    ) -> None:
        self.sessions = 0
        self._path, self._graph, self._target = path, graph, target
        self._reference, self._probes, self._folder = reference, probes, folder

    def whole(self) -> Trial:
        """Try the file itself.

        Raises:
            SeaformerError: the target does not work at all.
        """
        graph = self._graph
        feeds = [self._tensors(probe, (*graph.inputs, *graph.outputs)) for probe in self._probes]
        trial = self._try(self._path, graph.inputs, graph.outputs, feeds, is_chain=True)
        if trial.failure is not None:
            self._require_working_target()
        return trial

    def alone(self, cut: Cut) -> Trial:
        """Try operators that are each alone in a model, with the reference's tensors."""
        return self._cut(cut, is_chain=False)

    def chain(self, cut: Cut) -> Trial:
        """Try operators that feed each other."""
        return self._cut(cut, is_chain=True)

    def on_noise(self, cut: Cut) -> Trial | None:
        """Try a model on noise, as whoever gets the file alone would do.

        Returns:
            None if the reference itself cannot compute that.
        """
        file = self._write(cut)
        try:
            with open_session(file) as session:
                given = noise(session.inputs)
                found = session.fetch(cut.keys, given)
        except SeaformerError:
            return None
        values = [
            self._graph.tensors[t].stored(one) for t, one in zip(cut.outputs, found, strict=True)
        ]
        feed = dict(zip((*cut.inputs, *cut.outputs), (*given, *values), strict=True))
        if len(feed) < len(cut.inputs) + len(cut.outputs):
            return None  # one tensor is given and computed, so one name would hold two values
        is_chain = len(cut.operators) > 1
        return self._try(file, cut.inputs, cut.outputs, [feed], is_chain)

    def reference_inputs(self, cut: Cut) -> list[Array]:
        """What the reference gives a model on the first probe."""
        feed = self._tensors(self._probes[0], cut.inputs)
        return [feed[tensor] for tensor in cut.inputs]

    def _cut(self, cut: Cut, is_chain: bool) -> Trial:
        feeds = [self._tensors(probe, (*cut.inputs, *cut.outputs)) for probe in self._probes]
        return self._try(self._write(cut), cut.inputs, cut.outputs, feeds, is_chain)

    def _write(self, cut: Cut) -> Path:
        file = self._folder / "cut.tflite"
        file.write_bytes(cut.model)
        return file

    def _tensors(self, probe: Probe, wanted: Sequence[int]) -> Tensors:
        graph = self._graph
        found: dict[int, Array] = dict(zip(graph.inputs, probe.inputs, strict=True))
        keys = sorted(set(wanted) - found.keys())
        if keys:
            fetched = self._reference.fetch(list(map(str, keys)), probe.inputs)
            for key, values in zip(keys, fetched, strict=True):
                found[key] = graph.tensors[key].stored(values)
        return found

    def _try(
        self,
        file: Path,
        inputs: Sequence[int],
        outputs: Sequence[int],
        feeds: Sequence[Tensors],
        is_chain: bool,
    ) -> Trial:
        trial = Trial(None, {})
        for _ in range(ATTEMPTS):
            trial, may_be_chance = self._attempt(file, inputs, outputs, feeds, is_chain)
            if not may_be_chance:
                break
        return trial

    def _attempt(
        self,
        file: Path,
        inputs: Sequence[int],
        outputs: Sequence[int],
        feeds: Sequence[Tensors],
        is_chain: bool,
    ) -> tuple[Trial, bool]:
        """Try once; also return whether it failed in a way that may not repeat itself."""
        self.sessions += 1
        worst: dict[int, Difference] = {}
        is_open = False
        try:
            with open_session(file, accelerator=self._target.accelerator) as session:
                is_open = True
                for feed in feeds:
                    results = session.run([feed[tensor] for tensor in inputs])
                    for tensor, result in zip(outputs, results, strict=True):
                        found = self._compare(tensor, feed, result, is_chain)
                        before = worst.get(tensor, found)
                        worst[tensor] = max(before, found, key=lambda one: one.badness)
                return Trial(None, worst, session.runtime), False
        except SeaformerError as error:
            failure = _failure(error, file)
            return Trial(failure, {}), is_open and failure.kind == "refused"

    def _compare(self, tensor: int, feed: Tensors, result: Array, is_chain: bool) -> Difference:
        producer = self._graph.producers.get(tensor)
        sources = [feed[one] for one in producer.inputs if one in feed] if producer else []
        scale = max((_largest(one) for one in sources), default=1.0)
        reference = feed[tensor]
        return compare(
            self._graph.tensors[tensor], reference, result, scale, self._tolerance(tensor, is_chain)
        )

    def _tolerance(self, tensor: int, is_chain: bool) -> Tolerance:
        if is_chain:
            return ACCUMULATED if self._graph.is_quantized else EXACT
        producer = self._graph.producers.get(tensor)
        return HYBRID if producer is not None and self._graph.is_hybrid(producer) else EXACT

    def _require_working_target(self) -> None:
        file = self._folder / "control.tflite"
        file.write_bytes(control_model())
        self.sessions += 1
        with open_session(file, accelerator=self._target.accelerator) as session:
            session.run([np.ones(SHAPE, np.float32)])


def _largest(values: Array) -> float:
    real = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return float(np.abs(real.astype(np.float64)).max(initial=0.0))


def _failure(error: SeaformerError, file: Path) -> Failure:
    said = str(error).replace(f"'{file}'", "the file").replace(str(file), "FILE")
    said = said.partition(" Run: seaformer-export")[0].rstrip(".")
    if isinstance(error, CrashError):
        return Failure("crashes the accelerator", said)
    if isinstance(error, TimeLimitError):
        return Failure("does not finish", said)
    return Failure("refused", said)
