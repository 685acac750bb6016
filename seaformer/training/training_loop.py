"""The training loop. Processes, devices and precision are those of Hugging Face `accelerate`."""

import ctypes
import math
import sys
import time
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from seaformer.console import Console
from seaformer.datasets.masks import IGNORED
from seaformer.errors import SeaformerError, UsageError
from seaformer.interpreter import safe_path
from seaformer.training.batch_norm import synchronize
from seaformer.training.checkpoints import METRICS, RunFolder
from seaformer.training.optimizer import build_optimizer, rate_factor, regularize
from seaformer.training.progress import Progress
from seaformer.training.samples import Batches, Examples
from seaformer.training.scenes import Scenes
from seaformer.training.validation import validate

LOSS_EVERY = 10
"""Steps that one entry of the loss curve is the mean of."""

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
"""Numbers of glibc's <malloc.h>."""


def train(
    model: nn.Module,
    training: Scenes,
    validation: Scenes,
    folder: RunFolder,
    accelerator: Accelerator,
    console: Console,
    *,
    seed: int = 0,
    validate_every: int,
    workers: int = 0,
    resume: bool = False,
) -> float:
    """Train a network by the recipe of its folder, and leave the results there.

    A run on one device gives the same loss curve every time, and also when it was broken off and
    resumed: the state holds weights, optimiser and step, and all chance follows from seed and step.

    Args:
        model: with its first weights, on the CPU.
        training: pictures with masks to learn from.
        validation: pictures with masks that the mIoU is measured on.
        folder: where checkpoints go, and the recipe.
        accelerator: the processes and their devices.
        console: where progress is printed, by the first process only.
        seed: of everything random.
        validate_every: steps between two validations, at which checkpoints are written too.
        workers: processes of each process that load pictures; 0 to load in the process itself.
        resume: whether to go on from the state in the folder.

    Returns:
        The highest mIoU, 0..1.

    Raises:
        UsageError: the batch does not divide over the processes, or the state is not of this run.
        SeaformerError: the loss became NaN or infinite.
    """
    recipe, task = folder.recipe, folder.task
    if accelerator.device.type == "cpu":
        _keep_freed_memory()
    processes, process = accelerator.num_processes, accelerator.process_index
    if recipe.batch_size % processes:
        raise UsageError(
            f"a batch of {recipe.batch_size} does not divide over {processes} processes. Give "
            "--batch-size a multiple of them."
        )
    state: dict[str, Any] = {"step": 0, "best": -1.0}
    if resume:
        state = folder.load_state()
        try:
            model.load_state_dict(state["model"])
            if not 0 <= state["step"] <= recipe.iterations or not math.isfinite(state["best"]):
                raise ValueError("its step or its best score is out of range")
        except Exception as error:
            raise folder.damaged_state(error) from error
    regularize(model, recipe)
    if processes > 1:
        synchronize(model, accelerator.device)
    # Convolutions read adjacent channels: a third faster on CPUs, and what tensor cores want.
    model.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build_optimizer(model, recipe, folder.network.backbone)
    if resume:
        try:
            optimizer.load_state_dict(state["optimizer"])
        except Exception as error:
            raise folder.damaged_state(error) from error
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    if resume and accelerator.scaler is not None:
        accelerator.scaler.load_state_dict(state["scaler"])

    first, last, best = state["step"], recipe.iterations, state["best"]
    loader = DataLoader(
        Examples(training, task, recipe, seed),
        batch_sampler=Batches(recipe.batch_size, first, last, process, processes),
        num_workers=workers,
        pin_memory=accelerator.device.type == "cuda",
        persistent_workers=workers > 0,
    )
    progress = None
    if accelerator.is_main_process:
        progress = Progress(folder.path / METRICS, first, last, console)
    losses: list[Tensor] = []
    since = time.monotonic()
    with safe_path():
        batches = iter(loader)  # starts the workers
    for step, (images, masks) in enumerate(batches, first + 1):
        # Dropout is drawn anew for each step, by rank: nothing of it has to be kept in the state.
        torch.manual_seed((seed * last + step) * processes + process)
        factor = rate_factor(step - 1, recipe)
        for group in optimizer.param_groups:
            group["lr"] = factor * group["highest_lr"]
        wrapped.train()
        images = images.to(accelerator.device, memory_format=torch.channels_last, non_blocking=True)
        masks = masks.to(accelerator.device, non_blocking=True)
        with accelerator.autocast():
            loss = segmentation_loss(wrapped(images), masks)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())

        validates = step % validate_every == 0 or step == last
        if step % LOSS_EVERY and not validates:
            continue
        mean = float(accelerator.reduce(torch.stack(losses).mean(), "mean"))
        if not math.isfinite(mean):
            raise SeaformerError(
                f"the loss became {mean} before step {step}. Lower --lr; the checkpoints of the "
                "last validation are intact."
            )
        entry: dict[str, Any] = {
            "step": step,
            "loss": mean,
            "lr": factor * recipe.learning_rate,
            "images_per_s": len(losses) * recipe.batch_size / (time.monotonic() - since),
        }
        losses.clear()
        if validates:
            bare = accelerator.unwrap_model(wrapped)
            miou = validate(bare, validation, task, accelerator).miou
            is_best, best = miou > best, max(miou, best)
            entry |= {"mIoU": miou, "best": best}
            if accelerator.is_main_process:
                for name in ("last", "best") if is_best else ("last",):
                    folder.save_weights(bare, name, step, miou)
                scaler = accelerator.scaler
                folder.save_state(
                    {
                        "step": step,
                        "best": best,
                        "model": bare.state_dict(),
                        "optimizer": optimizer.state_dict(),
                        "scaler": None if scaler is None else scaler.state_dict(),
                    }
                )
        if progress is not None:
            progress.add(entry)
        since = time.monotonic()
    accelerator.wait_for_everyone()
    return float(best)


def segmentation_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Average the cross-entropy of logits upsampled to the masks, as the official code does.

    The sum over the pixels that count is divided by the number of all pixels, ignored ones too, as
    mmsegmentation does unless told otherwise (`avg_non_ignore=False`). So pictures keep their
    weight however they are spread over processes.

    Logits [N, classes, h, w] and masks int64 [N, H, W], class indices, `IGNORED` where none counts
    -> float32 scalar.
    """
    classes = logits.shape[1]
    full = F.interpolate(logits.float(), masks.shape[1:], mode="bilinear", align_corners=False)
    # Classes last: the softmax then runs over adjacent numbers, which saves a third of its time.
    per_pixel = full.permute(0, 2, 3, 1).reshape(-1, classes)
    total = F.cross_entropy(per_pixel, masks.flatten(), ignore_index=IGNORED, reduction="sum")
    return total / masks.numel()


def _keep_freed_memory() -> None:
    """Let the C library reuse what a step frees rather than give it back to the system.

    Each step asks for the same large blocks again, and the system clears every page it hands out:
    half of the time of a step on a CPU (measured on one core: 1.0 s, and 0.6 s with this, for Tiny,
    16 pictures of 256 x 256). Of no effect where the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
