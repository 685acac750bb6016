"""The row of a network in the registry."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from seaformer.errors import UsageError
from seaformer.extras import require_module
from seaformer.models.seaformer.variants import Variant
from seaformer.network_names import factory_parts, in_words
from seaformer.tasks import DEFAULT_TASKS, GRAY, Kind, Task
from seaformer.weights.builtin import find_builtin

if TYPE_CHECKING:  # torch is imported only when a network is built, which keeps --help fast
    from torch import Tensor, nn

Builder = Callable[[int], "nn.Module"]
"""Number of classes -> the network, initialized by torch."""
KeyMap = Callable[[Iterable[str]], dict[str, str]]
"""Keys of our state_dict -> their names in a checkpoint."""


@dataclass(frozen=True)
class Published:
    """Published numbers of a network, with the precision of the publication.

    Attributes:
        params_m: parameters, in millions; None if no source states them.
        macs_g: multiply-accumulates for one image, in units of 10^9 ("FLOPs" in the papers); None
            if no source states them.
        miou: mIoU on ADE20K val, in percent.
        size_source: source of parameters and multiply-accumulates.
        miou_source: source of the mIoU.
        latencies_ms: name of a phone in `PHONES` -> latency on it.
        classes: number of classes for which parameters and multiply-accumulates match ours.
    """

    params_m: str | None
    macs_g: str | None
    miou: float
    size_source: str
    miou_source: str
    latencies_ms: Mapping[str, float]
    classes: int = 150


@dataclass(frozen=True)
class PublishedTop1:
    """Published numbers of a classifier, with the precision of the publication.

    Attributes:
        params_m: parameters, in millions.
        macs_g: multiply-accumulates for one image of 224x224, in units of 10^9.
        top1: top-1 on the validation images of ImageNet, in percent.
        source: where they are published.
    """

    params_m: str
    macs_g: str
    top1: float
    source: str


@dataclass(frozen=True)
class LayerCost:
    """How the cost of an attention layer grows with the side length of a square feature map.

    Attributes:
        complexity: formula, in the symbols of the SeaFormer paper, Section 3.
        growth: asymptotic exponent of the side length in the latency.
        elements: side length -> number of intermediate values written, including attention scores
            and their softmax.
    """

    complexity: str
    growth: int
    elements: Callable[[int], int]

    BASE_BYTES = 1.0e9
    BYTES_PER_NUMBER = 10
    """Peak memory of an export with verification, per value. Measured: 10 bytes for global
    attention at 64x64, whose scores also exist in float64, and 4 or 5 bytes for squeeze-enhanced
    attention at 256x256."""

    def export_bytes(self, side: int) -> float:
        """Estimate the bytes of memory needed to export and verify it at this side length."""
        return self.BASE_BYTES + self.BYTES_PER_NUMBER * self.elements(side)


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """One network: how to build it, load its weights and prepare its input.

    Attributes:
        name: value of --model; names of SeaFormers begin with "seaformer-".
        family: name of the networks that share its code; empty for a user's own network.
        title: name in the paper.
        paper: reference of the paper.
        takes: "image", or "features" of another network.
        builders: kind of task -> builder; empty for a network that does not depend on the task.
        fixed: builder of a network that does not depend on the task; None for the others.
        has_own_weights: whether `fixed` returns the network with its weights.
        declares_contract: whether the network itself declares its task; if not, it is detected.
        pretrained: builds a network of a library with the weights that the library downloads; None
            for other networks.
        auxiliary: prefixes of tensors in its checkpoints that only training uses.
        renamed: renames the tensors of a checkpoint to the names in the network, given the network
            and the tensors; None if the names are equal, or are mapped by `official_names`.
        stem: first part of its file names; empty to derive it from the name.
        backbone: prefixes of the names of all tensors outside the head.
        backbone_network: name of the network whose weights have the same backbone; "" for none.
        official_names: maps our state_dict keys to the names in published checkpoints; None for a
            network without such checkpoints.
        library_names: the same for the names in checkpoints of other libraries.
        computed: endings of the names of tensors in its checkpoints that the network computes.
        stride: input pixels per logit, along one side; None if not applicable.
        usual_size: default height and width of the input; None for the task's size.
        min_side: smallest height and width of the input.
        published: published numbers; None if no table has them.
        published_top1: published numbers as a classifier; None if there are none here.
        note: further remarks, such as how counted numbers differ from published ones; may be empty.
        cost: cost of an attention layer; None for a whole network.
        attention: name of its attention layer, if --attention replaces it; else empty.
        attention_cost: cost of this layer; None without `attention`.
        variant: the dimensions of a SeaFormer; None for any other network.
        ablation: switch -> value of a SeaFormer that differs from the paper's defaults.
        library: module besides torch that is needed to build it, or None.
    """

    name: str
    family: str
    title: str
    paper: str
    takes: Literal["image", "features"] = "image"
    builders: Mapping[Kind, Builder] = field(default_factory=dict)
    fixed: Callable[[], "nn.Module"] | None = None
    has_own_weights: bool = False
    declares_contract: bool = False
    pretrained: Callable[[], "nn.Module"] | None = None
    auxiliary: tuple[str, ...] = ()
    renamed: "Callable[[nn.Module, Mapping[str, Tensor]], Mapping[str, Tensor]] | None" = None
    stem: str = ""
    backbone: tuple[str, ...] = ()
    backbone_network: str = ""
    official_names: KeyMap | None = None
    library_names: tuple[KeyMap, ...] = ()
    computed: tuple[str, ...] = ()
    stride: int | None = None
    usual_size: tuple[int, int] | None = None
    min_side: int = 64
    published: Published | None = None
    published_top1: PublishedTop1 | None = None
    note: str = ""
    cost: LayerCost | None = None
    attention: str = ""
    attention_cost: LayerCost | None = None
    variant: Variant | None = None
    ablation: Mapping[str, str] = field(default_factory=dict)
    library: str | None = None

    def __repr__(self) -> str:
        return f"Network({self.name!r})"

    @property
    def size(self) -> str:
        """Name without the prefix of the family."""
        return self.name.removeprefix(f"{self.family}-")

    @property
    def layer_kind(self) -> str:
        """Name of the attention layer, for a single layer and for a network with it."""
        return self.attention or self.size

    @property
    def long_title(self) -> str:
        """Title with the variant of a SeaFormer written out, such as "SeaFormer-Tiny"."""
        if self.variant is None:
            return self.title
        return f"SeaFormer-{self.variant.name.capitalize()}"

    @property
    def usual_task(self) -> str:
        """Task if neither the user nor its weights specify one."""
        return DEFAULT_TASKS[next(iter(self.builders), "segmentation")]

    def build(self, kind: str, classes: int) -> "nn.Module":
        """Build the network, initialized by torch or by the user's own code.

        `kind` and `classes` are the task's; a network with `fixed` ignores both.

        Raises:
            MissingExtraError: its library is not installed.
        """
        if self.library is not None:
            require_module(self.library)
        return self.builders[kind](classes) if self.fixed is None else self.fixed()  # type: ignore[index]

    def file_stem(self, task: Task) -> str:
        """Return the stem of its file names, such as "seaformer_tiny_ade20k"."""
        if self.stem:
            return f"{self.stem}_{task.name}"
        function = factory_parts(self.name)[1]
        changes = "".join(f"_{switch}-{value}" for switch, value in self.ablation.items())
        stem = function or self.name.replace("-", "_", 1)
        stem += changes.replace(",", "-")
        return f"{stem}_{task.name}" if self.builders else stem

    def export_bytes(self, size: tuple[int, int]) -> float | None:
        """Estimate the bytes of memory that its export needs; None if any computer has enough.

        For a network whose attention can be replaced, the map of the first stage decides; it has
        fewer channels and heads than a single layer has.
        """
        if self.attention_cost is not None and self.stride is not None:
            return self.attention_cost.export_bytes(-(-max(size) // self.stride))
        return None if self.cost is None else self.cost.export_bytes(max(size))

    def check(self, task: Task, weights: object = None) -> None:
        """Refuse a task, or a value of --weights, that does not fit the network.

        Raises:
            UsageError: the network is for another kind of task, or loads no weights.
        """
        if self.builders and task.preprocessing.color_order == GRAY:
            raise UsageError(
                f"'{self.name}' takes RGB images, but the images of task '{task.name}' are gray. "
                "Give another color_order."
            )
        if self.builders and task.kind not in self.builders:
            if isinstance(weights, str):
                find_builtin(weights, self.name, task)  # raises for weights of another network
            raise UsageError(
                f"'{self.name}' is for {' and '.join(self.builders)}, but task '{task.name}' is "
                f"{task.kind}. Give another task."
            )
        if self.pretrained is not None and str(weights).startswith("backbone:"):
            raise UsageError(
                f"--weights {weights} cannot be used with --model {self.name}, whose backbone is "
                "unknown. Give a checkpoint of the whole network."
            )
        allowed = (None,) if self.has_own_weights else (None, "random")
        if not self.builders and self.pretrained is None and weights not in allowed:
            why = "the factory loads its own" if self.has_own_weights else "it has only random ones"
            raise UsageError(f"--weights cannot be used with --model {self.name}: {why}.")
        if {"fusion", "fusion-width"} & self.ablation.keys() and not task.is_segmentation:
            raise UsageError(
                f"task '{task.name}' is classification, and classification networks have no fusion "
                "blocks. Omit the ablations fusion and fusion-width."
            )

    def require_image(self, purpose: str) -> None:
        """Raise UsageError if the network takes features; `purpose` is what needs an image."""
        if self.takes != "image":
            raise UsageError(
                f"{in_words(self.name)} takes features of another network, but {purpose} needs a "
                "network that takes an image. Give a whole network, see seaformer-export --list."
            )
