"""What the official benchmark_model says, in the formats of its versions, and how it is asked."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seaformer.benchmark.official_tool.arguments import (
    CLASSIC_FLAG,
    INPUT_FLAG,
    NEWER_FLAG,
    OUTPUT_FLAG,
    Input,
    arguments,
    recognise,
)
from seaformer.benchmark.official_tool.output import read_output
from seaformer.errors import SeaformerError

SAMPLES = Path(__file__).parent / "samples"
CLASSIC = SAMPLES / "tflite_text_2.15plus_xnnpack_x86.txt"
WITH_START = SAMPLES / "tflite_text_pre2.13_with_start_rpi.txt"
CSV = SAMPLES / "tflite_csv_old_with_start.csv"
NEWER_FORMAT = SAMPLES / "litert2_benchmark_model_results_FORMAT.txt"
SUMMARY = SAMPLES / "litert23_profile_summary_arm64_qemu.txt"
ALL = (CLASSIC, WITH_START, CSV, NEWER_FORMAT, SUMMARY)

CLASSIC_HELP = (
    f"usage: benchmark_model\n\t{CLASSIC_FLAG}=false\tbool\toptional\tenable op profiling"
)
SHOWING_HELP = f"{CLASSIC_HELP}\n\t{INPUT_FLAG}=\tstring\n\t{OUTPUT_FLAG}=\tstring"
NEWER_HELP = f"usage: benchmark_litert_model\n\t{NEWER_FLAG}=false\tbool\toptional\tWhether to use"


def newer_results() -> str:
    """The newer tool's results: its format strings, filled in, as they come on a device."""
    values = iter((12.5, 30.25, 21.5, 5, 20.12, 50, 19.5, 25.75, 1.5, 100.0, 8.5, 20.5, 64.25))
    lines = []
    for line in NEWER_FORMAT.read_text().splitlines()[1:]:
        count = line.count("%.2f") + line.count("%d")
        filled = line.replace("%s", "serving_default")
        filled = filled % tuple(next(values) for _ in range(count)) if count else filled
        lines.append(f"INFO: [benchmark_litert_model.h:88] {filled}")
    return "\n".join(lines)


def test_times_of_the_classic_tool_with_prefix() -> None:
    output = read_output(CLASSIC.read_text())
    assert (output.runs, output.mean_us) == (64, 15517.6)  # not the 32 runs of the warm-up
    assert (output.min_us, output.max_us, output.std_us) == (14661, 17579, 551)
    assert (output.init_us, output.first_us) == (32163, 19834)
    assert output.median_us is None
    assert output.peak_memory_mb == 34.8281


def test_times_of_the_classic_tool_without_prefix() -> None:
    output = read_output(WITH_START.read_text())
    assert (output.runs, output.mean_us, output.first_us) == (50, 55043.2, 64791)


def test_times_of_the_newer_tool() -> None:
    output = read_output(newer_results())
    assert (output.runs, output.mean_us, output.min_us, output.max_us) == (50, 20120, 19500, 25750)
    assert (output.init_us, output.first_us) == (12500, 30250)
    assert output.std_us == 1500
    assert output.peak_memory_mb == 64.25


def test_a_median_is_read_where_there_is_one() -> None:
    output = read_output(SUMMARY.read_text())
    assert (output.runs, output.median_us) == (20, 11027)


def test_a_table_of_operators_gives_no_times() -> None:
    assert read_output(CSV.read_text()) == read_output("")


@pytest.mark.parametrize("path", [CLASSIC, WITH_START, SUMMARY], ids=lambda path: path.name)
@pytest.mark.parametrize("prefix", ["", "INFO: ", "INFO: [benchmark_tflite_model.cc:12] "])
def test_prefixes_and_tabs_change_nothing(path: Path, prefix: str) -> None:
    plain = read_output(path.read_text())
    text = path.read_text().replace("INFO: ", "")
    assert read_output("\n".join(prefix + line for line in text.splitlines())) == plain
    assert read_output(text.replace("  ", "\t")) == plain


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    read_output(text)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from([line for path in ALL for line in path.read_text().splitlines()])
        | st.text(alphabet="0123456789.,%[]:= \tcountavgInference()ms-e"),
        max_size=30,
    )
)
def test_no_mixture_of_its_lines_makes_it_raise(lines: list[str]) -> None:
    output = read_output("\n".join(lines))
    for value in (output.mean_us, output.min_us, output.max_us, output.std_us, output.init_us):
        assert value is None or 0 <= value < float("inf")


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(ALL), st.data())
def test_a_cut_output_says_less_and_nothing_else(path: Path, data: st.DataObject) -> None:
    lines = path.read_text().splitlines()
    cut = read_output("\n".join(lines[: data.draw(st.integers(0, len(lines)))]))
    whole = read_output(path.read_text())
    assert cut.init_us in (None, whole.init_us)
    assert cut.peak_memory_mb in (None, whole.peak_memory_mb)


def test_the_kinds_of_the_tool_are_told_by_their_help() -> None:
    classic, showing, newer = map(recognise, (CLASSIC_HELP, SHOWING_HELP, NEWER_HELP))
    assert (classic.is_classic, showing.is_classic, newer.is_classic) == (True, True, False)
    assert (classic.shows_output, showing.shows_output, newer.shows_output) == (False, True, False)
    with pytest.raises(SeaformerError, match="no benchmark_model"):
        recognise("usage: ls [OPTION]... [FILE]...")


def test_arguments_ask_for_exactly_so_many_runs() -> None:
    words = arguments(recognise(CLASSIC_HELP), "a.tflite", threads=2, warmup_runs=3, runs=50)
    assert "--graph=a.tflite" in words
    assert {"--num_runs=50", "--warmup_runs=3", "--num_threads=2"} <= set(words)
    # Without these the tool goes on for a second at least, and stops after 150.
    assert {"--min_secs=0", "--warmup_min_secs=0"} <= set(words)
    assert not any(word.startswith(CLASSIC_FLAG) for word in words)


def test_a_colon_in_the_name_of_an_input_is_escaped() -> None:
    given_input = Input("serving_default_image:0", (1, 64, 64, 3), "m0.input", "m0.output")
    words = arguments(
        recognise(SHOWING_HELP), "a", threads=1, warmup_runs=1, runs=1, given=given_input
    )
    assert rf"{INPUT_FLAG}=serving_default_image\:0:m0.input" in words
    assert "--input_layer_shape=1,64,64,3" in words
    assert f"{OUTPUT_FLAG}=m0.output" in words
