"""Results of `seaformer-benchmark --energy` as a JSON object.

All readings are in the results.json next to it. The energy of an emulated phone is that of its
simulated battery, not of a device.
"""

from typing import Literal

from seaformer.benchmark.results.base import FrozenModel, LongRunsDocument
from seaformer.statistics.bootstrap import Interval

STEM = "energy"
"""Name of the files without .json, .csv or .html."""


class Cycle(FrozenModel):
    """A phase of rest and the phase of work after it.

    Attributes:
        idle_mw: mean power of the whole device at rest, with the model loaded, in milliwatts.
        active_mw: mean power while the model runs, in milliwatts.
        inferences: number of inferences in the evaluated part of the work phase.
        energy_mj: energy of an inference above rest, in millijoules; noise can make it negative.
    """

    idle_mw: float
    active_mw: float
    inferences: int
    energy_mj: float


class Sensor(FrozenModel):
    """A sensor of power, as observed.

    Attributes:
        period_s: mean time between two new values; null if there were none.
        resolution_ma: smallest difference of two values of a current in mA; null if there was only
            one, and for a charge or an energy.
        fewest_samples: smallest number of new values in the evaluated part of a phase.
        unit: unit of its values: "uA" or "mA" of a current, "uAh" of a charge, "uWs" of an energy.
        resolution: smallest difference of two values, in `unit`; null if there was only one.
        source: what it was read from: files of the "kernel", or a "service" of Android.
    """

    period_s: float | None
    resolution_ma: float | None
    fewest_samples: int
    unit: str
    resolution: float | None = None
    source: Literal["kernel", "service"] = "kernel"

    @property
    def title(self) -> str:
        """What it measures, and what it was read from."""
        what = {"uAh": "battery charge", "uWs": "power rails"}.get(self.unit, "battery current")
        return f"{what}, {self.source}"


class RailEnergy(FrozenModel):
    """The energy of an inference above rest on one power rail.

    Attributes:
        name: name of the rail, as the phone reports it.
        energy_mj: median over the cycles.
        interval_mj: its 95 % interval; null with too few cycles.
    """

    name: str
    energy_mj: float
    interval_mj: Interval | None


class Rails(FrozenModel):
    """The energy of an inference above rest on the power rails of a phone (ODPM).

    They are inside the phone, and do not cover all of it: losses of its voltage converters and some
    parts are missing.

    Attributes:
        energy_mj: all rails together: median over the cycles; null if it was not measurable.
        interval_mj: its 95 % interval; null with too few cycles.
        sensor: the meter of the rails.
        not_measurable: the reason for a missing energy; may be empty.
        each: the rails that were measurable, largest first.
    """

    energy_mj: float | None
    interval_mj: Interval | None
    sensor: Sensor
    not_measurable: str
    each: tuple[RailEnergy, ...]


class EnergyModel(FrozenModel):
    """The energy of a model.

    Attributes:
        id: id of the model in results.json.
        file: path of the file, as it was given.
        title: display name.
        energy_mj: median over the cycles; null if it was not measurable.
        interval_mj: its 95 % interval; null with too few cycles.
        sensor: null if there is none.
        cycles: all complete cycles; empty if it was not measurable.
        not_measurable: the reason for a missing energy; may be empty.
        wrong_output: whether its output differs from the reference, so that it was not measured.
        rails: the energy on power rails; null if the phone has none that can be read.
    """

    id: str
    file: str
    title: str
    energy_mj: float | None
    interval_mj: Interval | None
    sensor: Sensor | None
    cycles: tuple[Cycle, ...]
    not_measurable: str
    wrong_output: bool
    rails: Rails | None = None


class EnergyResults(LongRunsDocument):
    """Energy of several models.

    Attributes:
        phase_s: seconds of each phase, rest or work.
        models: the models, in the order they were given.
    """

    phase_s: float
    models: tuple[EnergyModel, ...]
