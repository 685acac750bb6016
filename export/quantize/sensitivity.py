"""Sensitivity: the loss caused by quantizing each module.

Every part, block, module and operator type is measured twice: once with only this module
quantized, everything else kept in floating point (in w8a8: at 16-bit activations), and once with
only this module kept. The noise of modules is nearly additive, so the first measurement gives the
module's share of the noise of the whole file, and the second the gain from keeping it.

Both the inputs and the outputs of a quantized operator are integers. A badly chosen range therefore
shows up at the operator that computes the tensor and at all its consumers, and keeping only one of
them in floating point does not help: see `mixed_precision`.
"""

from collections.abc import Collection, Mapping, Sequence
from time import perf_counter
from typing import Literal, NamedTuple, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from seaformer.artifact.metadata import Accuracy, MappedOperator
from seaformer.artifact.precisions import Format, KeptAs
from seaformer.evaluation.metrics import energies_sqnr_db
from seaformer.export.quantize.engine import Engine, left_alone
from seaformer.export.quantize.module_patterns import TYPE, enclosing
from seaformer.export.quantize.quality import Progress, Reference
from seaformer.quantization.ranges import Activation

Level = Literal["part", "block", "module", "type"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""Top-level modules, intermediate modules, innermost modules, operator types."""

PROBED = 8
"""Number of images for ranking the rows: noise hardly differs between images."""

SCORED = (25, 50, 100, 200, 500)
"""Numbers of images for scoring the worst rows; the largest that the time allows is used."""

SCORED_ROWS = 8
"""Number of the worst rows of each level to score."""

SCORING_SECONDS = 180.0

BARS = 120
"""Number of bins of a histogram in the report."""

SHOWN_MODULES = 8
"""Number of the worst modules whose tensors are shown."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Cost(_Model):
    """The logits of a file compared with the single-precision file, on `count` images.

    The agreement is the share of positions with the same class, 0..1. The difference of the score
    and its 95 % interval are None without ground truth.
    """

    count: int
    sqnr_db: float
    argmax_agreement: float
    difference_points: float | None
    interval_points: tuple[float, float] | None


class Row(_Model):
    """The loss caused by one group of operators.

    Attributes:
        name: name of the group, as given to --keep-float.
        level: level of the group.
        operators: indices of its quantized operators.
        share: noise of the logits with only these operators quantized, relative to the noise with
            all quantized. The shares of the parts add up to about 1, the shares of the modules to
            more, because a tensor between two modules is quantized for both.
        only: result with only these operators quantized.
        all_but: result with all operators but these quantized; None if not measured.
    """

    name: str
    level: Level
    operators: tuple[int, ...]
    share: float
    only: Cost
    all_but: Cost | None


class Tensor(_Model):
    """An activation and its quantized range, `low` to `high` in steps of `scale`.

    Attributes:
        module: module that computes it; "" for the model's input.
        seen: smallest and largest value on the images.
        saturated: share of the values outside the range, 0..1.
        sqnr_db: SQNR of the tensor after rounding and saturation, computed from its histogram.
        span: interval covered by the histogram: the range and all observed values.
        histogram: counts of `BARS` equal bins.
    """

    name: str
    module: str
    low: float
    high: float
    scale: float
    seen: tuple[float, float]
    saturated: float
    sqnr_db: float
    span: tuple[float, float]
    histogram: tuple[int, ...]


class Sensitivity(_Model):
    """The whole report.

    Attributes:
        model: name and size.
        calibration: description of the calibration images.
        kept_modules: modules that the user keeps in every measurement.
        kept_as: how modules are kept, as text.
        keep_option: command-line option that keeps a module; None if there is none.
        always_float: number of operators that the quantizer always leaves in floating point.
        warnings: caveats for the reader; may be empty.
        whole: the quantized file.
        rows: worst first.
        titles: name of a row -> its title in the paper's words; none for operator types.
        tensors: tensors of the worst modules, worst first.
    """

    schema_version: Literal[2] = 2
    model: str
    format: str
    precision: str
    calibration: str
    score_name: Literal["mIoU", "top-1", "AP"]
    kept_modules: tuple[str, ...]
    kept_as: KeptAs = "in floating point"
    keep_option: str | None = "--keep-float"
    always_float: int
    warnings: tuple[str, ...] = ()
    whole: Accuracy
    rows: tuple[Row, ...]
    titles: dict[str, str] = {}
    tensors: tuple[Tensor, ...]

    def level(self, level: Level) -> tuple[Row, ...]:
        """The rows of a level, worst first."""
        return _level(self.rows, level)

    def text(self) -> str:
        """Write the object as JSON."""
        return self.model_dump_json(indent=1) + "\n"


class Group(NamedTuple):
    """Operators that are quantized or kept together; see `Row`."""

    name: str
    level: Level
    operators: frozenset[int]


class Ranking(NamedTuple):
    """The whole quantized file, scored on as many images as the rows; the rows, worst first."""

    whole: Accuracy
    rows: tuple[Row, ...]


def groups(operators: Sequence[MappedOperator], quantized: Collection[int]) -> list[Group]:
    """List the groups to rank, each set of operators once per level.

    `quantized` are the indices of the quantized operators, as in the single-precision file.
    """
    inside: dict[str, set[int]] = {}
    own: dict[str, set[int]] = {}
    types: dict[str, set[int]] = {}
    for operator in operators:
        if operator.index in quantized:
            for path in enclosing(operator.module):
                inside.setdefault(path, set()).add(operator.index)
            own.setdefault(operator.module, set()).add(operator.index)
            types.setdefault(f"{TYPE}{operator.type}", set()).add(operator.index)
    modules = {path if own[path] == inside.get(path) else f"{path}@*": own[path] for path in own}
    parts = {path: found for path, found in inside.items() if "." not in path}
    known = [*parts.values(), *modules.values()]
    blocks: dict[str, set[int]] = {}
    for path, found in inside.items():
        if found not in known:
            known.append(found)
            blocks[path] = found
    by_level: Mapping[Level, dict[str, set[int]]] = {
        "part": parts,
        "block": blocks,
        "module": modules,
        "type": types,
    }
    return [
        Group(name, level, frozenset(found))
        for level, named in by_level.items()
        for name, found in named.items()
    ]


def rank(
    engine: Engine,
    precision: str,
    format: Format,
    reference: Reference,
    *,
    kept: Collection[int] = (),
    levels: Collection[str] = LEVELS,
    both_ways: bool = True,
    seconds: float = SCORING_SECONDS,
    progress: Progress | None = None,
) -> Ranking:
    """Measure the noise of each quantized group, and the score of the worst groups of each level.

    Args:
        engine: calibrated.
        precision: name of a row of `PRECISIONS`.
        format: format of the engine's files.
        reference: the single-precision file, on all available images.
        kept: indices of operators that always stay in floating point.
        levels: levels of the groups.
        both_ways: whether to measure each group in both ways, and the scores; otherwise, each group
            is only measured with nothing else quantized, in half the time.
        seconds: approximate time for scoring, which determines the number of images.
        progress: called after every group.
    """
    meter = _GroupMeter(engine, precision, format, frozenset(kept))
    quantized = meter.everything - left_alone(engine, precision, meter.kept)
    found = [group for group in groups(engine.operators, quantized) if group.level in levels]
    distinct = list(dict.fromkeys(group.operators for group in found))
    probe = reference.spread(PROBED, has_truth=False)
    whole = probe.measure_file(engine.quantize(precision, kept), format)
    costs = meter.costs(distinct, probe, both_ways, progress)
    rows = [
        Row(
            name=name,
            level=level,
            operators=tuple(sorted(operators)),
            share=10 ** ((whole.sqnr_db - costs[operators].only.sqnr_db) / 10),
            only=costs[operators].only,
            all_but=costs[operators].all_but,
        )
        for name, level, operators in found
    ]
    ranking = Ranking(whole, tuple(sorted(rows, key=lambda row: -row.share)))
    return _score(ranking, meter, reference, seconds, progress) if both_ways else ranking


def _score(
    ranking: Ranking,
    meter: "_GroupMeter",
    reference: Reference,
    seconds: float,
    progress: Progress | None,
) -> Ranking:
    """Measure the worst rows again on more images, with ground truth if there is any."""
    worst = [row for level in LEVELS for row in _level(ranking.rows, level)[:SCORED_ROWS]]
    distinct = list(dict.fromkeys(frozenset(row.operators) for row in worst))
    file = meter.engine.quantize(meter.precision, meter.kept)
    few = reference.spread(SCORED[0])
    few.measure_file(file, meter.format)  # fills the cache of the reference before timing
    start = perf_counter()
    few.measure_file(file, meter.format)
    image_s = (perf_counter() - start) / few.images.count
    affordable = seconds / image_s / max(1, 2 * len(distinct))
    reference = reference.spread(max(n for n in SCORED if n <= max(affordable, SCORED[0])))
    whole = reference.measure_file(file, meter.format)
    costs = meter.costs(distinct, reference, True, progress)
    rows = {
        (row.level, row.name): row.model_copy(update=costs[frozenset(row.operators)]._asdict())
        for row in worst
    }
    return Ranking(whole, tuple(rows.get((row.level, row.name), row) for row in ranking.rows))


class _GroupMeter:
    """Measures files in which one group of operators is quantized differently from the others."""

    def __init__(
        self, engine: Engine, precision: str, format: Format, kept: frozenset[int]
    ) -> None:
        self.engine, self.precision, self.format, self.kept = engine, precision, format, kept
        self.everything = frozenset(operator.index for operator in engine.operators)

    def costs(
        self,
        sets: Sequence[frozenset[int]],
        reference: Reference,
        both_ways: bool,
        progress: Progress | None,
    ) -> dict[frozenset[int], "_Costs"]:
        """Measure with only each set quantized and, if `both_ways`, with all but each set."""
        found = {}
        for place, chosen in enumerate(sets):
            all_but = self._cost(self.kept | chosen, reference) if both_ways else None
            found[chosen] = _Costs(self._cost(self.everything - chosen, reference), all_but)
            if progress is not None:
                progress(place + 1, len(sets))
        return found

    def _cost(self, kept: frozenset[int], reference: Reference) -> Cost:
        file = self.engine.quantize(self.precision, kept)
        accuracy = reference.measure_file(file, self.format)
        return Cost.model_validate(accuracy, from_attributes=True)


class _Costs(NamedTuple):
    """See `Row`."""

    only: Cost
    all_but: Cost | None


def _level(rows: Sequence[Row], level: Level) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.level == level)


def tensors_of(
    rows: Sequence[Row],
    operators: Sequence[MappedOperator],
    outputs: Mapping[str, int],
    seen: Mapping[str, Activation],
    ranges: Mapping[str, tuple[float, float]],
    bits: int = 8,
) -> tuple[Tensor, ...]:
    """Describe the tensors computed by the worst modules, worst first.

    For each tensor, `outputs` has the index of its operator, `seen` its statistics, and `ranges`
    the smallest and largest value of its range, which has 2^`bits` - 1 steps.
    """
    modules = {operator.index: operator.module for operator in operators}
    shown = {index for row in _level(rows, "module")[:SHOWN_MODULES] for index in row.operators}
    tensors = [
        _tensor(name, modules[index], seen[name], ranges[name], 2**bits - 1)
        for name, index in outputs.items()
        if index in shown and name in seen and name in ranges
    ]
    return tuple(sorted(tensors, key=lambda tensor: tensor.sqnr_db))


def _tensor(
    name: str, module: str, seen: Activation, range_: tuple[float, float], steps: int
) -> Tensor:
    low, high = range_
    smallest, largest = min(seen.lows), max(seen.highs)
    scale = max(high - low, 1e-12) / steps
    values, counts = seen.centers(), seen.histogram
    stored = np.round((np.clip(values, low, high) - low) / scale) * scale + low
    total = max(int(counts.sum()), 1)
    span = (min(low, smallest), max(high, largest))
    bars, _ = np.histogram(np.clip(values, *span), BARS, span, weights=counts)
    return Tensor(
        name=name,
        module=module,
        low=low,
        high=high,
        scale=scale,
        seen=(smallest, largest),
        saturated=float(counts[(values < low) | (values > high)].sum()) / total,
        sqnr_db=energies_sqnr_db(
            float((counts * np.square(values)).sum()),
            float((counts * np.square(values - stored)).sum()),
        ),
        span=span,
        histogram=tuple(int(count) for count in bars),
    )
