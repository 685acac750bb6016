"""A model to be measured: its file, what it is given, and what it has to answer."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seaformer.benchmark.parity import Parity, compare
from seaformer.benchmark.reference import Reference, open_reference
from seaformer.benchmark.results import Accuracy, InputUsed, ModelFacts, picture_size
from seaformer.benchmark.setting import Setting
from seaformer.errors import SeaformerError
from seaformer.files import file_sha256
from seaformer.images import read_image, sample_photograph
from seaformer.prediction import Contract
from seaformer.preprocessing import normalize, prepare
from seaformer.runtimes.metadata import FEATURES
from seaformer.tasks import Preprocessing

UNKNOWN_PRECISION = "unknown"
TAIL_DTYPES = ("float32", "int8", "uint8")

FOREIGN = "no metadata: measured on seeded noise, precision unknown"
NO_PICTURE = "its input is no picture: measured on seeded noise"


@dataclass(frozen=True)
class Candidate:
    """A model file, opened and run once on this computer.

    Attributes:
        id: a plain name, "m0" for the first.
        path: the file.
        file_bytes: its size.
        sha256: of the file.
        title: the model in words.
        precision: as its metadata says, or "unknown".
        facts: the rest of its metadata.
        input: what it is given.
        tensor: the bytes of that.
        note: what else a user should know; may be empty.
        mask_size: height and width of the mask that the arg-max in C makes of its output; None if
            its output is not logits of a segmentation.
        class_axis: axis of the classes in its output; None if unknown or if it gives class ids.
        gives_class_ids: whether its output is classes and not numbers.
        setting: how it is run; None for as the benchmark says.
    """

    id: str
    path: Path
    file_bytes: int
    sha256: str
    title: str
    precision: str
    facts: ModelFacts
    input: InputUsed
    tensor: bytes
    note: str
    mask_size: tuple[int, int] | None
    class_axis: int | None
    gives_class_ids: bool
    _reference: Reference
    _expected: Sequence[npt.NDArray[Any]]
    setting: Setting | None = None

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What the export wrote about the file; None if it says nothing."""
        return self._reference.metadata

    def verify(self, output: bytes) -> Parity:
        """Compare the bytes that a device gives with this computer's own runtime.

        Raises:
            SeaformerError: they are not as many as the output takes.
        """
        outputs = self._reference.decode(self._reference.split(output))
        return compare(
            outputs,
            self._expected,
            self.precision,
            self.class_axis,
            self.gives_class_ids,
            f"{self._reference.runtime} on this computer",
        )


def open_candidate(path: Path, number: int, seed: int) -> Candidate:
    """Read a model file and compute what it has to answer.

    The input is the photograph that comes with the package, prepared as the metadata says. A file
    without metadata, or one whose input is no picture, gets noise: standard normal, of the seed.

    Args:
        path: .tflite or .onnx.
        number: place among the models of the benchmark, from 0.
        seed: of the noise.

    Raises:
        SeaformerError: the file cannot be read or run here.
    """
    if not path.is_file():
        raise SeaformerError(f"there is no model file '{path}'. Check the name.")
    reference = open_reference(path)
    metadata = reference.metadata
    contract = None
    if metadata is not None and metadata.get("kind") != FEATURES:
        contract = Contract.from_metadata(metadata)
    values = None if contract is None else _picture(contract, reference)
    source: Literal["photograph", "noise"] = "noise" if values is None else "photograph"
    if values is None:
        noise = np.random.default_rng(seed).standard_normal(reference.input.shape)
        values = noise.astype(np.float32)
    tensor = reference.input.encode(values)
    expected = reference.decode(reference.run(tensor))
    note = FOREIGN if metadata is None else NO_PICTURE if source == "noise" else ""
    if contract is not None and contract.is_random:
        note = "; ".join(filter(None, (note, "random weights: its predictions mean nothing")))
    class_axis = _class_axis(contract, expected)
    data = tensor.tobytes()
    return Candidate(
        id=f"m{number}",
        path=path,
        file_bytes=path.stat().st_size,
        sha256=file_sha256(path),
        title=path.stem if contract is None else contract.title,
        precision=(metadata or {}).get("precision", UNKNOWN_PRECISION),
        facts=_facts(metadata),
        input=InputUsed(
            source=source,
            name=reference.input.name,
            dtype=reference.input.dtype,
            shape=reference.input.shape,
            sha256=hashlib.sha256(data).hexdigest(),
        ),
        tensor=data,
        note=note,
        mask_size=_mask_size(contract, reference, class_axis),
        class_axis=class_axis,
        gives_class_ids=contract is not None and contract.content != "logits",
        _reference=reference,
        _expected=expected,
    )


def _picture(contract: Contract, reference: Reference) -> npt.NDArray[np.float32] | None:
    """Prepare the photograph; None if the input is no picture of the metadata's layout."""
    shape = reference.input.shape
    size = picture_size(shape)
    if size is None:
        return None
    preprocessing: Preprocessing = contract.preprocessing
    picture = prepare(read_image(sample_photograph()), preprocessing, size)
    if contract.normalize:
        picture = normalize(picture, preprocessing)
    return (picture if shape[3] == 3 else picture.transpose(2, 0, 1))[None]


def _class_axis(contract: Contract | None, expected: Sequence[npt.NDArray[Any]]) -> int | None:
    if contract is None or contract.content != "logits":
        return None
    if contract.kind == "classification":
        return 1
    return {"CHW": 1, "HWC": 3, None: None}[contract.logits_layout(expected[0].shape)]


def _mask_size(
    contract: Contract | None, reference: Reference, class_axis: int | None
) -> tuple[int, int] | None:
    """The input's size, if the output is logits as the arg-max in C takes them."""
    if contract is None or contract.kind != "segmentation" or class_axis is None:
        return None
    layout = 1 if reference.runtime.startswith("ONNX") else 3
    if class_axis != layout or reference.outputs[0].dtype not in TAIL_DTYPES:
        return None
    return picture_size(reference.input.shape)


def _facts(metadata: dict[str, Any] | None) -> ModelFacts:
    if metadata is None:
        return ModelFacts()
    weights, source = metadata.get("weights") or {}, metadata.get("input") or {}
    own = ("name", "variant", "model", "task", "kind", "precision", "head", "params", "macs")
    return ModelFacts(
        **{key: metadata.get(key) for key in (*own, "content_sha256")},
        normalization=source.get("normalization"),
        weights=weights.get("name"),
        is_random=weights.get("is_random"),
        accuracy=_accuracy(metadata),
    )


def _accuracy(metadata: dict[str, Any]) -> Accuracy | None:
    """What the export measured: of a quantized file against its twin, else against PyTorch."""
    parity = metadata.get("parity") or {}
    if measured := (metadata.get("quantization") or {}).get("accuracy"):
        low, high = measured["interval_points"] or (None, None)
        return Accuracy(
            reference="the fp32 file",
            inputs=measured["pictures"],
            agreement=measured["argmax_agreement"],
            score=measured["score"],
            score_inputs=measured["pictures"],
            reference_score=measured["reference_score"],
            difference_points=measured["difference_points"],
            low_points=low,
            high_points=high,
        )
    comparisons = parity.get("comparisons") or ()
    agreements = [one["argmax_agreement"] for one in comparisons]
    if agreements and None not in agreements:  # features have no classes to agree on
        return Accuracy(
            reference=parity["reference"],
            inputs="; ".join(one["input"] for one in comparisons),
            agreement=min(agreements),
        )
    return None
