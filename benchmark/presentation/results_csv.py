"""The results as CSV: one row per model, each with all conditions of its measurement."""

from dataclasses import fields
from typing import Any

from seaformer.benchmark.presentation.csv_text import csv_text, ends, median_cells
from seaformer.benchmark.results.schema import (
    STAGES,
    BesideTimes,
    FrameTimes,
    ModelResult,
    Results,
    Times,
)
from seaformer.statistics.bootstrap import Summary


def to_csv(results: Results) -> str:
    """Write one row per model; unknown and inapplicable values are empty."""
    return csv_text(rows(results))


def rows(results: Results) -> list[dict[str, Any]]:
    """Return one row per model, column -> value; None if unknown or inapplicable."""
    return [_row(results, model) for model in results.models]


def _row(results: Results, model: ModelResult) -> dict[str, Any]:
    times, parity, cores = model.times, model.parity, results.cores_of(model)
    accuracy = model.facts.accuracy
    first = results.models[0]
    ratio = results.ratio(model.id, first.id)
    before, after = results.conditions_before, results.conditions_after
    row: dict[str, Any] = {
        "model": model.file,
        "sha256": model.sha256,
        "precision": model.precision,
        "measured_by": results.measured_by,
        "device": results.device.serial,
        "device_model": results.device.model,
        "soc": results.device.soc,
        "os": results.device.os,
        "emulated": results.emulated,
        "backend": results.backend,
        "accelerator": results.accelerator,
        "driver": results.runtime.driver,
        "half": results.protocol.half,
        "fully_accelerated": model.coverage and model.coverage.full,
        "operators_on_cpu": model.coverage and model.coverage.left,
        "runtime_version": results.runtime.version,
        "threads": results.threads_of(model),
        "cores": cores.name,
        "core_mask": cores.mask,
        "created_at": results.created_at.isoformat(),
        "complete": results.complete,
        "wrong_output": model.is_wrong,
        "input": model.input.source,
        "frame_size": results.protocol.frame_text or None,
        "load": results.protocol.load and str(results.protocol.load),
        "input_shape": "x".join(map(str, model.input.shape)),
        "file_bytes": model.bytes,
        "params": model.facts.params,
        "macs": model.facts.macs,
    }
    # Spreadsheets must not present an emulated time as latency either.
    columns = _times(times)
    empty = dict.fromkeys(columns)
    for name, is_emulated in (("latency", False), ("emulated", True)):
        values = columns if is_emulated == results.emulated else empty
        row |= {f"{name}_{column}": value for column, value in values.items()}
    row |= _beside(None if results.emulated else model.beside)
    return row | {
        "ratio_to_first": ratio and ratio.value,
        **ends("ratio", ratio.interval if ratio else None),
        "peak_memory_bytes": model.peak_memory_bytes,
        "added_memory_compiled_bytes": model.memory and model.memory.compiled_bytes,
        "added_memory_peak_bytes": model.added_peak_bytes,
        "parity_sqnr_db": parity and parity.sqnr_db,
        "parity_agreement": parity and parity.agreement,
        "export_agreement": accuracy and accuracy.agreement,
        "export_agreement_inputs": accuracy and accuracy.inputs,
        "score_percent": accuracy and accuracy.score,
        "score_inputs": accuracy and accuracy.score_inputs,
        "score_reference_percent": accuracy and accuracy.reference_score,
        "score_difference_points": accuracy and accuracy.difference_points,
        "temperature_before_c": before.temperature_c,
        "temperature_after_c": after and after.temperature_c,
        "thermal_status_before": before.thermal_status,
        "thermal_status_after": after and after.thermal_status,
    }


def _beside(beside: BesideTimes | None) -> dict[str, Any]:
    ratio = beside and beside.ratio
    return {
        **median_cells("beside", beside.run if beside else None),
        "beside_ratio": ratio and ratio.value,
        **ends("beside_ratio", ratio.interval if ratio else None),
        "load_per_s": beside and beside.load_per_s,
    }


def _frame(frame: FrameTimes | None) -> dict[str, Any]:
    stages = {} if frame is None else frame.stages
    columns: dict[str, Any] = {}
    for name in STAGES:
        columns |= median_cells(f"frame_{name.replace('-', '_')}", stages.get(name))
    return columns | median_cells("frame", None if frame is None else frame.frame_ms)


def _times(times: Times | None) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for field in fields(Summary):
        value = getattr(times.run, field.name) if times and times.run else None
        if field.name == "interval_ms":
            columns |= ends("median", value, "_ms")
        elif field.name != "rounds":
            columns[field.name] = value
    if tool := times and times.tool:
        given = ("runs", "median_ms", "mean_ms", "min_ms", "max_ms")
        columns |= {name: getattr(tool, name) for name in given}
    return columns | {
        "classes_median_ms": times and times.classes and times.classes.median_ms,
        "mask_median_ms": times and times.mask and times.mask.median_ms,
        **_frame(times.frame if times else None),
        "load_ms": times and times.load_ms,
        "first_inference_ms": times and times.first_inference_ms,
    }
