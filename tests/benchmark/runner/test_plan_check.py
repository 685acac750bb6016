"""Differences between a plan and the record of its run are detected."""

import re
from dataclasses import replace

import pytest
from rounds import add_probe, basic_plan, run_plan

from seaformer.benchmark.runner.plan import Plan
from seaformer.benchmark.runner.plan_check import plan_mismatch
from seaformer.benchmark.runner.record import Record


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Record]:
    """A plan, and the record of the runner that ran it."""
    folder = tmp_path_factory.mktemp("run")
    models = [add_probe(folder, "litert", name) for name in ("a", "b")]
    plan = basic_plan("litert", *models, cpus=(0,))
    return plan, run_plan(folder, plan).record


def test_a_complete_or_partial_record_matches_its_plan(run: tuple[Plan, Record]) -> None:
    plan, record = run
    assert record.complete
    assert plan_mismatch(plan, record) is None
    part = replace(record, complete=False, blocks=record.blocks[:1], models=record.models[:1])
    assert plan_mismatch(plan, part) is None
    assert plan_mismatch(plan, replace(part, header=None, models=(), blocks=())) is None


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize(
    ("planned", "message"),
    [
        ({"threads": 4}, "threads: 1, planned: 4"),
        ({"cpus": (0, 1)}, r"processors: \[0\], planned: \[0, 1\]"),
        ({"seed": 7}, "seed: 1, planned: 7"),
        ({"warmup_runs": 2}, "warm-up runs of a: 1, planned: 2"),
        ({"runs_per_block": 5}, "runs in block 0 of .: 3, planned: 5"),
    ],
)
def test_differences_from_the_plan_are_named(
    run: tuple[Plan, Record], complete: bool, planned: dict[str, object], message: str
) -> None:
    plan, record = run
    found = plan_mismatch(replace(plan, **planned), replace(record, complete=complete))
    assert re.fullmatch(message, str(found))


def test_a_complete_record_has_all_models_and_blocks(run: tuple[Plan, Record]) -> None:
    plan, record = run
    assert plan_mismatch(replace(plan, blocks=3), record) == "blocks of a: 2, planned: 3"
    only = replace(plan, models=plan.models[:1])
    assert plan_mismatch(only, record) == "models: ['a', 'b'], planned: ['a']"
    other = replace(plan, models=plan.models[::-1])
    assert plan_mismatch(other, record) == "models: ['a', 'b'], planned: ['b', 'a']"
