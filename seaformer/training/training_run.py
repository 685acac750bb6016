"""A network in training: one step, and saving of weights and state."""

import math
import time
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from seaformer.errors import SeaformerError
from seaformer.training.batch_norm import synchronize
from seaformer.training.checkpoints import RunFolder, State, unusable_state
from seaformer.training.distillation import Student, deployed_network, objective_of
from seaformer.training.optimizer import build_optimizer, rate_factor, regularize

SAVE_EVERY_S = 300.0
"""Interval between saved states: a killed run loses at most this, or one step."""

_MOMENTS = ("exp_avg", "exp_avg_sq")
"""AdamW's moments of each parameter, which have its shape."""


class TrainingRun:
    """The network and the optimizer of a run, on the device of `accelerator`.

    Attributes:
        model: the network that is validated and saved, not wrapped by Accelerate.
        objective: what is trained.
        step: number of steps done.
        best: the highest score so far, 0..1; -1 before the first validation.
        losses: losses of the steps since the last entry of the metrics, float32 scalars or [terms].
        is_between_steps: whether model and optimizer are consistent with `step`; false during a
            step.
    """

    def __init__(
        self, model: nn.Module, folder: RunFolder, accelerator: Accelerator, state: State | None
    ) -> None:
        """Take a network on the CPU with its initial weights, or resume from a state.

        `model` is a network or a `Student`, which contains it.

        Raises:
            SeaformerError: the state does not fit this network.
        """
        self.folder = folder
        self.accelerator = accelerator
        self.objective = objective_of(model, folder.task)
        if state is not None:
            try:
                model.load_state_dict(state.model)
                if not all(bool(tensor.isfinite().all()) for tensor in state.model.values()):
                    raise ValueError("NaN or infinity in the weights")
            except Exception as error:
                raise unusable_state(folder.path, error, state.version) from error
        regularize(model, folder.recipe)
        if accelerator.num_processes > 1:
            synchronize(model, accelerator.device)
        # With channels last, convolutions are a third faster on CPUs and can use tensor cores.
        model.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        backbone = folder.network.backbone
        if isinstance(model, Student):
            backbone = model.prefixed(backbone)
        optimizer = build_optimizer(model, folder.recipe, backbone)
        if state is not None and state.step:
            try:
                # Settings such as learning rates come from the recipe.
                moments = {"state": state.optimizer.get("state", {})}
                optimizer.load_state_dict(optimizer.state_dict() | moments)
                _check_moments(optimizer)
            except Exception as error:
                raise unusable_state(folder.path, error, state.version) from error
        self._wrapped, self._optimizer = accelerator.prepare(model, optimizer)
        if state is not None and accelerator.scaler is not None:
            if state.scaler is None:
                raise unusable_state(folder.path, KeyError("scaler"), state.version)
            accelerator.scaler.load_state_dict(state.scaler)
        self._trained = accelerator.unwrap_model(self._wrapped)
        self.model = deployed_network(self._trained)
        self.step = 0 if state is None else state.step
        self.best = -1.0 if state is None else state.best
        self.losses = [] if state is None else list(torch.tensor(state.losses))
        self.is_between_steps = True
        self._saved_at = -math.inf
        self._entered_at = time.monotonic()
        self._steps_timed = 0

    def advance(self, images: Tensor, targets: Any) -> None:
        """Do one step with normalized images, float32 [N, 3, h, w], and the targets of a batch."""
        device, recipe = self.accelerator.device, self.folder.recipe
        self.is_between_steps = False
        # Seeding dropout by step and rank means that the state need not store random generators.
        key = (self.folder.origin.seed, 2, self.step, self.accelerator.process_index)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))
        factor = rate_factor(self.step, recipe)
        for group in self._optimizer.param_groups:
            group["lr"] = factor * group["highest_lr"]
        self._wrapped.train()
        images = images.to(device, memory_format=torch.channels_last, non_blocking=True)
        with self.accelerator.autocast():
            output = self._wrapped(images)
            loss = self.objective.loss(self.model, output, targets, images.shape[2:])
        self.accelerator.backward(loss.sum())
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.losses.append(loss.detach())
        self.step += 1
        self._steps_timed += 1
        self.is_between_steps = True

    def measured(self) -> dict[str, Any]:
        """Return the metrics over all processes for the steps since the last entry.

        Raises:
            SeaformerError: the loss became NaN or infinite.
        """
        recipe = self.folder.recipe
        seconds = time.monotonic() - self._entered_at
        means = self.accelerator.reduce(torch.stack(self.losses).mean(0), "mean")
        loss = float(means.sum())
        self._require_finite(loss)
        terms = self.objective.terms
        entry = {
            "step": self.step,
            "loss": loss,
            "lr": rate_factor(self.step - 1, recipe) * recipe.learning_rate,
            "images_per_s": self._steps_timed * recipe.batch_size / seconds,
        }
        return entry | ({"terms": dict(zip(terms, means.tolist(), strict=True))} if terms else {})

    def keep_weights(self, score: float) -> float:
        """Write the weights of a validation with this score, 0..1; return the best one so far.

        Raises:
            SeaformerError: the score is NaN because nothing is annotated, or the weights are not
                finite.
        """
        if math.isnan(score):
            raise SeaformerError(
                f"there is no {self.folder.task.score_name}: {self.objective.unlabeled}. Correct "
                "them."
            )
        if self.accelerator.is_main_process:
            for name in ("last", "best") if score > self.best else ("last",):
                self.folder.save_weights(self.model, name, self.step, score)
        self.best = max(score, self.best)  # only after the file was written
        return self.best

    def begin_entry(self) -> None:
        """Begin the next entry of the metrics, after the last one was written."""
        self.losses.clear()
        self._entered_at, self._steps_timed = time.monotonic(), 0

    def save_if_due(self) -> None:
        """Write the state if it was last written more than `SAVE_EVERY_S` ago."""
        if time.monotonic() - self._saved_at > SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write the state, in the first process only; raise SeaformerError if it is not finite."""
        if not self.accelerator.is_main_process:
            return
        self._require_finite(*(float(loss.sum()) for loss in self.losses))
        tensors = self._trained.state_dict()
        self._require_finite(*(float(tensor.sum()) for tensor in tensors.values()))
        scaler = self.accelerator.scaler
        self.folder.save_state(
            step=self.step,
            best=self.best,
            losses=[loss.tolist() for loss in self.losses],
            model=tensors,
            optimizer=self._optimizer.state_dict(),
            scaler=None if scaler is None else scaler.state_dict(),
        )
        self._saved_at = time.monotonic()

    def _require_finite(self, *values: float) -> None:
        if not all(map(math.isfinite, values)):
            last = self.folder.path / "last.safetensors"
            weights = f", from --weights {last}" if last.exists() else ""
            raise SeaformerError(
                f"the training diverged: NaN or infinity before step {self.step}. Start again in "
                f"another folder with a lower --lr{weights}."
            )


def _check_moments(optimizer: torch.optim.Optimizer) -> None:
    """Raise ValueError if AdamW's moments of a parameter are missing or have another shape."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            moments = optimizer.state.get(parameter, {})
            if "step" not in moments or any(
                getattr(moments.get(name), "shape", None) != parameter.shape for name in _MOMENTS
            ):
                raise ValueError("the optimizer lacks moments of a parameter")
