"""All pages are rendered by seaformer.reporting, which is independent of their content."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pytest
from locations import ROOT

from seaformer.reporting.numbers import loss, number, percent, points
from seaformer.reporting.page import Page, breakable
from seaformer.reporting.plots import (
    COLORS,
    MAX_POINTS,
    Plot,
    color_class,
    dashes,
    spots,
    stripes,
)

FOLDERS = [ROOT / name for name in ("seaformer", "export", "benchmark")]
REPORTING = ROOT / "seaformer" / "reporting"
PARTS = {"base.html", "parts.html", "plots.html", "breakdown.html", "conditions.html"}


def test_reporting_imports_none_of_the_modules_that_use_it() -> None:
    modules = [f"seaformer.reporting.{path.stem}" for path in REPORTING.glob("*.py")]
    assert "seaformer.reporting.page" in modules
    code = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name.removesuffix(".__init__"))
heavy = ("torch", "tensorflow", "seaformer.benchmark", "seaformer.export")
print(sorted(name for name in sys.modules if name.startswith(heavy)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_page_has_the_common_layout_and_theme() -> None:
    found = {path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()}
    found -= set((ROOT / "seaformer" / "web").rglob("*"))  # a page that runs models, no report
    templates = {path for path in found if path.suffix == ".html"}
    assert {path.parent for path in templates} == {REPORTING / "templates"}
    assert [path.name for path in found if path.suffix == ".css"] == ["theme.css"]
    pages = [path for path in templates if path.name not in PARTS]
    assert len(pages) == 13
    for page in pages:
        text = page.read_text("utf-8")
        assert text.startswith('{% extends "base.html" %}'), page
        assert "<style>" not in text
    base = (REPORTING / "templates" / "base.html").read_text("utf-8")
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in base
    theme = (REPORTING / "templates" / "theme.css").read_text("utf-8")
    for medium in ("screen and (prefers-color-scheme: dark)", "(max-width: 640px)", "print"):
        assert f"@media {medium} {{" in theme


def test_html_is_written_only_by_reporting() -> None:
    for folder in FOLDERS:
        for path in folder.rglob("*.py"):
            markup = re.findall(
                r"</?(?:div|span|table|t[dhr]|svg|path|html|p|style)\b", path.read_text()
            )
            assert markup == [], path


@dataclass(frozen=True)
class Training(Page, template="training.html"):
    """Fewer values than the template needs."""

    variant: str
    task: str
    curves: tuple[()] = ()


def test_a_missing_value_is_an_error_and_no_file_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("before")
    with pytest.raises(jinja2.UndefinedError):
        Training("tiny", "<task>", verdict=["It trained."]).write(page)
    assert page.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_numbers_have_no_negative_zero() -> None:
    assert [number(-0.001), number(None), number(2.0, 0)] == ["0.0", "-", "2"]
    assert [percent(-1e-9), percent(0.125, 1), percent(None)] == ["0.00", "12.5", "-"]
    assert [points(-0.001), points(0.0125, 100), points(-2.0)] == ["+0.00", "+1.25", "-2.00"]

    assert [loss(0.001), loss(-1.5), loss(None)] == ["0.00", "1.50", "-"]


def test_colors_do_not_run_out() -> None:
    """Colors repeat with other shapes of points, dashes of lines and stripes of areas."""
    many = range(6 * COLORS)
    for look in (
        [(color_class(color), stripes(color)) for color in many],
        [(color_class(color), dashes(color)) for color in many],
        [
            tuple((mark.kind, color % COLORS) for mark in spots("spots", POINT, color))
            for color in many
        ],
    ):
        assert len(set(look)) == len(many)
    assert dashes(None) == dashes(COLORS - 1) == ""


POINT = [((1.0, 2.0), "a point: x 1, y 2")]


def test_only_points_with_values_can_be_focused() -> None:
    few, many = spots("dots", POINT), spots("dots", POINT * (MAX_POINTS + 1))
    assert Plot("plot", "", few).has_points
    assert not Plot("plot", "", many).has_points
    assert many[0].path.count("M") == MAX_POINTS + 1


def test_names_break_at_separators_and_numbers_do_not() -> None:
    assert breakable("a_b/c.tflite is 1.23x <b>") == (
        "a_<wbr>b/<wbr>c.<wbr>tflite is 1.23x &lt;b&gt;"
    )
