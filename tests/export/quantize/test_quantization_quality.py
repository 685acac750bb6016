"""Comparing a file with its single-precision version: the metrics have the expected values."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_models import SIDE, write_onnx

from seaformer.artifact.metadata import Accuracy
from seaformer.artifact.precisions import FORMATS
from seaformer.errors import SeaformerError
from seaformer.evaluation.metrics import ConfusionMatrix
from seaformer.export.quantize import quality
from seaformer.export.quantize.calibration import Images
from seaformer.export.quantize.quality import Reference
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.runtimes import ImageSession, open_model
from seaformer.tasks import get_task

ONNX = FORMATS["onnx"]
STRETCH = get_task("shapes").preprocessing
CLASSES = 3


def images(count: int, truth: str | None = "masks") -> Images:
    """Return images of noise; half of the pixels have the class of their strongest color."""

    def read(place: int) -> tuple[np.ndarray, np.ndarray | None]:
        random = np.random.default_rng(place)
        blocks = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        image = blocks.repeat(SIDE // 4, 0).repeat(SIDE // 4, 1)
        if truth == "masks":
            mask = image.argmax(-1).astype(np.uint8)
            mask[random.random(mask.shape) < 0.5] = random.integers(CLASSES)
            mask[:3] = 255
            return image, mask
        return image, None if truth is None else np.array(random.integers(CLASSES))

    return Images(f"{count} images of noise", count, read)


def reference(session: ImageSession, some: Images) -> Reference:
    return Reference(session, some, STRETCH, inside=True, classes=CLASSES)


@pytest.fixture
def averages(tmp_path: Path) -> Iterator[ImageSession]:
    with open_model(write_onnx(tmp_path / "averages.onnx"), input_size=(SIDE, SIDE)) as session:
        yield session


def scaled(folder: Path, scale: float) -> bytes:
    return write_onnx(folder / "scaled.onnx", scale=scale).read_bytes()


def permuted(folder: Path) -> bytes:
    """Write a model with permuted classes, which changes half of the decisions."""
    import onnx
    from onnx import helper

    model = onnx.load(write_onnx(folder / "permuted.onnx"))
    (pool,) = (node for node in model.graph.node if node.op_type == "AveragePool")
    pool.output[0] = "averages"
    order = onnx.numpy_helper.from_array(np.array([1, 0, 2]), "order")
    model.graph.initializer.append(order)
    model.graph.node.append(helper.make_node("Gather", ["averages", "order"], ["logits"], axis=1))
    data: bytes = model.SerializeToString()
    return data


def test_the_reference_itself_has_no_difference(averages: ImageSession) -> None:
    same = reference(averages, images(3)).measure(averages)
    assert same.sqnr_db == 300.0
    assert same.argmax_agreement == 1.0
    assert same.difference_points == 0.0
    assert same.interval_points == (0.0, 0.0)
    assert (same.count, same.pictures) == (3, "3 images of noise")


def test_halved_logits_have_an_sqnr_of_6_db_and_the_same_classes(
    averages: ImageSession, tmp_path: Path
) -> None:
    found = reference(averages, images(3)).measure_file(scaled(tmp_path, 0.5), ONNX)
    assert found.sqnr_db == pytest.approx(10 * np.log10(4))
    assert found.argmax_agreement == 1.0
    assert found.difference_points == 0.0


def test_scores_match_the_confusion_matrix(averages: ImageSession, tmp_path: Path) -> None:
    some = images(4)
    found = reference(averages, some).measure_file(permuted(tmp_path), ONNX)
    expected, agreed, positions = [], 0, 0
    for order in ([0, 1, 2], [1, 0, 2]):
        matrix = ConfusionMatrix(CLASSES)
        for image, truth in some:
            assert truth is not None
            x = image.transpose(2, 0, 1)[None].astype(np.float32)
            logits = averages.run(x)[0]
            agreed += int((logits.argmax(0) == logits[order].argmax(0)).sum())
            positions += logits[0].size
            matrix.update(truth, upsample_argmax(logits[order], (SIDE, SIDE)))
        expected.append(100 * matrix.scores().miou)
    # The original order agrees with itself everywhere, which is half of the counted positions.
    assert found.argmax_agreement == pytest.approx(2 * agreed / positions - 1)
    assert found.argmax_agreement < 1.0
    assert (found.reference_score, found.score) == (pytest.approx(expected[0]), expected[1])
    assert found.difference_points == pytest.approx(expected[1] - expected[0])


def test_interval_matches_resampled_images(averages: ImageSession, tmp_path: Path) -> None:
    def difference(file: bytes, places: np.ndarray) -> Accuracy:
        every = images(12)
        some = Images("drawn", len(places), lambda place: every.read(int(places[place])))
        return reference(averages, some).measure_file(file, ONNX)

    file = permuted(tmp_path)
    found = difference(file, np.arange(12))
    assert found.interval_points is not None
    low, high = found.interval_points
    assert found.difference_points is not None
    assert low < found.difference_points < high
    random = np.random.default_rng(1)
    drawn = [difference(file, random.integers(0, 12, 12)).difference_points for _ in range(40)]
    values = np.array(drawn, dtype=float)
    # Two of the 40 draws are expected outside; more than eight occur once in 3000 times.
    assert ((values < low) | (values > high)).sum() <= 8
    assert high - low < 2 * (values.max() - values.min())
    assert difference(file, np.arange(12)) == found.model_copy(update={"pictures": "drawn"})


def test_without_ground_truth_scores_are_none(averages: ImageSession, tmp_path: Path) -> None:
    found = reference(averages, images(2, truth=None)).measure_file(permuted(tmp_path), ONNX)
    assert found.argmax_agreement < 1.0
    assert found.reference_score is found.score is found.difference_points is None
    assert found.interval_points is None


def test_classification_counts_images(tmp_path: Path) -> None:
    some = images(9, truth="classes")
    file = write_onnx(tmp_path / "classes.onnx", classify=True)
    with open_model(file, input_size=(SIDE, SIDE)) as session:
        fp32 = reference(session, some)
        found = fp32.measure_file(
            write_onnx(tmp_path / "n.onnx", classify=True, scale=-1.0).read_bytes(), ONNX
        )
    means = [image.reshape(-1, 3).mean(0) for image, _ in some]
    truth = [int(true) for _, true in some if true is not None]
    assert found.argmax_agreement == 0.0
    assert found.reference_score == pytest.approx(
        100 * np.mean([mean.argmax() == true for mean, true in zip(means, truth, strict=True)])
    )
    assert found.score == pytest.approx(
        100 * np.mean([mean.argmin() == true for mean, true in zip(means, truth, strict=True)])
    )


def test_the_reference_is_computed_once_per_image(averages: ImageSession, tmp_path: Path) -> None:
    read: list[int] = []
    every = images(3)

    def counted(place: int) -> tuple[np.ndarray, np.ndarray | None]:
        read.append(place)
        return every.read(place)

    fp32 = reference(averages, Images("counted", 3, counted))
    first = fp32.measure_file(scaled(tmp_path, 1.1), ONNX)
    assert fp32.measure_file(scaled(tmp_path, 1.1), ONNX) == first
    assert read == [0, 1, 2]


def test_reference_outputs_that_exceed_the_cache_are_recomputed(
    averages: ImageSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = reference(averages, images(3)).measure_file(permuted(tmp_path), ONNX)
    monkeypatch.setattr(quality, "CACHED_BYTES", 20_000)  # memory for one image
    fp32 = reference(averages, images(3))
    for _ in range(2):
        assert fp32.measure_file(permuted(tmp_path), ONNX) == expected


def test_a_subset_of_images_is_evenly_spaced(averages: ImageSession) -> None:
    read: list[int] = []
    every = images(10)
    listed = Images("ten", 10, lambda place: (read.append(place), every.read(place))[1])  # type: ignore[func-returns-value]
    fp32 = reference(averages, listed)
    assert fp32.spread(4).measure(averages).pictures == "4 of ten"
    assert read == [0, 2, 5, 7]
    assert fp32.spread(99).images.count == 10


def test_progress_is_reported(averages: ImageSession) -> None:
    reports: list[tuple[int, int]] = []
    reference(averages, images(3)).measure(averages, lambda *now: reports.append(now))
    assert reports == [(1, 3), (2, 3), (3, 3)]


def test_no_images_is_an_error(averages: ImageSession) -> None:
    with pytest.raises(SeaformerError, match="no images to measure on: 0 images"):
        reference(averages, images(0)).measure(averages)


def test_another_shape_is_an_error(averages: ImageSession, tmp_path: Path) -> None:
    file = write_onnx(tmp_path / "classes.onnx", sides=(SIDE, SIDE), classify=True)
    with pytest.raises(SeaformerError, match=r"shape \[3\], .* \[3, 8, 8\]"):
        reference(averages, images(1)).measure_file(file.read_bytes(), ONNX)
