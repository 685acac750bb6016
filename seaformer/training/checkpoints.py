"""What a run leaves in its folder, each file whole or not there.

    best.safetensors, best.json   the weights with the highest mIoU so far
    last.safetensors, last.json   the weights of the last validation
    state.pt                      all that `--resume` needs, the weights too: one file, so that
                                  weights and optimiser are always of the same step
    held_out.json                 names of the validation images, where the data set has no splits
    metrics.jsonl                 one line for each entry of the loss curve and each validation

The JSON file says what the header of the .safetensors file says as well, for people and scripts.
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
from seaformer.tasks import Task
from seaformer.training.recipe import VALIDATIONS, Recipe
from seaformer.weights import unpickling
from seaformer.weights.saving import save_weights

STATE = "state.pt"
STATE_VERSION = 2
"""Raised when a state cannot be resumed as the one before; 1 had none in it."""

METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Origin:
    """What decides the result of a run besides network, task and recipe, as given to the command.

    `data` is the folder or "shapes", `weights` the first weights, `seed` that of everything random.
    """

    data: str
    weights: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class Keeping:
    """How a run is validated and stored; it may change when the run is resumed.

    Attributes:
        validate_every: steps between two validations; None for `VALIDATIONS` in all.
        half: whether weights are stored as float16.
    """

    validate_every: int | None = None
    half: bool = False

    def validation_steps(self, iterations: int) -> int:
        """Return the steps between two validations of a run of so many."""
        return self.validate_every or max(1, iterations // VALIDATIONS)


class Settings(BaseModel, frozen=True):
    """All that a run was started with; network and task by name."""

    network: str
    task: str
    recipe: Recipe
    origin: Origin
    keeping: Keeping = Keeping()

    def values(self) -> dict[str, Any]:
        """Return what decides the result by name, as JSON holds it, on one level."""
        stored = self.model_dump(mode="json", exclude={"keeping"})
        values: dict[str, Any] = stored.pop("recipe") | stored.pop("origin") | stored
        return values


class State(BaseModel):
    """What a run goes on from, between two steps.

    Attributes:
        version: of what is stored.
        step: steps done.
        best: the highest mIoU so far, 0..1; -1 before the first validation.
        losses: of the steps since the last entry of the metrics.
        model: the network's tensors.
        optimizer: what `torch.optim` makes of itself.
        scaler: the same of the gradient scaler; None without one.
        settings: of the run, stored as JSON text, which has no tuples that would become lists.
    """

    model_config = ConfigDict(frozen=True, strict=True, arbitrary_types_allowed=True)

    version: int = 1
    step: int = Field(ge=0)
    best: float = Field(ge=-1, le=1)
    losses: list[FiniteFloat]
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
    """The folder of one run, and what all its checkpoints have in common."""

    path: Path
    network: Network
    task: Task
    recipe: Recipe
    origin: Origin
    keeping: Keeping = Keeping()

    @property
    def settings(self) -> Settings:
        """What a run that is resumed here has to agree with."""
        return Settings(
            network=self.network.name,
            task=self.task.name,
            recipe=self.recipe,
            origin=self.origin,
            keeping=self.keeping,
        )

    def save_weights(self, model: nn.Module, name: str, step: int, miou: float) -> None:
        """Write `name`.safetensors and `name`.json; `name` is "best" or "last".

        The model is not wrapped for several processes; `miou` is on the validation images, 0..1.
        """
        extra = {
            "mIoU": miou,
            "step": step,
            "recipe": self.recipe.to_json(),
            "origin": asdict(self.origin),
        }
        path = self.path / f"{name}.safetensors"
        save_weights(
            model,
            path,
            network=self.network.name,
            task_json=self.task.to_json(),
            half=self.keeping.half,
            extra=extra,
        )
        record = {"weights": path.name} | members(self.network.name) | extra
        record |= {"task": self.task.to_json()}
        write_text(path.with_suffix(".json"), json.dumps(record, indent=2, ensure_ascii=False))

    def save_state(self, **members: Any) -> None:
        """Write what a resumed run starts from: members of `State` but version and settings."""
        content = io.BytesIO()  # torch says nothing of a full disk that a user could understand
        own = {"version": STATE_VERSION, "settings": self.settings.model_dump_json()}
        torch.save(members | own, content)
        with atomic_write(self.path / STATE) as draft:
            draft.write_bytes(content.getbuffer())

    def check(self, state: State) -> None:
        """Refuse the state of another run; its length alone may differ.

        Raises:
            UsageError: settings differ, or it has done more steps than are asked for.
        """
        found, wanted = state.settings.values(), self.settings.values()
        differing = [
            f"{name} was {found[name]} and is now {value}"
            for name, value in wanted.items()
            if found[name] != value and name != "iterations"
        ]
        if differing:
            raise UsageError(
                f"'{self.path / STATE}' is of another run: {'; '.join(differing)}. Leave out what "
                "differs, or start in another folder."
            )
        if state.step > self.recipe.iterations:
            raise UsageError(
                f"--iterations is {self.recipe.iterations}, but the run in '{self.path}' has done "
                f"{state.step} steps. Allowed: {state.step} or more."
            )


def load_state(folder: Path) -> State:
    """Read the state of the run in a folder, on the CPU.

    Raises:
        UsageError: there is none.
        SeaformerError: the file is damaged, or of a version that cannot be resumed.
    """
    path = folder / STATE
    if not path.is_file():
        raise UsageError(f"there is no '{path}' to resume from. Leave --resume out.")
    try:
        with path.open("rb") as file:
            # torch itself takes a file with flipped bits.
            if (record := zipfile.ZipFile(file).testzip()) is not None:
                raise ValueError(f"wrong checksum of {quoted(record)}")
            file.seek(0)
            content = unpickling.load(file, path)
        version = int(content.get("version", 1))
    # A damaged file can make the reader fail in any way.
    except Exception as error:
        raise unusable_state(folder, error) from error
    if version > STATE_VERSION:
        raise _refused(folder, "was written by a later version of seaformer")
    try:
        return State.model_validate(content)
    except Exception as error:
        raise unusable_state(folder, error, version) from error


def unusable_state(folder: Path, error: Exception, version: int = STATE_VERSION) -> SeaformerError:
    """Return the error for a state of this version that cannot be loaded, whatever was raised."""
    if version < STATE_VERSION:
        what = "was written by an earlier version of seaformer, and cannot be resumed by this one"
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
