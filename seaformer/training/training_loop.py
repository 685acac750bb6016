"""The training loop; Hugging Face `accelerate` handles processes, devices and precision."""

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
from seaformer.training.objective import Batch
from seaformer.training.progress import Progress
from seaformer.training.samples import Batches, Examples, ignore_signals
from seaformer.training.scenes import Scenes
from seaformer.training.training_run import TrainingRun

LOSS_EVERY = 10
"""Number of steps over which one entry of the loss curve is averaged."""

_DEAD_WORKER = "DataLoader worker"
"""Start of torch's message when a process that loads images was killed."""

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
"""Constants from glibc's <malloc.h>."""


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
    """Train a network with the recipe of its folder, and write the results there.

    On one device, the loss curve is reproducible, even if the run is interrupted and resumed: the
    state contains weights, optimizer and step, and seed and step determine all randomness. Ctrl-C,
    TERM and HUP stop the run after the current step, and the state is saved.

    Args:
        model: the network with its initial weights, on the CPU, or a `Student` that contains it.
        training: training images with their annotations.
        validation: validation images with their annotations.
        folder: where checkpoints are written. It states the recipe, the random seed, and the
            interval between validations, each of which writes checkpoints.
        accelerator: the processes and their devices.
        console: where the first process prints progress.
        workers: processes that load images, per training process; 0 to load in the process itself.
        state: state of the run in the folder, to resume it; None to start a new run.

    Returns:
        The highest score, 0..1.

    Raises:
        UsageError: the batch size is not a multiple of the number of processes, or the state
            belongs to another run.
        SeaformerError: the loss became NaN or infinite, the validation images have no
            annotations, a file cannot be read or written, or the state is damaged.
        KeyboardInterrupt: the run was stopped.
    """
    recipe = folder.recipe
    if accelerator.device.type == "cpu":
        _keep_freed_memory()
    validate_every = folder.keeping.validation_steps(recipe.iterations)
    processes = accelerator.num_processes
    if recipe.batch_size % processes:
        raise UsageError(
            f"--batch-size is {recipe.batch_size}. Allowed with {processes} processes: a multiple "
            f"of {processes}."
        )
    if state is not None:
        folder.check(state)
    run = TrainingRun(model, folder, accelerator, state)
    objective = run.objective
    progress = None
    if accelerator.is_main_process:
        progress = Progress(folder.path / METRICS, run.step, recipe.iterations, console)
    # All processes have to stop after the same step; otherwise, the others would wait forever.
    heeded = interrupts.heeded if processes == 1 else nullcontext

    def report() -> None:
        """Write the entry of a step; if it validates, also write checkpoints."""
        entry = run.measured()
        validates = run.step % validate_every == 0 or run.step == recipe.iterations
        if validates:
            with heeded():
                scores = objective.validate(run.model, validation, folder.task, accelerator)
            score = objective.score(scores)
            entry |= {folder.task.score_name: score, "best": run.keep_weights(score)}
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
            if run.losses and reports():  # the run was stopped during a validation
                report()
            for batch in _batches(training, folder, run.step, accelerator, workers, heeded):
                run.advance(*batch)
                if reports():
                    report()
                run.save_if_due()
        except BaseException:
            if run.is_between_steps and run.step:
                run.save()
                if progress is not None:
                    console.print(f"stopped after step {run.step}; resume with --resume")
            raise
    accelerator.wait_for_everyone()
    return run.best


@contextmanager
def _explained(folder: RunFolder, workers: int) -> Iterator[None]:
    """Add advice to the errors for a full disk and for a worker that was killed."""

    def advice() -> str:
        return "resume with --resume" if (folder.path / STATE).exists() else "start again"

    try:
        yield
    except OSError as error:
        raise SeaformerError(f"{explanation(error)}. Once that is fixed, {advice()}.") from error
    except RuntimeError as error:
        if not str(error).startswith(_DEAD_WORKER):
            raise
        raise SeaformerError(
            "a process that loads images was killed, probably for lack of memory. Give fewer "
            f"--workers than {workers}, and {advice()}."
        ) from error


def _batches(
    training: Scenes,
    folder: RunFolder,
    first: int,
    accelerator: Accelerator,
    workers: int,
    heeded: Callable[[], AbstractContextManager[None]],
) -> Iterator[Batch]:
    """Yield the batch of this process for each step from `first`.

    Raises:
        SeaformerError: an image cannot be read, or a worker died.
        KeyboardInterrupt: a stop was requested.
    """
    recipe = folder.recipe
    processes, process = accelerator.num_processes, accelerator.process_index
    examples = Examples(training, folder.task, recipe, folder.origin.seed)
    loader = DataLoader(
        examples,
        batch_sampler=Batches(recipe.batch_size, first, recipe.iterations, process, processes),
        num_workers=workers,
        collate_fn=examples.collate,
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
        del batches  # ends the workers even if an error keeps this frame alive


def _flag(value: bool, accelerator: Accelerator) -> Tensor:
    return torch.tensor(float(value), device=accelerator.device)


def _keep_freed_memory() -> None:
    """Make the C library reuse freed memory instead of returning it to the system.

    Each step allocates the same large blocks, and the system clears every page it provides, which
    takes nearly half of a step on a CPU (Tiny, 16 images of 256 x 256, one core: 1.0 s per step, or
    0.6 s with this function). It has no effect if the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
