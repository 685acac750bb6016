"""Parametrized tests: `make test` runs a sample of the cases, `make test-all` every case."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], count: int = 1) -> list[Any]:
    """Mark all cases but the first `count` as slow; a case has its arguments in a tuple."""
    listed = list(cases)
    others = [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
        for case in listed[count:]
    ]
    return [*listed[:count], *others]
