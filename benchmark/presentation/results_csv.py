"""The results as CSV: one row per model, every row with all that its numbers depend on."""

from typing import Any

from seaformer.benchmark.presentation.csv_text import csv_text, ends
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.statistics.bootstrap import Summary


def to_csv(results: Results) -> str:
    """Write one row per model; what is unknown or does not apply is empty."""
    return csv_text([_row(results, model) for model in results.models])


def _row(results: Results, model: ModelResult) -> dict[str, Any]:
    times, parity, cores = results.times(model), model.parity, results.cores_of(model)
    accuracy = model.facts.accuracy
    first = results.models[0]
    ratio = results.ratio(model.id, first.id)
    before, after = results.conditions_before, results.conditions_after
    row: dict[str, Any] = {
        "model": model.file,
        "sha256": model.sha256,
        "precision": model.precision,
        "device": results.device.serial,
        "device_model": results.device.model,
        "soc": results.device.soc,
        "os": results.device.os,
        "emulated": results.emulated,
        "backend": results.backend,
        "runtime_version": results.runtime.version,
        "threads": results.threads_of(model),
        "cores": cores.name,
        "core_mask": cores.mask,
        "created_at": results.created_at.isoformat(),
        "complete": results.complete,
        "wrong_output": model.is_wrong,
        "input": model.input.source,
        "input_shape": "x".join(map(str, model.input.shape)),
        "file_bytes": model.bytes,
        "params": model.facts.params,
        "macs": model.facts.macs,
    }
    # An emulated time is not to be taken for a latency in a spreadsheet either.
    kind = "emulated" if results.emulated else "latency"
    other = "latency" if results.emulated else "emulated"
    run = None if times is None else times.run
    columns = _summary(run)
    if times is not None and times.tool is not None:
        tool = times.tool
        columns |= {"runs": tool.runs, "median_ms": tool.median_ms, "mean_ms": tool.mean_ms}
        columns |= {"min_ms": tool.min_ms, "max_ms": tool.max_ms}
    columns["classes_median_ms"] = times and times.classes and times.classes.median_ms
    columns["mask_median_ms"] = times and times.mask and times.mask.median_ms
    columns["load_ms"] = times and times.load_ms
    columns["first_inference_ms"] = times and times.first_inference_ms
    values = {f"{kind}_{name}": value for name, value in columns.items()}
    empty = dict.fromkeys((f"{other}_{name}" for name in columns), None)
    row |= values | empty if kind == "latency" else empty | values
    return row | {
        "ratio_to_first": ratio and ratio.value,
        **ends("ratio", ratio.interval if ratio else None),
        "peak_memory_bytes": model.peak_memory_bytes,
        "parity_sqnr_db": parity and parity.sqnr_db,
        "parity_agreement": parity and parity.agreement,
        "export_agreement": accuracy and accuracy.agreement,
        "score_percent": accuracy and accuracy.score,
        "score_difference_points": accuracy and accuracy.difference_points,
        "temperature_before_c": before.temperature_c,
        "temperature_after_c": after and after.temperature_c,
        "thermal_status_before": before.thermal_status,
        "thermal_status_after": after and after.thermal_status,
    }


def _summary(run: Summary | None) -> dict[str, Any]:
    return {
        "runs": run and run.runs,
        "median_ms": run and run.median_ms,
        **ends("median", run.interval_ms if run else None, "_ms"),
        "p10_ms": run and run.p10_ms,
        "p90_ms": run and run.p90_ms,
        "mean_ms": run and run.mean_ms,
        "mad_ms": run and run.mad_ms,
        "min_ms": run and run.min_ms,
        "max_ms": run and run.max_ms,
        "throughput_per_s": run and run.throughput_per_s,
    }
