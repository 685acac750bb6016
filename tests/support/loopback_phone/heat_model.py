"""A phone that warms up, throttles and drains its battery, by a model whose steady state is known.

One thermal resistance and one heat capacity:

    capacity_j_per_k * dT/dt = power(clock, busy) - (T - ambient_c) / resistance_k_per_w
    power = idle_w + busy * active_w * (clock / highest)^3
    clock / highest = 1 - share_per_k * (T - trip_c) above trip_c, at least LOWEST

Its parameters are those of a small device, so that it settles within seconds. The inferences of the
emulated phone take time by this clock (`bionic/pace.c`), so their time in the steady state follows
from the equations, which `steady_speed` solves.
"""

import mmap
import os
import random
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from scipy.optimize import brentq

from loopback_phone.android_facts import CORES, SERVICE_VOLT
from loopback_phone.phone import LoopbackPhone

HIGHEST_KHZ = CORES[-1][1]
LOWEST = 0.3
_STEP_S = 0.02
_VOLT = 4.0
_NOISE_A = 0.08
"""Largest error of a value of the battery's gauge, which has a new one every `_GAUGE_S`."""
RAILS = {"S2M_VDD_CPUCL2": (0.05, 0.8), "S5S_VDDQ_MEM": (0.1, 0.15), "L9S_GNSS_CORE": (0.0, 0.0)}
"""Power rail -> its power at rest in watt, and its share of the power of a core that works."""
_WORK_BYTES = 128
_GAUGE_S = 0.25
_SERVICE_S = 0.2
"""Period of new readings in Android's thermal service."""


@dataclass(frozen=True)
class HeatModel:
    """The parameters of a phone.

    Attributes:
        inference_ms: median time of an inference at the highest clock.
        spread: largest deviation of its clock cycles from the median, as a share; uniform.
        contention: by which share it takes longer while another core works too.
        idle_w: power of the phone without inferences.
        active_w: power of a core that works at the highest clock.
        ambient_c: temperature of the room.
        trip_c: temperature above which the clock is lowered.
        share_per_k: share by which it is lowered for every kelvin.
        resistance_k_per_w: thermal resistance between processor and room.
        capacity_j_per_k: heat capacity.
    """

    inference_ms: float = 20.0
    spread: float = 0.05
    contention: float = 0.0
    idle_w: float = 0.4
    active_w: float = 4.0
    ambient_c: float = 25.0
    trip_c: float = 45.0
    share_per_k: float = 0.05
    resistance_k_per_w: float = 10.0
    capacity_j_per_k: float = 0.15

    def speed(self, celsius: float) -> float:
        """The clock at a temperature, relative to the highest."""
        return min(1.0, max(LOWEST, 1 - self.share_per_k * (celsius - self.trip_c)))

    def power_w(self, speed: float, busy: bool) -> float:
        return self.idle_w + busy * self.active_w * speed**3

    def steady_speed(self) -> float:
        """The clock at which a phone that always works neither warms up nor cools down."""

        def excess_w(celsius: float) -> float:
            lost_w = (celsius - self.ambient_c) / self.resistance_k_per_w
            return self.power_w(self.speed(celsius), True) - lost_w

        return self.speed(brentq(excess_w, self.ambient_c, 200.0))

    @property
    def steady_ms(self) -> float:
        """The true median time of an inference in the steady state."""
        return self.inference_ms / self.steady_speed()


COOL = HeatModel(trip_c=1000.0)
"""A phone that never throttles."""


class WarmPhone:
    """Makes an emulated phone follow a model, as a context manager.

    Attributes:
        battery: what reports the battery: a file of the "kernel", or a service that reports the
            "service current", or only the "service charge"; the file then cannot be read.
        rails: what reports power rails: a file of the "kernel", a "service", or None.
    """

    def __init__(
        self,
        phone: LoopbackPhone,
        model: HeatModel,
        battery: str = "kernel",
        rails: str | None = None,
    ) -> None:
        self.phone, self.model = phone, model
        self.battery, self.rails = battery, rails
        self._used_j = 0.0
        self._rails_j = dict.fromkeys(RAILS, 1000.0)
        self._celsius = model.ambient_c
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        root = phone.root
        (root / "state/work").write_bytes(bytes(_WORK_BYTES))
        self._work_file = (root / "state/work").open("r+b")
        self._work = mmap.mmap(self._work_file.fileno(), _WORK_BYTES)
        struct.pack_into("<qq", self._work, 0, round(1e6 * model.inference_ms), HIGHEST_KHZ)
        struct.pack_into(
            "<qq", self._work, 32, round(1e6 * model.spread), round(1e6 * model.contention)
        )
        zone = root / "sys/class/thermal/thermal_zone0"
        zone.mkdir(parents=True)
        (zone / "type").write_text("cpu-1-7-usr\n")
        clock = root / f"sys/devices/system/cpu/cpu{len(CORES) - 1}/cpufreq/scaling_cur_freq"
        self._zone, self._clock = (_opened(path) for path in (zone / "temp", clock))
        supply = root / "sys/class/power_supply/battery"
        supply.mkdir(parents=True)
        (supply / "type").write_text("Battery\n")
        (supply / "voltage_now").write_text(f"{round(1e6 * _VOLT)}\n")
        if battery == "kernel":
            self._current = _opened(supply / "current_now")
        else:  # the superuser of the emulated phone may read every file
            (supply / "current_now").mkdir()
        meter = root / "sys/bus/iio/devices/iio:device1"
        meter.mkdir(parents=True)
        self._meter = _opened(meter / ("energy_value" if rails == "kernel" else "other"))
        self._random = random.Random(0)
        self._report(model.speed(self._celsius))
        self._discharge(model.idle_w)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._zone)
        os.close(self._clock)
        os.close(self._meter)
        if self.battery == "kernel":
            os.close(self._current)
        self._work.close()
        self._work_file.close()

    def sleep(self, seconds: float) -> None:
        """Let it sleep: its clocks for which that matters go on by this time at once."""
        struct.pack_into("<q", self._work, 48, round(1e9 * seconds))

    def set_wall_clock(self, seconds: float) -> None:
        """Let its time of day jump, relative to the true one."""
        struct.pack_into("<q", self._work, 56, round(1e9 * seconds))

    @property
    def _busy_s(self) -> float:
        return struct.unpack_from("<q", self._work, 24)[0] / 1e9

    def _follow(self) -> None:
        model = self.model
        last_s, last_busy_s, next_s, next_gauge_s = time.monotonic(), self._busy_s, 0.0, 0.0
        while not self._ended.wait(_STEP_S):
            now_s, busy_s = time.monotonic(), self._busy_s
            elapsed_s = now_s - last_s
            # The work between two inferences is small, but not part of the model.
            is_busy = busy_s - last_busy_s > elapsed_s / 2
            last_s, last_busy_s = now_s, busy_s
            speed = model.speed(self._celsius)
            lost_w = (self._celsius - model.ambient_c) / model.resistance_k_per_w
            gained_w = model.power_w(speed, is_busy) - lost_w
            self._celsius += elapsed_s * gained_w / model.capacity_j_per_k
            self._used_j += elapsed_s * model.power_w(speed, is_busy)
            for name, (idle_w, share) in RAILS.items():
                active_w = model.power_w(speed, is_busy) - model.idle_w
                self._rails_j[name] += elapsed_s * (idle_w + share * active_w)
            speed = model.speed(self._celsius)
            self._report(speed)
            if now_s >= next_gauge_s:
                self._discharge(model.power_w(speed, is_busy))
                next_gauge_s = now_s + _GAUGE_S
            if now_s >= next_s:
                self.phone.set_heat(int(speed < 1), skin_c=self._celsius)
                next_s = now_s + _SERVICE_S

    def _report(self, speed: float) -> None:
        khz = round(HIGHEST_KHZ * speed)
        struct.pack_into("<q", self._work, 16, khz)
        # Overwritten in place: a file that is truncated first can be read while empty.
        os.pwrite(self._clock, f"{khz:<9}\n".encode(), 0)
        os.pwrite(self._zone, f"{round(1000 * self._celsius):<9}\n".encode(), 0)

    def _discharge(self, watt: float) -> None:
        volt = _VOLT if self.battery == "kernel" else SERVICE_VOLT
        ampere = watt / volt + self._random.uniform(-_NOISE_A, _NOISE_A)
        if self.battery == "kernel":
            os.pwrite(self._current, f"{round(-1e6 * ampere):<12}\n".encode(), 0)
        elif self.battery == "service current":
            self.phone.set_battery_current(round(-1e6 * ampere))
        else:
            charge_uah = 3_000_000 - self._used_j / (SERVICE_VOLT * 3.6e-3)
            self.phone.set_battery(is_charging=False, charge_uah=round(charge_uah))
        rails_uws = {name: round(1e6 * joule) for name, joule in self._rails_j.items()}
        if self.rails == "service":
            self.phone.set_power_stats(rails_uws)
        ms = round(1000 * time.monotonic())
        lines = [
            f"CH{place}(T={ms})[{name}], {uws:13}"
            for place, (name, uws) in enumerate(rails_uws.items())
        ]
        os.pwrite(self._meter, "\n".join([f"t={ms}", *lines, ""]).encode(), 0)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
