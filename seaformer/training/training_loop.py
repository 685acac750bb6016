"""The training loop. Processes, devices and precision are those of Hugging Face `accelerate`."""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from seaformer import interrupts
from seaformer.console import Console
from seaformer.errors import SeaformerError, UsageError, explanation
from seaformer.interpreter import safe_path
from seaformer.training.checkpoints import METRICS, STATE, RunFolder, State
from seaformer.training.progress import Progress
from seaformer.training.samples import Batches, Examples, collate, ignore_signals
from seaformer.training.scenes import Scenes
from seaformer.training.training_run import TrainingRun
from seaformer.training.validation import validate

LOSS_EVERY = 10
"""Steps that one entry of the loss curve is the mean of."""

_DEAD_WORKER = "DataLoader worker"
"""How torch's message begins when a process that loads images was killed."""

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
    workers: int = 0,
    state: State | None = None,
) -> float:
    """Train a network by the recipe of its folder, and leave the results there.

    A run on one device gives the same loss curve every time, and also when it was broken off and
    resumed: the state holds weights, optimiser and step, and all chance follows from seed and step.
    Ctrl-C, TERM and HUP end it after the step that is being computed, and the state is kept.

    Args:
        model: with its first weights, on the CPU.
        training: images with masks to learn from.
        validation: images with masks that the mIoU is measured on.
        folder: where checkpoints go, the recipe, the seed of everything random, and how often the
            network is validated, at which checkpoints are written too.
        accelerator: the processes and their devices.
        console: where progress is printed, by the first process only.
        workers: processes of each process that load images; 0 to load in the process itself.
        state: of the run in the folder, to go on from; None to start.

    Returns:
        The highest mIoU, 0..1.

    Raises:
        UsageError: the batch does not divide over the processes, or the state is not of this run.
        SeaformerError: the loss became NaN or infinite, no pixel counts in the validation, a file
            cannot be read or written, or the state is damaged.
        KeyboardInterrupt: the run was stopped.
    """
    recipe = folder.recipe
    if accelerator.device.type == "cpu":
        _keep_freed_memory()
    validate_every = folder.keeping.validation_steps(recipe.iterations)
    processes = accelerator.num_processes
    if recipe.batch_size % processes:
        raise UsageError(
            f"a batch of {recipe.batch_size} does not divide over {processes} processes. Give "
            "--batch-size a multiple of them."
        )
    if state is not None:
        folder.check(state)
    run = TrainingRun(model, folder, accelerator, state)
    progress = None
    if accelerator.is_main_process:
        progress = Progress(folder.path / METRICS, run.step, recipe.iterations, console)
    # Processes have to stop after the same step, or the others would wait for one.
    heeded = interrupts.heeded if processes == 1 else nullcontext

    def report() -> None:
        """Write the entry of a step, and the checkpoints where there is a validation."""
        entry = run.measured()
        validates = run.step % validate_every == 0 or run.step == recipe.iterations
        if validates:
            with heeded():
                miou = validate(run.model, validation, folder.task, accelerator).miou
            entry |= {"mIoU": miou, "best": run.keep_weights(miou)}
        if progress is not None:
            progress.add(entry)
        run.begin_entry()
        if validates:
            run.save()

    def reports() -> bool:
        step = run.step
        return step % LOSS_EVERY == 0 or step % validate_every == 0 or step == recipe.iterations

    with _explained(folder, workers), interrupts.one_interrupt(), interrupts.deferred():
        try:
            if run.losses and reports():  # stopped while it validated
                report()
            for images, masks in _batches(training, folder, run.step, accelerator, workers, heeded):
                run.advance(images, masks)
                if reports():
                    report()
                run.save_if_due()
        except BaseException:
            if run.is_between_steps and run.step:
                run.save()
                if progress is not None:
                    console.print(f"stopped after step {run.step}; --resume goes on from there")
            raise
    accelerator.wait_for_everyone()
    return run.best


@contextmanager
def _explained(folder: RunFolder, workers: int) -> Iterator[None]:
    """Say what to do about a disk that is full, and about a worker that was killed."""

    def advice() -> str:
        return "go on with --resume" if (folder.path / STATE).exists() else "start again"

    try:
        yield
    except OSError as error:
        raise SeaformerError(f"{explanation(error)}. Once that is mended, {advice()}.") from error
    except RuntimeError as error:
        if not str(error).startswith(_DEAD_WORKER):
            raise
        raise SeaformerError(
            "a process that loads images was killed, mostly for want of memory. Give --workers "
            f"less than {workers}, and {advice()}."
        ) from error


def _batches(
    training: Scenes,
    folder: RunFolder,
    first: int,
    accelerator: Accelerator,
    workers: int,
    heeded: Callable[[], AbstractContextManager[None]],
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what this process computes in each step from `first` on: images and masks.

    Raises:
        SeaformerError: an image cannot be read, or a worker died.
        KeyboardInterrupt: the run is to stop.
    """
    recipe = folder.recipe
    processes, process = accelerator.num_processes, accelerator.process_index
    loader = DataLoader(
        Examples(training, folder.task, recipe, folder.origin.seed),
        batch_sampler=Batches(recipe.batch_size, first, recipe.iterations, process, processes),
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=ignore_signals,
        pin_memory=accelerator.device.type == "cuda",
    )
    with safe_path():
        batches = iter(loader)  # starts the workers
    try:
        for _ in range(first, recipe.iterations):
            if processes > 1 and accelerator.reduce(_flag(interrupts.came(), accelerator)):
                raise KeyboardInterrupt
            with heeded():
                batch = next(batches)
            if isinstance(batch, Exception):
                raise batch
            yield batch
    finally:
        del batches  # ends the workers, also while an error holds this frame


def _flag(value: bool, accelerator: Accelerator) -> Tensor:
    return torch.tensor(float(value), device=accelerator.device)


def _keep_freed_memory() -> None:
    """Let the C library reuse what a step frees rather than give it back to the system.

    Each step asks for the same large blocks again, and the system clears every page it hands out:
    half of the time of a step on a CPU (measured on one core: 1.0 s, and 0.6 s with this, for Tiny,
    16 images of 256 x 256). Of no effect where the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
