"""Curves of a run as SVG, which every browser draws."""

from collections.abc import Sequence

_WIDTH, _HEIGHT, _MARGIN = 560, 220, 48


def draw_curve(title: str, steps: Sequence[int], values: Sequence[float]) -> str:
    """Draw one quantity over the steps.

    Args:
        title: what is drawn, with its unit.
        steps: of the values, rising; one or more.
        values: finite, as many.

    Returns:
        An <svg> element with axes from 0 to the last step and from 0 to the highest value.
    """
    last, top = max(1, steps[-1]), max(values) or 1.0

    def place(step: float, value: float) -> str:
        x = _MARGIN + step / last * (_WIDTH - 2 * _MARGIN)
        y = _HEIGHT - _MARGIN - value / top * (_HEIGHT - 2 * _MARGIN)
        return f"{x:.1f},{y:.1f}"

    points = " ".join(place(step, value) for step, value in zip(steps, values, strict=True))
    left, bottom = _MARGIN, _HEIGHT - _MARGIN
    right = _WIDTH - _MARGIN
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f'<text x="{left}" y="{_MARGIN - 20}" class="title">{title}</text>'
        f'<polyline class="axis" points="{left},{_MARGIN} {left},{bottom} {right},{bottom}"/>'
        f'<text x="{left - 6}" y="{_MARGIN + 4}" text-anchor="end">{top:.3g}</text>'
        f'<text x="{left - 6}" y="{bottom + 4}" text-anchor="end">0</text>'
        f'<text x="{right}" y="{bottom + 18}" text-anchor="end">step {last}</text>'
        f'<polyline class="curve" points="{points}"/>'
        f'<text x="{right}" y="{_MARGIN - 20}" text-anchor="end">last {values[-1]:.4g}</text>'
        "</svg>"
    )
