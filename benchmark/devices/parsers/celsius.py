"""Which temperatures are readings and which stand for "none"."""


def plausible_c(celsius: float) -> bool:
    """Whether a sensor can have measured this.

    Sensors that are not there are shown as 0.0 by Samsung, as -99.9 or NaN by others.
    """
    return celsius != 0.0 and -40.0 < celsius < 150.0
