"""Running a file, and models extracted from it, on the target and comparing with the reference.

The reference computes every intermediate tensor of the whole file. An extracted model gets these
tensors as inputs, so only its own error is visible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seaformer.errors import SeaformerError
from seaformer.export.blame.control_model import control_model
from seaformer.export.blame.probes import Probe, noise
from seaformer.export.blame.targets import Target
from seaformer.extraction.differences import (
    ACCUMULATED,
    EXACT,
    HALF,
    HYBRID,
    WIDE,
    Difference,
    Tolerance,
)
from seaformer.extraction.extractor import ExtractedModel
from seaformer.extraction.graph_description import GraphDescription
from seaformer.extraction.reference import Tensors, compare_with_reference, reference_tensors
from seaformer.runtimes import open_session
from seaformer.runtimes.child_process import CrashError, TimeLimitError
from seaformer.runtimes.session import Array, Session

ATTEMPTS = 2
"""A software driver on a busy host sometimes lost a buffer and failed, never twice in a row."""


UNTRIED = "cannot be tried"
"""Kind of failure of a model that loads but cannot be run: the target supports its operators, but
not its inputs or outputs, for example int16 tensors on the GPU."""


@dataclass(frozen=True)
class Failure:
    """Why a model has no result on a target.

    Attributes:
        kind: "refused", "crashes the accelerator", "does not finish", or `UNTRIED`.
        reason: error message of the target.
    """

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


@dataclass(frozen=True)
class Trial:
    """The result of running a model on a target.

    Attributes:
        failure: None if the model ran.
        differences: tensor of the file -> the worst difference over all inputs.
        runtime: the runtime that ran it.
    """

    failure: Failure | None
    differences: Mapping[int, Difference]
    runtime: str = ""

    @property
    def worst(self) -> Difference | None:
        """The worst difference; None if the model did not run."""
        return max(self.differences.values(), key=lambda one: one.badness, default=None)

    @property
    def is_good(self) -> bool:
        """Whether it matches the reference."""
        return self.failure is None and all(one.agrees for one in self.differences.values())

    @property
    def is_wrong(self) -> bool:
        """Whether it does not match, and the target is at fault."""
        return not self.is_good and (self.failure is None or self.failure.kind != UNTRIED)

    def __str__(self) -> str:
        if self.failure is not None:
            return str(self.failure)
        if self.is_good:
            return f"the same: {self.worst}"
        return f"computes different values: {self.worst}"


class TargetRunner:
    """Runs models on a target and compares them with the reference.

    Args:
        path: path of the whole file.
        graph: graph of the file.
        target: to run the models on.
        reference: the file on the CPU.
        probes: inputs of the whole file.
        folder: an empty folder for temporary files.
        chip: chip of the NPU, see `seaformer.runtimes.open_session`.

    Attributes:
        sessions: number of sessions opened on the target so far.
    """

    def __init__(
        self,
        path: Path,
        graph: GraphDescription,
        target: Target,
        reference: Session,
        probes: Sequence[Probe],
        folder: Path,
        chip: str | None = None,
    ) -> None:
        self.sessions = 0
        self._path, self._graph, self._target = path, graph, target
        self._reference, self._probes, self._folder = reference, probes, folder
        self._chip = chip

    def whole(self) -> Trial:
        """Run the file itself.

        Raises:
            SeaformerError: the target cannot run even the control model.
        """
        graph = self._graph
        feeds = self._feeds((*graph.inputs, *graph.outputs))
        trial = _worst(self._try(self._path, graph.inputs, graph.outputs, feeds, is_chain=True))
        if trial.failure is not None:
            self._require_working_target()
        return trial

    def run(self, extracted: ExtractedModel, is_chain: bool = False) -> Trial:
        """Run an extracted model on the reference's tensors.

        Args:
            extracted: the model.
            is_chain: whether its operators feed each other; else they are independent.
        """
        feeds = self._feeds((*extracted.inputs, *extracted.outputs))
        return _worst(
            self._try(self._write(extracted), extracted.inputs, extracted.outputs, feeds, is_chain)
        )

    def run_by_itself(self, extracted: ExtractedModel) -> tuple[Trial, Trial | None]:
        """Run an extracted model on the reference's tensors, and on noise as a stand-alone file.

        Returns:
            Both results; None for noise if the reference cannot run it.
        """
        feeds = self._feeds((*extracted.inputs, *extracted.outputs))
        file = self._write(extracted)
        on_noise = self._on_noise(extracted, file)
        tried = [*feeds, on_noise] if on_noise else feeds
        is_chain = len(extracted.operators) > 1
        trials = self._try(file, extracted.inputs, extracted.outputs, tried, is_chain)
        return _worst(trials[: len(feeds)]), trials[-1] if on_noise else None

    def reference_inputs(self, extracted: ExtractedModel) -> list[Array]:
        """The inputs of an extracted model, computed by the reference on the first probe."""
        feed = self._tensors(self._probes[0], extracted.inputs)
        return [feed[tensor] for tensor in extracted.inputs]

    def _on_noise(self, extracted: ExtractedModel, file: Path) -> Tensors | None:
        """Noise inputs and the reference outputs for them."""
        if set(extracted.inputs) & set(extracted.outputs):
            return None  # a tensor is both input and output, with two values
        try:
            with open_session(file) as session:
                given = noise(session.inputs)
                found = session.fetch(extracted.keys, given)
        except SeaformerError:
            return None
        tensors = self._graph.tensors
        values = [tensors[t].stored(one) for t, one in zip(extracted.outputs, found, strict=True)]
        return dict(zip((*extracted.inputs, *extracted.outputs), (*given, *values), strict=True))

    def _write(self, extracted: ExtractedModel) -> Path:
        file = self._folder / f"extracted{self._path.suffix}"
        file.write_bytes(extracted.model)
        return file

    def _feeds(self, wanted: Sequence[int]) -> list[Tensors]:
        return [self._tensors(probe, wanted) for probe in self._probes]

    def _tensors(self, probe: Probe, wanted: Sequence[int]) -> Tensors:
        return reference_tensors(self._graph, self._reference, probe.inputs, wanted)

    def _try(
        self,
        file: Path,
        inputs: Sequence[int],
        outputs: Sequence[int],
        feeds: Sequence[Tensors],
        is_chain: bool,
    ) -> list[Trial]:
        """Run a model in one session; return a result for each of the feeds."""
        for attempt in range(ATTEMPTS):
            self.sessions += 1
            trials: list[Trial] = []
            is_open = False
            try:
                with self._open(file) as session:
                    is_open = True
                    for feed in feeds:
                        results = session.run([feed[tensor] for tensor in inputs])
                        found = {
                            tensor: self._compare(tensor, feed, result, is_chain)
                            for tensor, result in zip(outputs, results, strict=True)
                        }
                        trials.append(Trial(None, found, session.runtime))
                    return trials
            except SeaformerError as error:
                failure = _failure(error, file, is_open)
                if attempt + 1 == ATTEMPTS or failure.kind != UNTRIED:
                    break
        return [Trial(failure, {}) for _ in feeds]

    def _compare(self, tensor: int, feed: Tensors, result: Array, is_chain: bool) -> Difference:
        tolerance = self._tolerance(tensor, is_chain)
        return compare_with_reference(self._graph, feed, tensor, result, tolerance)

    def _tolerance(self, tensor: int, is_chain: bool) -> Tolerance:
        exact = EXACT
        if self._target.needs_chip:
            exact = {"float32": HALF, "uint16": WIDE}.get(self._graph.tensors[tensor].dtype, EXACT)
        if is_chain:
            return ACCUMULATED if self._graph.is_quantized else exact
        producer = self._graph.producers.get(tensor)
        return HYBRID if producer is not None and self._graph.is_hybrid(producer) else exact

    def _require_working_target(self) -> None:
        file = self._folder / f"control{self._path.suffix}"
        model, given = control_model(self._path.suffix)
        file.write_bytes(model)
        self.sessions += 1
        with self._open(file) as session:
            session.run([given])

    def _open(self, file: Path) -> Session:
        return open_session(file, accelerator=self._target.accelerator, chip=self._chip)


def _worst(trials: Sequence[Trial]) -> Trial:
    """Combine the results of one model on several inputs."""
    worst: dict[int, Difference] = {}
    for trial in trials:
        for tensor, found in trial.differences.items():
            worst[tensor] = max(worst.get(tensor, found), found, key=lambda one: one.badness)
    return Trial(trials[0].failure, worst, trials[0].runtime)


def _failure(error: SeaformerError, file: Path, is_open: bool) -> Failure:
    reason = str(error).replace(f"'{file}'", "the file").replace(str(file), "FILE")
    reason = reason.partition(" Run: seaformer-export")[0].rstrip(".")
    if isinstance(error, CrashError):
        return Failure("crashes the accelerator", reason)
    if isinstance(error, TimeLimitError):
        return Failure("does not finish", reason)
    return Failure(UNTRIED if is_open else "refused", reason)
