"""`seaformer-export --self-check`: verify the hash of an existing file, then its outputs."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from seaformer.artifact.accelerators import ACCELERATORS, CPU, NPU, Accelerator
from seaformer.artifact.beside import read_beside
from seaformer.artifact.embedding import content_of
from seaformer.artifact.metadata import Comparison, Metadata
from seaformer.artifact.precisions import PRECISIONS, Format, format_of
from seaformer.console import Console
from seaformer.errors import SeaformerError, UsageError, look_up, quoted
from seaformer.export.recorded_weights import recorded_weights, require_same
from seaformer.export.report import Report
from seaformer.export.source import Source, create_source
from seaformer.export.verify.channel_errors import ChannelErrors, lost_channels
from seaformer.export.verify.on_accelerator import differs, verify_on
from seaformer.export.verify.thresholds import passes, threshold_for
from seaformer.export.verify.verification import (
    compare,
    lowest_channel_db,
    make_samples,
    reached,
)
from seaformer.export.verify.verification_inputs import ON_DRIVERS
from seaformer.models.contract import detection_output
from seaformer.models.entry import Network
from seaformer.models.resolve import recorded_network, with_ablation
from seaformer.network_names import stored_name
from seaformer.runtimes import open_model
from seaformer.runtimes.compiled_file import is_compiled, refuse_compiled
from seaformer.tasks import DEFAULT_TASK, TASKS
from seaformer.tasks.normalization import Normalization
from seaformer.tasks.statement import NOTHING, Statement
from seaformer.tasks.task_file import own_task
from seaformer.weights.checkpoint import described_by


def self_check(
    path: Path,
    weights: str | None,
    named: Network | None,
    accelerators: Sequence[Accelerator],
    console: Console,
    statement: Statement = NOTHING,
) -> None:
    """Verify a file that seaformer-export wrote, and print the result.

    Args:
        path: the .onnx or .tflite file.
        weights: current path of the weights, if they were moved since the export.
        named: the network given by --model; required if it is the user's own.
        accelerators: the requested accelerators; empty for all that are available here.
        console: to print to.
        statement: what the user states about the network in addition to the file's metadata.

    Raises:
        UsageError: an exported file does not have this suffix, or --model is missing.
        SeaformerError: the file was changed, was not written by seaformer-export or does not match
            PyTorch, or its weights are not available.
    """
    report = Report(console)
    format = format_of(path.name)
    compiled = is_compiled(path) if path.is_file() else False
    where = ACCELERATORS[NPU if compiled else CPU]
    _check_accelerators(path, accelerators, compiled)
    if format.name in where.never_run:
        refuse_compiled(path)
    with open_model(path, accelerator=where.name) as session:
        metadata = session.metadata
        if not isinstance(metadata, Metadata):
            raise SeaformerError(
                f"'{path}' contains no metadata of seaformer-export, so there is nothing to "
                "compare it with"
            )
        with report.stage("compare the hash") as stage:
            found = hashlib.sha256(content_of(path)).hexdigest()
            if found != metadata.content_sha256:
                raise SeaformerError(
                    f"'{path}' was changed after its export: its content has SHA-256 {found}, but "
                    f"its metadata records {metadata.content_sha256}. Export it again."
                )
            stage.result = f"{found[:16]}..., as recorded in the file"
        with report.stage("create the model") as stage:
            source = _source(metadata, path, weights, named, statement)
            stage.result = f"{source.name}, weights {source.weights.name}"
        height, width = session.input_shape
        with report.stage("run PyTorch in float64") as stage:
            inside = metadata.input.normalization == "inside"
            samples = make_samples(
                source.model,
                source.task.preprocessing,
                (height, width),
                inside,
                metadata.head,
                source.contract.meaning,
                detection_output(source.model, source.contract, (height, width)),
            )
            stage.result = f"{len(samples)} inputs of {height}x{width}"
        with report.stage("run the file") as stage:
            errors = ChannelErrors()
            comparisons = [compare(session, sample, errors) for sample in samples]
            stage.result = session.session.runtime if compiled else format.runtime
    report.parity(path.name, comparisons)
    precision = where.thresholds(look_up(PRECISIONS, "precision", metadata.precision))
    is_compared_with_export = precision.is_quantized or _is_judged_by_half(metadata)
    if is_compared_with_export:
        _compare_with_export(comparisons, metadata, path)
    elif not passes(comparisons, precision):
        missed = next(row for row in comparisons if not passes([row], precision))
        raise SeaformerError(
            f"'{path}' does not match PyTorch: on the input '{missed.input}', it reaches "
            f"{reached([missed])}, but {precision.name} needs {threshold_for(missed, precision)}."
        )
    elif lost := lost_channels(
        errors.worst(), lowest_channel_db(comparisons, samples, precision), metadata.labels
    ):
        raise SeaformerError(f"'{path}' does not match PyTorch: {lost}.")
    for accelerator in accelerators or _found_here(format):
        if accelerator.name == CPU or compiled:
            continue
        with report.stage(f"run the file on {accelerator.name}") as stage:
            channels = samples[0].input.shape[1]
            few = samples[:ON_DRIVERS]
            parity = verify_on(accelerator, path, precision, few, comparisons, channels)
            stage.result = parity.runtime or parity.status
        if parity.comparisons:
            report.parity(f"{path.name} on {accelerator.name}", parity.comparisons)
        if parity.status == "failed" or (accelerators and parity.status != "verified"):
            raise SeaformerError(
                f"'{path}' is {parity.status} on {accelerator.name}: {parity.reason}."
            )
        if parity.reason is not None:
            console.print(f"{accelerator.name}: {parity.status}: {parity.reason}.", soft_wrap=True)
    beside = read_beside(path)
    if beside is not None and beside.content_sha256 != metadata.content_sha256:
        report.warn("the .json beside it describes another file")
    reference = "its outputs at export" if is_compared_with_export else "PyTorch"
    console.print(f"The file is unchanged since its export and matches {reference}.", style="green")


def _check_accelerators(path: Path, named: Sequence[Accelerator], compiled: bool) -> None:
    """Check that the requested accelerators can run the file.

    Raises:
        UsageError: one of them cannot, because it needs compiled files or does not run them.
    """
    for accelerator in named:
        if accelerator.is_compiled_for != compiled:
            what = "compiled for an NPU" if compiled else "not compiled for an NPU"
            raise UsageError(
                f"--accelerator {accelerator.name} does not run '{path}', which is {what}. Omit "
                "--accelerator, or give another file."
            )


def _found_here(format: Format) -> Iterator[Accelerator]:
    """The accelerators that run files of the format without compilation."""
    return (
        row
        for row in ACCELERATORS.values()
        if format.name in row.runtimes and not row.is_compiled_for
    )


def _is_judged_by_half(metadata: Metadata) -> bool:
    """Whether a compiled file misses the usual thresholds, but not those of half precision."""
    return metadata.compilation is not None and any(
        parity.half_comparisons for parity in metadata.accelerators
    )


def _compare_with_export(comparisons: Sequence[Comparison], metadata: Metadata, path: Path) -> None:
    """Compare the parity of a file with the recorded one.

    The images on which a quantized file was verified at export are not available here.
    """
    stored = metadata.parity.comparisons
    if metadata.compilation is not None:
        stored = metadata.accelerators[0].comparisons
    before = {row.input: row for row in stored}
    for now in comparisons:
        then = before.get(now.input)  # older files were verified on fewer inputs
        if then is not None and differs(now, then):
            lost_db = (then.sqnr_db or 0.0) - (now.sqnr_db or 0.0)
            raise SeaformerError(
                f"the outputs of '{path}' differ from those at its export: on the input "
                f"'{now.input}', the SQNR against PyTorch is {lost_db:.1f} dB lower. "
                "Compare the versions of the runtimes in its metadata with those installed."
            )


def _source(
    metadata: Metadata, path: Path, weights: str | None, named: Network | None, statement: Statement
) -> Source:
    """Create the exported network again, with the same weights.

    The metadata may name a network of this package or of a collection. A user's own code is run
    only if the user names it: a file never decides what is imported.

    Raises:
        UsageError: the user did not name the factory, or named another network.
        SeaformerError: the weights are not available, or differ from the exported ones.
    """
    stored = stored_name(metadata.variant, metadata.model)
    network = recorded_network(stored)
    if network is not None and named is not None and named.name != network.name:
        raise UsageError(
            f"'{path}' was exported from {quoted(metadata.model or metadata.variant)}, not from "
            f"{quoted(named.name)}. Omit --model."
        )
    network = network or named
    if network is None:
        raise UsageError(
            f"'{path}' was exported from the factory {quoted(metadata.model)}, which is not part "
            "of seaformer. A file never decides what code runs: if you trust the factory, give it "
            "yourself with --model package.module:factory."
        )
    network = with_ablation(network, metadata.ablation)
    if network.builders or network.pretrained is not None:
        weights = weights or recorded_weights(metadata.weights)
    _, described = described_by(weights)
    task = (
        described
        or TASKS.get(metadata.task or DEFAULT_TASK)
        or own_task(metadata.labels or ["none"])
    )
    statement = statement.over(_described(metadata))
    if not network.declares_contract and metadata.takes_image:
        task = statement.applied_to(task)
    source = create_source(network, task, weights, statement, metadata.input.size)
    require_same(metadata.weights, source.weights.source, source.weights.sha256)
    return source


def _described(metadata: Metadata) -> Statement:
    """The statement about the network that the file's metadata records."""
    meaning = metadata.meaning
    given = metadata.input
    is_known = given.mean is not None and given.std is not None
    content = "binary" if meaning.content == "binary" else None
    if metadata.head == "logits":
        content = meaning.content
    return Statement(
        labels=metadata.labels or None,
        palette=metadata.palette,
        normalization=Normalization(given.mean, given.std) if is_known else None,  # type: ignore[arg-type]
        meaning=content if metadata.takes_image else None,
    )
