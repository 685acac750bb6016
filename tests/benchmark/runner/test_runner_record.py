"""Reading the output of the runner, also if it is truncated or corrupted."""

import json
import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import SOURCES

from seaformer.benchmark.runner.record import Record, RecordReader, Status, read_record

HEADER = {
    "type": "header",
    "format": 2,
    "runner": "1.0.0",
    "target": "android-arm64",
    "pid": 4242,
    "backend": "litert",
    "runtime_version": "2.3.0",
    "library_load_ms": 12.5,
    "threads": 1,
    "cpus": [7],
    "seed": 3,
    "started_unix_ms": 1_700_000_000_000,
    "thermal_zones": ["cpu-1-7-usr"],
}
TENSOR = {
    "name": "image",
    "dtype": "int8",
    "shape": [1, 64, 64, 3],
    "bytes": 12288,
    "scale": 0.5,
    "zero_point": -3,
}
MODEL = {
    "type": "model",
    "id": "a",
    "load_ms": 3.25,
    "first_inference_ms": 2.0,
    "warmup_ns": [2_000_000, 1_000_000],
    "input": TENSOR,
    "outputs": [TENSOR | {"scale": None, "zero_point": None}],
    "fully_delegated": True,
    "resident_bytes": None,
    "compiled_bytes": None,
}
BLOCK = {
    "type": "block",
    "model": "a",
    "index": 0,
    "round": 0,
    "settling_ns": None,
    "durations_ns": [1_000_000, 1_100_000],
    "cpus": [7, 7],
    "frequency_khz_before": 2841600,
    "frequency_khz_after": None,
    "temperature_c_before": 41.5,
    "temperature_c_after": None,
    "started_ns": 5,
    "page_faults": 0,
    "context_switches": 1,
}
AFTER = {
    "type": "post-processing",
    "model": "a",
    "block": 0,
    "kind": "mask",
    "durations_ns": [10, 11],
}
EVENT = {
    "type": "event",
    "model": "a",
    "run": 0,
    "index": 0,
    "tag": "Convolution (NHWC, F32) IGEMM",
    "kind": "delegate",
    "start_us": 0,
    "elapsed_us": 12,
    "node": 1,
    "subgraph": 0,
    "op": None,
}
MEMORY = {"type": "memory", "library_bytes": 9_000_000, "peak_bytes": 50_000_000}
ERROR = {"type": "error", "status": 5, "message": "a.tflite cannot be read"}
SECOND_BLOCK = BLOCK | {"index": 1, "round": 1}

Fields = dict[str, object]


def _lines(*items: Fields) -> list[str]:
    """Number the lines as the runner does."""
    return [json.dumps({"line": number} | item) for number, item in enumerate(items)]


def _ended(lines: list[str]) -> list[str]:
    checksum = zlib.crc32("".join(f"{line}\n" for line in lines).encode())
    return [*lines, json.dumps({"line": len(lines), "type": "end", "crc32": f"{checksum:08x}"})]


WHOLE = _ended(_lines(HEADER, MODEL, BLOCK, AFTER, SECOND_BLOCK, AFTER, MEMORY, EVENT))


def _assert_is_a_prefix(record: Record) -> None:
    """Check that the record is a prefix of the whole record, without gaps."""
    whole = read_record(WHOLE)
    assert record.blocks == whole.blocks[: len(record.blocks)]
    assert record.models == whole.models[: len(record.models)]
    assert record.events == whole.events[: len(record.events)]


def test_a_whole_record_is_complete() -> None:
    record = read_record(WHOLE)
    assert record.complete
    assert record.problem is None
    assert record.header is not None
    assert record.header.cpus == (7,)
    assert record.models[0].input.shape == (1, 64, 64, 3)
    assert [block.index for block in record.blocks] == [0, 1]
    assert record.blocks[0].durations_ns == (1_000_000, 1_100_000)
    assert [run.kind for run in record.post_processing] == ["mask", "mask"]
    assert record.events[0].elapsed_us == 12
    assert (record.library_memory_bytes, record.peak_memory_bytes) == (9_000_000, 50_000_000)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_do_not_matter(end: str) -> None:
    assert read_record(line + end for line in WHOLE).complete


@given(st.integers(0, len("\n".join(WHOLE)) - 1))
def test_a_truncated_record_is_not_complete(length: int) -> None:
    record = read_record("\n".join(WHOLE)[:length].split("\n"))
    assert not record.complete
    assert record.problem is not None
    _assert_is_a_prefix(record)


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, len(WHOLE)))
def test_a_duplicated_line_is_detected(which: int, where: int) -> None:
    record = read_record([*WHOLE[:where], WHOLE[which], *WHOLE[where:]])
    assert not record.complete
    _assert_is_a_prefix(record)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_lost_line_is_detected(which: int) -> None:
    record = read_record([*WHOLE[:which], *WHOLE[which + 1 :]])
    assert not record.complete
    _assert_is_a_prefix(record)


@given(st.permutations(WHOLE))
def test_only_the_right_order_is_complete(lines: list[str]) -> None:
    record = read_record(lines)
    assert record.complete == (lines == WHOLE)
    _assert_is_a_prefix(record)


@given(st.integers(0, len("\n".join(WHOLE)) - 1), st.characters())
def test_a_changed_character_is_detected(where: int, character: str) -> None:
    text = "\n".join(WHOLE)
    altered = text[:where] + character + text[where + 1 :]
    assert read_record(altered.split("\n")).complete == (altered == text)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_anything = (
    st.text(st.characters(exclude_categories=()))
    | _json.map(json.dumps)
    | st.sampled_from(["[" * 100_000, '{"line": 1e999}', "\x00", "", '{"line": 0', "9" * 5000])
)


@settings(max_examples=50)
@given(st.integers(0, len(WHOLE)), st.lists(_anything, min_size=1, max_size=4))
def test_garbage_between_lines_is_detected_without_an_exception(
    where: int, garbage: list[str]
) -> None:
    record = read_record([*WHOLE[:where], *garbage, *WHOLE[where:]])
    assert not record.complete
    _assert_is_a_prefix(record)


@given(
    st.sampled_from([HEADER, MODEL, BLOCK, AFTER, EVENT, MEMORY]),
    st.data(),
    _json | st.sampled_from([2**63, -1, [2**70], [-1], [1.5], "1", True, ["a"]]),
)
def test_an_invalid_field_is_reported_with_its_line(
    item: Fields, data: st.DataObject, value: object
) -> None:
    key = data.draw(st.sampled_from([*item, "unknown"]))
    before = [HEADER, MODEL, BLOCK]
    before = before[: before.index(item)] if item in before else before
    record = read_record(_ended(_lines(*before, item | {key: value})))
    assert record.complete or str(record.problem).startswith(f"line {len(before) + 1} ")
    assert not (record.complete and key == "unknown")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([MODEL], "header"),
        ([HEADER, HEADER], "header"),
        ([HEADER, MODEL, MODEL], "twice"),
        ([HEADER, BLOCK], "no model 'a'"),
        ([HEADER, MODEL, SECOND_BLOCK], "follows 0 blocks"),
        ([HEADER, MODEL, BLOCK | {"cpus": [7]}], "numbers of processors and runs differ"),
        ([HEADER, MODEL, AFTER], "no block 0"),
        ([HEADER | {"format": 3}], "header format"),
    ],
)
def test_inconsistent_lines_are_refused(items: list[Fields], message: str) -> None:
    record = read_record(_ended(_lines(*items)))
    assert not record.complete
    assert record.problem is not None
    assert message in record.problem


@pytest.mark.parametrize("before", [[], [HEADER, MODEL, BLOCK]])
def test_an_error_of_the_runner_is_reported(before: list[Fields]) -> None:
    record = read_record(_lines(*before, ERROR))
    assert not record.complete
    assert record.status == Status.NO_MODEL
    assert record.problem == "a.tflite cannot be read"
    assert len(record.blocks) == (1 if before else 0)


def test_an_empty_record_is_not_complete() -> None:
    record = read_record([])
    assert record.header is None
    assert record.problem == "the end is missing: the run was cut off"


def test_lines_are_read_as_they_arrive() -> None:
    reader = RecordReader()
    items = [reader.add(line) for line in WHOLE[:3]]
    assert items[2] == read_record(WHOLE).blocks[0]
    assert len(reader.record().blocks) == 1


def test_the_exit_statuses_of_both_languages_are_the_same() -> None:
    found = re.findall(r"STATUS_(\w+) = (\d+)", (SOURCES / "report.h").read_text())
    assert {name: int(number) for name, number in found} == dict(Status.__members__)
