"""Plans: invalid ones are refused, and the runner reads what Python writes."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import add_probe, assert_gave_up, basic_plan, run_text

from seaformer.benchmark.runner.plan import Plan, PlannedModel
from seaformer.benchmark.runner.record import Status
from seaformer.errors import UsageError

MODEL = PlannedModel("a", "a.tflite", "a.input", "a.output", (64, 48))
PLAN = Plan(
    backend="litert",
    library="lib.so",
    runtime_version="2.3.0",
    models=(MODEL,),
    time_limit_s=1.5,
    cpus=(0, 4),
    seed=7,
    warmup_runs=2,
    blocks=3,
    runs_per_block=4,
    profile_runs=5,
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backend": "litertt"}, "Did you mean 'litert'"),
        ({"accelerator": "gpus"}, "Did you mean 'gpu'"),
        ({"backend": "onnxruntime", "accelerator": "gpu"}, "accelerator of onnxruntime"),
        ({"accelerator": "gpu"}, "profile_runs needs a profile"),
        ({"library": "../lib.so"}, "library '../lib.so'"),
        ({"library": "/a\nthreads 9"}, "is not valid in a plan"),
        ({"sysfs": "sys fs"}, "sysfs 'sys fs'"),
        ({"runtime_version": "2.3 0"}, "runtime version '2.3 0'"),
        ({"threads": 0}, "threads is 0. Allowed: 1 to 256."),
        ({"seed": -1}, "seed is -1"),
        ({"warmup_runs": 0}, "warmup_runs is 0"),
        ({"runs_per_block": 0}, "runs_per_block is 0"),
        ({"time_limit_s": 0}, "time_limit_s is 0"),
        ({"cpus": ()}, "cpus are ()"),
        ({"cpus": (1024,)}, "0 to 1023"),
        ({"models": ()}, "there are 0 models"),
        ({"models": (MODEL, MODEL)}, "They have to be distinct"),
        ({"models": (MODEL, replace(MODEL, id="b"))}, "output files"),
    ],
)
def test_invalid_values_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        replace(PLAN, **changes)
    assert message in str(caught.value)


def test_a_mask_without_height_is_refused() -> None:
    with pytest.raises(UsageError, match=r"mask_size is \(0, 5\)"):
        replace(MODEL, mask_size=(0, 5))


@given(
    st.sampled_from(["id", "file", "input_file", "output_file"]),
    st.text(st.characters(exclude_categories=())) | st.sampled_from(["", ".", "..", "a/b", "a b"]),
)
def test_names_with_a_path_or_a_line_break_are_refused(field: str, name: str) -> None:
    if re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name) and name not in (".", ".."):
        assert f" {name}\n" in replace(PLAN, models=(replace(MODEL, **{field: name}),)).text()
    else:
        with pytest.raises(UsageError, match=r"^name .* is not valid in a plan[^\n]*$"):
            replace(MODEL, **{field: name})


def test_npu_options_are_plain_words() -> None:
    plan = replace(PLAN, plugin="libx.so", options={"backend_path": "/a b/libQnnHtp.so"})
    assert "\nplugin libx.so\noption backend_path /a b/libQnnHtp.so\n" in plan.text()
    for wrong in ({"options": {"a b": "1"}}, {"options": {"a": "x\ny"}}, {"plugin": "../x.so"}):
        with pytest.raises(UsageError, match="is not valid in a plan"):
            replace(PLAN, **wrong)


def test_processors_are_named_once_and_in_order() -> None:
    assert "\ncpus 0 1 4\n" in replace(PLAN, cpus=(4, 1, 0, 4)).text()
    assert "\ncpus any\n" in replace(PLAN, cpus=None).text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plans")


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return basic_plan("litert", add_probe(folder, "litert", mask_size=(4, 6))).text()


@settings(deadline=None)
@given(st.data())
def test_a_truncated_plan_is_refused(folder: Path, text: str, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(text) - 1))
    assert_gave_up(run_text(folder, text[:length]), Status.BAD_PLAN, "plan: ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seaformer-plan 2", "seaformer-plan 1", "not a plan of version 2"),
        ("threads 1", "threads one", "threads is 'one', allowed are 1 to 256"),
        ("threads 1", "threads 257", "threads is '257'"),
        ("blocks 2", "blocks 2 3", "blocks is '2 3'"),
        ("blocks 2", "blocs 2", "unknown key 'blocs'"),
        ("warmup-runs 1\n", "", "something is missing"),
        ("backend litert", "backend torch", "the backend 'torch' is unknown"),
        ("accelerator cpu", "accelerator tpu", "does not compute on the accelerator 'tpu'"),
        ("cpus any", "cpus", "cpus lists no processor"),
        ("cpus any", "cpus any\noption htp_arch", "option needs a key and a value"),
        ("cpus any", "cpus any" + 17 * "\noption a b", "too many options"),
        ("mask 4 6", "mask 4", "needs a height and a width"),
        ("file probe.tflite", "file ../probe.tflite", "not a plain name"),
        ("input probe.input\n", "", "no file or no input"),
        ("end\n", "end\nend\n", "does not end with 'end'"),
        ("input probe.input", "input other.input", "cannot open 'other.input'"),
    ],
)
def test_the_runner_refuses_plans_that_python_would_not_write(
    folder: Path, text: str, old: str, new: str, message: str
) -> None:
    assert old in text
    assert_gave_up(run_text(folder, text.replace(old, new)), Status.BAD_PLAN, message)
