"""The training recipe of each task.

The recipes come from the official configurations (fudan-zvg/SeaFormer, folder
seaformer-seg/local_configs), all of which start from a backbone trained on ImageNet. "shapes" is
our own: it trains from scratch, within tens of minutes on one core. It therefore has a higher
learning rate, the same for the head, and no regularization, which a data set that never repeats an
image does not need.

The recipes for detection are our own too: "coco" lasts twelve epochs of COCO's 118 287 training
images, like the "1x" schedule of other detectors, and "shapes-detection" starts from the backbone
of the weights `shapes`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from seaformer.tasks import Task


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a run.

    Attributes:
        iterations: optimizer steps.
        batch_size: images per step, over all processes.
        crop: height and width of a training image, in pixels.
        learning_rate: peak learning rate of AdamW, for the backbone.
        head_factor: learning rate of everything outside the backbone, over `learning_rate`.
        weight_decay: weight decay; not applied to position embeddings and norms.
        betas: betas of AdamW.
        warmup: steps over which the learning rate grows linearly; 0 for none.
        warmup_ratio: share of the learning rate at which the warm-up starts.
        power: exponent of the polynomial decay of the learning rate to 0.
        scale: smallest and largest random scale factor of an image.
        cat_max_ratio: a crop is drawn again if one class takes more than this share of it.
        flip: probability of a horizontal flip.
        photometric: whether brightness, contrast, saturation and hue are changed at random.
        dropout: dropout probability in the head.
        drop_path: drop path probability in the last layer of each stage.
    """

    iterations: int
    batch_size: int
    crop: tuple[int, int]
    learning_rate: float
    head_factor: float = 10.0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 1500
    warmup_ratio: float = 1e-6
    power: float = 1.0
    scale: tuple[float, float] = (0.5, 2.0)
    cat_max_ratio: float = 0.75
    flip: float = 0.5
    photometric: bool = True
    dropout: float = 0.1
    drop_path: float = 0.1

    def lasting(self, iterations: int) -> "Recipe":
        """Return the recipe for a run of another length; its warm-up takes at most a tenth."""
        warmup = min(self.warmup, int(_MAX_WARMUP * iterations))
        return replace(self, iterations=iterations, warmup=warmup)

    def for_quantization(self) -> "Recipe":
        """Return the recipe for fine-tuning with fake quantization.

        The network is trained already: a tenth of the steps, at a tenth of the learning rate.
        """
        shorter = self.lasting(max(1, self.iterations // _SHORTER))
        return replace(shorter, learning_rate=self.learning_rate / _SHORTER)

    def to_json(self) -> dict[str, Any]:
        """Return the attributes as a JSON object, with lists for tuples."""
        members: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return members


VALIDATIONS = 20
"""Default number of validations in a run."""

_MAX_WARMUP = 0.1
"""Maximum share of warm-up in a short run. The recipes below have 1 to 6 %."""

_SHORTER = 10
"""Factor between training and fine-tuning with fake quantization."""

_PASCAL_CONTEXT = Recipe(80_000, 32, (480, 480), 2e-4)

RECIPES: Mapping[str, Recipe] = {
    "ade20k": Recipe(160_000, 16, (512, 512), 2.5e-4),
    "cityscapes": Recipe(160_000, 8, (512, 1024), 3e-4),
    "pascal-context": _PASCAL_CONTEXT,
    "pascal-context-60": _PASCAL_CONTEXT,
    "coco-stuff": Recipe(80_000, 32, (512, 512), 2e-4),
    "coco": Recipe(
        88_700, 16, (512, 512), 2e-4, head_factor=1.0, warmup=1000, photometric=False, dropout=0.0
    ),
    "shapes-detection": Recipe(
        2_400,
        8,
        (256, 256),
        5e-4,
        head_factor=1.0,
        warmup=100,
        scale=(1.0, 1.0),
        photometric=False,
        dropout=0.0,
        drop_path=0.0,
    ),
    "shapes": Recipe(
        1_800,
        16,
        (256, 256),
        5e-3,
        head_factor=1.0,
        warmup=100,
        scale=(1.0, 1.0),
        cat_max_ratio=1.0,
        photometric=False,
        dropout=0.0,
        drop_path=0.0,
    ),
}
"""Name of the task -> recipe."""

_OF_OWN_TASKS = {"detection": "coco"}
"""Kind of a user's own task -> task whose recipe it uses, at its own size; otherwise ade20k."""

_TINY_ADE20K_RATE = 3e-4


def get_recipe(task: Task, variant: str | None) -> Recipe:
    """Return the recipe for a task and a variant; `variant` is None for other networks."""
    if task.name not in RECIPES:
        usual = RECIPES[_OF_OWN_TASKS.get(task.kind, "ade20k")]
        return replace(usual, crop=task.preprocessing.input_size)
    recipe = RECIPES[task.name]
    if (task.name, variant) == ("ade20k", "tiny"):
        return replace(recipe, learning_rate=_TINY_ADE20K_RATE)
    return recipe
