"""`seaformer-export --blame`: run the search, print the findings and write the files."""

from collections.abc import Sequence
from pathlib import Path

from seaformer.artifact.chips import CHIPS, Chip
from seaformer.console import Console
from seaformer.errors import SeaformerError, UsageError, look_up
from seaformer.export.blame.advice import advise
from seaformer.export.blame.blame_files import (
    folder_for,
    make_folder,
    write_models,
    write_report,
)
from seaformer.export.blame.blame_report import (
    print_clean,
    print_evidence,
    print_next,
    print_summary,
)
from seaformer.export.blame.culprits import find_culprits
from seaformer.export.blame.evidence import gather
from seaformer.export.blame.probes import make_probes
from seaformer.export.blame.target_runner import TargetRunner
from seaformer.export.blame.targets import TARGETS
from seaformer.export.report import Report
from seaformer.extraction.extractor import Extractor
from seaformer.extraction.graph_description import modules
from seaformer.locks import locked
from seaformer.runtimes import open_session
from seaformer.temporary_folders import temporary_folder


def blame(
    target_name: str,
    file: Path,
    output: Path,
    force: bool,
    console: Console,
    chips: Sequence[Chip] = (),
) -> bool:
    """Find the operators of a file that a target computes differently; print and write them.

    Args:
        target_name: a row of `TARGETS`.
        file: the model; its shapes are static.
        output: folder in which a folder for the results is created.
        force: whether earlier results may be overwritten.
        console: prints the results.
        chips: chips of --soc; exactly one for the NPU.

    Returns:
        Whether the target matches the reference.

    Raises:
        UsageError: the target is unknown, or does not support the file's format.
        SeaformerError: the target is not available here, or the reference cannot run the file.
    """
    target = look_up(TARGETS, "target", target_name)
    if file.suffix.lower() not in target.suffixes:
        raise UsageError(
            f"target '{target.name}' does not run '{file}'. Allowed: {', '.join(target.suffixes)}."
        )
    if target.needs_chip != (len(chips) == 1) or len(chips) > 1:
        needed = f"one --soc, of {', '.join(CHIPS)}" if target.needs_chip else "no --soc"
        raise UsageError(f"target '{target.name}' takes {needed}.")
    chip = chips[0].name if chips else None
    named = " ".join(filter(None, (target.name, chip)))
    folder = folder_for(output, file, named.replace(" ", "_"), force)
    target.require()
    report = Report(console)
    with (
        open_session(file) as reference,
        Extractor(file) as extractor,
        temporary_folder("blame") as temporary,
    ):
        graph = extractor.graph
        if graph.has_state:
            raise SeaformerError(
                f"'{file}' keeps state between runs, so its operators cannot be run one by one. "
                "Export it without variables."
            )
        with report.stage("run the reference") as stage:
            probes = make_probes(reference)
            names = " and ".join(probe.name for probe in probes)
            stage.result = f"{len(graph.operators)} operators, on {names}"
            module_of = modules(reference.metadata, graph)
        runner = TargetRunner(file, graph, target, reference, probes, temporary, chip)
        findings = find_culprits(runner, extractor, report)
        if findings.is_clean:
            print_clean(console, findings, file, target)
            return True
        evidence = gather(findings.culprits, runner, extractor, report)
        advice = [advise(one, graph, target) for one in evidence]
        make_folder(folder)
        with locked(folder, wait=True):
            models = write_models(folder, evidence, runner, file.suffix.lower(), force)
            written = write_report(
                folder, file, named, findings, evidence, models, advice, graph, module_of
            )
    for one, model, what_to_do in zip(evidence, models, advice, strict=True):
        print_evidence(console, one, model, what_to_do, graph, module_of)
    print_summary(console, findings, len(evidence), written, target)
    if models:
        print_next(console, models[0], target, chip)
    return False
