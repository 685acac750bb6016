"""Every page that a command makes: what a reader gets by eye, by keyboard and by screen reader."""

import base64
import hashlib
import re
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest
from browser import Browser, in_a_browser, shared_browser
from html_page import Page, assert_needs_nothing_else
from locations import ROOT
from page_gallery import PAGES, write_pages

PLOTS = {"svg", "stack", "tree"}

CONTRAST = """(() => {
  const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const seen = new Map();
  const light = colors => {
    const key = colors.join("|");
    if (!seen.has(key)) {
      for (const color of ["#fff", ...colors]) {
        context.fillStyle = color;
        context.fillRect(0, 0, 1, 1);
      }
      const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map(value => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      seen.set(key, 0.2126 * r + 0.7152 * g + 0.0722 * b);
    }
    return seen.get(key);
  };
  const grounds = element => {
    const found = [];
    for (let one = element; one; one = one.parentElement)
      found.unshift(getComputedStyle(one).backgroundColor);
    return found;
  };
  const ratio = (element, color) => {
    const behind = grounds(element), a = light(behind), b = light([...behind, color]);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    const isText = text && !element.closest("svg, script");
    if (!isText || !element.checkVisibility({visibilityProperty: true})) continue;
    const found = ratio(element, getComputedStyle(element).color);
    if (found < 4.5) low.push([text, element.className, found]);
  }
  for (const mark of document.querySelectorAll("svg .point:not(.unseen), svg .curve")) {
    const style = getComputedStyle(mark);
    const found = ratio(mark, style.stroke === "none" ? style.fill : style.stroke);
    if (found < 3) low.push([mark.textContent, mark.className.baseVal, found]);
  }
  return low;
})()"""
"""Text with less than 4.5 to 1 of contrast, and marks of plots with less than 3 to 1."""


NAME = "seaformer_tiny_with_a_long_name_ade20k_512x512_fp32_argmax.tflite"

VERDICTS = {
    "benchmark": f"{NAME} is the fastest of 7, 1.10x (LOW to HIGH) as fast as the next, "
    "network1.tflite.",
    "benchmarks": "seaformer_float.tflite is 1.25x (LOW to HIGH) as fast in B as in A.",
    "beside_a_browser": "B cannot be compared with A: device browser (unknown), previously R58 "
    "(Phone); measured by a page in the browser Chromium 150, previously a program on the device; "
    "the browser's description of the device Mozilla/5.0 (Linux; Android 10; K) Chrome/150.0.0.0, "
    "8 processors, isolated, previously none; backend litertjs-wasm, previously litert; cores "
    "chosen by the browser, previously 80.",
    "latency_comparison": f"{NAME} is 1.25x (LOW to HIGH) as fast now as before.",
    "emulated": "The processor is emulated, so no latency can be stated.",
    "table": "seaformer_bytes.tflite is 2.00x (LOW to HIGH) as fast as seaformer_float.tflite.",
    "history": "Of 4 models on devices, 0 became faster and 0 slower than in the previous "
    "benchmark; for 4, no difference can be stated.",
    "sustained": f"{NAME} settles at 20.83 ms (LOW to HIGH) after 46 s, 1.66x its first second, "
    "and then misses 14.1 % of the frames.",
    "energy": f"An inference of {NAME} takes 74.8 mJ above rest (LOW to HIGH).",
    "pareto": "Of 17 measured networks, SeaFormer-T, SeaFormer-S, PP-MobileSeg-B, AFFormer-B and "
    "CGRSeg-T are on the Pareto front by the median latencies here.",
    "accelerators": "GPU is the fastest of 3, 3.00x (LOW to HIGH) as fast as the next, CPU, 4 "
    "threads.",
    "attention": "At side 64: squeeze-enhanced axial (SeaFormer) is the fastest of 7, 1.68x "
    "(LOW to HIGH) as fast as the next, squeeze axial, without detail kernel.",
    "attention_in_swin": "At side 224: Swin-T is the fastest of 8, 1.97x (LOW to HIGH) as fast as "
    "the next, Swin-T, squeeze-enhanced axial (SeaFormer).",
    "blame": f"{NAME} on the GPU of R58 (Maker Phone): operator 41, MUL, module "
    "context_branch.block3.attention, differs from the reference.",
    "evaluation": f"{NAME}: mIoU 35.80 %.",
    "comparison": "int8.tflite: mIoU 61.20 %, 0.30 points of mIoU below fp32.tflite (0.10 to "
    "0.50).",
    "detection": f"{NAME}: AP 35.80 %.",
    "detection_comparison": "int8.tflite: AP 61.20 %, 0.30 points of AP below fp32.tflite (0.10 to "
    "0.50).",
    "training": "The best weights have mIoU 35.60 % and pixel accuracy 77.00 % on the validation "
    "images.",
    "sensitivity": "int8: 0.60 points of mIoU below fp32 (0.40 to 0.80); the same class as fp32 at "
    "95.00 % of positions.",
    "mixed_precision": "With 2 modules in floating point: 0.50 points of mIoU below fp32 (0.30 to "
    "0.70).",
}
"""Page -> the first sentence of its verdict, with LOW and HIGH for bootstrapped ends."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages")
    assert len(list(write_pages(made))) == len(PAGES)
    return made


@pytest.fixture(params=sorted(PAGES))
def path(folder: Path, request: pytest.FixtureRequest) -> Path:
    return folder / f"{request.param}.html"


# What is in the file


def test_every_template_of_a_page_is_in_the_gallery() -> None:
    templates = (ROOT / "seaformer" / "reporting" / "templates").glob("*.html")
    pages = {one.stem for one in templates if one.read_text("utf-8").startswith("{% extends")}
    assert len(pages) >= 9
    assert pages <= set(PAGES)


def test_the_verdict_comes_first_and_conditions_are_folded(path: Path) -> None:
    text = path.read_text("utf-8")
    Page(text)
    verdict = re.search(r'<div class="verdict">(.*?)</div>', text, re.DOTALL)
    assert verdict is not None
    first = re.search(r"<p>(.*?)</p>", verdict[1])
    assert first is not None
    pattern = re.sub("LOW|HIGH", r"[\\d.]+", re.escape(VERDICTS[path.stem]))
    assert re.fullmatch(pattern, unescape(first[1].replace("<wbr>", "")))
    assert text.index("<h1>") < verdict.start() < text.index("<nav") < text.index("<section")
    folded = re.findall(r'<details class="folded"><summary><h2 id="(\w+)">', text)
    assert folded
    assert not any(
        f'<details open class="folded"><summary><h2 id="{one}"' in text for one in folded
    )


def test_the_page_loads_nothing_and_runs_only_its_own_script(path: Path) -> None:
    text = path.read_text("utf-8")
    page = Page(text)
    assert_needs_nothing_else(page)
    assert not re.search(r"https?:(?!//www\.w3\.org)|@import|url\(", text)
    assert not {tag for tag, _ in page.elements} & {"link", "iframe", "object", "form"}
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [
        one["content"] for one in page.all("meta")
        if one.get("http-equiv") == "Content-Security-Policy"
    ]  # fmt: skip
    images, styles = "img-src data:", "style-src 'unsafe-inline'"
    assert policy == f"default-src 'none'; {images}; {styles}; script-src 'sha256-{digest}'"


def test_a_screen_reader_gets_names(path: Path) -> None:
    page = Page(path.read_text("utf-8"))
    ids = set(page.values("id"))
    for tag, attributes in page.elements:
        classes = set((attributes.get("class") or "").split())
        if tag == "svg":
            assert attributes["role"] == ("group" if "plot" in classes else "img")
            assert {attributes["aria-labelledby"], attributes["aria-describedby"]} <= ids
        if "plot" in classes:
            assert attributes["role"] == "group"
            assert {"aria-label", "aria-labelledby"} & set(attributes)
        if "scroll" in classes:
            assert (attributes["tabindex"], attributes["role"]) == ("0", "region")
            assert attributes.get("aria-label") or attributes["aria-labelledby"] in ids
        if "point" in classes:
            assert attributes["role"] == "img"
            assert tag == "path" or attributes["title"]
        if tag == "img":
            assert attributes["alt"]
    headings = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    assert page.all("html") == [{"lang": "en"}]


# In a browser


@pytest.fixture
def opened() -> Browser:
    return shared_browser()


@in_a_browser
def test_pages_fit_the_screen_are_readable_and_request_nothing(path: Path, opened: Browser) -> None:
    for scheme, width in (("light", 390), ("dark", 1280)):
        opened.open(path, width, scheme)
        assert opened.evaluate("document.documentElement.scrollWidth") == width
        ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(244, 246, 248)", "dark": "rgb(17, 22, 27)"}[scheme]
        assert opened.evaluate(CONTRAST) == []
        outside = [url for url in opened.requests if not url.startswith("data:image/")]
        assert outside == [path.as_uri()]
        assert opened.complaints == []


@in_a_browser
def test_tables_are_sorted_by_the_keyboard(folder: Path, opened: Browser) -> None:
    opened.open(folder / "benchmark.html", 390)
    table = "document.querySelector('[aria-labelledby=\"b0-times\"] table')"
    names = f"[...{table}.tBodies[0].rows].map(row => row.cells[0].innerText.split('\\n')[0])"
    order = f"{table}.tHead.rows[0].cells[1].ariaSort"
    given = opened.evaluate(names)
    opened.evaluate(f"{table}.tHead.querySelectorAll('button')[0].focus()")
    opened.press("Tab")
    assert opened.evaluate("document.activeElement.innerText").startswith("median ms")
    opened.press("Enter")
    # The model with wrong output has no latency, and is last in both orders.
    *measured, wrong = given
    assert opened.evaluate(names) == [*reversed(measured), wrong]
    assert opened.evaluate(order) == "descending"
    opened.press("Enter")
    assert opened.evaluate(names) == given
    assert opened.evaluate(order) == "ascending"
    opened.press("Enter")
    assert opened.evaluate(order) is None


@in_a_browser
def test_rows_that_belong_to_a_row_stay_with_it_and_text_is_sorted_as_text(
    folder: Path, opened: Browser
) -> None:
    opened.open(folder / "comparison.html")
    names = (
        "[...document.querySelector('[aria-labelledby=classes] tbody').rows]"
        ".map(row => row.cells[0].innerText.trim())"
    )
    opened.evaluate("document.querySelector('[aria-labelledby=classes] th button').click()")
    found = opened.evaluate(names)
    assert found == sorted(found)
    assert found[0] == "airplane"


@in_a_browser
def test_points_are_reached_by_the_keyboard_and_show_their_values(
    folder: Path, opened: Browser
) -> None:
    opened.open(folder / "pareto.html", 390)
    opened.evaluate("document.querySelector('svg.plot').closest('section').scrollIntoView()")
    opened.evaluate("document.querySelector('nav a:last-child').focus()")
    tip = "document.querySelector('.tip')"
    opened.evaluate("document.querySelector('.plot .point').focus()")
    first = opened.evaluate(f"{tip}.textContent")
    assert re.fullmatch(r"SeaFormer-T: x [\d.]+ \[[\d.]+, [\d.]+\], y 35", first)
    opened.press("ArrowRight")
    assert opened.evaluate(f"{tip}.textContent").startswith("TopFormer-T: ")
    opened.press("End")
    last = opened.evaluate(f"{tip}.textContent")
    assert opened.evaluate("[...document.activeElement.closest('.plot').querySelectorAll('.point')]"
                           ".at(-1) === document.activeElement")  # fmt: skip
    assert last.startswith("SegFormer-B1: ")
    box = opened.evaluate(f"(({tip}).getBoundingClientRect()).toJSON()")
    assert box["left"] >= 0
    assert box["right"] <= 390
    # Each plot is one stop of the Tab key.
    stops = "document.querySelector('.plot').querySelectorAll('[tabindex=\"0\"]').length"
    assert opened.evaluate(stops) == 1
    opened.press("Tab")
    plot = "document.activeElement.closest('svg').getAttribute('aria-labelledby')"
    assert opened.evaluate(plot) == "phone-1-t"
    # The pointer finds the same points.
    hit = (
        "(() => { const point = document.querySelectorAll('.plot .point')[3];"
        "point.scrollIntoView({block: 'center'}); const at = point.getBoundingClientRect();"
        "return document.elementFromPoint(at.left, at.top) === point; })()"
    )
    assert opened.evaluate(hit)


@in_a_browser
def test_the_command_is_copied(folder: Path, opened: Browser) -> None:
    opened.open(folder / "blame.html")
    opened.call("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    label = "document.querySelector('.copy').textContent"
    opened.evaluate("document.querySelector('.copy').focus()")
    assert opened.evaluate(label) == "Copy"
    opened.press("Enter")
    described = "document.activeElement.getAttribute('aria-describedby')"
    command = opened.evaluate(f"document.getElementById({described}).textContent")
    assert command.endswith(" --blame gpu")
    assert opened.evaluate("navigator.clipboard.readText()") == command
    assert opened.evaluate(label) == "Copied"


@in_a_browser
def test_print_unfolds_sections_and_omits_buttons(folder: Path, opened: Browser) -> None:
    opened.open(folder / "benchmarks.html", scheme="dark")
    table, button = ".folded table", ".copy"

    def is_visible(selector: str) -> bool:
        """Whether an element is visible two frames later."""
        check = f"done(document.querySelector('{selector}').checkVisibility())"
        frames = f"requestAnimationFrame(() => requestAnimationFrame(() => {check}))"
        return bool(opened.evaluate(f"new Promise(done => {frames})"))

    assert (is_visible(table), is_visible(button)) == (False, True)
    opened.emulate("dark", "print")
    assert (is_visible(table), is_visible(button)) == (True, False)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert opened.evaluate(ground) == "rgb(255, 255, 255)"
    assert opened.pdf().startswith(b"%PDF")


@in_a_browser
def test_the_accessibility_tree_has_tables_and_values_on_a_phone(
    folder: Path, opened: Browser
) -> None:
    """Rows that are shown as lists remain rows, and a plot does not hide its points."""
    opened.open(folder / "accelerators.html", 390)
    nodes = opened.call("Accessibility.getFullAXTree")["nodes"]
    found = [
        (node["role"]["value"], node.get("name", {}).get("value"))
        for node in nodes
        if not node["ignored"]
    ]
    roles = [role for role, _ in found]
    assert (roles.count("table"), roles.count("rowheader"), roles.count("columnheader")) == (
        1,
        4,
        5,
    )
    assert ("button", "compile ms") in found
    assert ("group", "CPU, 4 threads") in found
    assert ("image", "CPU, 4 threads: 12.01 ms") in found
