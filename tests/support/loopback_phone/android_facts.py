"""What the phone reports about itself: a Snapdragon 865 with Android 13, in Android's formats."""

from collections.abc import Mapping
from pathlib import Path

CORES = tuple(  # (part number of the core, its highest frequency in kHz)
    [("0x805", 1_804_800)] * 4 + [("0x804", 2_419_200)] * 3 + [("0x804", 2_841_600)]
)
SERVICE_VOLT = 4.251
"""Voltage of the battery in `dumpsys battery`."""
_FEATURES = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp"
)


def properties(abi: str) -> dict[str, str]:
    """Return the properties for `getprop`, including qemu's as on Android's emulator."""
    return {
        "ro.product.manufacturer": "Loopback",
        "ro.product.brand": "Loopback [test]",
        "ro.product.model": "Loopback 865",
        "ro.product.device": "loopback",
        "ro.soc.manufacturer": "QTI",
        "ro.soc.model": "SM8250",
        "ro.board.platform": "kona",
        "ro.hardware": "qcom",
        "ro.product.cpu.abi": abi,
        "ro.product.cpu.abilist": f"{abi},armeabi-v7a,armeabi",
        "ro.build.version.release": "13",
        "ro.build.version.sdk": "33",
        "ro.boot.qemu": "1",
        "ro.kernel.qemu": "1",
    }


def write_processor(root: Path) -> None:
    """Write /cpuinfo and /sys/devices/system/cpu to the phone's file tree.

    Without them, qemu shows the computer's files, and LiteRT aborts unless they are an Arm CPU's.
    """
    last = len(CORES) - 1
    kinds = dict.fromkeys(CORES)
    clusters = [[i for i, core in enumerate(CORES) if core == kind] for kind in kinds]
    entries = [
        f"processor\t: {index}\nBogoMIPS\t: 38.40\nFeatures\t: {_FEATURES}\n"
        f"CPU implementer\t: 0x51\nCPU architecture: 8\nCPU variant\t: 0xd\n"
        f"CPU part\t: {part}\nCPU revision\t: 14\n"
        for index, (part, _) in enumerate(CORES)
    ]
    hardware = "Hardware\t: Qualcomm Technologies, Inc SM8250\n"
    (root / "cpuinfo").write_text("\n".join([*entries, hardware]))

    folder = root / "sys/devices/system/cpu"
    files = dict.fromkeys(("possible", "present", "online"), f"0-{last}")
    files["kernel_max"] = str(last)
    for cluster in clusters:
        span = f"{cluster[0]}-{cluster[-1]}" if len(cluster) > 1 else str(cluster[0])
        for core in cluster:
            highest = CORES[core][1]
            values = {
                "cpufreq/cpuinfo_max_freq": highest,
                "cpufreq/cpuinfo_min_freq": 300_000,
                "cpufreq/scaling_max_freq": highest,
                "cpufreq/scaling_min_freq": 300_000,
                "cpufreq/scaling_cur_freq": highest,
                "cpufreq/scaling_governor": "schedutil",
                "topology/core_id": core,
                "topology/physical_package_id": 0,
                "topology/cluster_cpus_list": span,
                "topology/core_siblings_list": span,
                "topology/package_cpus_list": f"0-{last}",
            }
            files |= {f"cpu{core}/{name}": str(value) for name, value in values.items()}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def write_memory(root: Path) -> None:
    """Write /meminfo with 8 GB to the phone's file tree."""
    (root / "meminfo").write_text(
        "MemTotal:        7813412 kB\nMemFree:          912340 kB\nMemAvailable:    4123456 kB\n"
    )


def thermal_service(status: int, skin_c: float) -> str:
    """Return the output of `dumpsys thermalservice` since Android 10."""
    readings = [(0, "CPU7", skin_c + 8), (2, "battery", skin_c - 2), (3, "skin", skin_c)]
    lines = [
        f"\tTemperature{{mValue={value:.1f}, mType={kind}, mName={name}, mStatus={status}}}"
        for kind, name, value in readings
    ]
    return "\n".join(
        [
            "IsStatusOverride: false",
            "ThermalEventListeners:",
            "\tcallbacks: 1",
            "\tkilled: false",
            "\tbroadcasts count: -1",
            "ThermalStatusListeners:",
            "\tcallbacks: 4",
            "\tkilled: false",
            "\tbroadcasts count: -1",
            f"Thermal Status: {status}",
            "Cached temperatures:",
            *lines,
            "HAL Ready: true",
            "HAL connection:",
            "\tThermalHAL 2.0 connected: yes",
            "Current temperatures from HAL:",
            *lines,
            "Current cooling devices from HAL:",
            "Temperature static thresholds from HAL:",
            "",
        ]
    )


def battery(percent: int, temperature_c: float, is_charging: bool, charge_uah: int) -> str:
    """Return the output of `dumpsys battery`."""
    return f"""Current Battery Service state:
  AC powered: false
  USB powered: {str(is_charging).lower()}
  Wireless powered: false
  Max charging current: 500000
  Max charging voltage: 5000000
  Charge counter: {charge_uah}
  status: {2 if is_charging else 3}
  health: 2
  present: true
  level: {percent}
  scale: 100
  voltage: {round(1000 * SERVICE_VOLT)}
  temperature: {round(temperature_c * 10)}
  technology: Li-ion
"""


def power_stats(rails_uws: Mapping[str, int]) -> str:
    """Return the end of the output of `dumpsys android.hardware.power.stats.IPowerStats/default`.

    It has the format of the service of Pixel phones since Android 12, with energies of rails.
    """
    lines = [
        f"  {f'[{name}]:{name[:3]}':>32}   {uws / 1e3:14.2f} mWs" for name, uws in rails_uws.items()
    ]
    return "\n".join(
        [
            "============= PowerStats HAL 2.0 energy consumers ==============",
            f"  {'Consumer':>18}   {'Cumulative Energy':>18}",
            f"  {'CPUCL2':>18}   {1.0:14.2f} mWs",
            "========== End of PowerStats HAL 2.0 energy consumers ==========",
            "",
            "============= PowerStats HAL 2.0 energy meter ==============",
            f"  {'Channel':>32}   {'Cumulative Energy':>18}",
            *lines,
            "========== End of PowerStats HAL 2.0 energy meter ==========",
            "",
        ]
    )


def power(wakefulness: str) -> str:
    """Return the beginning of the output of `dumpsys power`."""
    return f"""POWER MANAGER (dumpsys power)

Power Manager State:
  mDirty=0x0
  mWakefulness={wakefulness}
  mWakefulnessChanging=false
  mIsPowered=true
"""
