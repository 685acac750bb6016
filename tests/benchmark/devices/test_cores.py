"""Classes of cores, and the cores that --cores selects, on real processors."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seaformer.benchmark.devices.cores import choose_cores, classify, core_list
from seaformer.benchmark.devices.device import Core
from seaformer.errors import UsageError


def _cores(*speeds: int | None) -> tuple[Core, ...]:
    return tuple(Core(index, khz) for index, khz in enumerate(speeds))


SNAPDRAGON_865 = _cores(*[1804800] * 4, *[2419200] * 3, 2841600)
SNAPDRAGON_835 = _cores(*[1900800] * 4, *[2361600] * 4)
SNAPDRAGON_8_GEN_3 = _cores(2265600, 2265600, *[3148800] * 3, 2956800, 2956800, 3302400)
SNAPDRAGON_8_ELITE = _cores(*[3532800] * 6, *[4320000] * 2)
VIRTUAL_MACHINE = _cores(None, None)


@pytest.mark.parametrize(
    ("cores", "classes"),
    [
        (SNAPDRAGON_865, {"prime": (7,), "big": (4, 5, 6), "little": (0, 1, 2, 3)}),
        (SNAPDRAGON_835, {"big": (4, 5, 6, 7), "little": (0, 1, 2, 3)}),
        (SNAPDRAGON_8_GEN_3, {"prime": (7,), "big": (2, 3, 4, 5, 6), "little": (0, 1)}),
        (SNAPDRAGON_8_ELITE, {"big": (6, 7), "little": (0, 1, 2, 3, 4, 5)}),
        (VIRTUAL_MACHINE, {"all": (0, 1)}),
        (_cores(3000000, 3000000), {"all": (0, 1)}),
    ],
)
def test_cores_are_classified_by_their_highest_frequency(
    cores: tuple[Core, ...], classes: dict[str, tuple[int, ...]]
) -> None:
    found = classify(cores)
    assert {one.name: one.cores for one in found} == classes
    assert [one.name for one in found] == list(classes)  # fastest first


def test_a_core_without_a_reported_frequency_is_in_no_class() -> None:
    found = classify(_cores(1800000, None, 2400000))
    assert {one.name: one.cores for one in found} == {"big": (2,), "little": (0,)}


def test_classes_are_described_with_cores_and_frequencies() -> None:
    assert [str(one) for one in classify(SNAPDRAGON_8_GEN_3)] == [
        "prime (7, 3.30 GHz)",
        "big (2-6, 3.15/2.96 GHz)",
        "little (0-1, 2.27 GHz)",
    ]
    assert str(classify(VIRTUAL_MACHINE)[0]) == "all (0-1)"


@pytest.mark.parametrize(
    ("cores", "text", "threads", "name", "chosen", "mask"),
    [
        # The default: the fewest of the fastest classes.
        (SNAPDRAGON_865, None, 1, "prime", (7,), "80"),
        (SNAPDRAGON_865, None, 2, "prime+big", (4, 5, 6, 7), "f0"),
        (SNAPDRAGON_865, None, 4, "prime+big", (4, 5, 6, 7), "f0"),
        (SNAPDRAGON_865, None, 8, "prime+big+little", tuple(range(8)), "ff"),
        (SNAPDRAGON_835, None, 1, "big", (4, 5, 6, 7), "f0"),
        (VIRTUAL_MACHINE, None, 2, "all", (0, 1), "3"),
        # As requested.
        (SNAPDRAGON_865, "big", 3, "big", (4, 5, 6), "70"),
        (SNAPDRAGON_865, "Little", 1, "little", (0, 1, 2, 3), "f"),
        (SNAPDRAGON_865, "all", 1, "all", tuple(range(8)), "ff"),
        (SNAPDRAGON_865, "80", 1, "mask 80", (7,), "80"),
        (SNAPDRAGON_865, "0xF0", 1, "mask f0", (4, 5, 6, 7), "f0"),
        (SNAPDRAGON_865, "7", 1, "mask 7", (0, 1, 2), "7"),
        (SNAPDRAGON_865, "4-6,7", 1, "mask f0", (4, 5, 6, 7), "f0"),
        (SNAPDRAGON_865, "7-7", 1, "mask 80", (7,), "80"),
        (SNAPDRAGON_865, "0,2", 1, "mask 5", (0, 2), "5"),
    ],
)
def test_the_requested_cores_are_chosen(
    cores: tuple[Core, ...],
    text: str | None,
    threads: int,
    name: str,
    chosen: tuple[int, ...],
    mask: str,
) -> None:
    choice = choose_cores(cores, text, threads)
    assert (choice.name, choice.cores, choice.mask) == (name, chosen, mask)


@pytest.mark.parametrize(
    ("cores", "text", "threads", "message"),
    [
        (SNAPDRAGON_835, "prime", 1, r"'prime', but the device has big \(4-7, 2.36 GHz\), little"),
        (SNAPDRAGON_865, "100", 1, r"core 8, which does not exist: the device has prime \(7"),
        (SNAPDRAGON_865, "6-9", 1, "selects core 8-9, which does not exist"),
        (SNAPDRAGON_865, "0", 1, "selects no core"),
        (SNAPDRAGON_865, "6-4", 1, "selects no core"),
        (SNAPDRAGON_865, "", 1, "hexadecimal mask"),
        (SNAPDRAGON_865, "fast", 1, "hexadecimal mask"),
        (SNAPDRAGON_865, "-1", 1, "hexadecimal mask"),
        (SNAPDRAGON_865, "prime", 2, r"2 threads do not fit on 1 core\(s\) \(prime: 7\)"),
        (SNAPDRAGON_865, None, 9, r"9 threads do not fit on 8 core\(s\)"),
        (VIRTUAL_MACHINE, "big", 1, r"the device has all \(0-1\)"),
    ],
)
def test_cores_that_the_device_lacks_are_refused_and_its_cores_are_listed(
    cores: tuple[Core, ...], text: str | None, threads: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        choose_cores(cores, text, threads)


@given(st.text(max_size=70), st.integers(1, 9))
def test_any_text_gives_cores_of_the_device_or_one_of_our_errors(text: str, threads: int) -> None:
    try:
        choice = choose_cores(SNAPDRAGON_865, text, threads)
    except UsageError:
        return
    assert threads <= len(choice.cores)
    assert set(choice.cores) <= set(range(8))


@given(st.sets(st.integers(0, 63), min_size=1))
def test_a_list_and_a_mask_of_the_same_cores_are_equivalent(chosen: set[int]) -> None:
    cores = _cores(*[None] * 64)
    text = core_list(chosen)
    by_list = choose_cores(cores, text if len(chosen) > 1 else f"{text}-{text}", 1)
    assert by_list.cores == tuple(sorted(chosen))
    assert choose_cores(cores, by_list.mask, 1) == by_list


def test_the_kernel_accepts_a_chosen_mask() -> None:
    before = os.sched_getaffinity(0)
    cores = tuple(Core(index, None) for index in sorted(before))
    choice = choose_cores(cores, f"{1 << max(before):#x}", 1)
    try:
        os.sched_setaffinity(0, choice.cores)
        assert os.sched_getaffinity(0) == {max(before)}
    finally:
        os.sched_setaffinity(0, before)
