"""The files in the folder of a training run, each of which is written atomically.

    best.safetensors, best.json   the weights with the highest score so far, mIoU or AP
    last.safetensors, last.json   the weights of the last validation
    state.pt                      everything that `--resume` needs, including the weights: in one
                                  file, weights and optimizer are always of the same step
    held_out.json                 names of the validation images, if the data set has no splits
    metrics.jsonl                 one line for each entry of the loss curve and each validation

The JSON files repeat the header of the .safetensors files for people and scripts.
"""

import io
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator
from torch import Tensor, nn

from seaformer.errors import SeaformerError, UsageError, quoted
from seaformer.files import atomic_write, write_text
from seaformer.json_text import parse_model
from seaformer.models.entry import Network
from seaformer.network_names import members
from seaformer.quantization.preparation import range_tensors, stored_ranges
from seaformer.tasks import Task
from seaformer.training.recipe import VALIDATIONS, Recipe
from seaformer.weights import unpickling
from seaformer.weights.saving import save_weights

STATE = "state.pt"
STATE_VERSION = 2
"""Incremented when older states can no longer be resumed; version 1 stored no number."""

METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Origin:
    """Options that determine the result of a run, besides network, task and recipe.

    Attributes:
        data: a folder or "shapes".
        weights: name or path of the pretrained weights; None if there are none.
        seed: random seed.
        teacher: name or path of the teacher of a distillation; None if there is none.
        teacher_sha256: SHA-256 of the teacher's weights file, in hexadecimal; or None.
        student_size: height and width of the student's images; None without a teacher.
        quantization: precision whose rounding is part of the training; None without rounding.
    """

    data: str
    weights: str | None = None
    seed: int = 0
    teacher: str | None = None
    teacher_sha256: str | None = None
    student_size: tuple[int, int] | None = None
    quantization: str | None = None


@dataclass(frozen=True)
class CheckpointOptions:
    """How a run is validated and stored; may change when the run is resumed.

    Attributes:
        validate_every: steps between validations; None for `VALIDATIONS` validations in total.
        half: whether weights are stored as float16.
    """

    validate_every: int | None = None
    half: bool = False

    def validation_steps(self, iterations: int) -> int:
        """Return the steps between validations in a run of `iterations` steps."""
        return self.validate_every or max(1, iterations // VALIDATIONS)


class Settings(BaseModel, frozen=True):
    """All settings of a run; network and task by name."""

    network: str
    task: str
    recipe: Recipe
    origin: Origin
    keeping: CheckpointOptions = CheckpointOptions()

    def values(self) -> dict[str, Any]:
        """Return all settings that determine the result, as a flat JSON object."""
        stored = self.model_dump(mode="json", exclude={"keeping"})
        values: dict[str, Any] = stored.pop("recipe") | stored.pop("origin") | stored
        return values


class State(BaseModel):
    """State of a run between two steps, from which it is resumed.

    Attributes:
        version: format version.
        step: number of steps done.
        best: the highest score so far, 0..1; -1 before the first validation.
        losses: losses of the steps since the last entry of the metrics, or their terms.
        model: state_dict of the network, or of the student with its upsampler.
        optimizer: state_dict of the optimizer.
        scaler: state_dict of the gradient scaler; None if there is none.
        settings: settings of the run, stored as JSON text.
    """

    model_config = ConfigDict(frozen=True, strict=True, arbitrary_types_allowed=True)

    version: int = 1
    step: int = Field(ge=0)
    best: float = Field(ge=-1, le=1)
    losses: list[FiniteFloat] | list[list[FiniteFloat]]
    model: dict[str, Tensor]
    optimizer: dict[str, Any]
    scaler: dict[str, Any] | None
    settings: Settings

    @field_validator("settings", mode="before")
    @classmethod
    def _parsed(cls, text: str) -> Settings:
        return parse_model(Settings, text)


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run, and the settings that all its checkpoints share."""

    path: Path
    network: Network
    task: Task
    recipe: Recipe
    origin: Origin
    keeping: CheckpointOptions = CheckpointOptions()

    @property
    def settings(self) -> Settings:
        """The settings that a resumed run has to match."""
        return Settings(
            network=self.network.name,
            task=self.task.name,
            recipe=self.recipe,
            origin=self.origin,
            keeping=self.keeping,
        )

    def save_weights(self, model: nn.Module, name: str, step: int, score: float) -> None:
        """Write `name`.safetensors and `name`.json; `name` is "best" or "last".

        `model` is not wrapped by Accelerate; `score` is the result of the validation, 0..1.
        """
        extra = {
            self.task.score_name: score,
            "step": step,
            "recipe": self.recipe.to_json(),
            "origin": asdict(self.origin),
        }
        if self.origin.quantization is not None:
            extra |= stored_ranges(model, self.origin.quantization)
        path = self.path / f"{name}.safetensors"
        save_weights(
            model,
            path,
            network=self.network.name,
            task_json=self.task.to_json(),
            half=self.keeping.half,
            extra=extra,
            without=range_tensors(model),
        )
        record = {"weights": path.name} | members(self.network.name) | extra
        record |= {"task": self.task.to_json()}
        write_text(path.with_suffix(".json"), json.dumps(record, indent=2, ensure_ascii=False))

    def save_state(self, **members: Any) -> None:
        """Write the state; `members` are the members of `State` except version and settings."""
        content = io.BytesIO()  # torch's own error for a full disk is incomprehensible
        own = {"version": STATE_VERSION, "settings": self.settings.model_dump_json()}
        torch.save(members | own, content)
        with atomic_write(self.path / STATE) as draft:
            draft.write_bytes(content.getbuffer())

    def check(self, state: State) -> None:
        """Refuse the state of a run with different settings; only `iterations` may differ.

        Raises:
            UsageError: settings differ, or the run has done more steps than requested.
        """
        found, wanted = state.settings.values(), self.settings.values()
        differing = [
            f"{name} was {found[name]} and is now {value}"
            for name, value in wanted.items()
            if found[name] != value and name != "iterations"
        ]
        if differing:
            raise UsageError(
                f"'{self.path / STATE}' has different settings: {'; '.join(differing)}. Omit the "
                "options that differ, or start in another folder."
            )
        if state.step > self.recipe.iterations:
            raise UsageError(
                f"--iterations is {self.recipe.iterations}, but the run in '{self.path}' has "
                f"already done {state.step} steps. Allowed: {state.step} or more."
            )


def load_state(folder: Path) -> State:
    """Load the state of the run in a folder to the CPU.

    Raises:
        UsageError: there is no state.
        SeaformerError: the file is damaged, or its version cannot be resumed.
    """
    path = folder / STATE
    if not path.is_file():
        raise UsageError(f"there is no '{path}' to resume from. Omit --resume.")
    try:
        with path.open("rb") as file:
            # torch itself accepts a file with flipped bits.
            if (record := zipfile.ZipFile(file).testzip()) is not None:
                raise ValueError(f"wrong checksum of {quoted(record)}")
            file.seek(0)
            content = unpickling.load(file, path)
        version = int(content.get("version", 1))
    # A damaged file can raise any exception.
    except Exception as error:
        raise unusable_state(folder, error) from error
    if version > STATE_VERSION:
        raise _refused(folder, "was written by a later version of seaformer")
    try:
        return State.model_validate(content)
    except Exception as error:
        raise unusable_state(folder, error, version) from error


def unusable_state(folder: Path, error: Exception, version: int = STATE_VERSION) -> SeaformerError:
    """Return the error for a state of this version that raised `error` when it was loaded."""
    if version < STATE_VERSION:
        what = "was written by an earlier version of seaformer and cannot be resumed"
    else:
        what = "is damaged"
    return _refused(folder, f"{what} ({_reason(error)})")


def _refused(folder: Path, why: str) -> SeaformerError:
    last = folder / "last.safetensors"
    weights = f", with --weights {last}" if last.exists() else ""
    return SeaformerError(f"'{folder / STATE}' {why}. Start again in another folder{weights}.")


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{quoted(place)[1:-1]}: {first['msg']}"
    return str(error) if type(error) is ValueError else type(error).__name__
