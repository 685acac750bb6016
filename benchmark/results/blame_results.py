"""`blame.json`: the first operator that a device computes differently, and how it was found."""

from datetime import datetime
from typing import Literal

from seaformer.benchmark.devices.device import DeviceFacts
from seaformer.benchmark.results.base import Document, FrozenModel
from seaformer.benchmark.results.schema import InputUsed, RuntimeUsed

BLAME_NAME = "blame.json"
BLAME_PAGE_NAME = "blame.html"

Outcome = Literal["agrees", "differs", "refused", "died", "hangs"]
"""Outcome of a model on the device: its output agrees with the reference, differs from it, or is
missing because the runtime refused the model, the process died, or the time limit was reached."""

Verdict = Literal["agrees", "operator", "range", "gradual", "unfinished"]
"""Result of the search: nothing differs; one operator; one of a range of operators, because models
that end between them do not run; a gradual difference without a single cause; or incomplete."""


class TensorAgreement(FrozenModel):
    """A tensor computed by the device, compared with the reference.

    Attributes:
        name: name in the file.
        shape: sizes of its axes.
        dtype: NumPy name of the element type.
        is_constant: whether it is stored in the file, so there is nothing to compare.
        is_given: whether it is the input of the model, which is the same on both sides.
        value: value in `unit`; None where it was not compared.
        unit: "dB": signal-to-noise ratio, 300 without any difference and -300 if not finite;
            "quanta": largest difference of integers; "% equal": share of equal class ids.
        agrees: whether it is within the tolerance.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    is_constant: bool = False
    is_given: bool = False
    value: float | None = None
    unit: str = "dB"
    agrees: bool | None = None


class Trial(FrozenModel):
    """A model that the search ran on the device, or tried to run.

    Attributes:
        operators: number of computing operators in it, from the file's first one on.
        end: index of its last operator in the file.
        outcome: see `Outcome`.
        reason: the device's message about a failure; None without a failure.
        tensors: its outputs.
        fully_accelerated: whether the accelerator ran every operator; None if unknown.
        seconds: time for sending, running and comparing.
    """

    operators: int
    end: int
    outcome: Outcome
    reason: str | None = None
    tensors: tuple[TensorAgreement, ...] = ()
    fully_accelerated: bool | None = None
    seconds: float

    @property
    def worst(self) -> TensorAgreement | None:
        """The output that is furthest from the reference; None if there is none."""
        if not self.tensors:
            return None
        return min(self.tensors, key=lambda one: (one.agrees is True, one.value or 0.0))


class BlamedOperator(FrozenModel):
    """The first operator that the device computes differently, or cannot run.

    Attributes:
        index: position in the execution order of the file.
        type: operator type, such as "MUL".
        module: path of the module it belongs to; None if the file does not record it.
        outcome: outcome of the model that ends with it.
        reason: the device's message about a failure.
        inputs: its input tensors on the device, from the model that ends right before it.
        outputs: its output tensors on the device.
        alone: a model of only this operator, given the tensors of the reference; None if it was
            not run.
        file: name of that model, next to this document.
    """

    index: int
    type: str
    module: str | None
    outcome: Outcome
    reason: str | None
    inputs: tuple[TensorAgreement, ...]
    outputs: tuple[TensorAgreement, ...]
    alone: Trial | None
    file: str | None

    @property
    def before_db(self) -> float | None:
        """The lowest signal-to-noise ratio of its inputs in dB; None if they were not compared."""
        return _lowest_db(self.inputs)

    @property
    def after_db(self) -> float | None:
        """The lowest signal-to-noise ratio of its outputs in dB; None if not compared."""
        return _lowest_db(self.outputs)


class SuspectOperator(FrozenModel):
    """One of several operators that may be the first faulty one."""

    index: int
    type: str
    module: str | None


class BlameResults(Document):
    """A search.

    Attributes:
        created_at: when it started.
        command: the command line, to run it again.
        complete: whether the search finished.
        problem: why the search did not finish; None if it did.
        model: the file.
        sha256: SHA-256 of the file.
        device: the device that ran the models.
        emulated: whether the device's processor is emulated.
        accelerator: "cpu", "gpu" or "npu".
        backend: backend of the benchmark.
        runtime: runtime on the device.
        half: whether half precision was requested.
        soc: chip that was given with --soc; else None.
        reference: what the tensors are compared with.
        input: the input of the models.
        operators: number of operators of the file that depend on the input.
        min_db: lowest signal-to-noise ratio at which a tensor agrees.
        trials: every model that ran, in the order of the search; the first is the whole file.
        verdict: see `Verdict`.
        blamed: the operator; None unless the verdict is "operator" or "gradual".
        suspects: the suspects in execution order, if the verdict is "range".
    """

    created_at: datetime
    command: str
    complete: bool
    problem: str | None
    model: str
    sha256: str
    device: DeviceFacts
    emulated: bool
    accelerator: str
    backend: str
    runtime: RuntimeUsed
    half: bool
    soc: str | None
    reference: str
    input: InputUsed
    operators: int
    min_db: float
    trials: tuple[Trial, ...]
    verdict: Verdict
    blamed: BlamedOperator | None = None
    suspects: tuple[SuspectOperator, ...] = ()


def _lowest_db(tensors: tuple[TensorAgreement, ...]) -> float | None:
    values = [300.0 if one.is_given else one.value for one in tensors if one.unit == "dB"]
    return min((value for value in values if value is not None), default=None)
