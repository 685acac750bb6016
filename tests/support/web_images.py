"""Images of the page of `seaformer-bundle --web`, for docs/web.md.

`python -m web_images MODEL.tflite` writes them into docs/images. The model is the one with the
built-in weights of the procedural scenes.
"""

import sys
import tempfile
from pathlib import Path

from browser import Browser, browser
from locations import ROOT
from PIL import Image
from serving import serving
from web_pages import WEBGPU, choose, click, start, wait_for, write_page

from seaformer.datasets import shapes

IMAGES = ROOT / "docs" / "images"
SCENE_SIZE = (512, 512)
COLORS = 128
"""Colors of the images, so that the files are small."""


def save_image(opened: Browser, name: str, height: int) -> None:
    """Save the top of the page, up to a height in pixels."""
    path = IMAGES / name
    opened.screenshot(path)
    with Image.open(path) as image:
        top = image.convert("RGB").crop((0, 0, image.width, min(height, image.height)))
        small = top.quantize(COLORS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main() -> None:
    """Write the images of the model on the command line."""
    with tempfile.TemporaryDirectory() as folder:
        page = write_page(Path(sys.argv[1]), Path(folder) / "page")
        scene, _ = shapes.render(7, 3, SCENE_SIZE)
        Image.fromarray(scene).save(page / "sample.jpg", quality=95)
        with serving(page) as port, browser(*WEBGPU) as opened:
            start(opened, port, 390, "light")
            # A latency of a busy computer would be misread.
            opened.evaluate("document.getElementById('latency').textContent = ''")
            save_image(opened, "web_phone.png", 1500)
            start(opened, port, 1280, "dark")
            click(opened, "tab-benchmark")
            choose(opened, "benchmark-rounds", "50")
            click(opened, "measure")
            # While it measures: times of a busy computer would be misread.
            wait_for(opened, "document.getElementById('benchmark-progress').value >= 12")
            save_image(opened, "web_benchmark.png", 430)


if __name__ == "__main__":
    main()
