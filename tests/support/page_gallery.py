"""Every page that a command makes, from results that cover all their parts.

`python -m page_gallery FOLDER` writes the pages, and images of them in the widths and color
schemes to view after a change of a page.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from benchmark_parts import RIGHT, WRONG, candidate, make_results, times_around
from broken_down_results import PARTS, broken_down, results_of, row, warmed

from seaformer.artifact.accelerators import CPU, GPU, NPU
from seaformer.artifact.metadata import Accuracy, Latency
from seaformer.benchmark.measure.beside_load import load_used
from seaformer.benchmark.measure.summary import beside_times
from seaformer.benchmark.report.benchmark_page import Source
from seaformer.benchmark.report.benchmark_page import write_report as write_benchmark_page
from seaformer.benchmark.report.blame_page import write_blame_page
from seaformer.benchmark.report.comparison_page import write_comparison_page
from seaformer.benchmark.report.history_page import write_history
from seaformer.benchmark.results.blame_results import (
    BlamedOperator,
    BlameResults,
    TensorAgreement,
    Trial,
)
from seaformer.benchmark.results.comparison import compare
from seaformer.benchmark.results.published import FIGURES
from seaformer.benchmark.results.schema import (
    BrowserFacts,
    CoresUsed,
    FrameTimes,
    InputUsed,
    ModelFacts,
    Results,
    Round,
)
from seaformer.benchmark.results.schema import ModelResult as BenchmarkedModel
from seaformer.benchmark.runner.record import Header, PowerSensors, Span
from seaformer.benchmark.studies.accelerators.accelerators_page import write_accelerators_page
from seaformer.benchmark.studies.accelerators.accelerators_results import (
    AcceleratorResults,
    AcceleratorRow,
)
from seaformer.benchmark.studies.attention import paper
from seaformer.benchmark.studies.attention.attention_page import write_attention_page
from seaformer.benchmark.studies.attention.attention_results import (
    AttentionResults,
    LayerResult,
    Point,
    SideResult,
)
from seaformer.benchmark.studies.attention.growth import fit, fit_rounds
from seaformer.benchmark.studies.energy.consumption import consumption
from seaformer.benchmark.studies.energy.energy_page import write_energy_page
from seaformer.benchmark.studies.energy.energy_results import EnergyResults
from seaformer.benchmark.studies.pareto.pareto_page import write_pareto_page
from seaformer.benchmark.studies.pareto.pareto_study import combine
from seaformer.benchmark.studies.sustained.course import course
from seaformer.benchmark.studies.sustained.sustained_page import write_sustained_page
from seaformer.benchmark.studies.sustained.sustained_results import SustainedResults
from seaformer.evaluation.average_precision import MEASURES
from seaformer.evaluation.evaluation_page import write_report as write_evaluation_page
from seaformer.evaluation.metrics import SegmentationScores
from seaformer.evaluation.results import (
    DEFINITION,
    DETECTION_DEFINITION,
    ClassResult,
    Confusion,
    Difference,
    MeasuredInterval,
    ModelResult,
    Scores,
)
from seaformer.evaluation.results import Results as EvaluationResults
from seaformer.export.quantize import mixed_precision_report, sensitivity_report
from seaformer.export.quantize.mixed_precision import Search, Step
from seaformer.export.quantize.sensitivity import BARS, Cost, Row, Sensitivity, Tensor
from seaformer.models.entry import Network
from seaformer.models.registry import ATTENTIONS, LAYERS, REGISTRY
from seaformer.statistics.bootstrap import Summary, summarize
from seaformer.tasks import TASKS
from seaformer.training.checkpoints import METRICS, Origin, RunFolder
from seaformer.training.recipe import RECIPES
from seaformer.training.training_page import write_report as write_training_page

MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LONG = "models/seaformer_tiny_with_a_long_name_ade20k_512x512_fp32_argmax.tflite"
COMMAND = f"seaformer-benchmark {LONG} --device R58 --threads 4 --runs 500 --output build/out"

OTHER_CORES = CoresUsed(
    name="big", cores=(4, 5, 6), mask="70", max_khz=dict.fromkeys((4, 5, 6), 2419200)
)

Write = Callable[[Path], None]


def summary(median_ms: float, seed: int = 0, spread: float = 0.01) -> Summary:
    """Return the summary of 10 rounds of 5 runs."""
    return summarize(list(times_around(median_ms, seed, spread)), 0)


def whole_frames(results: Results) -> Results:
    """Give every model with a latency times of whole frames."""

    def with_frame(model: BenchmarkedModel) -> BenchmarkedModel:
        if model.latency is None:
            return model
        inference_ms = model.latency.typical_ms
        frame = FrameTimes(
            preparation_ms=summary(4.0),
            inference_ms=summary(inference_ms),
            post_processing_ms=summary(6.0),
            frame_ms=summary(10.0 + inference_ms),
        )
        latency = model.latency.model_copy(update={"frame": frame})
        return model.model_copy(update={"latency": latency})

    models = tuple(map(with_frame, results.models))
    protocol = results.protocol.model_copy(update={"frame_size": (1280, 720)})
    return results.model_copy(update={"models": models, "protocol": protocol})


def beside_load(results: Results, slowdowns: Mapping[str, float | None]) -> Results:
    """Give models a latency beside the load of a camera; None: it is not proven to have run."""
    protocol = results.protocol.model_copy(update={"load": load_used(None, OTHER_CORES, 1)})
    rounds = []
    for one in results.rounds:
        drift = 1 + 0.005 * ((7 * one.index) % 5 - 2)
        beside = tuple(
            replace(
                block,
                is_beside=True,
                durations_ns=tuple(
                    int((slowdown or 1.0) * drift * ns) for ns in block.durations_ns
                ),
                load_count=3 if slowdown else 0,
                load_cpus=(4,) if slowdown else (),
            )
            for block in one.blocks
            if block.model in slowdowns
            for slowdown in [slowdowns[block.model]]
        )
        rounds.append(one.model_copy(update={"beside": beside}))

    def with_beside(model: BenchmarkedModel) -> BenchmarkedModel:
        if model.latency is None or model.id not in slowdowns:
            return model
        latency = model.latency.model_copy(update={"beside": beside_times(rounds, model.id, 0)})
        return model.model_copy(update={"latency": latency})

    models = tuple(map(with_beside, results.models))
    return results.model_copy(
        update={"models": models, "protocol": protocol, "rounds": tuple(rounds)}
    )


def started_anew(results: Results) -> Results:
    """Add the header of a new process to every round, for the cold starts."""
    header = Header(
        format=2, runner="1.0.0", target="android-arm64", pid=1, backend="litert",
        runtime_version="2.1", library_load_ms=12.0, threads=1, cpus=(7,), seed=0,
        started_unix_ms=0, thermal_zones=(), process_start_ms=20.0,
    )  # fmt: skip
    rounds = []
    for one in results.rounds:
        loaded = tuple(
            replace(each, compile_ms=6.0 + one.index / 10, warmup_ns=(30_000_000, 21_000_000))
            for each in one.loaded
        )
        rounds.append(one.model_copy(update={"header": header, "loaded": loaded}))
    return results.model_copy(update={"rounds": tuple(rounds)})


def cached_starts(results: Results, factor: float) -> Results:
    """Add 10 pairs of cold starts of the first model; with a cache, loading takes less time."""
    rounds = list(results.rounds)
    for turn in range(10):
        (first, *_) = rounds[turn].loaded
        for cached in (False, True):
            one = replace(
                first,
                load_ms=first.load_ms * (factor if cached else 1.0),
                compile_ms=None,
                cache_bytes=1_500_000 if cached else None,
            )
            update = {
                "purpose": "start",
                "turn": turn,
                "loaded": (one,),
                "blocks": (),
                "beside": (),
            }
            rounds.append(rounds[turn].model_copy(update=update | {"index": len(rounds)}))
    protocol = results.protocol.model_copy(update={"cache": "a file with weights"})
    return results.model_copy(update={"rounds": tuple(rounds), "protocol": protocol})


def _many() -> Results:
    files = [LONG, *(f"models/network{number}.tflite" for number in range(1, 7)), "wrong.tflite"]
    candidates = [candidate(number, file) for number, file in enumerate(files)]
    times = {one.id: times_around(20.0 + 2 * place, place) for place, one in enumerate(candidates)}
    parts = [row(f"part{number}", 0.9, title=f"part {number}") for number in range(22)]
    results = make_results(candidates, times, parities={"m7": WRONG}, command=COMMAND)
    slowed = {f"m{number}": 1.0 + 0.1 * number for number in range(6)} | {"m6": None}
    return beside_load(
        whole_frames(warmed(broken_down(cached_starts(started_anew(results), 0.4), *parts))), slowed
    )


def benchmark(path: Path) -> None:
    """Eight models, one of them with wrong output, with whole frames, a load and modules."""
    write_benchmark_page(path, [Source("build/benchmark/results.json", _many())])


def benchmarks(path: Path) -> None:
    """Three benchmarks, the last of which cannot be compared."""
    full = warmed(broken_down(results_of(command=COMMAND), *PARTS))
    others = results_of(float_ms=16.0, command=COMMAND), results_of(threads=2, command=COMMAND)
    named = zip(("first", "second", "third"), (full, *others), strict=True)
    write_benchmark_page(path, [Source(f"{name}/results.json", one) for name, one in named])


def beside_a_browser(path: Path) -> None:
    """A benchmark of a phone, and one by a page in its browser, in the same report."""
    native = results_of(command=COMMAND)
    facts = BrowserFacts(
        name="Chromium 150", user_agent="Mozilla/5.0 (Linux; Android 10; K) Chrome/150.0.0.0",
        processors=8, memory_gib=8, gpu=None, isolated=True, clock_ms=0.005,
    )  # fmt: skip
    device = replace(
        native.device, serial="browser", manufacturer=None, model=None, soc=None, cores=()
    )
    cores = CoresUsed(name="chosen by the browser", cores=(), mask="", max_khz={})
    of_page = results_of(24.0, 15.0).model_copy(
        update={"browser": facts, "device": device, "cores": cores, "backend": "litertjs-wasm"}
    )
    named = {"phone/results.json": native, "page/results.json": of_page}
    write_benchmark_page(path, [Source(name, one) for name, one in named.items()])


def latency_comparison(path: Path) -> None:
    """A faster, a slower and an unchanged model, compared although the threads differ."""

    def of(last: str, *medians_ms: float, seed: int, **changes: Any) -> Results:
        files = [LONG, "models/slower.tflite", "models/same.tflite", last]
        models = [candidate(number, file) for number, file in enumerate(files)]
        times = {f"m{at}": times_around(ms, seed + at) for at, ms in enumerate(medians_ms)}
        return make_results(models, times, command=COMMAND, **changes)

    old = of("removed.tflite", 20.0, 10.0, 5.0, 4.0, seed=0, threads=2)
    new = of("added.tflite", 16.0, 11.0, 5.0, 4.0, seed=9, warnings=("it was <busy>",))
    compared = compare(new, old, tolerance=0.03, anyway=True)
    sources = Source("results.json", new), Source("build/before/results.json", old)
    write_comparison_page(path, *sources, compared, tolerance=0.03)


def history(path: Path) -> None:
    """Three devices over weeks, one of them emulated, with a model that became slower."""
    sources = []
    for night in range(12):
        for place, (serial, factor) in enumerate((("R58", 1.0), ("192.168.0.7:5555", 2.5))):
            seed = 2 * night + place
            slower = 1.1 if night > 7 and place == 0 else 1.0
            models = [candidate(0, LONG, sha256=f"{night // 8:064x}"), candidate(1, "b.tflite")]
            times = {
                "m0": times_around(20.0 * factor * slower, seed, 0.02),
                "m1": times_around(8.0 * factor, 100 + seed, 0.02),
            }
            device = replace(results_of().device, serial=serial, model=f"Phone {place + 1}")
            made = make_results(models, times, command=COMMAND, device=device)
            moment = MADE + timedelta(days=1.4 * night, minutes=place)
            made = made.model_copy(update={"created_at": moment})
            sources.append(Source(f"nightly/{night}/{serial}/results.json", made))
    other = replace(results_of().device, serial="emulator-5554", model="Emulator")
    one = make_results(
        [candidate(0, LONG)], {"m0": times_around(90.0, 1)}, emulated=True, device=other
    )
    sources.append(Source("nightly/12/results.json", one))
    skipped = ["'nightly/x/results.json' is a copy of 'nightly/0/R58/results.json'."]
    write_history(path, sources, skipped, "seaformer-benchmark history nightly")


def emulated(path: Path) -> None:
    """A device without latency."""
    results = broken_down(results_of(emulated=True, command=COMMAND), *PARTS, emulated=True)
    write_benchmark_page(path, [Source("results.json", results)])


def table(path: Path) -> None:
    """A table of the models."""
    write_benchmark_page(path, [Source("results.json", results_of(table="variants"))])


def pareto(path: Path) -> None:
    """All networks of the paper, some of them too close to be distinguished."""
    square = InputUsed(
        source="photograph", name="image", dtype="float32", shape=(1, 512, 512, 3), sha256=None
    )
    candidates, times = [], {}
    for number, (name, figure) in enumerate(FIGURES.items()):
        variant = name.removeprefix("seaformer-") if name.startswith("seaformer-") else None
        facts = ModelFacts(
            name=f"{name.replace('-', '_', 1)}_ade20k", variant=variant,
            model=None if variant else name, task="ade20k", head="logits", precision="fp32",
            is_random=True,
        )  # fmt: skip
        candidates.append(replace(candidate(number, f"{name}.tflite", input=square), facts=facts))
        times[f"m{number}"] = times_around((figure.paper_ms or 100.0) / 3, number, spread=0.1)
    results = make_results(candidates, times, command=COMMAND, warnings=("it was <busy>",))
    write_pareto_page(path, combine("ade20k", results, "results.json", ()))


def accelerators(path: Path) -> None:
    """Accelerators of a phone, one with wrong output and one without a run."""

    def of(title: str, accelerator: str, median_ms: float | None, **more: Any) -> AcceleratorRow:
        common = {"file": LONG, "precision": "fp32", "backend": "litert", "results": "r.json"}
        known = {"latency": None if median_ms is None else summary(median_ms), "parity": RIGHT}
        return AcceleratorRow(title=title, accelerator=accelerator, **common | known | more)

    rows = (
        of("CPU, 1 thread", CPU, 40.0),
        of("CPU, 4 threads", CPU, 12.0),
        of("GPU", GPU, 4.0, compile_ms=800.0, first_inference_ms=6.0),
        of("GPU, half precision", GPU, None, parity=WRONG),
        AcceleratorRow(title="NPU", accelerator=NPU, not_run="no compiled file. Give --soc."),
    )
    results = AcceleratorResults(
        created_at=MADE, command=COMMAND, conditions="Maker Phone (SM8250), Android 13",
        emulated=False, warnings=("it was warm",), rows=rows,
    )  # fmt: skip
    write_accelerators_page(path, results)


def attention(path: Path) -> None:
    """Every attention layer."""
    write_attention_page(path, attention_results(LAYERS, (16, 32, 64)))


def attention_in_swin(path: Path) -> None:
    """Swin with every attention layer, at one size."""
    write_attention_page(path, attention_results(ATTENTIONS["swin-tiny"], (224,), "Swin-T"))


def attention_results(
    networks: Mapping[str, Network], sides: Sequence[int], inside: str | None = None
) -> AttentionResults:
    """Return results of invented latencies."""
    layers = []
    for place, (kind, network) in enumerate(networks.items()):
        rounds = {side: list(times_around(side ** (1 + place / 8) / 50, place)) for side in sides}
        points = tuple(
            Point(
                side=side, latency=summarize(rounds[side], 0), emulated=None,
                peak_memory_bytes=20_000_000, added_peak_bytes=2_000_000, params=28_288_354,
                macs=4_490_566_656,
                file=f"{kind}_{side}.tflite", wrong_output=False,
            )
            for side in sides
        )  # fmt: skip
        published = {} if inside else paper.TIMES_MS.get(kind, {})
        layers.append(
            LayerResult(
                kind=kind, title=network.title, source="Some paper", complexity="O(HW)", growth=2,
                measured_growth=fit_rounds(rounds, 0), note="", points=points, left_out=(),
                paper_ms=published, paper_growth=fit(published),
            )
        )  # fmt: skip
    return AttentionResults(
        created_at=MADE, command=COMMAND, conditions="Maker Phone (SM8250), Android 13",
        emulated=False, interrupted=False, inside=inside, channels=None if inside else 64,
        heads=None if inside else 4, key_dim=None if inside else 16,
        sides=tuple(
            SideResult(side=side, results=f"{side}/results.json", problem=None, warnings=())
            for side in sides
        ),
        layers=tuple(layers), paper_source=paper.SOURCE,
    )  # fmt: skip


def sustained(path: Path) -> None:
    """A model that throttles and settles, another whose latency changes, and a wrong output."""
    files = (LONG, "models/slower.tflite", "wrong.tflite")
    candidates = [candidate(number, file) for number, file in enumerate(files)]
    results = make_results(
        candidates, {one.id: times_around(20.0, 0) for one in candidates}, parities={"m2": WRONG}
    )
    random = np.random.default_rng(0)

    def run(model: str, seconds: int, settles_s: float) -> Round:
        spans = []
        for second in range(seconds):
            share = 1 - 0.4 * (1 - np.exp(-second / settles_s))
            times_ns = random.normal(25e6 / share, 4e5, int(40 * share)).astype(int)
            spans.append(
                Span(
                    model=model, index=second, cycle=0, is_idle=False,
                    started_ns=second * 10**9, ended_ns=(second + 1) * 10**9 - 1,
                    durations_ns=tuple(int(one) // 2 for one in times_ns),
                    missed_frames=second // 20, frequency_khz=int(2_841_600 * share),
                    temperature_c=90 - 50 * share, thermal_status=int(share < 0.8),
                    battery_current=None, battery_voltage=None,
                )
            )  # fmt: skip
        return results.rounds[0].model_copy(update={"purpose": "sustain", "spans": tuple(spans)})

    rounds = [run("m1", 60, 1000.0), run("m0", 120, 8.0)]
    write_sustained_page(
        path,
        SustainedResults(
            created_at=MADE, command=f"{COMMAND} --sustain 2m --frame-rate 60",
            conditions="Maker Phone (SM8250), Android 13", emulated=False, interrupted=True,
            sustain_s=120.0, frame_rate=60.0, results="results.json",
            problem="interrupted", warnings=("it was <busy>",),
            models=tuple(course(one, rounds, 120.0, 60.0, 0) for one in results.models),
        ),
    )  # fmt: skip


def energy_rounds(
    model: str,
    period_s: float = 0.5,
    unit: float = 1.0,
    cycles: int = 8,
    seed: int = 1,
    rails: bool = False,
) -> tuple[Span, ...]:
    """Return readings of a phone with 2 W at rest and 5 W at work, at 40 inferences per second.

    Args:
        model: id of the model.
        period_s: how often the sensor has a new value.
        unit: one microampere in the unit of the sensor.
        cycles: rounds of 10 s of rest and 10 s of work.
        seed: seed of the noise.
        rails: whether it has two power rails, which use 80 and 20 %.
    """
    random, spans, current, at = np.random.default_rng(seed), [], 0, 0
    used_uws = 10**9
    for cycle in range(cycles):
        for is_idle in (True, False):
            for place in range(100):
                used_uws += 200_000 if is_idle else 500_000
                if place % round(10 * period_s) == 0:
                    current = round(-unit * ((5e5 if is_idle else 1.25e6) + random.normal(0, 2e4)))
                spans.append(
                    Span(
                        model=model, index=len(spans), cycle=cycle, is_idle=is_idle,
                        started_ns=at, ended_ns=at + 10**8,
                        durations_ns=() if is_idle else (25_000_000,) * 4, missed_frames=0,
                        frequency_khz=None, temperature_c=None, thermal_status=0,
                        battery_current=current, battery_voltage=4_000_000,
                        rails_uws=(used_uws * 8 // 10, used_uws * 2 // 10) if rails else (),
                        rails_ms=(at // 10**6,) * 2 if rails else (),
                    )
                )  # fmt: skip
                at += 10**8
    return tuple(spans)


def energy(path: Path) -> None:
    """A model with an energy, and one whose sensor is too slow."""
    candidates = [candidate(0, LONG), candidate(1, "models/other.tflite")]
    results = make_results(candidates, {one.id: times_around(20.0, 0) for one in candidates})
    sensors = PowerSensors("kernel", None, "service", ("S2M_VDD_CPUCL2", "S5S_VDDQ_MEM"))
    rounds = [
        results.rounds[0].model_copy(
            update={"purpose": "energy", "spans": spans, "sensors": sensors}
        )
        for spans in (
            energy_rounds("m0", rails=True),
            energy_rounds("m1", period_s=5.0, rails=True),
        )
    ]
    write_energy_page(
        path,
        EnergyResults(
            created_at=MADE, command=f"{COMMAND} --energy 10s",
            conditions="Maker Phone (SM8250), Android 13", emulated=False, interrupted=False,
            phase_s=10.0, results="results.json", problem=None, warnings=("it was <busy>",),
            models=tuple(consumption(one, rounds, 0) for one in results.models),
        ),
    )  # fmt: skip


def blame(path: Path) -> None:
    """A phone that computes one operator incorrectly."""
    phone = results_of()

    def tensor(value: float, agrees: bool) -> TensorAgreement:
        return TensorAgreement(
            name="x", shape=(1, 64, 64, 8), dtype="float32", value=value, agrees=agrees
        )

    trials = tuple(
        Trial(
            operators=count, end=count, outcome="agrees" if count < 41 else "differs",
            tensors=(tensor(120.0, True) if count < 41 else tensor(3.0, False),), seconds=1.5,
        )
        for count in (90, 45, 22, 33, 39, 42, 40, 41)
    )  # fmt: skip
    results = BlameResults(
        created_at=MADE, command=f"seaformer-benchmark {LONG} --blame gpu", complete=True,
        problem=None, model=LONG, sha256="0" * 64, device=phone.device, emulated=False,
        accelerator=GPU, backend="litert", runtime=phone.runtime, half=True, soc=None,
        reference="LiteRT on this computer", input=phone.models[0].input, operators=90,
        min_db=40.0, trials=trials, verdict="operator",
        blamed=BlamedOperator(
            index=41, type="MUL", module="context_branch.block3.attention", outcome="differs",
            reason=None, inputs=(tensor(120.0, True),), outputs=(tensor(3.0, False),),
            alone=trials[-1], file="operator_41.tflite",
        ),
    )  # fmt: skip
    write_blame_page(path, results)


def _evaluated(name: str, miou: float, difference: Difference | None) -> ModelResult:
    labels = TASKS["ade20k"].labels
    classes = tuple(
        ClassResult(
            index=index, name=label, pixels=1000 * (index + 1), iou=(index % 100) / 100,
            accuracy=0.5, change=None if difference is None else 0.001 * (index % 7 - 3),
            agreement=None if difference is None else 0.9,
        )
        for index, label in enumerate(labels)
    )  # fmt: skip
    mistakes = tuple(
        Confusion(expected=one, found=other, pixels=12_345, share=0.25)
        for one, other in pairwise(labels[:13])
    )
    return ModelResult(
        file=f"models/{name}", name=name, sha256="0" * 64, title="SeaFormer-tiny, ADE20K, fp32",
        runtime="LiteRT", protocol="deployed", input="stretched to 512 x 512", is_random=False,
        note="", agreement=None if difference is None else 0.97, difference=difference,
        scores=Scores(miou=miou, mean_accuracy=0.71, pixel_accuracy=0.81), classes=classes,
        mistakes=mistakes, differences=mistakes if difference else (), worst=(),
    )  # fmt: skip


def _write_evaluation(path: Path, *models: ModelResult) -> None:
    results = EvaluationResults(
        complete=True, kind="segmentation", task="ade20k", definition=DEFINITION, data="ADE20K",
        layout="ade20k", split="val", pictures=2000, available=2000, broken=(), models=models,
        versions={"seaformer": "0.1.0"},
    )  # fmt: skip
    # No image is shown, so no data set is read and no model is run.
    dataset: Any = SimpleNamespace(task=TASKS["ade20k"], items=())
    command = "seaformer-evaluate models/*.tflite --data ADE20K"
    write_evaluation_page(path, results, dataset, list(models), command)  # type: ignore[arg-type]


def evaluation(path: Path) -> None:
    """One model."""
    _write_evaluation(path, _evaluated(Path(LONG).name, 0.358, None))


def comparison(path: Path) -> None:
    """A model below the reference, and one whose difference is within noise."""
    worse = Difference(points=-0.3, low=-0.5, high=-0.1)
    same = Difference(points=0.05, low=-0.1, high=0.2)
    _write_evaluation(
        path,
        _evaluated("fp32.tflite", 0.615, None),
        _evaluated("int8.tflite", 0.612, worse),
        _evaluated("fp16.tflite", 0.6155, same),
    )


def _detected(name: str, ap: float, difference: Difference | None) -> ModelResult:
    """Return a result for the classes of the task; the last has no objects."""
    labels = TASKS["shapes-detection"].labels
    classes = tuple(
        ClassResult(
            index=index, name=label, pixels=90 * (7 - index), iou=None, accuracy=None,
            ap=ap - 0.03 * index if index < 7 else None,
            change=None if difference is None or index == 7 else 0.001 * (index - 3),
        )
        for index, label in enumerate(labels)
    )  # fmt: skip
    values = dict.fromkeys(MEASURES, ap) | {"ap_large": None}
    intervals = tuple(
        MeasuredInterval(
            measure=measure,
            low=None if value is None else value - 0.02,
            high=None if value is None else value + 0.02,
            change=difference,
        )
        for measure, value in values.items()
    )
    return ModelResult(
        file=f"models/{name}", name=name, sha256="0" * 64, title="SeaFormer-T RetinaNet, fp32",
        runtime="LiteRT", protocol="deployed", input="stretched to 256 x 256", is_random=False,
        note="", agreement=None, difference=difference, scores=Scores(**values), classes=classes,
        intervals=intervals, mistakes=(), differences=(), worst=(),
    )  # fmt: skip


def _write_detection(path: Path, *models: ModelResult) -> None:
    results = EvaluationResults(
        complete=True, kind="detection", task="shapes-detection", definition=DETECTION_DEFINITION,
        data="scenes", layout="coco", split="val", pictures=200, available=500, broken=(),
        models=models, versions={"seaformer": "0.1.0"},
    )  # fmt: skip
    dataset: Any = SimpleNamespace(task=TASKS["shapes-detection"], items=())
    command = "seaformer-evaluate models/*.tflite --data scenes"
    write_evaluation_page(path, results, dataset, list(models), command)  # type: ignore[arg-type]


def detection(path: Path) -> None:
    """The average precision of one model."""
    _write_detection(path, _detected(Path(LONG).name, 0.358, None))


def detection_comparison(path: Path) -> None:
    """The average precision of a model below the reference."""
    worse = Difference(points=-0.3, low=-0.5, high=-0.1)
    _write_detection(
        path, _detected("fp32.tflite", 0.615, None), _detected("int8.tflite", 0.612, worse)
    )


def training(path: Path) -> None:
    """A run with its curves."""
    task = TASKS["ade20k"]
    entries = [
        {"step": step, "loss": 4 / (1 + step / 200), "lr": 0.001 * (1 - step / 2000)}
        | ({"mIoU": step / 4000} if step % 200 == 0 else {})
        for step in range(50, 2001, 50)
    ]
    folder = path.parent / "run"
    folder.mkdir(exist_ok=True)
    (folder / METRICS).write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    count = task.num_classes
    random = np.random.default_rng(0)
    iou = tuple(map(float, random.uniform(0, 0.8, count)))
    scores = SegmentationScores(0.356, 0.47, 0.77, iou, iou, tuple(range(count)))
    image = random.integers(0, 255, (96, 128, 3), np.uint8)
    mask = random.integers(0, count, (96, 128), np.uint8)
    run = RunFolder(folder, REGISTRY["seaformer-tiny"], task, RECIPES["ade20k"], Origin("random"))
    write_training_page(run, scores, [(image, mask, mask)], "seaformer-train --data ADE20K")
    (folder / "report.html").rename(path)


def _accuracy(points: float | None) -> dict[str, Any]:
    return {
        "difference_points": points,
        "interval_points": None if points is None else (points - 0.2, points + 0.2),
    }


def _whole(points: float | None, agreement: float = 0.95) -> Accuracy:
    return Accuracy(
        pictures="500 scenes", count=500, sqnr_db=21.0, argmax_agreement=agreement,
        reference_score=61.5, score=61.5 + (points or 0), **_accuracy(points),
    )  # fmt: skip


def ranked_modules() -> Sensitivity:
    """Return modules with their costs, and the histograms of the worst."""
    rows = tuple(
        Row(
            name=f"context_branch.block{number}.attention.{level}", level=level,
            operators=(number,), share=0.3 / (number + 1),
            only=Cost(count=50, sqnr_db=30.0, argmax_agreement=0.97, **_accuracy(-0.4)),
            all_but=Cost(count=50, sqnr_db=22.0, argmax_agreement=0.96, **_accuracy(0.1)),
        )
        for level in ("part", "type", "block", "module")
        for number in range(5)
    )  # fmt: skip
    tensors = tuple(
        Tensor(
            name=f"tensor{number}", module=rows[-1].name, low=-3.0, high=3.0, scale=0.02,
            seen=(-4.0, 4.0), saturated=0.01, sqnr_db=20.0, span=(-4.0, 4.0),
            histogram=tuple(map(int, 1e5 * np.exp(-np.linspace(-4, 4, BARS) ** 2))),
        )
        for number in range(3)
    )  # fmt: skip
    return Sensitivity(
        model="tiny 512x512", format="tflite", precision="int8", calibration="200 scenes",
        score_name="mIoU", kept_modules=("stem",), always_float=3, warnings=("these <weights>",),
        whole=_whole(-0.6), rows=rows,
        titles={row.name: "Squeeze-enhanced axial attention" for row in rows[::5]},
        tensors=tensors,
    )  # fmt: skip


def sensitivity(path: Path) -> None:
    """A ranking of modules."""
    sensitivity_report.write_report(path, ranked_modules(), "seaformer-export --sensitivity")


def mixed_precision(path: Path) -> None:
    """A search of three steps."""
    latency = Latency(ratio=0.5, interval=(0.4, 0.6), runs=9, threads=1, processor="a computer")
    steps = tuple(
        Step(
            action="keep" if place else "quantize all",
            module=f"context_branch.block{place}.attention" if place else None,
            kept_modules=tuple(f"context_branch.block{one}" for one in range(1, place + 1)),
            accuracy=_whole(-loss), bytes=2_000_000 + 50_000 * place, latency=latency,
            fits=loss < 1,
        )
        for place, loss in enumerate((4.0, 2.5, 0.5))
    )  # fmt: skip
    found = Search(
        kept_as="in floating point", keep_option="--keep-float", budget_points=1.0,
        min_agreement=0.978, steps=steps, found=steps[-1],
    )  # fmt: skip
    about = "tiny 512x512, tflite int8 · calibrated with 200 scenes"
    mixed_precision_report.write_report(
        path, found, about, "mIoU", "seaformer-export --mixed-precision int8"
    )


PAGES: Mapping[str, Write] = {
    write.__name__: write
    for write in (
        benchmark, benchmarks, beside_a_browser, latency_comparison, history, emulated, table,
        pareto, accelerators, attention, attention_in_swin, sustained, energy, blame, evaluation,
        comparison, detection, detection_comparison, training, sensitivity, mixed_precision,
    )
}  # fmt: skip
"""Name of each page -> the function that writes it."""


def write_pages(folder: Path) -> Iterator[Path]:
    """Write all pages into a folder."""
    for name, write in PAGES.items():
        path = folder / f"{name}.html"
        write(path)
        yield path


def main() -> None:
    """Write the pages and their images into the folder of the command line."""
    from browser import browser

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as opened:
        for page in write_pages(folder):
            for scheme in ("light", "dark"):
                for width in (390, 1280):
                    opened.open(page, width, scheme)
                    opened.screenshot(page.with_name(f"{page.stem}_{scheme}_{width}.png"))


if __name__ == "__main__":
    main()
