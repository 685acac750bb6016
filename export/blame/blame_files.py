"""The output folder of a search: `blame.json`, and a minimal model for each kind of fault."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seaformer.errors import SeaformerError
from seaformer.export.blame.culprits import Culprit, Fault, Findings
from seaformer.export.blame.evidence import Evidence
from seaformer.export.blame.target_runner import TargetRunner, Trial
from seaformer.extraction.graph_description import GraphDescription, GraphOperator
from seaformer.files import atomic_write, refuse_existing, write_text

SCHEMA_VERSION = 1
REPORT = "blame.json"


def folder_for(output: Path, file: Path, target: str, force: bool) -> Path:
    """Return the folder for the results, which need not exist yet.

    Raises:
        UsageError: it contains results that may not be overwritten.
    """
    folder = output / f"{file.stem}_blame_{target}"
    if folder.is_dir():
        refuse_existing(folder / REPORT, force)
    return folder


def make_folder(folder: Path) -> None:
    """Create the folder.

    Raises:
        SeaformerError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SeaformerError(
            f"the output folder '{folder}' cannot be created: {error.strerror}. Give another one "
            "with --output."
        ) from error


def write_models(
    folder: Path, evidence: Sequence[Evidence], runner: TargetRunner, suffix: str, force: bool
) -> list[Path]:
    """Write a model for each kind of fault, with the given suffix; return their paths.

    If a fault is reproduced only by the tensors of the whole file, and not by noise, these tensors
    are written beside the model as `.npz`.
    """
    paths = []
    for one in evidence:
        operator = one.culprits[0].operator
        path = folder / f"operator_{operator.index:03d}_{operator.type.lower()}{suffix}"
        refuse_existing(path, force)
        with atomic_write(path, replace=force) as draft:
            draft.write_bytes(one.extracted.model)
        if needs_inputs(one):
            inputs = {f"input_{n}": v for n, v in enumerate(runner.reference_inputs(one.extracted))}
            beside = path.with_suffix(".npz")
            refuse_existing(beside, force)
            with atomic_write(beside, replace=force) as draft, draft.open("wb") as stream:
                np.savez(stream, **inputs)  # type: ignore[arg-type]
        paths.append(path)
    return paths


def needs_inputs(evidence: Evidence) -> bool:
    """Whether only certain inputs reproduce the fault."""
    is_wrong = evidence.own.failure is None and not evidence.own.is_good
    return is_wrong and not evidence.shows_on_noise


def write_report(
    folder: Path,
    file: Path,
    target: str,
    findings: Findings,
    evidence: Sequence[Evidence],
    models: Sequence[Path],
    advice: Sequence[Sequence[str]],
    graph: GraphDescription,
    module_of: Mapping[int, str],
) -> Path:
    """Write `blame.json`; return its path."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "file": file.name,
        "target": target,
        "whole": _trial(findings.whole),
        "without_culprits": findings.rest and _trial(findings.rest),
        "unexamined": [one.index for one in findings.unexamined],
        "faults": [
            {
                "model": path.name,
                "inputs_beside": needs_inputs(one),
                "operators_in_model": [operator.index for operator in one.extracted.operators],
                "by_itself": _trial(one.own),
                "on_noise": one.on_noise and _trial(one.on_noise),
                "advice": list(what_to_do),
                "culprits": [_culprit(each, graph, module_of) for each in one.culprits],
            }
            for one, path, what_to_do in zip(evidence, models, advice, strict=True)
        ],
    }
    path = folder / REPORT
    write_text(path, json.dumps(content, indent=2) + "\n")
    return path


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "is_good": trial.is_good,
        "runtime": trial.runtime,
        **_fault(Fault(trial.failure, trial.worst)),
    }


def _fault(fault: Fault) -> dict[str, Any]:
    difference = fault.difference
    return {
        "kind": "the same" if difference is not None and difference.agrees else fault.kind,
        "value": None if difference is None else difference.value,
        "unit": None if difference is None else difference.unit,
        "reason": None if fault.failure is None else fault.failure.reason,
    }


def _culprit(
    culprit: Culprit, graph: GraphDescription, module_of: Mapping[int, str]
) -> dict[str, Any]:
    operator = culprit.operator
    return {
        "index": operator.index,
        "type": operator.type,
        "module": module_of.get(operator.index),
        **_tensors(operator, graph),
        **_fault(culprit.fault),
        "after": [one.index for one in culprit.among],
        "judged_by_operator": culprit.like,
    }


def _tensors(operator: GraphOperator, graph: GraphDescription) -> dict[str, Any]:
    return {
        place: [
            {
                "name": graph.tensors[index].name,
                "shape": list(graph.tensors[index].shape),
                "dtype": graph.tensors[index].dtype,
                "is_constant": index in graph.constants,
            }
            for index in indices
        ]
        for place, indices in (("inputs", operator.inputs), ("outputs", operator.outputs))
    }
