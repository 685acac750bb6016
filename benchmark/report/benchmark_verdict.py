"""The verdict of a benchmark, or of several side by side, in sentences."""

from collections.abc import Iterator, Mapping, Sequence

from seaformer.benchmark.results.breakdown import Breakdown, Row
from seaformer.benchmark.results.comparison import BETWEEN, Compared, highest_ratio
from seaformer.benchmark.results.schema import ModelResult, Results
from seaformer.reporting.numbers import milliseconds, percent
from seaformer.reporting.verdicts import changed_latency, fastest, joined
from seaformer.statistics.bootstrap import Ratio, Summary

_LARGEST = 2
"""Number of the largest modules that are named."""

_WRITER = "the computer that wrote the page"
"""The computer whose outputs a browser's outputs are compared with."""

_NAMED = 3
"""Largest number of models that are compared one by one; more are counted."""


def verdict(results: Results) -> list[str]:
    """State which model is fastest, whether outputs are correct, and where the time is spent."""
    return [
        *_latency(results),
        *_outputs(results),
        *_frames(results),
        *_beside(results),
        *_modules(results),
    ]


def side_by_side(
    letter: str,
    base: str,
    changes: Mapping[str, Compared],
    differences: Sequence[str],
    cautions: Sequence[str] = (),
) -> list[str]:
    """Compare the models of one benchmark with the models of the same names in another.

    Args:
        letter: label of the benchmark.
        base: label of the other benchmark.
        changes: name of each common model -> its comparison.
        differences: why the benchmarks cannot be compared; empty if they can.
        cautions: sentences about the meaning of their ratios.
    """
    if differences:
        return [f"{letter} cannot be compared with {base}: {'; '.join(differences)}."]
    if not changes:
        return [f"{letter} and {base} have no measured model in common."]
    return [*changes_between(f"in {letter}", f"in {base}", changes), *cautions]


def changes_between(one: str, base: str, changes: Mapping[str, Compared]) -> list[str]:
    """State which models are faster in one benchmark than in another.

    Args:
        one: words for the benchmark, such as "now".
        base: words for the other benchmark, such as "before".
        changes: name of each common model -> its comparison; at least one.
    """
    if len(changes) <= _NAMED:
        return [
            changed_latency(name, one, base, change.ratio, BETWEEN)
            for name, change in changes.items()
        ]
    verdicts = [change.verdict for change in changes.values()]
    decided = {word: verdicts.count(word) for word in ("faster", "slower")}
    counts = [f"{count} {'is' if count == 1 else 'are'} {word}" for word, count in decided.items()]
    rest = len(verdicts) - sum(decided.values())
    return [
        f"Of {len(verdicts)} models, {joined(counts)} {one} than {base}; for {rest}, no difference "
        "can be stated."
    ]


def regressions(changes: Mapping[str, Compared], tolerance: float) -> list[str]:
    """State which models are slower by more than the tolerance, and which may be."""
    highest = f"{highest_ratio(tolerance):g}"
    found, undecided = (
        [name for name, change in changes.items() if change.passage == passage]
        for passage in ("regression", "inconclusive")
    )
    sentences = [f"No regression was found at a tolerance of {100 * tolerance:g} %."]
    if found:
        are = "is a regression" if len(found) == 1 else "are regressions"
        sentences = [f"{_some(found)} {are}: the whole interval of the ratio is above {highest}."]
    if undecided:
        sentences.append(
            f"For {_some(undecided)}, a regression can be neither stated nor excluded: the ratio's "
            f"interval contains {highest}, or there were too few rounds for an interval."
        )
    return sentences


def _some(names: Sequence[str]) -> str:
    return joined(names) if len(names) <= _NAMED else f"{len(names)} models"


def _latency(results: Results) -> Iterator[str]:
    if results.emulated:
        yield f"{results.emulation}, so no latency can be stated."
        return
    names = results.names
    times = {
        names[model.id]: model.times.typical_ms
        for model in results.models
        if model.times is not None and not model.is_wrong
    }
    ids = {name: id for id, name in names.items()}
    if not times:
        if not any(model.is_wrong for model in results.models):
            yield "No latency was measured."
    elif len(times) == 1:
        (name,) = times
        model = next(one for one in results.models if one.id == ids[name])
        where = "" if results.browser is None else f" in the browser {results.browser.name}"
        yield f"{name} takes {_time(model)} per inference{where}."
    else:

        def ratio(name: str, base: str) -> Ratio | None:
            return results.ratio(ids[name], ids[base])

        yield from fastest(times, ratio)


def _time(model: ModelResult) -> str:
    assert model.times is not None
    run = model.times.run
    return f"{milliseconds(model.times.typical_ms)} ms" if run is None else _summary(run)


def _summary(summary: Summary) -> str:
    interval = summary.interval_ms
    text = f"{milliseconds(summary.median_ms)} ms"
    if interval is None:
        return text
    return f"{text} ({milliseconds(interval.low)} to {milliseconds(interval.high)})"


def _outputs(results: Results) -> Iterator[str]:
    names = results.names
    wrong = [names[model.id] for model in results.models if model.is_wrong]
    if wrong:
        yield f"The output of {joined(wrong)} is wrong, so its latency is discarded."
    right = [one.parity for one in results.models if one.parity is not None and one.parity.passed]
    if not right:
        return
    rest = "The other outputs match" if wrong else "Outputs match"
    is_here = results.browser is None
    outputs = "this computer's" if is_here else f"those of {_WRITER}"
    classes = "this computer's classes" if is_here else f"the classes of {_WRITER}"
    levels = [one.sqnr_db for one in right if one.sqnr_db is not None and one.max_abs_error != 0]
    shares = [one.agreement for one in right if one.agreement is not None]
    if levels:
        more = " or more" * (len(levels) > 1)
        yield f"{rest} {outputs} at {min(levels):.0f} dB{more}."
    elif shares:
        yield f"{rest} {classes} at {percent(min(shares))} % of positions."
    else:
        yield f"{rest} {outputs} exactly."


def _frames(results: Results) -> Iterator[str]:
    frames = {
        results.names[model.id]: model.frame.frame_ms
        for model in results.models
        if model.frame is not None and not results.emulated
    }
    if not frames:
        return
    times = {name: f"{_summary(frame)} with {name}" for name, frame in frames.items()}
    if len(frames) <= _NAMED:
        yield f"A whole frame takes {joined(list(times.values()))}."
    else:
        first, *_, last = sorted(frames, key=lambda name: frames[name].median_ms)
        yield f"A whole frame takes from {times[first]} to {times[last]}."


def _beside(results: Results) -> Iterator[str]:
    load = results.protocol.load
    if load is None or results.emulated:
        return
    ratios = {
        results.names[model.id]: model.beside.ratio
        for model in results.models
        if model.beside is not None and model.beside.ratio is not None and not model.is_wrong
    }
    if len(ratios) <= _NAMED:
        for name, ratio in ratios.items():
            yield changed_latency(name, f"beside {load.title}", "alone", ratio, 0.0)
    else:
        values = [ratio.value for ratio in ratios.values()]
        yield (
            f"Beside {load.title}, the {len(values)} models take {min(values):.2f}x to "
            f"{max(values):.2f}x as long as alone."
        )


def _modules(results: Results) -> Iterator[str]:
    for model in results.models:
        breakdown = model.breakdown
        if breakdown is None or breakdown.emulated or results.emulated:
            continue
        name = results.names[model.id]
        if breakdown.excess_text:
            yield f"No shares of modules can be stated for {name}: {breakdown.excess_text}."
            continue
        modules = [row for row in breakdown.children("") if row.kind == "module" and row.share]
        largest = sorted(modules, key=lambda row: -(row.share or 0))[:_LARGEST]
        if not largest:
            continue
        shares = [f"{_share(row, breakdown)} are in {row.title}" for row in largest]
        yield f"Of the latency of {name}, {joined(shares)}."
        if doubted := [row.title for row in largest if row.agrees is False]:
            yield f"Truncated-model timing disagrees with the profile on {joined(doubted)}."


def _share(row: Row, breakdown: Breakdown) -> str:
    """The share of a row with its interval, which is that of its latency."""
    text, ends = f"{percent(row.share, 1)} %", row.interval_ms
    if ends is None:
        return text
    low, high = (percent(end / breakdown.total_ms, 1) for end in (ends.low, ends.high))
    return f"{text} ({low} to {high})"
