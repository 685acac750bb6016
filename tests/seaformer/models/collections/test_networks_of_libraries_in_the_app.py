"""Networks of other libraries in the Android app: the APK, and its classes on the JVM."""

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from android_app import APP, compile_end_to_end, require_tools, run_end_to_end
from exporting import read_metadata, run_export
from once import Once
from other_libraries import library, run
from PIL import Image

from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.prediction import Prediction, predict
from seaformer.runtimes import open_model
from smoke_build import tools
from smoke_build.build import SmokeBuild

library("torchvision")
library("timm")

pytestmark = pytest.mark.slow

NETWORKS = {
    "classification": ("timm:mobilenetv3_small_050", "160"),
    "segmentation": ("torchvision:lraspp_mobilenet_v3_large", "128"),
}


@dataclass(frozen=True)
class Bundled:
    """A network in the app: `folder` contains the model, the app, its APK and its results."""

    kind: str
    folder: Path

    @property
    def file(self) -> Path:
        (found,) = self.folder.glob("*.onnx")
        return found

    @property
    def expected(self) -> Prediction:
        """The prediction of Python for the photo."""
        with open_model(self.file, 1) as session:
            assert session.metadata is not None
            return predict(read_image(self.folder / "photo.png"), session, session.metadata)

    def lines(self, name: str) -> list[str]:
        return (self.folder / "output" / name).read_text().splitlines()


@pytest.fixture(scope="module", params=NETWORKS)
def bundled(request: pytest.FixtureRequest, once: Once) -> Bundled:
    require_tools()
    name, size = NETWORKS[request.param]

    def fill(folder: Path) -> None:
        done = run_export(
            "--model", name, "--format", "onnx", "--input-size", size, "--output", ".", cwd=folder
        )
        assert done.returncode == 0, done.stderr
        app = folder / "android_demo"
        shutil.copytree(APP, app, ignore=shutil.ignore_patterns("assets"))
        file = Bundled(request.param, folder).file
        run("cli.bundle", file, "--app", app, "--apk", "app.apk", cwd=folder)
        Image.fromarray(read_image(sample_photograph())).save(folder / "photo.png")
        for output in ("work", "native", "output"):
            (folder / output).mkdir()
        class_path = compile_end_to_end(SmokeBuild(app, folder / "work"), folder / "native")
        assets = app / "app/src/main/assets"
        photo, output = folder / "photo.png", folder / "output"
        run_end_to_end(class_path, folder / "native", assets, photo, output)

    return Bundled(request.param, once(f"bundled_{request.param}", fill))


def test_the_apk_contains_the_network_and_its_classes(bundled: Bundled) -> None:
    apk = bundled.folder / "app.apk"
    signer = tools.debian("apksigner")
    assert "Verifies" in tools.run(signer, "verify", "-v", "--min-sdk-version", "24", apk)
    with zipfile.ZipFile(apk) as archive:
        assert archive.read(f"assets/{bundled.file.name}") == bundled.file.read_bytes()
        described = json.loads(archive.read("assets/model.json"))
    labels = read_metadata(bundled.file).labels
    assert described["labels"] == list(labels)
    assert len(labels) == {"classification": 1000, "segmentation": 21}[bundled.kind]


def test_the_app_predicts_what_python_predicts(bundled: Bundled) -> None:
    assert bundled.lines("check.txt")[0] == "true"
    expected = bundled.expected
    if bundled.kind == "segmentation":
        height, width = read_image(bundled.folder / "photo.png").shape[:2]
        mask = np.fromfile(bundled.folder / "output/mask.bin", "<i4").reshape(height, width)
        assert (mask == expected.mask).mean() > 0.999
        return
    ids, probabilities = np.array([one.split() for one in bundled.lines("ranking.txt")], float).T
    assert expected.probabilities is not None
    np.testing.assert_allclose(probabilities, expected.probabilities[ids.astype(int)], rtol=1e-3)
