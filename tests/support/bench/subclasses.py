"""Train SeaFormer-Tiny on 150 classes of procedural scenes, to time upsample_argmax on its logits.

    PYTHONPATH=tests/support python -m bench.subclasses [--weights FILE]

ADE20K's 150 classes would be more realistic, but this project contains neither its images nor
weights trained on them. So the shapes of `seaformer.datasets.shapes` are also separated by color:
a class is a shape with the nearest of 14 colors, or of 5 for wires and dots. The packaged network
(12 classes at 256x256) is fine-tuned, with all its layers, at 512x512. This takes minutes instead
of hours, so the network reaches only a modest mIoU, which is printed, and its logits are less
confident than a fully trained network's. Scenes are the same on every computer; weights differ by
rounding.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from seaformer.datasets import shapes
from seaformer.evaluation.metrics import ConfusionMatrix, SegmentationScores
from seaformer.files import atomic_write
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.imaging.upsampling import upsample_argmax
from seaformer.models.create import create_model
from seaformer.models.seaformer.network import SeaFormer
from seaformer.tasks import get_task
from seaformer.training.loss import segmentation_loss

SIZE = (512, 512)
STEPS, BATCH, RATE, WARMUP = 220, 4, 4e-3, 20
TRAINING, VALIDATION = 0, 1  # seeds of scenes, as in ShapesDataset
FIRST_SCENE = 2_000_000  # the packaged weights were trained on the first million
WEIGHTS = Path("build/bench/subclasses_tiny.pt")

# The corners and the centers of the faces of a cube, which fill the color space evenly.
COLORS = np.array(
    [(r, g, b) for r in (70, 185) for g in (70, 185) for b in (70, 185)]
    + [np.roll((far, 128, 128), axis) for axis in (2, 1, 0) for far in (40, 215)]
)
# Dark, bright, reddish, greenish, bluish: small objects show little of their color.
FEW_COLORS = np.array([(60, 60, 60), (195, 195, 195), (190, 90, 90), (90, 190, 90), (90, 90, 190)])
PALETTES = [FEW_COLORS if kind in (shapes._WIRE, shapes._DOT) else COLORS for kind in range(12)]
FIRST_CLASS = np.cumsum([0, *map(len, PALETTES)])  # class of each shape's first color
CLASSES = int(FIRST_CLASS[-1])


def class_of(kind: int, color: np.ndarray) -> int:
    """Return the class of a shape and its mean color, [3]."""
    return int(FIRST_CLASS[kind] + np.square(PALETTES[kind] - color).sum(axis=1).argmin())


class Scene(shapes._Scene):
    """A scene of the data set "shapes" that also records the color of each object.

    Attributes:
        classes: uint8 [H, W], 0..149.
    """

    def _surface(self, grid: int, contrast: float) -> np.ndarray:
        surface = super()._surface(grid, contrast)
        if not hasattr(self, "classes"):  # the wall is drawn first
            wall = class_of(shapes._WALL, surface.mean(axis=(1, 2)))
            self.classes = np.full(self.mask.shape, wall, np.uint8)
        return surface

    def _floor(self) -> None:
        super()._floor()
        floor = self.mask == shapes._FLOOR
        if floor.any():
            self.classes[floor] = class_of(shapes._FLOOR, self.colors[:, floor].mean(axis=1))

    def _lay(
        self, texture: np.ndarray, coverage: np.ndarray, box: tuple[int, int, int, int], kind: int
    ) -> None:
        super()._lay(texture, coverage, box, kind)
        left, top, right, bottom = box
        inside = coverage >= 128
        if inside.any():
            color = np.broadcast_to(texture, (3, *inside.shape))[:, inside].mean(axis=1)
            self.classes[top:bottom, left:right][inside] = class_of(kind, color)


def example(seed: int, index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a scene: float32 [3, 512, 512], normalized, and int64 [512, 512], the classes."""
    scene = Scene(np.random.RandomState([seed, index]), SIZE)
    rules = get_task(shapes.TASK).preprocessing
    image = normalize(prepare(scene.image(), rules, SIZE), rules).transpose(2, 0, 1)
    return torch.from_numpy(image.copy()), torch.from_numpy(scene.classes.astype(np.int64))


def new_network() -> nn.Module:
    """Return the packaged network, with the rows of its classifier repeated for every color."""
    model = create_model("tiny", get_task(shapes.TASK), shapes.TASK)
    assert isinstance(model, SeaFormer)
    kinds = model.light_head.classifier
    colored = nn.Conv2d(kinds.in_channels, CLASSES, 1)
    kind_of = torch.tensor(np.repeat(np.arange(len(PALETTES)), np.diff(FIRST_CLASS)))
    with torch.no_grad():
        weight = kinds.weight[kind_of]
        # Equal rows would get equal gradients, and the layers below none.
        weight = weight + 0.3 * torch.randn(weight.shape) * kinds.weight.std()
        colored.load_state_dict({"weight": weight, "bias": kinds.state_dict()["bias"][kind_of]})
    model.light_head.classifier = colored
    return model.requires_grad_(True)


def train(report: Callable[[str], None] = print) -> nn.Module:
    """Train for STEPS steps; every scene is drawn once."""
    torch.manual_seed(0)
    model = new_network().train()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's overloads
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0)
    losses = []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARMUP) * (1 - step / STEPS)
        first = FIRST_SCENE + step * BATCH
        examples = [example(TRAINING, first + i) for i in range(BATCH)]
        images, masks = zip(*examples, strict=True)
        batch = torch.stack(images).contiguous(memory_format=torch.channels_last)
        # Only one of each 8 x 8 pixels, at the center of a logit: a full-size softmax is too slow.
        loss = segmentation_loss(model(batch), torch.stack(masks)[:, 4::8, 4::8])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        if (step + 1) % 20 == 0:
            report(f"step {step + 1} of {STEPS}, loss {np.mean(losses[-20:]):.2f}")
    return model.eval().requires_grad_(False)


def trained_network(weights: Path = WEIGHTS) -> nn.Module:
    """Return the network with the weights of a file; train them if it does not exist."""
    model = new_network().eval().requires_grad_(False)
    if not weights.exists():
        weights.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(weights) as draft:
            torch.save(train().state_dict(), draft)
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model


def logits_of(model: nn.Module, scene: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, float32 [150, 64, 64], and classes, [512, 512], of a validation scene."""
    image, classes = example(VALIDATION, scene)
    with torch.no_grad():
        return model(image[None])[0].contiguous().numpy(), classes.numpy()


def scores(model: nn.Module, scenes: int) -> SegmentationScores:
    """Measure the network on the first validation scenes."""
    confusion = ConfusionMatrix(CLASSES)
    for scene in range(scenes):
        logits, classes = logits_of(model, scene)
        confusion.update(classes, upsample_argmax(logits, SIZE))
    return confusion.scores()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="created if missing")
    parser.add_argument("--scenes", type=int, default=50, help="number of validation scenes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = scores(trained_network(arguments.weights), arguments.scenes)
    print(f"mIoU {result.miou:.1%}, pixel accuracy {result.pixel_accuracy:.1%}")


if __name__ == "__main__":
    main()
