"""Search for a small set of modules to keep in floating point within a loss budget.

In w8a8 they are kept at 16-bit activations instead.

The search is greedy. Modules are kept in the order of the noise that each causes when quantized
alone, worst first, until the loss is within the budget. Then each kept module is quantized again,
least noise first, and stays quantized if the loss remains within the budget. Every module kept in
the end is necessary, although another set might be smaller.

Modules are ordered by the noise each causes alone, not by the gain from keeping it: a badly chosen
range of a tensor affects the operator that computes it and all its consumers, and only keeping all
of them helps.
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
"""Share of positions that may change class for a budget of one point, without ground truth.

It grows with the square root of the budget. On 500 procedural scenes, files with deliberately bad
ranges and a loss of up to 3 points of mIoU never lost more than this estimate. A few changed
positions are on edges and gain as often as they lose; many changed positions are mistakes.
"""


Action = Literal["quantize all", "keep", "quantize again"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Step(_Model):
    """A file measured during the search.

    Attributes:
        action: change from the previous file.
        module: the changed module, as `Search.keep_option` takes it; None for the first file.
        kept_modules: modules kept as in `Search.kept_as`.
        accuracy: compared with the single-precision file.
        bytes: size of the file, without its JSON.
        latency: relative to the single-precision file.
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
    """The result of the search.

    Attributes:
        kept_as: how modules are kept, as text.
        keep_option: command-line option that keeps a module.
        budget_points: allowed loss of the score.
        min_agreement: required agreement of classes if there is no ground truth, 0..1.
        steps: all files, in order.
        found: the step chosen: the loss fits, and every kept module is necessary.
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
    """Search for the modules to keep.

    Args:
        engine: calibrated.
        precision: name of a row of `PRECISIONS`.
        format: format of the engine's files.
        reference: the single-precision file on the images that decide.
        budget_points: allowed loss of mIoU, or top-1, in points. Without ground truth it limits
            the changed positions, see `CHANGED_AT_ONE_POINT`.
        order: returns the modules to keep, worst first, as `sensitivity.rank` does; not called if
            the fully quantized file fits.
        kept: indices of operators that are always kept.
        latency: measures a file relative to the single-precision file; None if it cannot.
        progress: called after every step.

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
    # The last module is necessary: without it the loss was above the budget.
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
