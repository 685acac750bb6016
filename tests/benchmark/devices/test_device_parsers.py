"""Parsers of the output of devices: exact values for real samples, no exception for any text."""

import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locations import SAMPLES

from seaformer.benchmark.devices.device import Core, Temperature
from seaformer.benchmark.devices.facts import (
    CONDITIONS_SCRIPT,
    FACTS_SCRIPT,
    read_conditions,
    read_facts,
)
from seaformer.benchmark.devices.parsers import (
    KINDS,
    Battery,
    ThermalState,
    parse_battery,
    parse_core_khz,
    parse_core_list,
    parse_free_bytes,
    parse_getprop,
    parse_memory_bytes,
    parse_processor,
    parse_sections,
    parse_thermal_zones,
    parse_thermalservice,
    script_of,
)
from seaformer.lines import Lines

SAMSUNG = (SAMPLES / "dumpsys_thermalservice_samsung_a52_android12.txt").read_text()

BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  status: 2
  health: 2
  present: true
  level: 87
  scale: 100
  voltage: 4251
  temperature: 297
  technology: Li-ion
"""

MEMINFO = "MemTotal:        7812340 kB\nMemFree:          123456 kB\nMemAvailable:    3456788 kB\n"

DF = """Filesystem       1K-blocks     Used Available Use% Mounted on
/dev/block/dm-44 110916652 30134032  80651548  28% /data
"""

PARSERS: tuple[Callable[[str], object], ...] = (
    parse_battery,
    parse_core_khz,
    parse_core_list,
    parse_free_bytes,
    parse_getprop,
    parse_memory_bytes,
    parse_processor,
    parse_sections,
    parse_thermal_zones,
    parse_thermalservice,
    read_conditions,
    lambda text: read_facts("serial", text),
)

# Fragments that the parsers look for, so that arbitrary text resembles real output.
PIECES = st.sampled_from(
    [
        *"[]{}:=,.-\n\r\t 09",
        "Temperature{mValue=",
        ", mType=3",
        ", mName=",
        ", mStatus=0}",
        "Current temperatures from HAL:\n",
        "Thermal Status: ",
        "\n  level: ",
        "temperature: ",
        "[ro.a]: [",
        "MemTotal: ",
        " kB\n",
        "Available",
        "Mounted on\n",
        "/sys/devices/system/cpu/cpu7/cpufreq/x:",
        "/sys/class/thermal/thermal_zone0/temp:",
        "/sys/class/thermal/thermal_zone0/type:",
        "==== seaformer thermal\n",
        "==== seaformer max_khz\n",
        "99999999999999999999",
        "٣",
        "NaN",
        "\u2028",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=3))).map("".join))


@given(st.sampled_from(PARSERS), TEXTS)
def test_parsers_never_raise(parse: Callable[[str], object], text: str) -> None:
    parse(text)


@given(st.sampled_from((SAMSUNG, BATTERY, MEMINFO, DF)), st.data())
@settings(max_examples=50)
def test_truncated_or_corrupted_text_is_parsed(text: str, data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    for parse in PARSERS:
        parse(text[:end])
        parse(text[:start] + data.draw(st.text(max_size=5)) + text[end:])


# ---- thermal service


def test_current_temperatures_of_a_samsung_are_read_without_missing_sensors() -> None:
    assert parse_thermalservice(SAMSUNG) == ThermalState(
        status=0,
        temperatures=(
            Temperature("AP", "cpu", 25.6, 0),
            Temperature("BAT", "battery", 23.8, 0),
            Temperature("LRB", "skin", 24.7, 0),
            Temperature("PA", "power amplifier", 25.7, 0),
        ),
    )


def test_cached_temperatures_are_used_only_without_current_ones() -> None:
    cached = "Cached temperatures:\n\tTemperature{mValue=48.5, mType=3, mName=SKIN, mStatus=2}\n"
    current = (
        "Current temperatures from HAL:\n"
        "\tTemperature{mValue=34.351, mType=3, mName=SKIN, mStatus=0}\n"
    )
    both = parse_thermalservice(f"Thermal Status: 2\n{cached}HAL Ready: true\n{current}")
    assert both.temperatures == (Temperature("SKIN", "skin", 34.351, 0),)
    alone = parse_thermalservice(f"Thermal Status: 2\n{cached}HAL Ready: false\n")
    assert alone == ThermalState(2, (Temperature("SKIN", "skin", 48.5, 2),))


def test_sensors_named_after_their_type_are_read_by_name() -> None:
    # A vendor whose numbers are one higher than Android's.
    text = (
        "Current temperatures from HAL:\r\n"
        "\tTemperature{mValue=25.3, mType=4, mName=TYPE_SKIN, mStatus=0}\r\n"
        "\tTemperature{mValue=-99.9, mType=6, mName=TYPE_POWER_AMPLIFIER, mStatus=0}\r\n"
        "\tTemperature{mValue=24.2, mType=5, mName=TYPE_USB_PORT, mStatus=0}\r\n"
    )
    assert parse_thermalservice(text).temperatures == (
        Temperature("TYPE_SKIN", "skin", 25.3, 0),
        Temperature("TYPE_USB_PORT", "usb port", 24.2, 0),
    )


@pytest.mark.parametrize("value", ["NaN", "0.0", "-99.9", "Infinity", "1e2", "", "3.4E38", "500.0"])
def test_implausible_temperatures_are_ignored(value: str) -> None:
    text = (
        "Current temperatures from HAL:\n"
        f"\tTemperature{{mValue={value}, mType=3, mName=skin, mStatus=0}}\n"
        "\tTemperature{mValue=4012.0, mType=6, mName=vbat, mStatus=0}\n"
    )
    assert parse_thermalservice(text).temperatures == ()


@pytest.mark.parametrize("text", ["", "Can't find service: thermalservice\n", "Thermal Status: 9"])
def test_temperatures_are_unknown_without_a_thermal_service(text: str) -> None:
    assert parse_thermalservice(text) == ThermalState(None, ())


@given(
    st.floats(-39.9, 149.9).filter(lambda value: round(value, 3) != 0),
    st.sampled_from([number for number in KINDS if "charger" not in KINDS[number]]),
    st.text(st.characters(blacklist_characters="{},\n\r", codec="utf-8"), max_size=20),
    st.integers(0, 6),
)
def test_readings_survive_printing_and_parsing(
    value: float, kind: int, name: str, status: int
) -> None:
    if name.startswith("TYPE_") or len(name.splitlines()) > 1:
        return
    text = (
        "Current temperatures from HAL:\n"
        f"\tTemperature{{mValue={value:.3f}, mType={kind}, mName={name}, mStatus={status}}}\n"
        "Current cooling devices from HAL:\n\tCoolingDevice{mValue=0, mType=2, mName=cpu}\n"
    )
    assert parse_thermalservice(text).temperatures == (
        Temperature(name, KINDS[kind], round(value, 3), status),
    )


# ---- battery


def test_battery_temperature_is_read_in_tenths_of_a_degree() -> None:
    assert parse_battery(BATTERY) == Battery(percent=87, is_charging=True, temperature_c=29.7)


@pytest.mark.parametrize(
    ("change", "battery"),
    [
        (("USB powered: true", "USB powered: false"), Battery(87, False, 29.7)),
        (("scale: 100", "scale: 200"), Battery(44, True, 29.7)),
        (("level: 87", "level: ?"), Battery(None, True, 29.7)),
        (("temperature: 297", "temperature: 0"), Battery(87, True, None)),
        (("temperature: 297", "temperature: -55"), Battery(87, True, -5.5)),
        (("\n", "\r\n"), Battery(87, True, 29.7)),
        (("technology: Li-ion", "log\n  level: 3"), Battery(87, True, 29.7)),
    ],
)
def test_other_forms_of_battery_output_are_read(change: tuple[str, str], battery: Battery) -> None:
    assert change[0] in BATTERY
    assert parse_battery(BATTERY.replace(*change)) == battery


def test_without_power_sources_the_status_determines_charging() -> None:
    assert parse_battery("  status: 2\n").is_charging is True
    assert parse_battery("  status: 3\n").is_charging is False
    assert parse_battery("").is_charging is None


# ---- properties


def test_properties_may_contain_brackets_line_breaks_and_crlf() -> None:
    text = (
        "[ro.product.model]: [Mi 10]\r\n"
        "[ro.vendor.odd]: [a [b] ]: [c]]\r\n"
        "[persist.lines]: [first\r\n"
        "second]\r\n"
        "[ro.empty]: []\r\n"
    )
    assert parse_getprop(text) == {
        "ro.product.model": "Mi 10",
        "ro.vendor.odd": "a [b] ]: [c]",
        "persist.lines": "first\nsecond",
        "ro.empty": "",
    }


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5}){0,2}", fullmatch=True),
        st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"))),
    ),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=50)
def test_properties_survive_printing_and_parsing(properties: dict[str, str], end: str) -> None:
    text = "".join(f"[{name}]: [{value}]{end}" for name, value in properties.items())
    assert parse_getprop(text) == properties


# ---- the kernel's files


def test_core_frequencies_are_read_by_core() -> None:
    text = "".join(
        f"/sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq:{value}\n"
        for core, value in [(0, "1804800"), (10, "2841600"), (7, "<unknown>"), (3, "0")]
    )
    assert parse_core_khz(text) == {0: 1804800, 10: 2841600}


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("0-7\n", tuple(range(8))),
        ("0,2-3", (0, 2, 3)),
        ("4", (4,)),
        ("", None),
        ("all", None),
        ("0-", None),
    ],
)
def test_lists_of_cores_are_read(text: str, cores: tuple[int, ...] | None) -> None:
    assert parse_core_list(text) == cores


def test_zones_are_read_in_thousandths_and_other_units_are_ignored() -> None:
    zones = [("cpu-0-0-usr", "41300"), ("battery", "297"), ("skin-therm", "33250"), ("x", "")]
    text = "".join(
        f"/sys/class/thermal/thermal_zone{i}/type:{name}\n"
        f"/sys/class/thermal/thermal_zone{i}/temp:{value}\n"
        for i, (name, value) in enumerate(zones)
    )
    assert parse_thermal_zones(text) == (
        Temperature("cpu-0-0-usr", "cpu", 41.3),
        Temperature("skin-therm", "skin", 33.25),
    )


def test_memory_is_read_in_bytes() -> None:
    assert parse_memory_bytes(MEMINFO) == 7812340 * 1024
    assert parse_memory_bytes("MemFree: 5 kB\n") is None


@pytest.mark.parametrize(
    ("text", "free"),
    [
        (DF, 80651548 * 1024),
        (  # a long name puts the rest on the next line
            "Filesystem 1K-blocks Used Available Use% Mounted on\n"
            "/dev/block/bootdevice/by-name/userdata\n  1000 400 600 40% /data\n",
            600 * 1024,
        ),
        (  # Android 5
            "Filesystem               Size     Used     Free   Blksize\n"
            "/data                   25.1G     1.7G    23.5G   4096\n",
            int(23.5 * 2**30),
        ),
        ("Filesystem 1K-blocks Used Available Use% Mounted on\n", None),
        ("df: /data: Permission denied\n", None),
        ("", None),
    ],
)
def test_free_space_is_found_by_column_name(text: str, free: int | None) -> None:
    assert parse_free_bytes(text) == free


def test_processor_names_are_read() -> None:
    text = "processor\t: 0\nmodel name\t: AMD EPYC 7B13\n\nprocessor\t: 1\nmodel name\t: AMD\n"
    assert parse_processor(text) == "AMD EPYC 7B13"
    assert parse_processor("Hardware\t: Qualcomm SM8250\n") == "Qualcomm SM8250"
    assert parse_processor("processor\t: 0\n") is None


# ---- sections, facts and conditions


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        st.text(st.characters(blacklist_characters="\r", codec="utf-8")).filter(
            lambda text: "====" not in text
        ),
    )
)
@settings(max_examples=50)
def test_sections_survive_printing_and_parsing(sections: dict[str, str]) -> None:
    printed = "".join(f"==== seaformer {name}\n{text}\n\n" for name, text in sections.items())
    found = parse_sections(printed)
    assert {name: text.rstrip("\n") for name, text in found.items()} == {
        name: text.rstrip("\n") for name, text in sections.items()
    }


def test_a_command_that_fails_leaves_its_section_empty() -> None:
    script = script_of(
        {"good": "echo one", "absent": "surely-no-such-command", "last": "printf two"}
    )
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert printed.stderr == ""
    found = {name: text.strip() for name, text in parse_sections(printed.stdout).items()}
    assert found == {"good": "one", "absent": "", "last": "two"}


def _printed(script: str, outputs: dict[str, str]) -> str:
    """Return the output of a script of `script_of` for given outputs of its commands."""
    names = [line.split("'")[1] for line in script.splitlines()]
    return "".join(f"{name}\n{outputs.get(name.split()[-1], '')}\n" for name in names)


def test_facts_are_combined() -> None:
    cpu = "/sys/devices/system/cpu"
    facts = read_facts(
        "R58M",
        _printed(
            FACTS_SCRIPT,
            {
                "properties": "[ro.product.manufacturer]: [Xiaomi]\n[ro.product.model]: [Mi 10]\n"
                "[ro.soc.model]: []\n[ro.board.platform]: [kona]\n"
                "[ro.build.version.release]: [13]\n[ro.build.version.sdk]: [33]\n"
                "[ro.product.cpu.abi]: [arm64-v8a]",
                "present": "0-2",
                "max_khz": f"{cpu}/cpu0/cpufreq/cpuinfo_max_freq:1804800\n"
                f"{cpu}/cpu2/cpufreq/cpuinfo_max_freq:2841600",
                "memory": MEMINFO,
            },
        ),
    )
    assert (facts.serial, facts.manufacturer, facts.model) == ("R58M", "Xiaomi", "Mi 10")
    assert (facts.soc, facts.os, facts.sdk, facts.abi) == ("kona", "Android 13", 33, "arm64-v8a")
    assert facts.cores == (Core(0, 1804800), Core(1, None), Core(2, 2841600))
    assert facts.memory_bytes == 7812340 * 1024
    assert not facts.is_emulated


def test_facts_of_a_phone_that_prints_nothing_are_unknown() -> None:
    facts = read_facts("R58M", "")
    assert facts.cores == ()
    unknown = (facts.manufacturer, facts.model, facts.soc, facts.os, facts.sdk, facts.abi)
    assert set(unknown) == {None}
    conditions = read_conditions("")
    assert conditions.temperatures == ()
    assert conditions.temperature_c is None
    assert (conditions.thermal_status, conditions.battery_percent) == (None, None)
    assert (conditions.is_charging, conditions.free_bytes) == (None, None)


@pytest.mark.parametrize(
    "line", ["[ro.boot.qemu]: [1]", "[ro.kernel.qemu]: [1]", "[ro.hardware]: [ranchu]"]
)
def test_emulators_are_detected_by_their_properties(line: str) -> None:
    assert read_facts("emulator-5554", _printed(FACTS_SCRIPT, {"properties": line})).is_emulated


def test_conditions_are_combined_and_the_skin_sensor_is_the_temperature() -> None:
    conditions = read_conditions(
        _printed(
            CONDITIONS_SCRIPT,
            {
                "thermal": SAMSUNG.replace("mType=2", "mType=8"),
                "battery": BATTERY,
                "khz": "/sys/devices/system/cpu/cpu7/cpufreq/scaling_cur_freq:844800",
                "space": DF,
            },
        )
    )
    assert conditions.temperature == Temperature("LRB", "skin", 24.7, 0)
    assert conditions.temperatures[-1] == Temperature("battery", "battery", 29.7)
    assert (conditions.thermal_status, conditions.battery_percent) == (0, 87)
    assert conditions.core_khz == {7: 844800}
    assert conditions.free_bytes == 80651548 * 1024


def test_old_android_versions_are_read_from_zones_and_battery() -> None:
    zones = "/sys/class/thermal/thermal_zone0/{}:{}"
    conditions = read_conditions(
        _printed(
            CONDITIONS_SCRIPT,
            {
                "battery": BATTERY,
                "zones": f"{zones.format('type', 'cpu0')}\n{zones.format('temp', 52000)}",
            },
        )
    )
    assert conditions.thermal_status is None
    assert conditions.temperatures[0] == Temperature("cpu0", "cpu", 52.0)
    # A processor's temperature does not show whether the phone is cool.
    assert conditions.temperature_c == 29.7


# ---- lines


@given(st.binary(), st.lists(st.integers(0, 40)))
def test_lines_do_not_depend_on_the_chunks_of_the_stream(
    data: bytes, chunk_ends: list[int]
) -> None:
    seen: list[str] = []
    lines = Lines(seen.append)
    start = 0
    for end in sorted(chunk_ends):
        lines.feed(data[start:end])
        start = max(start, end)
    lines.feed(data[start:])
    lines.finish()
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert lines.all == [line.removesuffix(b"\r").decode("utf-8", "replace") for line in expected]
    assert seen == lines.all
