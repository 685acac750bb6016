"""The official benchmark_model: its arguments, and parsing the output of its versions."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locations import SAMPLES
from official_tool_samples import CLASSIC, CLASSIC_HELP, SHOWING_HELP

from seaformer.benchmark.official_tool.arguments import (
    CLASSIC_FLAG,
    INPUT_FLAG,
    NEWER_FLAG,
    OUTPUT_FLAG,
    Input,
    arguments,
    recognize,
)
from seaformer.benchmark.official_tool.output import read_output
from seaformer.benchmark.results.schema import Times, ToolSummary
from seaformer.errors import SeaformerError

WITH_START = SAMPLES / "tflite_text_pre2.13_with_start_rpi.txt"
CSV = SAMPLES / "tflite_csv_old_with_start.csv"
NEWER_FORMAT = SAMPLES / "litert2_benchmark_model_results_FORMAT.txt"
SUMMARY = SAMPLES / "litert23_profile_summary_arm64_qemu.txt"
ALL = (CLASSIC, WITH_START, CSV, NEWER_FORMAT, SUMMARY)

NEWER_HELP = f"usage: benchmark_litert_model\n\t{NEWER_FLAG}=false\tbool\toptional\tWhether to use"


def newer_results() -> str:
    """Return results of the newer tool: its format strings, filled in."""
    values = iter((12.5, 30.25, 21.5, 5, 20.12, 50, 19.5, 25.75, 1.5, 100.0, 8.5, 20.5, 64.25))
    lines = []
    for line in NEWER_FORMAT.read_text().splitlines()[1:]:
        count = line.count("%.2f") + line.count("%d")
        filled = line.replace("%s", "serving_default")
        filled = filled % tuple(next(values) for _ in range(count)) if count else filled
        lines.append(f"INFO: [benchmark_litert_model.h:88] {filled}")
    return "\n".join(lines)


def _read(text: str) -> tuple[Times, ToolSummary]:
    times = read_output(text)
    assert times is not None
    assert times.tool is not None
    return times, times.tool


def test_times_of_the_classic_tool_with_prefix() -> None:
    times, tool = _read(CLASSIC.read_text())
    assert (tool.runs, tool.mean_ms) == (64, 15.5176)  # not the 32 runs of the warm-up
    assert (tool.min_ms, tool.max_ms, tool.std_ms) == (14.661, 17.579, 0.551)
    assert (times.load_ms, times.first_inference_ms) == (32.163, 19.834)
    assert tool.median_ms is None
    assert tool.memory_mb == 34.8281


def test_times_of_the_classic_tool_without_prefix() -> None:
    times, tool = _read(WITH_START.read_text())
    assert (tool.runs, tool.mean_ms, times.first_inference_ms) == (50, 55.0432, 64.791)


def test_times_of_the_newer_tool() -> None:
    times, tool = _read(newer_results())
    assert (tool.runs, tool.mean_ms, tool.min_ms, tool.max_ms) == (50, 20.12, 19.5, 25.75)
    assert (times.load_ms, times.first_inference_ms) == (12.5, 30.25)
    assert tool.std_ms == 1.5
    assert tool.memory_mb == 64.25


def test_a_median_is_read_if_present() -> None:
    _, tool = _read(SUMMARY.read_text())
    assert (tool.runs, tool.median_ms) == (20, 11.027)


def test_a_table_of_operators_gives_no_latencies() -> None:
    assert read_output(CSV.read_text()) is None


@pytest.mark.parametrize("path", [CLASSIC, WITH_START, SUMMARY], ids=lambda path: path.name)
@pytest.mark.parametrize("prefix", ["", "INFO: ", "INFO: [benchmark_tflite_model.cc:12] "])
def test_prefixes_and_tabs_change_nothing(path: Path, prefix: str) -> None:
    plain = read_output(path.read_text())
    text = path.read_text().replace("INFO: ", "")
    assert read_output("\n".join(prefix + line for line in text.splitlines())) == plain
    assert read_output(text.replace("  ", "\t")) == plain


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_no_text_makes_the_parser_raise(text: str) -> None:
    read_output(text)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from([line for path in ALL for line in path.read_text().splitlines()])
        | st.text(alphabet="0123456789.,%[]:= \tcountavgInference()ms-e"),
        max_size=30,
    )
)
def test_no_mixture_of_lines_makes_the_parser_raise(lines: list[str]) -> None:
    times = read_output("\n".join(lines))
    if times is not None and (tool := times.tool) is not None:
        for value in (tool.mean_ms, tool.min_ms, tool.max_ms, tool.std_ms, times.load_ms):
            assert value is None or 0 <= value < float("inf")


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(ALL), st.data())
def test_truncated_output_gives_fewer_values_and_no_others(path: Path, data: st.DataObject) -> None:
    lines = path.read_text().splitlines()
    truncated = read_output("\n".join(lines[: data.draw(st.integers(0, len(lines)))]))
    whole = read_output(path.read_text())
    if truncated is not None and truncated.tool is not None:
        assert whole is not None
        assert whole.tool is not None
        assert truncated.load_ms in (None, whole.load_ms)
        assert truncated.tool.memory_mb in (None, whole.tool.memory_mb)


def test_versions_of_the_tool_are_detected_by_their_help() -> None:
    classic, showing, newer = map(recognize, (CLASSIC_HELP, SHOWING_HELP, NEWER_HELP))
    assert (classic.is_classic, showing.is_classic, newer.is_classic) == (True, True, False)
    assert (classic.shows_output, showing.shows_output, newer.shows_output) == (False, True, False)
    with pytest.raises(SeaformerError, match="not benchmark_model"):
        recognize("usage: ls [OPTION]... [FILE]...")


def test_arguments_request_the_exact_number_of_runs() -> None:
    words = arguments(recognize(CLASSIC_HELP), "a.tflite", threads=2, warmup_runs=3, runs=50)
    assert "--graph=a.tflite" in words
    assert {"--num_runs=50", "--warmup_runs=3", "--num_threads=2"} <= set(words)
    # Without these the tool runs for at least a second, and stops after 150 s.
    assert {"--min_secs=0", "--warmup_min_secs=0"} <= set(words)
    assert not any(word.startswith(CLASSIC_FLAG) for word in words)


def test_a_colon_in_the_name_of_an_input_is_escaped() -> None:
    model_input = Input("serving_default_image:0", (1, 64, 64, 3), "m0.input", "m0.output")
    words = arguments(
        recognize(SHOWING_HELP), "a", threads=1, warmup_runs=1, runs=1, given=model_input
    )
    assert rf"{INPUT_FLAG}=serving_default_image\:0:m0.input" in words
    assert "--input_layer_shape=1,64,64,3" in words
    assert f"{OUTPUT_FLAG}=m0.output" in words
