"""What the registry says of a network."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from seaformer.errors import UsageError
from seaformer.models.seaformer.variants import Variant
from seaformer.network_names import factory_parts, in_words
from seaformer.tasks import GRAY, Task

if TYPE_CHECKING:  # torch is imported when a network is built: --help shall not wait for it
    from torch import nn

Kind = Literal["segmentation", "classification"]
Builder = Callable[[int], "nn.Module"]
"""Number of classes -> the network, with the weights that torch gives it."""


@dataclass(frozen=True)
class Published:
    """What others have written of a network, with the digits that they give.

    Attributes:
        params_m: parameters, in millions; None where no source at hand has them.
        macs_g: multiply-accumulates of one image, in units of 10^9 ("FLOPs" in the papers);
            None as above.
        miou: on ADE20K val, in percent.
        size_source: where parameters and multiply-accumulates stand.
        miou_source: where the mIoU stands.
        phone_latency_ms: on one core of a Snapdragon 865, as Figure 1 of the SeaFormer paper has
            it; input to logits.
        classes: of the network that parameters and multiply-accumulates equal.
    """

    params_m: str | None
    macs_g: str | None
    miou: float
    size_source: str
    miou_source: str
    phone_latency_ms: float
    classes: int = 150


@dataclass(frozen=True)
class LayerCost:
    """How the cost of an attention layer grows with the side of its square feature map.

    `complexity` is in the symbols of the SeaFormer paper, Section 3, `growth` the exponent of the
    side that the latency grows with in the limit, and `elements` maps a side to the numbers that
    are written on the way, scores and their softmax included.
    """

    complexity: str
    growth: int
    elements: Callable[[int], int]

    BASE_BYTES = 1.0e9
    BYTES_PER_NUMBER = 10
    """Peak memory of an export with its verification. Measured: 10 bytes for each of the numbers of
    global attention at 64x64, whose scores are there in float64 too, and 4 or 5 for those of
    squeeze-enhanced attention at 256x256."""

    def export_bytes(self, side: int) -> float:
        """Estimate the memory that exporting and verifying it for a side takes."""
        return self.BASE_BYTES + self.BYTES_PER_NUMBER * self.elements(side)


@dataclass(frozen=True, eq=False)
class Network:
    """One network, and how to build it, load it and feed it.

    Attributes:
        name: as given to --model; a SeaFormer's begins with "seaformer-".
        family: of networks that share their code; empty for a user's own.
        title: as its authors write it.
        paper: where it is described.
        takes: "image", or "features" of another network.
        builders: kind of task -> how it is built for one; empty for a network that is as it is,
            whatever the task.
        fixed: how such a network is built; None for the others.
        has_own_weights: whether `fixed` returns it with its weights.
        backbone: how the names of its tensors begin that are not of the head.
        official_names: our state_dict keys -> those of published checkpoints, by key; None for a
            network without such checkpoints.
        stride: input pixels per logit; None where there is no such number.
        usual_size: height and width of the input unless others are asked for; None for the task's.
        min_side: smallest side of the input.
        published: None for a network that no table has.
        note: what else a reader should know, such as how its counted numbers differ from the
            published ones; may be empty.
        cost: of an attention layer; None for a whole network.
        variant: the dimensions of a SeaFormer; None for any other network.
        ablation: switches of a SeaFormer that are not the paper's own choice, and their values.
    """

    name: str
    family: str
    title: str
    paper: str
    takes: Literal["image", "features"] = "image"
    builders: Mapping[Kind, Builder] = field(default_factory=dict)
    fixed: Callable[[], "nn.Module"] | None = None
    has_own_weights: bool = False
    backbone: tuple[str, ...] = ()
    official_names: Callable[[Iterable[str]], dict[str, str]] | None = None
    stride: int | None = None
    usual_size: tuple[int, int] | None = None
    min_side: int = 64
    published: Published | None = None
    note: str = ""
    cost: LayerCost | None = None
    variant: Variant | None = None
    ablation: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> str:
        """Its name in the family."""
        return self.name.removeprefix(f"{self.family}-")

    @property
    def long_title(self) -> str:
        """Its title in a sentence, with the variant of a SeaFormer written out."""
        if self.variant is None:
            return self.title
        return f"SeaFormer-{self.variant.name.capitalize()}"

    def build(self, kind: str, classes: int) -> "nn.Module":
        """Build it with the weights that torch, or a user's own code, gives it.

        Kind and number of classes are the task's; of no meaning for a network that is as it is.
        """
        return self.builders[kind](classes) if self.fixed is None else self.fixed()  # type: ignore[index]

    def file_stem(self, task: Task) -> str:
        """Return how the names of its files begin, such as "seaformer_tiny_ade20k"."""
        function = factory_parts(self.name)[1]
        changes = "".join(f"_{switch}-{value}" for switch, value in self.ablation.items())
        stem = function or self.name.replace("-", "_", 1)
        stem += changes.replace(",", "-")
        return f"{stem}_{task.name}" if self.builders else stem

    def export_bytes(self, size: tuple[int, int]) -> float | None:
        """Estimate the memory that its export takes; None for that of a usual network."""
        return None if self.cost is None else self.cost.export_bytes(max(size))

    def check(self, task: Task, weights: object = None) -> None:
        """Refuse a task, or weights as given to --weights, that it cannot have.

        Raises:
            UsageError: it is for another kind of task, or loads no weights.
        """
        if self.builders and task.preprocessing.color_order == GRAY:
            raise UsageError(
                f"'{self.name}' takes RGB images, and the images of task '{task.name}' are gray. "
                "Give another color_order."
            )
        if self.builders and task.kind not in self.builders:
            raise UsageError(
                f"'{self.name}' is for {' and '.join(self.builders)}, and task '{task.name}' is "
                f"{task.kind}. Give another task."
            )
        allowed = (None,) if self.has_own_weights else (None, "random")
        if not self.builders and weights not in allowed:
            why = "the factory loads its own" if self.has_own_weights else "it has random ones only"
            raise UsageError(f"--weights does not go with --model {self.name}: {why}.")
        if {"fusion", "fusion-width"} & self.ablation.keys() and not task.is_segmentation:
            raise UsageError(
                f"task '{task.name}' is classification, whose network has no fusion blocks. "
                "Leave the ablations of the fusion out."
            )

    def require_image(self, purpose: str) -> None:
        """Raise UsageError for a network that takes features; `purpose` needs an image."""
        if self.takes != "image":
            raise UsageError(
                f"{in_words(self.name)} takes the features of another network, and {purpose} needs "
                "one that takes an image. Give a whole network, see seaformer-export --list."
            )
