"""The fewest modules to keep in floating point, so that the loss is no more than allowed.

In w8a8 they are kept at 16-bit activations instead.

The search is greedy. Modules are tried in the order of the noise that each makes alone, worst
first, until the loss is within the budget; then each that was kept is quantized again, least noise
first, and stays so if the loss stays within the budget. So each of those kept in the end is needed,
though another set might be smaller.

What a module makes alone decides, and not what keeping it wins: a tensor with a range that fits
badly spoils the operator that computes it and those that take it alike, and only keeping all of
them helps.
"""

import math
from collections.abc import Callable, Collection
from typing import Literal

from pydantic import BaseModel, ConfigDict

from seaformer.artifact.metadata import Accuracy, Latency
from seaformer.artifact.precisions import PRECISIONS, Format, KeptAs
from seaformer.errors import SeaformerError
from seaformer.export.quantize.engine import Engine
from seaformer.export.quantize.quality import Reference
from seaformer.export.quantize.sensitivity import Row

CHANGED_AT_ONE_POINT = 0.022
"""Share of positions that may change class where there is no truth and the budget is one point.

It grows with the root of the budget. On 500 procedural scenes files with all kinds of ranges that
were spoiled, and a loss of up to 3 points, lost no more mIoU than that says: few changes are on
edges and win as often as they lose, many are mistakes.
"""


Action = Literal["quantize all", "keep", "quantize again"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Step(_Model):
    """A file that was tried.

    Attributes:
        action: what was done to the file before.
        module: that it was done to, as `Search.keep_option` takes it; None for the first file.
        kept_modules: that stay as `Search.kept_as` says.
        accuracy: of the file against its single-precision twin.
        bytes: size of the file, without its JSON.
        latency: against the twin.
        fits: whether the loss is within the budget.
    """

    action: Action
    module: str | None
    kept_modules: tuple[str, ...]
    accuracy: Accuracy
    bytes: int
    latency: Latency | None
    fits: bool


class Search(_Model):
    """What was found.

    Attributes:
        kept_as: what modules that are kept are.
        keep_option: that keeps a module so.
        budget_points: loss of the score that is allowed.
        min_agreement: where there is no truth, the share of positions whose largest class must stay
            the same instead, 0..1.
        steps: every file, in order.
        found: the first step with the fewest modules that fits.
    """

    schema_version: Literal[2] = 2
    kept_as: KeptAs
    keep_option: str | None
    budget_points: float
    min_agreement: float
    steps: tuple[Step, ...]
    found: Step

    def text(self) -> str:
        """Write the object as JSON."""
        return self.model_dump_json(indent=1) + "\n"


def search(
    engine: Engine,
    precision: str,
    format: Format,
    reference: Reference,
    budget_points: float,
    order: Callable[[], Collection[Row]],
    *,
    kept: Collection[int] = (),
    latency: Callable[[bytes], Latency | None] = lambda _: None,
    progress: Callable[[Step], None] | None = None,
) -> Search:
    """Search.

    Args:
        engine: calibrated.
        precision: name of a row of `PRECISIONS`.
        format: of the engine's files.
        reference: the single-precision twin on the images that decide.
        budget_points: loss of mIoU, or top-1, that is allowed, in points. Without a truth it stands
            for changed positions, see `CHANGED_AT_ONE_POINT`.
        order: gives the modules to try, worst first, as `sensitivity.rank` does; it is not asked if
            the file fits with none.
        kept: indices of operators that are kept throughout.
        latency: measures a file against the twin; None where it cannot.
        progress: told after every step.

    Raises:
        SeaformerError: the budget is not met with all modules kept.
    """
    kept_as = PRECISIONS[precision].kept_as
    min_agreement = max(0.0, 1 - CHANGED_AT_ONE_POINT * math.sqrt(budget_points))
    steps: list[Step] = []

    def attempt(action: Action, module: str | None, rows: list[Row]) -> bool:
        operators = {index for row in rows for index in row.operators} | set(kept)
        file = engine.quantize(precision, operators)
        accuracy = reference.measure_file(file, format)
        change = accuracy.difference_points
        step = Step(
            action=action,
            module=module,
            kept_modules=tuple(row.name for row in rows),
            accuracy=accuracy,
            bytes=len(file),
            latency=latency(file),
            fits=(accuracy.argmax_agreement or 0.0) >= min_agreement
            if change is None
            else -change <= budget_points,
        )
        steps.append(step)
        if progress is not None:
            progress(step)
        return step.fits

    rows: list[Row] = []
    fits = attempt("quantize all", None, rows)
    waiting = [] if fits else list(order())
    while not fits and waiting:
        rows = [*rows, waiting.pop(0)]
        fits = attempt("keep", rows[-1].name, rows)
    if not fits:
        raise SeaformerError(
            f"the loss is above {budget_points:g} points with every module {kept_as}. "
            "Raise --budget, or export fp16."
        )
    # The last one is needed: without it the loss was above the budget.
    for row in reversed(rows[:-1]):
        fewer = [other for other in rows if other is not row]
        if attempt("quantize again", row.name, fewer):
            rows = fewer
    found = next(step for step in steps if step.kept_modules == tuple(row.name for row in rows))
    return Search(
        kept_as=kept_as,
        keep_option=PRECISIONS[precision].keep_option,
        budget_points=budget_points,
        min_agreement=min_agreement,
        steps=tuple(steps),
        found=found,
    )
