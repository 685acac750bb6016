"""What a run leaves in its folder, each file whole or not there.

    best.safetensors, best.json   the weights with the highest mIoU so far
    last.safetensors, last.json   the weights of the last validation
    state.pt                      all that `--resume` needs, the weights too: one file, so that
                                  weights and optimiser are always of the same step
    metrics.jsonl                 one line for each entry of the loss curve and each validation

The JSON file says what the header of the .safetensors file says as well, for people and scripts.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seaformer.errors import SeaformerError, UsageError
from seaformer.files import atomic_write, write_text
from seaformer.json_text import parse_object
from seaformer.models.entry import Network
from seaformer.network_names import members
from seaformer.tasks import Task
from seaformer.training.recipe import Recipe
from seaformer.weights import unpickling
from seaformer.weights.saving import save_weights

STATE = "state.pt"
METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run, and what all its checkpoints have in common.

    `origin` is what else decides the result: data, first weights, seed. `half` stores weights as
    float16.
    """

    path: Path
    network: Network
    task: Task
    recipe: Recipe
    origin: dict[str, Any]
    half: bool = False

    def save_weights(self, model: nn.Module, name: str, step: int, miou: float) -> None:
        """Write `name`.safetensors and `name`.json; `name` is "best" or "last".

        The model is not wrapped for several processes; `miou` is on the validation pictures, 0..1.
        """
        extra = {"mIoU": miou, "step": step, "recipe": self.recipe.to_json(), "origin": self.origin}
        path = self.path / f"{name}.safetensors"
        save_weights(
            model,
            path,
            network=self.network.name,
            task_json=self.task.to_json(),
            half=self.half,
            extra=extra,
        )
        record = {"weights": path.name} | members(self.network.name) | extra
        record |= {"task": self.task.to_json()}
        write_text(path.with_suffix(".json"), json.dumps(record, indent=2, ensure_ascii=False))

    def save_state(self, state: dict[str, Any]) -> None:
        """Write what a resumed run starts from: `state` and what it has to agree with."""
        with atomic_write(self.path / STATE) as draft:
            torch.save(state | {"settings": self._settings()}, draft)

    def load_state(self) -> dict[str, Any]:
        """Read what `save_state` wrote, on the CPU.

        Raises:
            UsageError: there is none, or it is of a run with other settings.
            SeaformerError: the file is damaged.
        """
        path = self.path / STATE
        if not path.exists():
            raise UsageError(f"there is no '{path}' to resume from. Leave --resume out.")
        try:
            with path.open("rb") as file:
                state: dict[str, Any] = unpickling.load(file, path)
            found = parse_object(state["settings"])
        # A damaged file can make the reader fail in any way.
        except Exception as error:
            raise self.damaged_state(error) from error
        wanted = json.loads(self._settings())
        differing = [
            f"{name} was {found.get(name)} and is now {wanted.get(name)}"
            for name in sorted(found.keys() | wanted.keys())
            if found.get(name) != wanted.get(name)
        ]
        if differing:
            raise UsageError(
                f"'{path}' is of another run: {'; '.join(differing)}. Resume with the options that "
                "it was started with."
            )
        return state

    def damaged_state(self, error: Exception) -> SeaformerError:
        """Return the error for a state that cannot be loaded, whatever was raised."""
        return SeaformerError(
            f"'{self.path / STATE}' is damaged ({type(error).__name__}). Start again in another "
            f"folder, with --weights {self.path / 'last.safetensors'}."
        )

    def _settings(self) -> str:
        settings = members(self.network.name) | {"task": self.task.name}
        # As text, which has no tuples that would come back as something else.
        return json.dumps(settings | self.recipe.to_json() | self.origin)
