"""Tables as CSV that is safe from formula injection in spreadsheets."""

import csv
import io
from collections.abc import Mapping, Sequence

from seaformer.statistics.bootstrap import Interval, Summary

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that spreadsheets interpret as a formula. Source: OWASP, CSV Injection."""


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Write one or more rows, which all have the columns of the first; None is an empty cell.

    Names of files, labels and phones are untrusted: text that a spreadsheet would evaluate gets a
    leading apostrophe, which marks a cell as text.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def ends(stem: str, interval: Interval | None, unit: str = "") -> dict[str, float | None]:
    """Return the columns of an interval, `stem`_low and `stem`_high, with a suffix for the unit."""
    return {
        f"{stem}_low{unit}": interval.low if interval else None,
        f"{stem}_high{unit}": interval.high if interval else None,
    }


def median_cells(stem: str, summary: Summary | None) -> dict[str, float | None]:
    """Return the columns of a median and of its interval."""
    return {
        f"{stem}_median_ms": summary.median_ms if summary else None,
        **ends(stem, summary.interval_ms if summary else None, "_ms"),
    }


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_BEGINS_A_FORMULA) else value
