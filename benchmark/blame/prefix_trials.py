"""Truncated models of one file on a device, and their tensors compared with the reference."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seaformer.benchmark.devices.errors import ProgramKilled, TimedOut
from seaformer.benchmark.inference.device_inference import Inference
from seaformer.benchmark.measure.session import ModelError, TimeLimitError
from seaformer.benchmark.results.blame_results import Outcome, TensorAgreement, Trial
from seaformer.errors import SeaformerError
from seaformer.extraction.differences import Difference, Tolerance
from seaformer.extraction.extractor import ExtractedModel, Extractor
from seaformer.extraction.graph_description import GraphOperator, outputs_of
from seaformer.extraction.reference import Tensors, compare_with_reference, reference_tensors
from seaformer.runtimes.session import Array, Session

MODEL_LIMIT_S = 120.0
"""Time limit for one model on the device, including loading and compiling."""

MAX_OUTPUTS = 16
"""Limit of the runner for one model, as in `src/runtime.h`."""

CRASHED = "crashed with signal"
"""The runner's message after a fatal signal, as in `src/report.c`."""


@dataclass(frozen=True)
class Tried:
    """A trial, with the compared tensors of the device by their index."""

    trial: Trial
    differences: Mapping[int, Difference]


class PrefixTrials:
    """Runs truncated models of a file on a device, all on one input.

    Attributes:
        graph: graph of the file.
        operators: operators that depend on the input, in execution order.
        done: all trials so far.
    """

    def __init__(
        self,
        file: Path,
        extractor: Extractor,
        reference: Session,
        given: Array,
        inference: Inference,
        tolerance: Tolerance,
        folder: Path,
        deadline: float,
        on_trial: Callable[[], None],
    ) -> None:
        """Prepare trials without running any.

        Args:
            file: the whole file.
            extractor: extracts models from the file.
            reference: the file on the CPU of this computer.
            given: its single input.
            inference: inference on the device.
            tolerance: for the comparison of tensors.
            folder: an empty folder for truncated models.
            deadline: end of the search, by `time.monotonic`.
            on_trial: called after each trial.
        """
        self.graph, self.operators = extractor.graph, extractor.graph.computing
        self.done: list[Trial] = []
        self._file, self._extractor, self._reference, self._given = (
            file,
            extractor,
            reference,
            given,
        )
        self._inference, self._tolerance, self._folder = inference, tolerance, folder
        self._deadline, self._on_trial = deadline, on_trial
        self._prefixes: dict[int, Tried] = {}

    def whole(self) -> Tried:
        """Run the file itself."""
        count = len(self.operators)
        if count not in self._prefixes:
            outputs = self.graph.outputs
            self._prefixes[count] = self._try(self._file, self._given, outputs, count)
        return self._prefixes[count]

    def prefix(self, count: int) -> Tried:
        """Run the first `count` operators, returning all tensors that the others need."""
        if count not in self._prefixes:
            inside = self.operators[:count]
            live = [
                tensor
                for tensor in sorted(outputs_of(inside), key=self._age)
                if self.graph.is_needed_outside(tensor, inside, ())
            ]
            extracted = self._extractor.extract(inside, (), live[-MAX_OUTPUTS:])
            path = self._write(extracted, f"first_{count}")
            self._prefixes[count] = self._try(path, self._given, extracted.outputs, count)
        return self._prefixes[count]

    def group(self, first: int, count: int) -> Tried:
        """Run the first `count` operators, returning the results of those from `first` on."""
        extracted = self._extractor.extract(
            self.operators[:count], (), outputs_of(self.operators[first:count])
        )
        path = self._write(extracted, f"from_{first}_to_{count}")
        return self._try(path, self._given, extracted.outputs, count)

    def alone(self, operator: GraphOperator) -> tuple[ExtractedModel, Trial | None]:
        """Extract one operator, and run it on the tensor of the reference.

        Returns:
            The model and its trial; the trial is None if the model has several inputs, of which the
            runner supports only one.
        """
        extracted = self._extractor.alone([operator])
        if len(self.operators) == 1:
            return extracted, self.whole().trial
        if len(extracted.inputs) != 1:
            return extracted, None
        given = self._tensors(extracted.inputs)[extracted.inputs[0]]
        path = self._write(extracted, f"alone_{operator.index}")
        return extracted, self._try(path, given, extracted.outputs, 1, operator.index).trial

    def described(self, tensor: int, difference: Difference | None) -> TensorAgreement:
        """Describe a tensor and its agreement, if it was compared."""
        one = self.graph.tensors[tensor]
        return TensorAgreement(
            name=one.name,
            shape=one.shape,
            dtype=one.dtype,
            is_constant=tensor in self.graph.constants,
            is_given=tensor in self.graph.inputs,
            value=None if difference is None else difference.value,
            unit="dB" if difference is None else difference.unit,
            agrees=None if difference is None else difference.agrees,
        )

    def _age(self, tensor: int) -> int:
        return self.graph.producers[tensor].index

    def _write(self, extracted: ExtractedModel, name: str) -> Path:
        path = self._folder / f"{name}{self._file.suffix.lower()}"
        path.write_bytes(extracted.model)
        return path

    def _tensors(self, wanted: Sequence[int]) -> Tensors:
        return reference_tensors(self.graph, self._reference, [self._given], wanted)

    def _try(
        self,
        path: Path,
        given: Array,
        outputs: Sequence[int],
        count: int,
        end: int | None = None,
    ) -> Tried:
        """Run a model of `count` operators.

        `end` is the index of its last operator; None if the model starts at the first operator.
        """
        begin = time.monotonic()
        limit_s = min(MODEL_LIMIT_S, self._deadline - begin)
        if limit_s <= 0:
            raise _out_of_time()
        self._inference.settings = replace(self._inference.settings, time_limit_s=limit_s)
        outcome: Outcome
        differences: dict[int, Difference] = {}
        reason = accelerated = None
        try:
            ran = self._inference.run(path, [given])
        except (ModelError, ProgramKilled, TimedOut) as error:
            if isinstance(error, TimedOut) and limit_s < MODEL_LIMIT_S:
                raise _out_of_time() from error
            outcome, reason = _outcome(error), str(error).replace(f"'{path}'", "the model")
        else:
            differences = self._compared(outputs, ran.outputs[0])
            is_right = all(one.agrees for one in differences.values())
            outcome = "agrees" if is_right else "differs"
            accelerated = None if ran.coverage is None else ran.coverage.full
        trial = Trial(
            operators=count,
            end=self.operators[count - 1].index if end is None else end,
            outcome=outcome,
            reason=reason,
            tensors=tuple(self.described(*one) for one in differences.items()),
            fully_accelerated=accelerated,
            seconds=time.monotonic() - begin,
        )
        self.done.append(trial)
        self._on_trial()
        return Tried(trial, differences)

    def _compared(self, outputs: Sequence[int], found: Sequence[Array]) -> dict[int, Difference]:
        graph = self.graph
        sources = [t for one in outputs for t in graph.needed_by(graph.producers[one])]
        reference = self._tensors((*outputs, *sources))
        return {
            tensor: compare_with_reference(graph, reference, tensor, values, self._tolerance)
            for tensor, values in zip(outputs, found, strict=True)
        }


def _outcome(error: SeaformerError) -> Outcome:
    if isinstance(error, TimedOut):
        return "hangs"
    return "died" if isinstance(error, ProgramKilled) or CRASHED in str(error) else "refused"


def _out_of_time() -> TimeLimitError:
    return TimeLimitError(
        "the time limit of the search was reached. Give more time with --time-limit."
    )
