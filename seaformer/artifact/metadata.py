"""The JSON of an export: what the file takes and gives, and the proof that it computes it.

The same object stands inside the file and beside it. One thing differs: a file cannot contain its
own hash, so `file` (name, size, SHA-256 of the whole file) is in the .json beside only, and so is
`same_stem`, see `seaformer.export.sidecar`. What `content_sha256` covers is in both, see
`seaformer.export.artifact`.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["segmentation", "classification", "features"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Scale(_Model):
    """What integers stand for: real value = (integer - zero_point) * scale."""

    scale: float
    zero_point: int


class Input(_Model):
    """The input tensor.

    `range` is that of its real values: [0, 255] where the file normalises the picture itself, else
    None. `quantization` is None where the tensor holds real values. What is said of a picture is
    None for features of another network.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Scale | None = None
    layout: str
    color_order: str | None = None
    range: tuple[float, float] | None
    normalization: Literal["inside", "outside"]
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    resize: str | None = None
    interpolation: str | None = None
    crop_fraction: float | None = None


class Output(_Model):
    """The output tensor; `stride` is input pixels per output position, None without a grid."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Scale | None = None
    layout: str
    stride: int | None
    content: Literal["logits", "classes", "mask", "features"]


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
        argmax_agreement: share of positions whose largest class is the same, 0..1; None for
            features, whose channels are no classes.
        pytorch_float32_sqnr_db: what PyTorch's own float32 reaches on this input, for comparison:
            weights that amplify rounding hold both down. None for class ids.
    """

    input: str
    max_abs_error: float | None
    sqnr_db: float | None
    argmax_agreement: float | None
    pytorch_float32_sqnr_db: float | None


class Accuracy(_Model):
    """A quantized file against its single-precision twin, on pictures that neither has seen.

    Attributes:
        pictures: what they were.
        count: how many.
        sqnr_db: of the logits, over all pictures.
        argmax_agreement: share of positions, or of pictures in classification, whose largest class
            is the same, 0..1.
        reference_score: mIoU (top-1 in classification) of the twin in percent; None without truth.
        score: of this file.
        difference_points: `score` - `reference_score`.
        interval_points: 95 % interval of the difference, by paired bootstrap over the pictures.
    """

    pictures: str
    count: int
    sqnr_db: float
    argmax_agreement: float
    reference_score: float | None
    score: float | None
    difference_points: float | None
    interval_points: tuple[float, float] | None


class Latency(_Model):
    """Time of a quantized file over that of its single-precision twin, run in turns on a computer.

    Attributes:
        ratio: of the medians; above 1 the quantized file is the slower one.
        interval: 95 % interval of the ratio.
        runs: of each file.
        threads: of each run.
        processor: name, and the instructions that matter to integer kernels.
    """

    ratio: float
    interval: tuple[float, float]
    runs: int
    threads: int
    processor: str


class Quantization(_Model):
    """How a file came to its integers, and what that costs.

    Attributes:
        engine: the quantizer and its version.
        calibration: the pictures that ranges come from; None where none are needed.
        method: how ranges were chosen from them; None where none are needed.
        is_random: whether the pictures were noise: the file is then for latency only.
        kept_modules: as asked for, or found by the search.
        float_operators: indices of the operators that compute in floating point.
        accuracy: None where there was nothing to measure on.
        latency: None where it was not measured.
        accepted_loss: whether it misses the bars of its precision, and was written all the same.
    """

    engine: str
    calibration: str | None
    method: str | None
    is_random: bool
    kept_modules: tuple[str, ...]
    float_operators: tuple[int, ...]
    accuracy: Accuracy | None
    latency: Latency | None
    accepted_loss: bool


class Parity(_Model):
    """The verification of the file, and the bars it had to reach.

    A file of floating point has to on every one of the comparisons; a quantized one on the
    accuracy in `Quantization`, or on the photograph where there is none.
    """

    reference: str
    runtime: str
    min_sqnr_db: float
    min_argmax_agreement: float
    max_score_loss_points: float | None = None
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
    """The whole object.

    `variant` is None for another model than a SeaFormer, which `model` then names: a peer, an
    attention layer or a user's factory. `ablation` has the switches of `seaformer.models.ablation`
    that were changed. A model of kind "features" takes what another network makes of a picture, and
    gives the like: it has no task and no labels.
    """

    schema_version: Literal[1] = 1
    name: str
    variant: str | None
    model: str | None
    ablation: dict[str, str] = {}
    task: str | None
    kind: Kind
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
    quantization: Quantization | None = None
    parity: Parity
    file: File | None = None
    same_stem: dict[str, "Metadata"] | None = None

    def text(self, indent: int | None = 1) -> str:
        """Write the object as JSON, in the order of the schema; on one line without `indent`."""
        absent: dict[str, Any] = {
            name: True for name in ("file", "same_stem") if getattr(self, name) is None
        }
        if self.same_stem:
            absent["same_stem"] = {name: {"same_stem"} for name in self.same_stem}
        return self.model_dump_json(indent=indent, exclude=absent) + "\n"
