"""Wording of verdicts, the first sentences of a page, which claim no more than intervals allow."""

from collections.abc import Callable, Mapping, Sequence

from seaformer.statistics.bootstrap import Interval, Ratio

Ratios = Callable[[str, str], Ratio | None]
"""Latency of the first model / latency of the second; None if they cannot be compared."""


def joined(names: Sequence[str], word: str = "and") -> str:
    """Join names: "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def within(value: float, interval: Interval | None, digits: int = 2) -> str:
    """Format a factor with its interval: "1.23x (1.20 to 1.26)"."""
    if interval is None:
        return f"{value:.{digits}f}x"
    return f"{value:.{digits}f}x ({interval.low:.{digits}f} to {interval.high:.{digits}f})"


def compared(name: str, base: str, ratio: Ratio, margin: float = 0.0) -> str:
    """State which of two models is faster, and how much.

    Args:
        name: name of the first model.
        base: name of the second model.
        ratio: latency of the first / latency of the second.
        margin: relative difference that intervals do not cover.

    Returns:
        "A is 1.23x (1.20 to 1.26) as fast as B.", or that no difference can be stated, because the
        interval contains 1 or a ratio within the margin, or because there were too few rounds.
    """
    verdict = ratio.verdict(margin)
    if verdict == "faster":
        faster = ratio.inverse()
        return f"{name} is {within(faster.value, faster.interval)} as fast as {base}."
    if verdict == "slower":
        return f"{base} is {within(ratio.value, ratio.interval)} as fast as {name}."
    return _undecided(name, base, ratio, margin)


def changed_latency(name: str, one: str, base: str, ratio: Ratio, margin: float) -> str:
    """State whether a model is faster in one benchmark than in another, and how much.

    Args:
        name: name of the model.
        one: words for the first benchmark, such as "now" or "in B".
        base: words for the second benchmark, such as "before" or "in A".
        ratio: latency in the first / latency in the second.
        margin: relative difference that intervals do not cover.

    Returns:
        "M is 1.23x (1.20 to 1.26) as fast now as before.", "M takes 1.23x (1.20 to 1.26) as long
        now as before.", or that no difference can be stated, as for `compared`.
    """
    verdict = ratio.verdict(margin)
    if verdict == "faster":
        faster = ratio.inverse()
        return f"{name} is {within(faster.value, faster.interval)} as fast {one} as {base}."
    if verdict == "slower":
        return f"{name} takes {within(ratio.value, ratio.interval)} as long {one} as {base}."
    return _undecided(f"{name} {one}", base, ratio, margin)


def _undecided(name: str, base: str, ratio: Ratio, margin: float) -> str:
    """State that no difference can be stated, and why."""
    undecided = f"No difference between {name} and {base} can be stated"
    if ratio.interval is None:
        return f"{undecided}: there were too few rounds for an interval."
    ends = f"{ratio.interval.low:.3f} to {ratio.interval.high:.3f}"
    reached = f"is not beyond {100 * margin:g} %" if margin else "contains 1"
    return (
        f"{undecided}: the {100 * ratio.interval.confidence:g} % interval of the ratio of their "
        f"latencies, {ends}, {reached}."
    )


def fastest(latencies_ms: Mapping[str, float], ratios: Ratios) -> list[str]:
    """State which of several models is the fastest, as far as the intervals of ratios decide.

    Args:
        latencies_ms: name of each model -> its median latency; at least two.
        ratios: their ratios.

    Returns:
        One or two sentences; no claim about models that cannot be compared.
    """
    first, *others = sorted(latencies_ms, key=lambda name: latencies_ms[name])
    found = {name: ratio for name in others if (ratio := ratios(name, first)) is not None}
    if len(latencies_ms) == 2 and len(found) == 1:
        return [compared(first, others[0], found[others[0]].inverse())]
    if not found:
        return [f"{first} has the lowest median; no difference can be stated."]
    rivals = [name for name, ratio in found.items() if ratio.verdict() != "slower"]
    apart = [name for name in others if name not in found]
    if rivals:
        stated = f"No difference can be stated between {first} and {joined(rivals, 'or')}"
        slower = [name for name in found if name not in rivals]
        if slower:
            stated += f"; {joined(slower)} {'is' if len(slower) == 1 else 'are'} slower"
        sentences = [f"{stated}."]
    else:
        after = next(iter(found))
        faster = found[after]
        sentences = [
            f"{first} is the fastest of {len(found) + 1}, {within(faster.value, faster.interval)} "
            f"as fast as the next, {after}."
        ]
    if apart:
        sentences.append(f"Not compared with {first}: {joined(apart)}.")
    return sentences


def changed(
    score: str, base: str, difference: float | None, ends: tuple[float, float] | None
) -> str:
    """State the difference of a score from its base, as far as its interval allows.

    Args:
        score: name of the score.
        base: the file that it is compared with.
        difference: score - score of the base, in points; None if there is none.
        ends: ends of its 95 % interval; None if there is none.

    Returns:
        Words without a final period, such as "0.30 points of mIoU below a.onnx (0.10 to 0.50)".
    """
    if difference is None:
        return f"no {score} to compare with {base}"
    if ends is None or ends[0] <= 0 <= ends[1]:
        why = "without an interval" if ends is None else f"{ends[0]:+.2f} to {ends[1]:+.2f}"
        return (
            f"no difference in {score} from {base} can be stated: {difference:+.2f} points ({why})"
        )
    low, high = sorted(map(abs, ends))
    side = "above" if difference > 0 else "below"
    return f"{abs(difference):.2f} points of {score} {side} {base} ({low:.2f} to {high:.2f})"
