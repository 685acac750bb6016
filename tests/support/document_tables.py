"""The tables of README.md and docs/ that are generated from tables in the code.

PYTHONPATH=tests/support python -m document_tables          # writes them
"""

import re
from functools import partial

import torch
from bench.machine import read_section, write_section
from locations import ROOT
from official_weights import build_network
from schema_tables import members

from seaformer.artifact.accelerators import ACCELERATORS, NPU
from seaformer.artifact.chips import CHIPS
from seaformer.artifact.metadata import Metadata
from seaformer.artifact.precisions import FORMATS, PRECISIONS
from seaformer.benchmark.measure.backends import BACKENDS
from seaformer.benchmark.results.blame_results import BlameResults
from seaformer.benchmark.results.imagenet import SOURCES, published_for
from seaformer.benchmark.results.schema import Results as BenchmarkResults
from seaformer.benchmark.results.table_kinds import KINDS
from seaformer.benchmark.studies.energy.energy_results import EnergyResults
from seaformer.benchmark.studies.pareto.classification_networks import PEERS, SEAFORMERS
from seaformer.benchmark.studies.sustained.sustained_results import SustainedResults
from seaformer.evaluation.results import Results as EvaluationResults
from seaformer.export.heads import HEADS
from seaformer.models.catalog import count_macs
from seaformer.models.phones import PAPER_PHONE
from seaformer.models.registry import ATTENTIONS, REGISTRY
from seaformer.models.seaformer.variants import VARIANTS
from seaformer.progress_events import FileWritten, StageAdvanced, StageFinished
from seaformer.tasks import TASKS
from seaformer.weights.released import RELEASED

MEASUREMENTS = ROOT / "docs/measurements.md"
MACHINE = read_section(MEASUREMENTS, "conditions").split("**")[1].partition(",")[0]
"""Processor of the measurements, such as "AMD EPYC"."""


def models() -> str:
    """Return a short table of the variants: published results, and latency from docs/."""
    lines = [
        f"| `--variant` | parameters | MACs | ADE20K mIoU | Snapdragon 865 | {MACHINE} |",
        "|---|---|---|---|---|---|",
    ]
    for variant in VARIANTS.values():
        model = build_network(variant, TASKS["ade20k"]).eval()
        params_m = sum(p.numel() for p in model.parameters()) / 1e6
        published = REGISTRY[f"seaformer-{variant.name}"].published
        assert published is not None
        lines.append(
            f"| {variant.name} | {params_m:.1f} M | {count_macs(model, (512, 512)) / 1e9:.1f} G | "
            f"{published.miou:.1f} % | {published.latencies_ms[PAPER_PHONE]:g} ms | "
            f"{_measured_ms(REGISTRY[f'seaformer-{variant.name}'].title)} ms |"
        )
    return "\n".join(lines)


def _measured_ms(title: str) -> str:
    """Return the median latency of a network in docs/measurements.md."""
    row = re.search(
        rf"^\| {title} \| [^|]+\| ([\d.]+) ", read_section(MEASUREMENTS, "networks"), re.M
    )
    assert row, f"{title} is not in {MEASUREMENTS}"
    return row[1]


def variants() -> str:
    """Return counted parameters and MACs, and the published mIoU of the released weights."""
    task = TASKS["ade20k"]
    lines = [
        "| variant | parameters | MACs at 512x512 | released mIoU, batch 16 / 32 |",
        "|---|---|---|---|",
    ]
    for variant in VARIANTS.values():
        model = build_network(variant, task).eval()
        params = sum(p.numel() for p in model.parameters())
        scores = {
            weights.batch: weights.score
            for weights in RELEASED
            if (weights.network, weights.task) == (f"seaformer-{variant.name}", task.name)
        }
        lines.append(
            f"| {variant.name} | {params:,} | {count_macs(model, (512, 512)) / 1e9:.3f} G | "
            f"{scores[16]:.1f} / {scores[32]:.1f} |"
        )
    return "\n".join(lines)


def tasks() -> str:
    """Return every task with its classes and default input."""
    lines = ["| task | classes | default input |", "|---|---|---|"]
    lines += [
        f"| {task.name} | {task.num_classes} | "
        f"{task.preprocessing.input_size[0]}x{task.preprocessing.input_size[1]} |"
        for task in TASKS.values()
    ]
    return "\n".join(lines)


def accelerators() -> str:
    """Return every accelerator: its runtimes, and how it is verified on a computer."""
    lines = [
        "| accelerator | formats | verified here by | needs | not for |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.name} | {', '.join(f'{name}: {what}' for name, what in row.runtimes.items())} | "
        f"{row.verified_by} | {row.needs or 'nothing'} | "
        f"{'; '.join(f'{name}: {why}' for name, why in row.refuses.items()) or '-'} |"
        for row in ACCELERATORS.values()
    ]
    return "\n".join(lines)


def chips() -> str:
    """Return every chip that files can be compiled for, and what its NPU supports."""
    lines = [
        "| `--soc` | sold as | NPU | floating point | compiles |",
        "|---|---|---|---|---|",
    ]
    for chip in CHIPS.values():
        computed = [
            p.name
            for p in PRECISIONS.values()
            if (chip.has_float or not p.has_float) and p.name not in ACCELERATORS[NPU].refuses
        ]
        has_float = "in half precision" if chip.has_float else "none"
        lines.append(
            f"| {chip.name} | {chip.snapdragon} | Hexagon V{chip.hexagon} | {has_float} | "
            f"{', '.join(computed)} |"
        )
    return "\n".join(lines)


def formats() -> str:
    """Return formats, precisions and heads, with the thresholds that an export has to reach."""
    lines = ["| format | file | layout | checked with | |", "|---|---|---|---|---|"]
    lines += [
        f"| {f.name} | `{f.suffix}` | {f.layout} | {f.runtime} | {f.description} |"
        for f in FORMATS.values()
    ]
    lines += [
        "",
        "| precision | formats | weights | activations | input, output | calibrated | runs on "
        "| size relative to fp32 | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {p.name} | {', '.join(p.formats)} | {p.weights} | {p.activations} | {p.input_output} | "
        f"{p.range_method or 'no'} | {p.delegates} | {100 * p.size:.0f} % | {p.description} |"
        for p in PRECISIONS.values()
    ]
    lines += [
        "",
        "An export below a threshold of its precision is not written:",
        "",
        "| precision | SQNR at least | arg-max agreement at least | mIoU lost at most |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {p.name} | {p.min_sqnr_db:g} dB | {100 * p.min_agreement:g} % | "
        f"{'not measured' if p.max_miou_loss is None else f'{p.max_miou_loss:g} points'} |"
        for p in PRECISIONS.values()
    ]
    lines += ["", "| head | |", "|---|---|"]
    lines += [f"| {name} | {description} |" for name, description in HEADS.items()]
    return "\n".join(lines)


def backends() -> str:
    """Return the backends, and the thresholds that an output on a device has to reach."""
    lines = ["| backend | files | run by | individual runs | |", "|---|---|---|---|---|"]
    lines += [
        f"| {b.name} | `{b.suffix}` | {b.runs_by} | {'yes' if b.single_runs else 'no'} | "
        f"{b.description} |"
        for b in BACKENDS.values()
    ]
    lines += [
        "",
        "| precision | SQNR on the device at least | arg-max agreement at least |",
        "|---|---|---|",
    ]
    lines += [
        f"| {p.name} | {p.device_min_sqnr_db:g} dB | {100 * p.device_min_agreement:g} % |"
        for p in PRECISIONS.values()
    ]
    return "\n".join(lines)


def caches() -> str:
    """Return the compilation cache of each backend, or why it has none."""
    lines = ["| backend | compilation cache |", "|---|---|"]
    lines += [f"| {b.name} | {b.cache or b.no_cache} |" for b in BACKENDS.values()]
    return "\n".join(lines)


def tables() -> str:
    """Return the tables of the benchmark: meaning of a row, and models measured without MODEL."""
    lines = ["| `--table` | a row is | without MODEL |", "|---|---|---|"]
    lines += [f"| {kind.name} | {kind.row} | {kind.exported} |" for kind in KINDS.values()]
    return "\n".join(lines)


def peers() -> str:
    """Return the other networks, with their published results."""
    lines = [
        "| `--model` | | parameters, M | MACs, G | ADE20K mIoU | |",
        "|---|---|---|---|---|---|",
    ]
    for peer in REGISTRY.values():
        if peer.variant or peer.attention or "segmentation" not in peer.builders:
            continue
        known = peer.published
        numbers = (known.params_m or "-", known.macs_g or "-", known.miou) if known else "---"
        cells = (f"`{peer.name}`", peer.title, *map(str, numbers), peer.note)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def attentions() -> str:
    """Return Swin-T with each attention layer: its counted and its published sizes."""
    lines = [
        "| `--model swin-tiny --attention` | parameters | MACs at 224x224 | published: "
        "parameters, M | MACs, G | top-1 |",
        "|---|---|---|---|---|---|",
    ]
    task = TASKS["imagenet"]
    for attention, row in ATTENTIONS["swin-tiny"].items():
        with torch.device("meta"):
            model = row.build(task.kind, task.num_classes).eval()
            macs = count_macs(model, task.preprocessing.input_size)
        params = sum(p.numel() for p in model.parameters())
        known = row.published_top1
        numbers = (known.params_m, known.macs_g, f"{known.top1} %") if known else "---"
        cells = (f"`{attention}`", f"{params:,}", f"{macs / 1e9:.3f} G", *numbers)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def classifiers() -> str:
    """Networks of `seaformer-benchmark pareto --task imagenet`, with their published results."""
    lines = [
        "| `--model` | | input | top-1, published | weights | parameters, M | MACs, G |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [(published_for(name)[0], title) for name, title in (SEAFORMERS | PEERS).items()]
    lines += [
        f"| `{row.model}` | {title} | {row.side}x{row.side} | {row.top1} % | {row.weights} | "
        f"{row.params_m} | {row.macs_g} |"
        for row, title in rows
    ]
    sources = {row.source: row.model for row, _ in reversed(rows)}
    lines.append("")
    lines += [f"- From `{sources[name]}` on: {SOURCES[name]}." for name in reversed(sources)]
    return "\n".join(lines)


def progress() -> str:
    """Every progress event with its members."""
    events = (StageFinished, StageAdvanced, FileWritten)
    return "\n\n".join(f"{each.__doc__}\n\n{members(each)}" for each in events)


SECTIONS = {
    "models": ("README.md", models),
    "variants": ("docs/export.md", variants),
    "tasks": ("docs/export.md", tasks),
    "peers": ("docs/export.md", peers),
    "attentions": ("docs/export.md", attentions),
    "formats": ("docs/export.md", formats),
    "accelerator-table": ("docs/accelerators.md", accelerators),
    "chips": ("docs/npu.md", chips),
    "backends": ("docs/benchmark.md", backends),
    "caches": ("docs/benchmark.md", caches),
    "tables": ("docs/benchmark.md", tables),
    "classifiers": ("docs/benchmark.md", classifiers),
    "metadata-members": ("docs/file_formats.md", partial(members, Metadata)),
    "results-members": ("docs/file_formats.md", partial(members, BenchmarkResults)),
    "sustained-members": ("docs/file_formats.md", partial(members, SustainedResults)),
    "energy-members": ("docs/file_formats.md", partial(members, EnergyResults)),
    "evaluation-members": ("docs/file_formats.md", partial(members, EvaluationResults)),
    "blame-members": ("docs/file_formats.md", partial(members, BlameResults)),
    "progress-members": ("docs/file_formats.md", progress),
}
"""Name of a section -> its document, and the function that generates it."""

if __name__ == "__main__":
    for name, (document, table) in SECTIONS.items():
        write_section(ROOT / document, name, table())
