"""Checking that a record matches its plan."""

from collections import Counter

from seaformer.benchmark.runner.plan import Plan
from seaformer.benchmark.runner.record import Record


def plan_mismatch(plan: Plan, record: Record) -> str | None:
    """Return the first difference between a record, complete or not, and its plan; else None."""
    header, ids = record.header, [one.id for one in plan.models]
    if header is None:
        return None
    compared: dict[str, tuple[object, object]] = {
        "backend": (header.backend, plan.backend),
        "accelerator": (header.accelerator, plan.accelerator),
        "threads": (header.threads, plan.threads),
        "seed": (header.seed, plan.seed),
        "models": ([one.id for one in record.models], ids[: len(record.models)]),
    }
    if plan.cpus is not None:
        compared["processors"] = (sorted(header.cpus), sorted(set(plan.cpus)))
    if record.load is not None:
        planned = None if plan.load is None else sorted(set(plan.load.cpus))
        compared["processors of the load"] = (sorted(record.load.cpus), planned)
    for one in record.models:
        compared[f"warm-up runs of {one.id}"] = (len(one.warmup_ns), plan.warmup_runs)
    for block in record.blocks:
        runs = (len(block.durations_ns), plan.runs_per_block)
        compared[f"runs in block {block.index} of {block.model}"] = runs
    for frames in record.frames:
        runs = (len(frames.preparation_ns), plan.runs_per_block)
        compared[f"frames after block {frames.block} of {frames.model}"] = runs
    cycles = plan.activity.cycles if plan.activity is not None else 0
    active = {span.cycle for span in record.spans if not span.is_idle}
    compared["cycles"] = (sorted(active), list(range(len(active) if active else 0)))
    if record.complete:
        compared["number of cycles"] = (len(active), cycles)
        compared["a load"] = (record.load is not None, plan.load is not None)
        compared["models"] = ([one.id for one in record.models], ids)
        places = {False: "blocks of", True: "blocks beside the load of"}
        for is_beside, what in places.items():
            counts = Counter(one.model for one in record.blocks if one.is_beside == is_beside)
            number = 0 if is_beside and plan.load is None else plan.blocks
            compared |= {f"{what} {model}": (counts[model], number) for model in ids}
        counts = Counter(frames.model for frames in record.frames)
        compared |= {
            f"blocks with frames of {one.id}": (
                counts[one.id],
                plan.blocks if one.preparation else 0,
            )
            for one in plan.models
        }
    for what, (found, wanted) in compared.items():
        if found != wanted:
            return f"{what}: {found}, planned: {wanted}"
    return None
