"""The command `seaformer-train`: train or fine-tune a network with the paper's recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seaformer.artifact.precisions import PRECISIONS
from seaformer.cli.attention_option import attention_option
from seaformer.cli.command import PATH, Command
from seaformer.cli.statement_options import read_statement, statement_options
from seaformer.errors import SeaformerError, UsageError
from seaformer.extras import require
from seaformer.interpreter import command_line
from seaformer.locks import locked
from seaformer.models.seaformer.variants import VARIANTS
from seaformer.temporary_folders import temporary_folder
from seaformer.training.recipe import VALIDATIONS

if TYPE_CHECKING:
    from accelerate import Accelerator

    from seaformer.console import Console
    from seaformer.models.entry import Network
    from seaformer.training.checkpoints import RunFolder
    from seaformer.training.recipe import Recipe
    from seaformer.training.scenes import TrainingData

# torch and accelerate are imported inside functions to keep --help fast.

DEVICES = ("auto", "cpu", "cuda", "mps")

MAX_WARM_UP = 0.5
"""Share of a run; a longer warm-up causes a warning."""

SHOWN = 6
"""Number of predictions in the report."""

TRAINED_PRECISIONS = [row.name for row in PRECISIONS.values() if row.is_trained_for]


@click.command(cls=Command)
@click.option(
    "-m",
    "--model",
    metavar="NAME",
    help="Network to train, such as topformer-tiny; see seaformer-export --list.",
)
@click.option(
    "--variant", metavar="NAME", help=f"Short for --model seaformer-NAME: {', '.join(VARIANTS)}."
)
@attention_option
@click.option(
    "--data",
    help="Data set folder: images/ and masks/ with labels.json, or the published layout of "
    "ADE20K, Cityscapes, PASCAL-Context or COCO-Stuff; for detection, images with a JSON file in "
    "COCO's format. 'shapes' for procedural scenes.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    help="Output folder: checkpoints, metrics.jsonl, report.html.",
)
@statement_options("task", "labels", "palette", defaults={"task": "the task of the data set"})
@click.option(
    "--weights",
    help="Pretrained weights: a name, such as ade20k or shapes, or the path of a checkpoint. The "
    "classifier is not loaded if the classes differ. Only the backbone: backbone:NAME or "
    "backbone:PATH. [default: none]",
)
@click.option(
    "--teacher",
    metavar="RUN_OR_FILE",
    help="Distillation: learn also from this trained network, which sees the whole training crop. "
    "The folder of a run, a weights file, or a name as for --weights. Needs --student-size.",
)
@click.option(
    "--student-size",
    metavar="HEIGHTxWIDTH",
    help="With --teacher: size to which images are shrunk for the trained network, which is its "
    "input size from then on. Multiples of 32.",
)
@click.option(
    "--iterations", type=click.IntRange(min=1), help="Training steps. [default: from the recipe]"
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=2),
    help="Images per step, over all processes. [default: from the recipe]",
)
@click.option(
    "--crop", metavar="HEIGHTxWIDTH", help="Size of training crops. [default: from the recipe]"
)
@click.option(
    "--lr",
    type=click.FloatRange(min=0, min_open=True),
    help="Peak learning rate. [default: from the recipe; not scaled with --batch-size]",
)
@click.option(
    "--warm-up",
    type=click.IntRange(min=0),
    metavar="STEPS",
    help="Steps over which the learning rate grows. [default: from the recipe, at most a tenth of "
    "--iterations]",
)
@click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="[default: 0]")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Processes that load images, per training process.",
)
@click.option(
    "--validate-every",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Steps between validations, each of which writes checkpoints. "
    f"[default: {VALIDATIONS} validations in total]",
)
@click.option(
    "--quantization",
    type=click.Choice(TRAINED_PRECISIONS),
    help="Fine-tune the --weights with the rounding of a file of this precision, and learn the "
    "ranges of its activations; seaformer-export --precision uses them instead of --calibration. "
    "The recipe is a tenth as long, with a tenth of the learning rate. [default: none]",
)
@click.option("--half/--no-half", default=None, help="Store weights as float16. [default: no]")
@click.option(
    "--resume",
    is_flag=True,
    help="Resume the run in the output folder. Options that are not given keep their values; more "
    "--iterations extend the run.",
)
def main(
    model: str | None,
    variant: str | None,
    attention: str | None,
    data: str | None,
    output: Path,
    task: str | None,
    labels: str | None,
    palette: str | None,
    weights: str | None,
    teacher: str | None,
    student_size: str | None,
    iterations: int | None,
    batch_size: int | None,
    crop: str | None,
    lr: float | None,
    warm_up: int | None,
    device: str,
    seed: int | None,
    workers: int,
    validate_every: int | None,
    quantization: str | None,
    half: bool | None,
    resume: bool,
) -> None:
    """Train a network with the paper's recipe, from pretrained weights or from scratch.

    For several GPUs or machines, or mixed precision, run accelerate launch --mixed_precision bf16
    --no_python seaformer-train with the options below.
    """
    from seaformer.datasets.image_names import HELD_OUT, read_names, write_names
    from seaformer.imaging.input_size import parse_input_size

    changes: dict[str, Any] = {
        "batch_size": batch_size,
        "crop": None if crop is None else parse_input_size(crop),
        "learning_rate": lr,
        "warmup": warm_up,
    }
    accelerator = _accelerator(device)

    from seaformer.console import Console
    from seaformer.datasets import own_task
    from seaformer.models.resolve import chosen, resolve
    from seaformer.network_names import variant_of
    from seaformer.tasks import DEFAULT_TASK, TASKS, get_task
    from seaformer.tasks.statement import NOTHING
    from seaformer.training.checkpoints import (
        STATE,
        CheckpointOptions,
        Origin,
        RunFolder,
        load_state,
    )
    from seaformer.training.distillation_plan import plan_distillation
    from seaformer.training.initial_weights import initial_network, require_trainable
    from seaformer.training.quantization import quantize
    from seaformer.training.recipe import get_recipe
    from seaformer.training.scenes import open_data
    from seaformer.training.training_loop import train
    from seaformer.weights.checkpoint import described_by

    network = chosen(model, variant, attention)
    state = load_state(output) if resume else None
    if state is not None:
        before = state.settings
        network = network or resolve(before.network, allow_factory=False)
        task = task or (before.task if before.task in TASKS else None)
        data, weights = data or before.origin.data, weights or before.origin.weights
        seed = before.origin.seed if seed is None else seed
        teacher = teacher or before.origin.teacher
        quantization = quantization or before.origin.quantization
    if network is None:
        raise UsageError(f"no network is given. Give --variant ({', '.join(VARIANTS)}) or --model.")
    if data is None:
        raise UsageError("no data set is given. Give --data, a data set folder or 'shapes'.")
    require_trainable(network)
    size = None if state is None else before.origin.student_size
    size = size if student_size is None else parse_input_size(student_size)
    _check_distillation(teacher, size)
    _check_quantization(quantization, weights, teacher)
    origin = Origin(data, weights, seed or 0, quantization=quantization)
    statement = read_statement(task, labels, palette)
    stated = None
    if statement != NOTHING:
        stated = statement.applied_to(statement.task or own_task(data) or get_task(DEFAULT_TASK))
    elif state is not None and own_task(data) is None:
        # The classes given at the start of the run are recorded in its weights.
        written = output / "best.safetensors"
        stated = described_by(written)[1] if written.exists() else None
    held_out = read_names(output / HELD_OUT) if state and (output / HELD_OUT).exists() else None
    found = open_data(data, stated, origin.seed, held_out, kinds=_trained_kinds(network))
    recipe = get_recipe(found.task, variant_of(network.name))
    if quantization is not None:
        recipe = recipe.for_quantization()
    if state is not None:
        # A resumed run keeps its warm-up even if its length changes.
        recipe = replace(before.recipe, iterations=iterations or before.recipe.iterations)
    elif iterations is not None:
        recipe = recipe.lasting(iterations)
    recipe = replace(recipe, **{key: value for key, value in changes.items() if value is not None})
    keeping = CheckpointOptions() if state is None else before.keeping
    keeping = CheckpointOptions(
        validate_every or keeping.validate_every, keeping.half if half is None else half
    )
    task_of_run, plan = found.task, None
    if teacher is not None and size is not None:
        plan = plan_distillation(
            teacher, size, network, found.task, recipe.crop, accelerator.device
        )
        task_of_run, origin = plan.task(found.task), plan.origin(origin)
    folder = RunFolder(output, network, task_of_run, recipe, origin, keeping)
    if state is not None:
        folder.check(state)
    console = Console(soft_wrap=True, quiet=not accelerator.is_main_process)
    console.print(
        f"{network.long_title}, {found.task.title}: {len(found.training)} training images, "
        f"{len(found.validation)} validation images; {recipe.iterations} steps of "
        f"{recipe.batch_size} images on {accelerator.num_processes} x {accelerator.device.type}"
    )
    if found.note:
        console.print(found.note)
    if state is None:
        _print_schedule(recipe, console)
        first = initial_network(network, found.task, weights, origin.seed, console)
    else:
        console.print(f"resumed after step {state.step}")
        first = initial_network(network, found.task)  # the state contains the weights
    if plan is not None:
        console.print(str(plan))
        first = plan.student(first)
    if quantization is not None:
        quantize(first, network, found, quantization, console, is_resumed=state is not None)
    if accelerator.is_main_process:
        _make_folder(output)
        click.get_current_context().with_resource(locked(output))
        if (output / STATE).exists() and not resume:
            raise UsageError(
                f"'{output}' already contains a run. Give another folder, or --resume to continue "
                "the run."
            )
        _check_data(found, data, is_read=resume)
        if found.held_out and held_out is None:
            write_names(output / HELD_OUT, found.held_out)
    accelerator.wait_for_everyone()
    best = train(
        first,
        found.training,
        found.validation,
        folder,
        accelerator,
        console,
        workers=workers,
        state=state,
    )
    _report(folder, found, accelerator)
    if accelerator.is_main_process:
        score = found.task.score_name
        console.print(
            f"best {score} {100 * best:.2f} %: {(output / 'best.safetensors').absolute()}"
        )
        console.print(f"report: {(output / 'report.html').absolute()}")
        if found.held_out:
            console.print(f"held-out images: {(output / HELD_OUT).absolute()}")
    accelerator.end_training()


def _check_distillation(teacher: str | None, size: tuple[int, int] | None) -> None:
    """Refuse one option of a distillation without the other."""
    if teacher is None and size is not None:
        raise UsageError(
            "--student-size is given without a teacher. Give --teacher, or the size of the images "
            "as --crop."
        )
    if teacher is not None and size is None:
        raise UsageError(
            f"--teacher is {teacher}, but the size of the student's images is not given. Give "
            "--student-size, such as half of --crop."
        )


def _check_quantization(quantization: str | None, weights: str | None, teacher: str | None) -> None:
    """Refuse fine-tuning without trained weights, or as part of a distillation."""
    if quantization is None:
        return
    if weights is None:
        raise UsageError(
            f"--quantization {quantization} fine-tunes a trained network, but no weights are "
            "given. Train without it first, then give --weights FILE."
        )
    if teacher is not None:
        raise UsageError(
            f"--quantization {quantization} and --teacher {teacher} are given together, which is "
            "not supported. Train the student first, then give its best.safetensors as --weights "
            "with --quantization."
        )


def _make_folder(output: Path) -> None:
    """Create the folder of a run, and check that files can be written there before training."""
    if output.exists() and not output.is_dir():
        raise UsageError(f"--output is '{output}', which is a file. Give a folder.")
    try:
        output.mkdir(parents=True, exist_ok=True)
        with temporary_folder("run", output):
            pass
    except OSError as error:
        raise UsageError(
            f"--output is '{output}', where no files can be written: {error.strerror}. Give "
            "another folder."
        ) from error


def _print_schedule(recipe: Recipe, console: Console) -> None:
    """Print the learning rate and warm-up, and warn if the warm-up takes most of the run."""
    share = recipe.warmup / recipe.iterations
    warm_up = f"after {recipe.warmup} steps of warm-up" if recipe.warmup else "without warm-up"
    console.print(f"learning rate {recipe.learning_rate:g} {warm_up}")
    if share > MAX_WARM_UP:
        console.print(
            f"warning: the warm-up takes {min(share, 1):.0%} of the run, so the network will learn "
            f"little. Give --warm-up {recipe.lasting(recipe.iterations).warmup}, or more "
            "--iterations.",
            style="yellow",
        )


def _trained_kinds(network: Network) -> tuple[str, ...]:
    """Return the kinds of tasks that a network can be trained for."""
    from seaformer.training.objective import OBJECTIVES

    return tuple(kind for kind in network.builders if kind in OBJECTIVES)


def _accelerator(device: str) -> Accelerator:
    require("train")
    import torch
    from accelerate import Accelerator

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(device, True):
        usable = ["auto", "cpu", *(name for name, is_usable in available.items() if is_usable)]
        raise UsageError(
            f"--device is {device}, which torch cannot use on this computer. Allowed: "
            f"{', '.join(usable)}."
        )
    return Accelerator(cpu=device == "cpu")


def _check_data(found: TrainingData, data: str, *, is_read: bool) -> None:
    """Read the whole data set before training, and list the files that cannot be used.

    `is_read` skips reading: the resumed run has already read it.
    """
    from seaformer.console import Console

    faults = [] if is_read else list(found.faults())
    stderr = Console(stderr=True, soft_wrap=True)
    for fault in faults:
        stderr.print(f"{fault.path}: {fault.problem}")
    if faults:
        count = f"{len(faults)} file{'s' * (len(faults) > 1)}"
        raise SeaformerError(
            f"{count} of '{data}' cannot be used, see above. Correct or remove them; nothing was "
            "trained."
        )
    if warning := found.check_classes():
        stderr.print(f"warning: {warning}", style="yellow")


def _report(folder: RunFolder, found: TrainingData, accelerator: Accelerator) -> None:
    """Evaluate the best weights as stored, and write the HTML report."""
    from seaformer.models.create import create
    from seaformer.training.objective import OBJECTIVES
    from seaformer.training.quantization import quantize_as_stored
    from seaformer.training.training_page import write_report

    objective = OBJECTIVES[folder.task.kind]
    best = folder.path / "best.safetensors"
    model, _ = create(folder.network, folder.task, best)
    quantize_as_stored(model, best, folder.task)
    model.to(accelerator.device)
    scores = objective.validate(model, found.validation, folder.task, accelerator)
    if accelerator.is_main_process:
        count = len(found.validation)
        examples = []
        for place in sorted({place * count // SHOWN for place in range(SHOWN)}):
            image = found.validation[place]
            (prediction,) = objective.predict(model, [image], folder.task, accelerator.device)
            examples.append((*image, prediction))
        write_report(folder, scores, examples, command_line("seaformer-train"))


if __name__ == "__main__":
    main()
