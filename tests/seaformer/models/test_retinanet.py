"""RetinaNet, compared with torchvision's own."""

import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from exporting import read_metadata, run_export
from locations import ROOT
from other_libraries import library
from torch import Tensor, nn

from seaformer.bundling.model import read_model
from seaformer.detection.anchors import anchors_at
from seaformer.detection.decoding import decode
from seaformer.errors import UsageError
from seaformer.models.catalog import count_macs
from seaformer.models.create import create_model
from seaformer.models.registry import REGISTRY
from seaformer.models.seaformer.variants import VARIANTS

torchvision = library("torchvision")

import detection_golden  # noqa: E402
from torchvision.models._utils import IntermediateLayerGetter  # noqa: E402
from torchvision.models.detection.retinanet import RetinaNet as Torchvisions  # noqa: E402
from torchvision.models.detection.retinanet import RetinaNetHead  # noqa: E402

from seaformer.models.retinanet import RetinaNet  # noqa: E402

DETECTORS = [name for name, row in REGISTRY.items() if "detection" in row.builders]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ResNet(nn.Module):
    """Features of ResNet-50 at strides 8, 16 and 32, and the last one subsampled."""

    def __init__(self) -> None:
        super().__init__()
        layers = {f"layer{stage}": str(stage) for stage in (2, 3, 4)}
        self.body = IntermediateLayerGetter(torchvision.models.resnet50(), layers)

    def forward(self, image: Tensor) -> list[Tensor]:
        features = list(self.body(image).values())
        return [*features, nn.functional.max_pool2d(features[-1], 1, 2)]


class Pyramid(nn.Module):
    """A backbone in the form that torchvision's RetinaNet takes, with the modules of ours."""

    def __init__(self, ours: RetinaNet, width: int) -> None:
        super().__init__()
        self.backbone, self.fpn, self.out_channels = ours.backbone, ours.fpn, width

    def forward(self, image: Tensor) -> OrderedDict[str, Tensor]:
        features = self.backbone(image)
        return self.fpn({str(place): feature for place, feature in enumerate(features)})


@pytest.fixture(scope="module")
def on_resnet() -> RetinaNet:
    torch.manual_seed(0)
    model = RetinaNet(ResNet(), (512, 1024, 2048, 2048), classes=5, width=64).eval()
    for subnet, gain in ((model.head.classification_head, 1.0), (model.head.regression_head, 0.3)):
        for layer in subnet.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
        last = list(subnet.children())[-1]
        nn.init.normal_(last.weight, std=1e-4 * gain)
        nn.init.normal_(last.bias, std=0.1)
    return model.requires_grad_(False)


def test_outputs_and_detections_are_those_of_torchvision(on_resnet: RetinaNet) -> None:
    theirs = Torchvisions(
        Pyramid(on_resnet, 64),
        5,
        min_size=256,
        max_size=256,
        anchor_generator=on_resnet.anchor_generator,
        detections_per_img=100,
    )
    theirs.head.load_state_dict(on_resnet.head.state_dict())
    theirs.eval()
    image = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(1))
    normalized = (image - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    with torch.no_grad():
        heads = theirs.head(list(theirs.backbone(normalized[None]).values()))
        (expected,) = theirs([image])
    output = on_resnet(normalized[None])
    torch.testing.assert_close(
        output, torch.cat([heads["cls_logits"], heads["bbox_regression"]], 2)
    )
    found = decode(output.numpy(), on_resnet.detection_output((256, 256)), (256, 256))
    assert len(found) == 100
    assert found.classes.tolist() == expected["labels"].tolist()
    np.testing.assert_allclose(found.scores, expected["scores"], rtol=1e-4)
    np.testing.assert_allclose(found.boxes, expected["boxes"], rtol=1e-4, atol=1e-2)


def test_the_parts_are_those_of_torchvision() -> None:
    ours = create_model("seaformer-tiny-retinanet")
    theirs = RetinaNetHead(256, 9, 80)
    assert ours.head.state_dict().keys() == theirs.state_dict().keys()
    for key, tensor in theirs.state_dict().items():
        assert ours.head.state_dict()[key].shape == tensor.shape
    usual = torchvision.models.detection.retinanet._default_anchorgen()
    assert ours.anchor_generator.sizes == usual.sizes
    assert ours.anchor_generator.aspect_ratios == usual.aspect_ratios


@pytest.mark.parametrize("size", [(256, 256), (200, 328), (64, 1024)])
def test_anchors_in_numpy_are_those_of_torchvision(size: tuple[int, int]) -> None:
    model = create_model("seaformer-tiny-retinanet-narrow")
    described = model.detection_output(size)
    in_numpy = [anchors_at(level, np.arange(level.count)) for level in described.levels]
    np.testing.assert_array_equal(model.anchors(size), np.concatenate(in_numpy))
    assert model(torch.zeros(1, 3, *size)).shape == (1, described.anchors, 84)


@pytest.mark.parametrize("seed", [0, 1])
def test_many_candidates_are_decoded_as_by_torchvision(seed: int) -> None:
    size, image_size = (256, 320), (480, 600)
    model = create_model("seaformer-tiny-retinanet-narrow")
    described = model.detection_output(size)
    noise = torch.Generator().manual_seed(seed)
    output = model(torch.randn(1, 3, *size, generator=noise))
    output += 0.3 * torch.randn(output.shape, generator=noise)
    members = json.loads(described.model_dump_json())
    boxes, scores, classes = detection_golden.by_torchvision(
        output.numpy(), members, size, image_size
    )
    found = decode(output.numpy(), described, size, image_size)
    assert len(found) == 100
    np.testing.assert_allclose(found.scores, scores, rtol=1e-5)
    # Torchvision does not define the order of equal scores.
    ours, theirs = (
        np.array(sorted(np.column_stack(columns).tolist()))
        for columns in ((found.classes, found.boxes), (classes, boxes))
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-2)


def test_the_golden_detections_are_those_of_this_torchvision() -> None:
    stored = json.loads(detection_golden.FILE.read_text())
    for ours, case in zip(detection_golden.golden(), stored, strict=True):
        for member in ("name", "detection", "shape", "output", "classes"):
            assert ours[member] == case[member]
        np.testing.assert_allclose(ours["scores"], case["scores"], atol=2e-6)
        np.testing.assert_allclose(ours["boxes"], case["boxes"], rtol=1e-5, atol=2e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_backbone_is_the_classification_network(variant: str) -> None:
    classifier = create_model(variant, "imagenet")
    model = create_model(f"seaformer-{variant}-retinanet")
    head = classifier.head.linear
    counted = sum(p.numel() for p in classifier.parameters())
    params = counted - head.weight.numel() - head.bias.numel()
    assert sum(p.numel() for p in model.backbone.parameters()) == params
    macs = count_macs(classifier, (224, 224)) - head.weight.numel()
    assert count_macs(model.backbone, (224, 224)) == macs


def test_the_table_of_the_guide_is_counted() -> None:
    table = (ROOT / "docs" / "detection.md").read_text()
    for variant in VARIANTS:
        model = create_model(f"seaformer-{variant}-retinanet")
        sizes = [sum(p.numel() for p in m.parameters()) / 1e6 for m in (model.backbone, model)]
        macs = count_macs(model.backbone, (224, 224)) / 1e9, count_macs(model, (512, 512)) / 1e9
        assert (
            f"| `seaformer-{variant}-retinanet` | {sizes[0]:.2f} M | {macs[0]:.3f} G | "
            f"{sizes[1]:.2f} M | {macs[1]:.1f} G |"
        ) in table


def test_weights_of_a_classifier_are_taken_for_the_backbone(tmp_path: Path) -> None:
    classifier = create_model("tiny", "imagenet")
    torch.save(classifier.state_dict(), tmp_path / "ours.pth")
    names = REGISTRY["seaformer-tiny"].official_names
    assert names is not None
    official = names(classifier.state_dict())
    state = {official[key]: tensor for key, tensor in classifier.state_dict().items()}
    torch.save(state, tmp_path / "official.pth")
    for file in ("ours.pth", "official.pth"):
        model = create_model(
            "seaformer-tiny-retinanet-narrow", weights=f"backbone:{tmp_path / file}"
        )
        for key, tensor in model.backbone.state_dict().items():
            assert torch.equal(tensor, classifier.state_dict()[key]), key


def test_the_backbone_of_built_in_weights_is_taken_by_name() -> None:
    trained = create_model("tiny", "shapes", weights="shapes").state_dict()
    model = create_model("seaformer-tiny-retinanet-narrow", weights="backbone:shapes")
    for key, tensor in model.backbone.state_dict().items():
        assert torch.equal(tensor, trained[key]), key


@pytest.mark.slow
def test_every_format_and_precision_is_exported(tmp_path: Path) -> None:
    done = run_export(
        "--model", "seaformer-tiny-retinanet-narrow", "--task", "shapes-detection",
        "--format", "tflite", "--format", "onnx", "--precision", "fp32", "--precision", "int8",
        "--precision", "w8a8", "--input-size", "128", "--calibration", "random",
        "--calibration-samples", "8", "--output", "out",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    described = create_model("seaformer-tiny-retinanet-narrow").detection_output((128, 128))
    written = [path for path in (tmp_path / "out").iterdir() if path.suffix != ".json"]
    files = {(one.format, one.precision): one for one in map(read_metadata, written)}
    assert {key: one.output.dtype for key, one in files.items()} == {
        ("tflite", "fp32"): "float32",
        ("tflite", "int8"): "float32",
        ("tflite", "w8a8"): "int16",
        ("onnx", "fp32"): "float32",
        ("onnx", "int8"): "float32",
        ("onnx", "w8a8"): "uint16",
    }
    for path in written:
        if read_metadata(path).precision == "w8a8":
            with pytest.raises(
                UsageError, match=r"the app cannot run .+ type of its output is u?int16"
            ):
                read_model(path)
        else:
            assert read_model(path).metadata.detection == described
    for one in files.values():
        assert (one.kind, one.output.content, one.detection) == ("detection", "boxes", described)
        assert one.output.shape == (1, described.anchors, 12)
        titles = {path: module.title for path, module in one.modules.items() if "." not in path}
        assert list(titles.values()) == [
            "backbone", "feature pyramid (FPN)", "heads", "joined outputs",
        ]  # fmt: skip
        if one.precision == "int8":
            in_float = set(one.quantization.float_operators)  # type: ignore[union-attr]
            joined = {row.index for row in one.operators if row.module == "joined_outputs"}
            assert joined & in_float
            heads = {
                row.index
                for row in one.operators
                if row.module.startswith("head.") and row.type in ("CONV_2D", "Conv")
            }
            assert heads
            assert not heads & in_float
