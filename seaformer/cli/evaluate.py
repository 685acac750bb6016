"""The command `seaformer-evaluate`: measure the accuracy of models, and compare models."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seaformer.artifact.accelerators import CPU
from seaformer.benchmark.measure.options import Options as DeviceOptions
from seaformer.benchmark.measure.options import takes_options
from seaformer.cli.attention_option import attention_option
from seaformer.cli.command import PATH, Command
from seaformer.cli.processor_options import Processor, processor_options, read_processor
from seaformer.cli.statement_options import read_statement, statement_options
from seaformer.errors import SeaformerError, UsageError
from seaformer.evaluation.device_defaults import DEVICE_BATCH, DEVICE_THREADS
from seaformer.interpreter import command_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table

    from seaformer.benchmark.devices.server import AdbServer
    from seaformer.console import Console
    from seaformer.datasets import Dataset
    from seaformer.evaluation.engine import Evaluation
    from seaformer.evaluation.models import Candidate, Options
    from seaformer.evaluation.results import Difference, ModelResult, Results
    from seaformer.models.entry import Network
    from seaformer.runtimes import Session

# NumPy, Rich, torch and the runtimes are imported when the work starts, which keeps --help fast.

RESULTS = "results.json"
PROGRESS = "images.jsonl"
PAGE = "report.html"

MAX_RESULTS_BYTES = 64 * 2**20
"""A broken image takes about 200 bytes, and so does a class of a model."""

LISTED = 12

MEASURES = {
    "segmentation": {
        "miou": "mIoU",
        "mean_accuracy": "mean accuracy",
        "pixel_accuracy": "pixel accuracy",
    },
    "classification": {"top1": "Top-1", "top5": "Top-5"},
    "detection": {
        "ap": "AP",
        "ap50": "AP50",
        "ap75": "AP75",
        "ap_small": "AP small",
        "ap_medium": "AP medium",
        "ap_large": "AP large",
    },
}
"""Kind of the task -> member of the scores -> its heading."""


@click.command(cls=Command)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--data", type=PATH, required=True, help="Folder of the data set.")
@statement_options(
    defaults={"task": "from labels.json in the data, the model or the folder names"},
)
@click.option("--reference", help="Model to compare the others with, image by image.")
@click.option(
    "--images",
    type=PATH,
    metavar="FILE",
    help="Evaluate only the images in a JSON list of names, such as held_out.json of a training "
    "run.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    help="Evaluate an evenly spaced subset of N images.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    help="Images to compute at once with checkpoints, or to send at once to --device. "
    f"[default: 1; {DEVICE_BATCH} with --device]",
)
@click.option("--report", type=PATH, help="Folder for the results. [default: <model>_evaluation]")
@click.option(
    "--protocol",
    help="official: as for the published numbers, only for checkpoints. deployed: as on a device. "
    "[default: official if all models support it]",
)
@click.option(
    "--short-side",
    type=click.IntRange(min=1),
    help="Short side of the images in the official protocol, instead of the task's; for example "
    "1024 for Cityscapes at full size.",
)
@click.option(
    "--input-size",
    metavar="HEIGHTxWIDTH",
    help="Input size in the deployed protocol, for models that take any size.",
)
@click.option("--layout", help="Layout of the data set, if it cannot be detected.")
@click.option(
    "-m",
    "--model",
    "network_name",
    metavar="NAME",
    help="Network of checkpoints that do not record it; see seaformer-export --list.",
)
@click.option("--variant", metavar="NAME", help="Short for --model seaformer-NAME.")
@attention_option
@click.option(
    "--weights",
    metavar="NAME|PATH",
    help="Weights for a MODEL that is the name of a network, as for seaformer-export. "
    "[default: random]",
)
@processor_options
@click.option(
    "--device",
    metavar="SERIAL|auto|host",
    help="Run MODEL on the --accelerator of this phone ('host': on this computer, with the runner "
    "for phones), and compare it with --reference. The default --reference is the same file on "
    "this computer's CPU.",
)
@takes_options("adb_servers")
@click.option(
    "--time-limit",
    "time_limit_s",
    metavar="SECONDS",
    type=click.FloatRange(min=1, max=86400),
    help="Time after which a --batch on --device is stopped as hanging. [default: 600]",
)
@click.option("--half", is_flag=True, help="Compute in half precision, if --device supports it.")
@click.option(
    "--runtime-library",
    type=PATH,
    help="Runtime library for --device, instead of the pinned one.",
)
@click.option(
    "--qairt",
    metavar="DIR",
    type=PATH,
    help="Qualcomm's libraries for the NPU of --device, as for seaformer-benchmark.",
)
@click.option(
    "--shard",
    metavar="N/COUNT",
    help="Evaluate the N-th of COUNT parts of the images, for example on several computers.",
)
@click.option(
    "--merge",
    "shards",
    type=PATH,
    multiple=True,
    help="Reuse the results of a shard from its --report folder. Repeatable.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1, max=256),
    help=f"[default: number of cores; {DEVICE_THREADS} with --device]",
)
@click.option("--skip-broken", is_flag=True, help="Skip broken images, and exit with status 0.")
@click.option("--force", is_flag=True, help="Start over, and overwrite results.")
def main(
    device_options: DeviceOptions,
    models: tuple[str, ...],
    data: Path,
    reference: str | None,
    images: Path | None,
    limit: int | None,
    batch: int | None,
    report: Path | None,
    protocol: str | None,
    short_side: int | None,
    input_size: str | None,
    layout: str | None,
    network_name: str | None,
    variant: str | None,
    attention: str | None,
    weights: str | None,
    accelerator: str,
    soc: str | None,
    device: str | None,
    time_limit_s: float | None,
    half: bool,
    runtime_library: Path | None,
    qairt: Path | None,
    shard: str | None,
    shards: tuple[Path, ...],
    threads: int | None,
    skip_broken: bool,
    force: bool,
    **statement: str | None,
) -> None:
    """Evaluate MODEL on a data set with annotations.

    MODEL is a checkpoint (.pth, .pt, .safetensors, .pdparams), an .onnx or .tflite file, or the
    name of a network with --weights. The data set has the published folder layout of ADE20K,
    Cityscapes, PASCAL-Context, COCO-Stuff 10K, ImageNet or COCO, or images/ and masks/ with
    labels.json, a list of the class names, or images with a JSON file in COCO's format. The scores
    on its validation images are mIoU, mean accuracy and pixel accuracy, or top-1 and top-5, or for
    detection AP, AP50 and AP75. Rerun the command to resume an interrupted run. --accelerator
    applies to the MODELs; a --reference is computed on the CPU. With --device, a phone attached
    over adb runs the MODEL on this accelerator.
    """
    processor = read_processor(accelerator, soc)
    user_statement = read_statement(**statement)
    part = None if shard is None else _read_shard(shard)
    if part is not None and shards:
        raise UsageError("--shard evaluates one part and --merge merges parts. Omit one of them.")
    of_device = {
        "--time-limit": time_limit_s,
        "--half": half or None,
        "--runtime-library": runtime_library,
        "--qairt": qairt,
        "--adb-server": device_options.adb_servers or None,
    }
    _check_device(device, models, of_device)
    if len(models) > 1 and reference is None:
        raise UsageError(
            f"{len(models)} models are given. Add the one to compare the others with: "
            f"--reference {shlex.quote(models[0])}."
        )
    kind = "evaluation" if reference is None else "comparison"
    if device is not None:
        kind = f"{accelerator}_of_a_device"
        reference = reference or models[0]
    texts = models if reference is None else (reference, *models)
    stem = "-".join(
        filter(None, (Path(texts[-1 if device else 0]).stem.replace(":", "-"), attention))
    )
    ending = "" if part is None else f"_{part[0]}of{part[1]}"
    folder = report or Path(f"{stem}_{kind}{ending}")
    batch = batch or (DEVICE_BATCH if device else 1)

    from seaformer.console import Console
    from seaformer.datasets import open_dataset
    from seaformer.datasets.selection import selected
    from seaformer.evaluation.engine import Evaluation
    from seaformer.evaluation.evaluation_page import write_report
    from seaformer.evaluation.models import Options, choose_protocol, open_candidate, task_of_data
    from seaformer.evaluation.results import collect, numbering_hint
    from seaformer.evaluation.training_images import split_note, training_note
    from seaformer.files import write_text
    from seaformer.imaging.input_size import parse_input_size
    from seaformer.locks import locked
    from seaformer.models.resolve import chosen, find_model
    from seaformer.progress_events import FileWritten, notify

    _refuse_finished(folder, force)
    network = chosen(network_name, variant, attention if network_name else None)
    paths = [find_model(text) for text in texts]
    if network is None:
        paths = _with_attention(paths, attention)
    _check_weights(weights, paths)
    first = Processor() if reference is not None else processor
    stated = task_of_data(data, user_statement, paths[0], weights, first.accelerator, first.chip)
    whole = open_dataset(data, stated, layout=layout)
    dataset = selected(whole, images, limit, part)
    options = Options(
        protocol=choose_protocol(protocol, paths, dataset.task),
        threads=threads or os.cpu_count() or 1,
        network=network,
        weights=weights,
        input_size=None if input_size is None else parse_input_size(input_size),
        short_side=short_side,
        accelerator=processor.accelerator,
        chip=processor.chip,
        statement=user_statement,
    )
    on_cpu = replace(options, accelerator=CPU, chip=None)
    _check_options(options, 1 if device else batch, paths)
    if device is not None:
        options = replace(
            options,
            open_elsewhere=_opener(
                device,
                device_options.adb_servers,
                processor,
                threads,
                time_limit_s,
                half,
                runtime_library,
                qairt,
            ),
        )

    console = Console(soft_wrap=True)
    with ExitStack() as opened:
        candidates = [
            opened.enter_context(
                closing(
                    open_candidate(
                        path,
                        dataset.task,
                        on_cpu if reference is not None and place == 0 else options,
                    )
                )
            )
            for place, path in enumerate(paths)
        ]
        notes = [training_note(one.path, dataset, whole) for one in candidates]
        candidates = [one.with_note(note) for one, note in zip(candidates, notes, strict=True)]
        folder.mkdir(parents=True, exist_ok=True)
        opened.enter_context(locked(folder))
        _refuse_finished(folder, force)  # again: another process may have finished meanwhile
        if force:
            for name in (RESULTS, PAGE, PROGRESS):
                (folder / name).unlink(missing_ok=True)
        _print_start(console, candidates, dataset, len(whole.items), folder)
        if images is None and not any(notes) and (note := split_note(whole)):
            console.print(note)
        evaluation = Evaluation(dataset, candidates)
        if shards:
            evaluation.merge(folder / PROGRESS, [each / PROGRESS for each in shards])
        try:
            _run(console, evaluation, folder / PROGRESS, batch)
        except SeaformerError as error:
            if device is None or isinstance(error, UsageError):
                raise
            raise SeaformerError(
                f"{error} {evaluation.done:,} of {evaluation.total:,} images are done: rerun the "
                "command to resume."
            ) from error
        evaluation.require_images()
        results = collect(
            evaluation, dataset, candidates, available=len(whole.items), skip_broken=skip_broken
        )
        write_report(
            folder / PAGE, results, dataset, candidates, command_line("seaformer-evaluate")
        )
        # Written last: its presence marks a finished run.
        write_text(folder / RESULTS, results.text())
        notify(FileWritten(path=folder / RESULTS))
    _print_results(console, results)
    for candidate in candidates:
        if remark := candidate.session.session.remark:
            console.print(remark, style="bold yellow")
    for tally in evaluation.tallies:
        if hint := numbering_hint(tally.confusion, dataset.task):
            console.print(hint, style="bold yellow")
    _print_next(console, results, dataset, folder, weights, Processor() if device else processor)
    if part is not None:
        console.print(
            f"This is shard {part[0]} of {part[1]}. When all are done, run the same command with "
            f"--merge {shlex.quote(str(folder))} and --merge for each other shard instead of "
            "--shard."
        )
    if not results.complete:
        raise SeaformerError(
            f"{len(results.broken)} of {evaluation.total} images are broken. Repair them and rerun "
            "the command to resume, or add --skip-broken to skip them."
        )


def _read_shard(text: str) -> tuple[int, int]:
    """Read the value of --shard, such as 3/8."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match and 1 <= int(match[1]) <= int(match[2]):
        return int(match[1]), int(match[2])
    raise UsageError(f"--shard is '{text}'. Allowed: N/COUNT with N from 1 to COUNT, such as 3/8.")


def _check_device(
    device: str | None,
    models: Sequence[str],
    of_device: Mapping[str, object],
) -> None:
    """Refuse options that need --device, and several models with it."""
    if device is None:
        for option, value in of_device.items():
            if value is not None:
                raise UsageError(f"{option} needs --device. Add --device, or omit {option}.")
        return
    if len(models) > 1:
        raise UsageError(
            f"{len(models)} models are given, but --device runs one. Evaluate each with a separate "
            "command."
        )


def _opener(
    device: str,
    adb_servers: Sequence[AdbServer],
    processor: Processor,
    threads: int | None,
    time_limit_s: float | None,
    half: bool,
    runtime_library: Path | None,
    qairt: Path | None,
) -> Callable[[Path], Session]:
    """Find the device, and return a function that opens a file on it."""
    from seaformer.benchmark.inference.device_inference import DEFAULT, Settings
    from seaformer.benchmark.inference.device_session import opener_on
    from seaformer.console import Console

    settings = Settings(
        threads=threads or DEVICE_THREADS,
        time_limit_s=time_limit_s or DEFAULT.time_limit_s,
        wait_s=time_limit_s or DEFAULT.time_limit_s,
        in_half=half,
        runtime_library=runtime_library,
        of_accelerator=DeviceOptions(command="", qairt=qairt, soc=processor.chip),
    )
    describe = Console(stderr=True, soft_wrap=True).print
    return opener_on(device, processor.accelerator, settings, describe, adb_servers)


def _check_weights(weights: str | None, models: Sequence[Path | Network]) -> None:
    """Refuse --weights unless exactly one model is the name of a network."""
    named = [model.name for model in models if not isinstance(model, Path)]
    if weights is not None and len(named) != 1:
        who = (
            f"{len(named)} MODELs are names: {', '.join(named)}" if named else "no MODEL is a name"
        )
        raise UsageError(
            f"--weights applies to a single MODEL that is the name of a network, and {who}. Give "
            "checkpoints by their paths instead."
        )


def _with_attention(
    models: Sequence[Path | Network], attention: str | None
) -> list[Path | Network]:
    """Apply --attention to the models given by name; without such a model, refuse it."""
    from seaformer.models.resolve import with_attention

    if all(isinstance(model, Path) for model in models):
        with_attention(None, attention)
    return [
        model if isinstance(model, Path) else with_attention(model, attention) or model
        for model in models
    ]


def _check_options(options: Options, batch: int, paths: Sequence[Path | Network]) -> None:
    """Refuse options that would have no effect."""
    from seaformer.evaluation.models import is_checkpoint
    from seaformer.evaluation.protocols import DEPLOYED, OFFICIAL

    if options.input_size is not None and options.protocol != DEPLOYED:
        raise UsageError(
            "--input-size does not apply to the official protocol, which keeps the aspect ratio of "
            "each image. Omit it, or add --protocol deployed."
        )
    if options.short_side is not None and options.protocol != OFFICIAL:
        raise UsageError(
            "--short-side applies to the official protocol, but this evaluation uses the deployed "
            "one. Omit it."
        )
    if batch > 1 and not any(is_checkpoint(path) for path in paths):
        raise UsageError(
            f"--batch is {batch}, but an exported file takes one image per run. Omit it."
        )


def _refuse_finished(folder: Path, force: bool) -> None:
    """Refuse to overwrite final results before the work starts; unfinished runs can be resumed."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--report '{folder}' is not a folder. Give the name of a folder.")
    if force or ((folder / PROGRESS).exists() and not _is_complete(folder / RESULTS)):
        return
    for path in (folder / RESULTS, folder / PAGE):
        if path.exists():
            raise UsageError(
                f"'{path}' exists. Give another --report, or --force to start over and overwrite "
                "it."
            )


def _is_complete(results: Path) -> bool:
    """Whether the results are final, with no broken images that another run could retry."""
    from seaformer.files import read_limited
    from seaformer.json_text import parse_object

    try:
        return parse_object(read_limited(results, MAX_RESULTS_BYTES)).get("complete") is not False
    except FileNotFoundError:
        return False
    except ValueError:
        return True  # not written by this command, so it must not be overwritten


def _print_start(
    console: Console,
    candidates: Sequence[Candidate],
    dataset: Dataset,
    available: int,
    folder: Path,
) -> None:
    console.print(
        f"{dataset.folder}: {dataset.task.title}, layout {dataset.layout}, split {dataset.split}, "
        f"{len(dataset.items):,} of {available:,} images"
    )
    for candidate in candidates:
        protocol = candidate.protocol
        console.print(
            f"{candidate.path}: {candidate.interface.title}, {protocol.name} protocol "
            f"({protocol.description})"
        )
        if candidate.accelerated_by:
            console.print(f"computed by {candidate.accelerated_by}")
        if candidate.interface.is_random:
            console.print("random weights: the scores are meaningless", style="bold yellow")
        if candidate.note:
            console.print(candidate.note, style="bold yellow")
    console.print(f"progress: {folder / PROGRESS} (rerun the command to resume)")


def _run(console: Console, evaluation: Evaluation, progress: Path, batch: int) -> None:
    """Run with a progress bar on a terminal, otherwise with a line after each tenth."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from seaformer.console import Console
    from seaformer.progress_events import StageAdvanced, notify

    steps = evaluation.run(progress, batch)
    next(steps)
    if evaluation.resumed:
        console.print(f"resumed: {evaluation.resumed:,} of {evaluation.total:,} were already done")
    stderr = Console(stderr=True)
    if not stderr.is_terminal:
        tenths = 0
        for _ in steps:
            seen = evaluation.done + len(evaluation.broken)
            if 10 * seen // evaluation.total > tenths:
                tenths = 10 * seen // evaluation.total
                stderr.print(f"{seen:,} of {evaluation.total:,} images")
                notify(StageAdvanced(title="evaluate", done=seen, total=evaluation.total))
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("images", total=evaluation.total)
        for _ in steps:
            bar.update(task, completed=evaluation.done + len(evaluation.broken))


def _print_results(console: Console, results: Results) -> None:
    is_comparison = len(results.models) > 1
    evaluated = results.pictures
    subset = "" if evaluated == results.available else f" of {results.available:,}"
    caption = f"percent, {evaluated:,}{subset} images"
    if results.kind == "detection":
        for model in results.models:
            console.print(_detection_table(model, caption))
    else:
        console.print(_score_table(results, caption))
    for model in results.models[is_comparison:]:
        console.print(_class_table(model, is_comparison))
    for image in results.broken[:LISTED]:
        console.print(f"broken: {image.problem}", style="bold yellow")
    if len(results.broken) > LISTED:
        console.print(f"and {len(results.broken) - LISTED} more broken images, see {RESULTS}")


def _score_table(results: Results, caption: str) -> Table:
    """Compare the scores of all models."""
    from rich.table import Table

    names = MEASURES[results.kind]
    is_comparison = len(results.models) > 1
    table = Table(caption=caption)
    table.add_column("model", overflow="fold")
    for name in names.values():
        table.add_column(name, justify="right")
    if is_comparison:
        table.add_column("change [95 %]", justify="right")
        table.add_column("agreement", justify="right")
    for model in results.models:
        cells = [_percent(getattr(model.scores, key)) for key in names]
        if is_comparison:
            cells += [_change(model.difference), _percent(model.agreement)]
        table.add_row(_title(model), *cells)
    return table


def _detection_table(model: ModelResult, caption: str) -> Table:
    """List the scores of a model with their intervals."""
    from rich.table import Table

    is_compared = model.difference is not None
    table = Table("score", title=_title(model), title_justify="left", caption=caption)
    for heading in ("%", "95 %", *(["change [95 %]"] if is_compared else [])):
        table.add_column(heading, justify="right")
    for one in model.intervals:
        ends = "-" if one.low is None else f"{_percent(one.low)} to {_percent(one.high)}"
        cells = [_percent(getattr(model.scores, one.measure)), ends]
        cells += [_change(one.change)] if is_compared else []
        table.add_row(MEASURES["detection"][one.measure], *cells)
    return table


def _class_table(model: ModelResult, is_comparison: bool) -> Table:
    """List the classes with the lowest scores, or the largest losses against the reference."""
    from rich.table import Table

    from seaformer.evaluation.results import class_score

    is_detection = bool(model.intervals)
    columns = {"ap": "AP"} if is_detection else {"iou": "IoU", "accuracy": "accuracy"}
    if model.scores.miou is None:
        columns.pop("iou", None)
    if is_comparison:
        columns["change"] = "change"
        if not is_detection:
            columns["agreement"] = "agreement"
    which = "largest losses" if is_comparison else "lowest scores"
    scored = [result for result in model.classes if class_score(result) is not None]
    scored.sort(key=lambda result: (result.change if is_comparison else class_score(result)) or 0)
    shown = scored[:LISTED]
    table = Table(
        "class",
        title=f"{_title(model)}: {len(shown)} of {len(scored)} classes, {which}",
        title_justify="left",
    )
    for name in columns.values():
        table.add_column(name, justify="right")
    for result in shown:
        table.add_row(result.name, *(_percent(getattr(result, key)) for key in columns))
    return table


def _print_next(
    console: Console,
    results: Results,
    dataset: Dataset,
    folder: Path,
    weights: str | None,
    processor: Processor,
) -> None:
    console.print(f"results: {(folder / RESULTS).absolute()}")
    console.print(f"report: {(folder / PAGE).absolute()}")
    console.print("next:")
    console.print(f"  python -m webbrowser {shlex.quote(str((folder / PAGE).absolute()))}")
    last = results.models[-1]
    images = {item.name: item.image for item in dataset.items}
    for image in last.worst[:1]:
        command = ["seaformer-predict", str(images[image.name]), "--model", last.file]
        command += processor.arguments
        if weights is not None and not Path(last.file).is_file():
            command += ["--weights", weights]
        if Path(last.file).suffix not in (".tflite", ".onnx", ".safetensors"):
            command += ["--task", dataset.task.name]  # such a model does not record it
        console.print(f"  {shlex.join(command)}")


def _title(model: ModelResult) -> str:
    """Return the file as given on the command line, and the device that ran it."""
    return model.file + model.name.removeprefix(Path(model.file).name)


def _change(difference: Difference | None) -> str:
    from seaformer.reporting.numbers import points_within

    if difference is None:
        return "-"
    return points_within(difference.points, difference.low, difference.high)


def _percent(share: float | None) -> str:
    # Adding 0.0 makes -0.0 positive.
    return "-" if share is None else f"{round(100 * share, 2) + 0.0:.2f}"


if __name__ == "__main__":
    main()
