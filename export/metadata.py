"""The JSON of an export: what the file takes and gives, and the proof that it computes it.

The same object stands inside the file and beside it. One thing differs: a file cannot contain its
own hash, so `file` (name, size, SHA-256 of the whole file) is in the .json beside only, and so is
`same_stem`, see `seaformer.export.sidecar`. What `content_sha256` covers is in both, see
`seaformer.export.artifact`.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Input(_Model):
    """The input tensor.

    `range` is that of its values: [0, 255] where the file normalises the picture itself, else None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    color_order: str
    range: tuple[float, float] | None
    normalization: Literal["inside", "outside"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str
    interpolation: str
    crop_fraction: float | None = None


class Output(_Model):
    """The output tensor; `stride` is input pixels per output position, None without a grid."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    stride: int | None
    content: Literal["logits", "classes", "mask"]


class Weights(_Model):
    """Where the weights come from."""

    name: str
    source: str
    sha256: str | None
    is_random: bool
    note: str = ""


class Comparison(_Model):
    """PyTorch in float64 against the exported file, on one input.

    Attributes:
        input: what the input was.
        max_abs_error: largest difference of an output value; None for class ids.
        sqnr_db: 10 log10(sum of reference^2 / sum of error^2); None for class ids.
        argmax_agreement: share of positions whose largest class is the same, 0..1.
        pytorch_float32_sqnr_db: what PyTorch's own float32 reaches on this input, for comparison:
            weights that amplify rounding hold both down. None for class ids.
    """

    input: str
    max_abs_error: float | None
    sqnr_db: float | None
    argmax_agreement: float
    pytorch_float32_sqnr_db: float | None


class Parity(_Model):
    """The verification of the file, and the bars it had to reach on every input."""

    reference: str
    runtime: str
    min_sqnr_db: float
    min_argmax_agreement: float
    comparisons: tuple[Comparison, ...]
    passed: bool


class MappedOperator(_Model):
    """An operator of the file and where it comes from.

    Attributes:
        index: position in the file's order of execution.
        type: operator type in the file's own words ("CONV_2D", "Conv").
        module: path of the module, "" for the model itself.
        nodes: names of the ONNX nodes it computes.
    """

    index: int
    type: str
    module: str
    nodes: tuple[str, ...]


class Rewrite(_Model):
    """What one rewrite of the deployment form did."""

    name: str
    count: int
    refusals: tuple[str, ...]


class File(_Model):
    """The file that the JSON stands beside."""

    name: str
    bytes: int
    sha256: str


class Metadata(_Model):
    """The whole object. `variant` is None for a user's own model, which `model` then names."""

    schema_version: Literal[1] = 1
    name: str
    variant: str | None
    model: str | None
    task: str
    kind: Literal["segmentation", "classification"]
    format: str
    precision: str
    head: str
    input: Input
    output: Output
    labels: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...] | None
    weights: Weights
    params: int
    macs: int
    content_sha256: str
    versions: dict[str, str]
    rewrites: tuple[Rewrite, ...]
    operators: tuple[MappedOperator, ...]
    parity: Parity
    file: File | None = None
    same_stem: dict[str, "Metadata"] | None = None

    def text(self) -> str:
        """Write the object as JSON, in the order of the schema."""
        absent: dict[str, Any] = {
            name: True for name in ("file", "same_stem") if getattr(self, name) is None
        }
        if self.same_stem:
            absent["same_stem"] = {name: {"same_stem"} for name in self.same_stem}
        return self.model_dump_json(indent=1, exclude=absent) + "\n"
