"""A model to measure: file, input and expected output."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seaformer.artifact.accelerators import ACCELERATORS, CPU
from seaformer.artifact.metadata import Compilation, Interface, Metadata
from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.devices.cores import Setting
from seaformer.benchmark.results.schema import Accuracy, InputUsed, ModelFacts, Parity
from seaformer.errors import SeaformerError
from seaformer.evaluation.metrics import sqnr_db
from seaformer.files import file_sha256
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.runtimes import Session, open_session
from seaformer.runtimes.compiled_file import (
    find_source,
    is_compiled,
    require_binary,
    require_compilation,
)
from seaformer.runtimes.external_data import require_one_file
from seaformer.runtimes.session import Tensor, check_input_size
from seaformer.tasks.output_meaning import LOGITS, OutputMeaning

UNKNOWN_PRECISION = "unknown"
UNKNOWN_MIN_SQNR_DB, UNKNOWN_MIN_AGREEMENT = 20.0, 0.90
"""Thresholds for the output of models of unknown precision."""

POST_PROCESSING_DTYPES = ("float32", "int8", "uint8", "int16", "uint16")

FOREIGN = "no metadata: measured on seeded noise, precision unknown"
NO_IMAGE = "its input is not an image, or has no preprocessing metadata: measured on seeded noise"


@dataclass(frozen=True)
class Candidate:
    """A model file, opened and run once on this computer."""

    id: str  # a plain name, "m0" for the first
    path: Path
    file_bytes: int
    sha256: str
    title: str  # description of the model
    precision: str  # from its metadata, or "unknown"
    facts: ModelFacts  # the rest of its metadata
    input: InputUsed
    tensor: bytes  # of the input
    note: str  # remark for the user; may be empty
    mask_size: tuple[int, int] | None
    """Height and width of the mask that the arg-max in C computes from its output; None if the
    output is not logits of a segmentation."""
    class_axis: int | None  # of its output; None if unknown or if it returns class ids
    gives_class_ids: bool  # whether its output is class ids
    metadata: Metadata | None  # written by the export, if any
    runtime: str  # the runtime that ran it on this computer
    outputs: tuple[Tensor, ...]
    expected: Sequence[npt.NDArray[Any]]  # outputs on this computer, real numbers or class ids
    meaning: OutputMeaning = LOGITS  # of its output
    setting: Setting | None = None  # its own setting; None for the benchmark's
    compilation: Compilation | None = None  # for an NPU, if it is compiled
    binary: Path | None = None  # separate file that the NPU runs, if there is one
    entry: Tensor | None = None  # its single input; None if only facts are known

    @property
    def output_bytes(self) -> int:
        """Expected size of its outputs in bytes."""
        return self._layout.itemsize

    @property
    def _layout(self) -> np.dtype[Any]:
        """All outputs, concatenated as the runner writes them."""
        return np.dtype([("", one.dtype, one.shape) for one in self.outputs])

    def verify(self, output: bytes, in_half: bool = False) -> Parity:
        """Compare the output bytes of a device with the outputs of this computer's runtime.

        `in_half` states whether the device may have computed in half precision.

        Raises SeaformerError if the number of bytes is wrong.
        """
        if len(output) != self.output_bytes:
            raise SeaformerError(
                f"the device returned an output of {len(output)} bytes, but the file's output has "
                f"{self.output_bytes}. The runtime may be incompatible with the model."
            )
        arrays = np.frombuffer(output, self._layout)[0]
        outputs = [one.decode(array) for one, array in zip(self.outputs, arrays, strict=True)]
        return self.compare(outputs, in_half)

    def compare(self, outputs: Sequence[npt.NDArray[Any]], in_half: bool = False) -> Parity:
        """Compare the outputs of a device, real numbers or class ids, with `expected`.

        The thresholds, in the registry of precisions, detect wrong computations (a damaged file, a
        faulty delegate, an overheated core); the loss from a precision itself was measured at
        export. Two processors sum in different orders, which still gave 90 dB or more for float
        models; in quantized models, they may also round halves differently in every layer. A
        network with random weights has many positions where two classes have nearly equal scores,
        so its agreement may be lower than with trained weights.
        """
        known = PRECISIONS.get("fp16" if in_half and self.precision == "fp32" else self.precision)
        min_sqnr_db = known.device_min_sqnr_db if known else UNKNOWN_MIN_SQNR_DB
        min_agreement = known.device_min_agreement if known else UNKNOWN_MIN_AGREEMENT
        sqnr = error = agreement = None
        if self.gives_class_ids:
            agreement = float(np.mean(outputs[0] == self.expected[0]))
        else:
            flat, expected = _flat(outputs), _flat(self.expected)
            is_finite = bool(np.isfinite(flat).all())
            sqnr = sqnr_db(expected, flat) if is_finite else -300.0
            error = float(np.abs(flat - expected).max()) if is_finite else None
            if self.class_axis is not None and is_finite:
                axis = self.class_axis
                classes = [self.meaning.decide(one[0], axis) for one in (outputs, self.expected)]
                agreement = float(np.mean(classes[0] == classes[1]))
        return Parity(
            reference=f"{self.runtime} on this computer",
            sqnr_db=sqnr,
            max_abs_error=error,
            agreement=agreement,
            min_sqnr_db=min_sqnr_db,
            min_agreement=min_agreement,
            passed=(sqnr is None or sqnr >= min_sqnr_db)
            and (agreement is None or agreement >= min_agreement),
        )


def _flat(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # for NaN
        return np.concatenate([one.astype(np.float64).ravel() for one in arrays])


def open_candidate(path: Path, number: int, seed: int, accelerator: str = CPU) -> Candidate:
    """Read a model file and compute its expected output.

    The input is the bundled photograph, preprocessed as the metadata specifies. For a file without
    metadata, or whose input is not an image, it is standard normal noise.

    Args:
        path: .tflite or .onnx; SeaformerError is raised if it cannot be read or run here.
        number: index among the models of the benchmark, from 0.
        seed: random seed of the noise.
        accelerator: the accelerator of the device. For a file compiled for an NPU, the expected
            output comes from its source file, or else from the file itself on the emulator.
    """
    if not path.is_file():
        raise SeaformerError(f"there is no model file '{path}'. Check the name.")
    compilation = binary = None
    run_here, run_on = path, CPU
    if ACCELERATORS[accelerator].is_compiled_for and is_compiled(path):
        compilation = require_compilation(path)
        binary = require_binary(path, compilation)
        run_here, run_on = _reference(path, compilation, accelerator)
    require_one_file(path, binary)
    with open_session(run_here, accelerator=run_on) as session:
        entry, shape = _one_input(session)
        metadata = session.metadata if isinstance(session.metadata, Metadata) else None
        runtime = session.runtime
        of_image = metadata if metadata is not None and metadata.takes_image else None
        values = None if of_image is None else _image(of_image, shape)
        source: Literal["photograph", "noise"] = "noise" if values is None else "photograph"
        if values is None:
            noise = np.random.default_rng(seed).standard_normal(shape)
            values = noise.astype(np.float32)
        tensor = entry.encode(values)
        arrays = session.run([tensor])
        # A file may not specify the shape of an output, which is known after a run.
        outputs = tuple(
            replace(one, shape=array.shape)
            for one, array in zip(session.outputs, arrays, strict=True)
        )
    expected = [one.decode(array) for one, array in zip(outputs, arrays, strict=True)]
    note = FOREIGN if metadata is None else NO_IMAGE if source == "noise" else ""
    if of_image is not None and of_image.is_random:
        note = "; ".join(filter(None, (note, "random weights: its predictions are meaningless")))
    class_axis = _class_axis(of_image, expected)
    meaning = LOGITS if of_image is None else of_image.meaning
    is_segmentation = of_image is not None and of_image.kind == "segmentation"
    layout = 3 if path.suffix.lower() == ".tflite" else 1
    has_mask = (
        is_segmentation
        and class_axis == layout
        and meaning.threshold is None  # the arg-max in C needs several classes
        and outputs[0].dtype in POST_PROCESSING_DTYPES
    )
    data = tensor.tobytes()
    title = path.stem if metadata is None else metadata.title
    if metadata is not None and compilation is not None and metadata.compilation is None:
        title = f"{title}, {compilation.chip}"
    return Candidate(
        id=f"m{number}",
        path=path,
        file_bytes=sum(one.stat().st_size for one in (path, binary) if one is not None),
        sha256=file_sha256(path),
        title=title,
        precision=UNKNOWN_PRECISION if metadata is None else metadata.precision,
        facts=ModelFacts()
        if metadata is None
        else ModelFacts(**metadata.facts, accuracy=_accuracy(metadata)),
        input=InputUsed(
            source=source,
            name=entry.name,
            dtype=entry.dtype,
            shape=shape,
            sha256=hashlib.sha256(data).hexdigest(),
        ),
        tensor=data,
        note=note,
        mask_size=of_image.input.size if has_mask and of_image is not None else None,
        class_axis=class_axis,
        meaning=meaning,
        gives_class_ids=meaning.gives_ids,
        metadata=metadata,
        runtime=runtime,
        outputs=outputs,
        expected=expected,
        compilation=compilation,
        binary=binary,
        entry=entry,
    )


def _reference(path: Path, compilation: Compilation, accelerator: str) -> tuple[Path, str]:
    """Return the file that gives the expected output of a compiled file, and its accelerator."""
    source = find_source(path, compilation)
    if source is not None:
        return source, CPU
    if path.suffix.lower()[1:] in ACCELERATORS[accelerator].never_run:
        name = f"{path.stem.removesuffix(f'_{compilation.chip}')}{path.suffix}"
        raise SeaformerError(
            f"'{path}' does not run on a computer, so its output could not be compared. Put "
            f"'{name}', the file that it was compiled from, next to it."
        )
    return path, accelerator


def _one_input(session: Session) -> tuple[Tensor, tuple[int, ...]]:
    """Return the single input of a model and its fixed shape; raises SeaformerError otherwise."""
    if len(session.inputs) != 1 or not session.outputs:
        raise SeaformerError(
            f"'{session.path}' has {len(session.inputs)} inputs and {len(session.outputs)} "
            "outputs. Allowed: one input, and one or more outputs."
        )
    shape = tuple(side for side in session.inputs[0].shape if side is not None)
    if len(shape) < len(session.inputs[0].shape):
        raise SeaformerError(
            f"'{session.path}' takes an input of any size. A benchmark needs a fixed shape: export "
            "it with --input-size."
        )
    check_input_size(shape, session.path)
    return session.inputs[0], shape


def _image(interface: Interface, shape: tuple[int, ...]) -> npt.NDArray[np.float32] | None:
    """Preprocess the photograph; None if the input is not an image in the metadata's layout."""
    if shape != interface.input.shape or not interface.knows_normalization:
        return None
    size = interface.input.size
    image = prepare(read_image(sample_photograph()), interface.preprocessing, size)
    if not interface.normalizes_inside:
        image = normalize(image, interface.preprocessing)
    return (image if interface.input.layout == "NHWC" else image.transpose(2, 0, 1))[None]


def _class_axis(interface: Interface | None, expected: Sequence[npt.NDArray[Any]]) -> int | None:
    found = None if interface is None else interface.class_scores(expected[0])
    return None if found is None else found[1]


def _accuracy(metadata: Metadata) -> Accuracy | None:
    """Accuracy measured by the export, against fp32 for a quantized file, else against PyTorch."""
    measured = None if metadata.quantization is None else metadata.quantization.accuracy
    if measured is not None and measured.argmax_agreement is not None:
        low, high = measured.interval_points or (None, None)
        return Accuracy(
            reference="the fp32 file",
            inputs=measured.pictures,
            agreement=measured.argmax_agreement,
            score=measured.score,
            score_inputs=measured.pictures,
            reference_score=measured.reference_score,
            difference_points=measured.difference_points,
            low_points=low,
            high_points=high,
        )
    comparisons = metadata.parity.comparisons
    # Features have no classes to compare.
    agreements = [one.argmax_agreement for one in comparisons if one.argmax_agreement is not None]
    if not agreements or len(agreements) < len(comparisons):
        return None
    return Accuracy(
        reference=metadata.parity.reference,
        inputs="; ".join(one.input for one in comparisons),
        agreement=min(agreements),
    )
