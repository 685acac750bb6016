"""`blame.json`: the first operator that a device computes differently, and how it was found."""

from datetime import datetime
from typing import Literal

from seaformer.benchmark.devices.device import DeviceFacts
from seaformer.benchmark.results.base import Document, FrozenModel
from seaformer.benchmark.results.schema import InputUsed, RuntimeUsed

BLAME_NAME = "blame.json"
BLAME_PAGE_NAME = "blame.html"

Outcome = Literal["agrees", "differs", "refused", "died", "hangs"]
"""What became of a model on the device: it computed what the reference does, something else, or
nothing: it was refused, its process died, or the time was up."""

Verdict = Literal["agrees", "operator", "range", "gradual", "unfinished"]
"""What the search came to: nothing differs; one operator; one of several operators, as models that
end between them do not run; a difference that grows with no operator standing out; or no end."""


class TensorAgreement(FrozenModel):
    """A tensor of the device against the reference.

    Attributes:
        name: in the file.
        shape: sizes of its axes.
        dtype: as NumPy calls it.
        is_constant: whether it is stored in the file, so that nothing is compared.
        is_given: whether it is the input of the model, which is the same in both.
        value: in `unit`; None where it was not compared.
        unit: "dB": signal to noise ratio, 300 without any difference and -300 if not finite;
            "quanta": largest difference of integers; "% equal": of class ids and the like.
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
    """A model that ran on the device, or should have.

    Attributes:
        operators: how many of the file's computing operators it has, from the first.
        end: index of its last operator in the file.
        outcome: what became of it.
        reason: of a failure, in the words of the device; else None.
        tensors: its outputs.
        fully_accelerated: whether the accelerator took every operator; None if it is not known.
        seconds: that sending, running and comparing took.
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
    """The first operator that the device computes differently, or does not run.

    Attributes:
        index: in the file, in execution order.
        type: such as "MUL".
        module: path of the module it belongs to; None if the file does not say.
        outcome: of the model that ends with it.
        reason: of a failure.
        inputs: what it read on the device, in the model that ends right before it.
        outputs: what it made of that.
        alone: a model of nothing but this operator on the reference's tensors; None where it was
            not run.
        file: name of that model, beside this document.
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
        """The lowest signal to noise ratio of its inputs; None if they were not compared."""
        return _lowest_db(self.inputs)

    @property
    def after_db(self) -> float | None:
        """The lowest of its outputs; None likewise."""
        return _lowest_db(self.outputs)


class SuspectOperator(FrozenModel):
    """One of several operators that may be the first one at fault."""

    index: int
    type: str
    module: str | None


class BlameResults(Document):
    """A search.

    Attributes:
        created_at: when it began.
        command: what was asked for, to be pasted again.
        complete: whether it came to its end.
        problem: why not; None if it did.
        model: the file.
        sha256: of the file.
        device: that it was run on.
        emulated: whether the device's processor is.
        accelerator: "cpu", "gpu" or "npu".
        backend: of the benchmark.
        runtime: on the device.
        half: whether files of floating point are computed in half precision.
        soc: chip that was given with --soc; else None.
        reference: what it is compared with.
        input: what the models were given.
        operators: how many of the file compute something from the input.
        min_db: signal to noise ratio from which on a tensor agrees.
        trials: every model that ran, in the order of the search; the first is the whole file.
        verdict: what came of it.
        blamed: the operator; None unless the verdict is "operator" or "gradual".
        suspects: in execution order, where the verdict is "range".
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
