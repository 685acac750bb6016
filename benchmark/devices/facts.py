"""Facts and conditions of a phone, each read by one shell script."""

from datetime import UTC, datetime

from seaformer.benchmark.devices import parsers
from seaformer.benchmark.devices.device import Conditions, Core, DeviceFacts, Temperature

CPU = "/sys/devices/system/cpu"
FASTRPC = (
    "/dev/fastrpc-cdsp",
    "/dev/fastrpc-cdsp-secure",
    "/dev/adsprpc-smd",
    "/dev/adsprpc-smd-secure",
)
"""Device files of FastRPC; the older ones, named adsprpc, are for the NPU too."""
ZONES = "/sys/class/thermal/thermal_zone[0-9]*"

FACTS_SCRIPT = parsers.script_of(
    {
        "properties": "getprop",
        "present": f"cat {CPU}/present",
        "max_khz": f"grep -H . {CPU}/cpu[0-9]*/cpufreq/cpuinfo_max_freq",
        "memory": "cat /proc/meminfo",
        # The error message shows whether a file exists that this user may not read.
        "fastrpc": f"ls -d {' '.join(FASTRPC)} 2>&1",
    }
)


_NO_SERIALS = ("unknown", "0123456789abcdef")
"""Serial numbers that many phones have."""

CONDITIONS_SCRIPT = parsers.script_of(
    {
        "thermal": "dumpsys thermalservice",
        "battery": "dumpsys battery",
        "power saving": "settings get global low_power",
        "screen": "dumpsys power | grep -m 1 mWakefulness=",
        "zones": f"grep -H . {ZONES}/type {ZONES}/temp",
        "khz": f"grep -H . {CPU}/cpu[0-9]*/cpufreq/scaling_cur_freq",
        "space": "df -k /data/local/tmp",
    }
)


def read_facts(serial: str, output: str) -> DeviceFacts:
    """Parse the output of `FACTS_SCRIPT` on the phone with a serial number; never raises."""
    sections = parsers.parse_sections(output)
    properties = parsers.parse_getprop(sections.get("properties", ""))

    def known(*names: str) -> str | None:
        return next((properties[name] for name in names if properties.get(name)), None)

    max_khz = parsers.parse_core_khz(sections.get("max_khz", ""))
    cores = {*(parsers.parse_core_list(sections.get("present", "")) or ()), *max_khz}
    release = known("ro.build.version.release")
    return DeviceFacts(
        serial=serial,
        manufacturer=known("ro.product.manufacturer", "ro.product.brand"),
        model=known("ro.product.model"),
        soc=known("ro.soc.model", "ro.board.platform", "ro.hardware"),
        os=f"Android {release}" if release else None,
        sdk=parsers.whole_number(known("ro.build.version.sdk") or ""),
        abi=known("ro.product.cpu.abi"),
        cores=tuple(Core(core, max_khz.get(core)) for core in sorted(cores)),
        memory_bytes=parsers.parse_memory_bytes(sections.get("memory", "")),
        # As Android reports it.
        is_emulated=known("ro.hardware") in ("goldfish", "ranchu")
        or "1" in (known("ro.kernel.qemu"), known("ro.boot.qemu")),
        fastrpc=parsers.parse_present(sections.get("fastrpc", ""), FASTRPC),
        hardware_serial=next(
            (
                value
                for name in ("ro.serialno", "ro.boot.serialno")
                if (value := properties.get(name)) and value.lower() not in _NO_SERIALS
            ),
            None,
        ),
    )


def read_conditions(output: str) -> Conditions:
    """Parse the output of `CONDITIONS_SCRIPT`; never raises."""
    sections = parsers.parse_sections(output)
    thermal = parsers.parse_thermalservice(sections.get("thermal", ""))
    battery = parsers.parse_battery(sections.get("battery", ""))
    temperatures = thermal.temperatures or parsers.parse_thermal_zones(sections.get("zones", ""))
    if battery.temperature_c is not None and not any(one.kind == "battery" for one in temperatures):
        temperatures += (Temperature("battery", "battery", battery.temperature_c),)
    return Conditions(
        taken_at=datetime.now(UTC),
        temperatures=temperatures,
        thermal_status=thermal.status,
        battery_percent=battery.percent,
        is_charging=battery.is_charging,
        core_khz=parsers.parse_core_khz(sections.get("khz", "")),
        free_bytes=parsers.parse_free_bytes(sections.get("space", "")),
        saves_power=parsers.parse_switch(sections.get("power saving", "")),
        is_screen_on=parsers.parse_wakefulness(sections.get("screen", "")),
    )
