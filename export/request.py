"""The request for an export, checked before any work is done."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seaformer.artifact.accelerators import (
    ACCELERATORS,
    CPU,
    NPU,
    Accelerator,
    parse_accelerators,
)
from seaformer.artifact.beside import check_beside
from seaformer.artifact.chips import CHIPS, LIST, Chip, parse_chips
from seaformer.artifact.precisions import FORMATS, PRECISIONS, Format, Precision
from seaformer.errors import SeaformerError, UsageError, look_up, unknown_name
from seaformer.export.heads import HEADS
from seaformer.export.npu.compiled_names import compiled_paths
from seaformer.files import created_folder, refuse_existing
from seaformer.imaging.input_size import parse_input_size
from seaformer.models.ablation import parse_ablation
from seaformer.models.entry import Network
from seaformer.models.resolve import chosen, resolve, with_ablation
from seaformer.models.seaformer.variants import VARIANTS
from seaformer.names import path_in
from seaformer.quantization.methods import METHODS
from seaformer.runtimes.qnn_package import require_package
from seaformer.tasks import Task, get_task
from seaformer.tasks.statement import NOTHING, Statement

if TYPE_CHECKING:  # it loads torch, and a misspelled option should fail at once
    from seaformer.quantization.preparation import LearnedRanges

NORMALIZE = ("inside", "outside")
METADATA = ("inside", "beside")
MIXED = "auto"


@dataclass(frozen=True)
class QuantizationRequest:
    """Options of the integer precisions.

    Attributes:
        calibration: as given to --calibration.
        verify_images: as given to --verify-images.
        samples: maximum number of images to calibrate with.
        method: method for choosing ranges; None for the default of the precision.
        keep_float: patterns of modules that stay in floating point.
        keep_16bit: patterns of modules that stay at 16-bit activations in a precision for NPUs.
        is_mixed: whether to search for the modules to keep.
        budget: largest loss allowed for the search, in points of mIoU.
        sensitivity: whether to rank modules by the loss that quantizing each causes.
        accept_loss: whether a file that misses its thresholds is written.
    """

    calibration: str | None
    verify_images: str | None
    samples: int
    method: str | None
    keep_float: tuple[str, ...]
    keep_16bit: tuple[str, ...]
    is_mixed: bool
    budget: float
    sensitivity: bool
    accept_loss: bool

    def kept(self, precision: Precision) -> tuple[str, ...]:
        """Patterns of the modules to keep unquantized, or at 16 bits, in a precision."""
        options = {"--keep-float": self.keep_float, "--keep-16bit": self.keep_16bit}
        return options.get(precision.keep_option or "", ()) if precision.is_calibrated else ()

    def calibrates(self, precision: Precision, learned: "LearnedRanges | None") -> bool:
        """Whether the ranges of a precision are chosen from images.

        They are not if the checkpoint has learned ranges for it, unless --calibration-method is
        given.
        """
        is_learned = learned is not None and learned.precision == precision.name
        return precision.is_calibrated and (not is_learned or self.method is not None)


@dataclass(frozen=True)
class Request:
    """A checked request.

    Attributes:
        network: the network named by --model or --variant, with its ablation.
        task: the task; for a user's own network its contract's task, once the contract is known.
        statement: what the user states about the network.
        formats: formats to write, without duplicates.
        precisions: precisions to write, without duplicates.
        sizes: heights and widths to export for; empty for the size in the contract of a user's
            own network.
        weights: as given to --weights; None for random ones.
        normalize: "inside" or "outside".
        metadata: "inside": in the file and in its .json; "beside": only in the .json.
        head: name of the head.
        output: folder for the files.
        force: whether files may be overwritten.
        quantization: options of the integer precisions.
        allow_tracer_warnings: whether to export a network that converts input values to Python
            values.
        accelerators: accelerators to verify the files on, besides the CPU.
        needs_cpu_only: whether a file is written even if it could not be verified on one of them,
            because the user requested none, or requested the CPU as well.
        names_accelerators: whether the user requested them; if so, a file that fails on one of
            them is not written.
        chips: chips to compile every file for, on accelerators that need compiled files.
        needs_full_acceleration: whether a compiled file with operators left on the CPU is refused.
        command: the command line; None if there is none.
    """

    network: Network
    task: Task
    statement: Statement
    formats: tuple[Format, ...]
    precisions: tuple[Precision, ...]
    sizes: tuple[tuple[int, int], ...]
    weights: str | None
    normalize: str
    metadata: str
    head: str
    output: Path
    force: bool
    quantization: QuantizationRequest
    allow_tracer_warnings: bool
    accelerators: tuple[Accelerator, ...]
    needs_cpu_only: bool
    names_accelerators: bool
    chips: tuple[Chip, ...] = ()
    needs_full_acceleration: bool = False
    command: str | None = None

    def path(self, name: str, size: tuple[int, int], precision: Precision, format: Format) -> Path:
        """Name of an exported file, such as seaformer_tiny_ade20k_512x512_fp32.tflite.

        Raises:
            SeaformerError: `name`, from a factory or a checkpoint's task, is not a valid file name.
        """
        ending = "" if self.head == "logits" else f"_{self.head}"
        stem = f"{name}_{size[0]}x{size[1]}_{precision.name}{ending}"
        return path_in(self.output, f"{stem}{format.suffix}", "the name of the file to write")


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The unchecked options of the command; see its help for their meaning."""

    output: Path
    model: str | None = None
    variant: str | None = None
    statement: Statement = NOTHING
    formats: Sequence[str] = ("tflite",)
    precisions: Sequence[str] = ("fp32",)
    input_sizes: Sequence[str] = ()
    weights: str | None = None
    normalize: str = "inside"
    metadata: str = "inside"
    head: str = "logits"
    force: bool = False
    calibration: str | None = None
    verify_images: str | None = None
    calibration_samples: int = 200
    calibration_method: str | None = None
    keep_float: Sequence[str] = ()
    keep_16bit: Sequence[str] = ()
    mixed_precision: str | None = None
    budget: float = 0.2
    sensitivity: bool = False
    accept_loss: bool = False
    attention: str | None = None
    ablations: Sequence[str] = ()
    allow_tracer_warnings: bool = False
    accelerators: Sequence[str] = ()
    chips: Sequence[str] = ()
    require_full_acceleration: bool = False
    command: str | None = None


def make_request(options: ExportOptions) -> Request:
    """Check the options of a user.

    If the network or the task is not given, those recorded in the checkpoint are used. If it
    records no task, the network's usual task is used.

    Raises:
        UsageError: a value is unknown or incompatible with another.
    """
    if options.normalize not in NORMALIZE:
        raise unknown_name("normalization", options.normalize, NORMALIZE)
    if options.metadata not in METADATA:
        raise unknown_name("location of the metadata", options.metadata, METADATA)
    network = chosen(options.model, options.variant, options.attention)
    their_network, their_task = None, None
    statement = options.statement
    if options.weights is not None and (network is None or not statement.names_classes):
        # Imported late: it loads torch, and a misspelled option should fail at once.
        from seaformer.weights.checkpoint import described_by

        their_network, their_task = described_by(options.weights)
    if network is None and their_network is not None:
        network = resolve(their_network, allow_factory=False)
    if network is None:
        raise UsageError(f"give either --variant ({', '.join(VARIANTS)}) or --model.")
    network = with_ablation(network, parse_ablation(options.ablations))
    known_task = their_task or get_task(network.usual_task)
    # For a user's own network, the contract adds the rest once the network is created.
    is_own = network.declares_contract
    known_task = (statement.task or known_task) if is_own else statement.applied_to(known_task)
    network.check(known_task, options.weights)
    look_up(HEADS, "head", options.head)
    if options.head != "logits" and not known_task.is_segmentation:
        raise UsageError(
            f"head '{options.head}' is for segmentation, but task '{known_task.name}' is "
            f"{known_task.kind}. Omit --head."
        )
    sizes = [parse_input_size(text, network.min_side) for text in options.input_sizes]
    usual = network.usual_size or known_task.preprocessing.input_size
    wanted_formats = tuple(look_up(FORMATS, "format", n) for n in dict.fromkeys(options.formats))
    named = parse_accelerators(options.accelerators)
    wanted = _precisions_on(named, options.precisions)
    _check_precisions(wanted, wanted_formats, options.head)
    quantization = QuantizationRequest(
        calibration=options.calibration,
        verify_images=options.verify_images,
        samples=options.calibration_samples,
        method=options.calibration_method,
        keep_float=tuple(options.keep_float),
        keep_16bit=tuple(options.keep_16bit),
        is_mixed=options.mixed_precision is not None,
        budget=options.budget,
        sensitivity=options.sensitivity,
        accept_loss=options.accept_loss,
    )
    _check_quantization(quantization, options.mixed_precision, wanted)
    chips = parse_chips(options.chips)
    for accelerator in named:
        _check_accelerator(accelerator, wanted, wanted_formats)
    _check_chips(named, chips, wanted, options.require_full_acceleration)
    if options.metadata == "beside" and (chips or any(f.name != "onnx" for f in wanted_formats)):
        raise UsageError(
            "--metadata beside is allowed only for .onnx files that are not compiled for an NPU: "
            "use --format onnx, and omit --soc."
        )
    return Request(
        network=network,
        task=known_task,
        statement=statement,
        formats=wanted_formats,
        precisions=wanted,
        sizes=tuple(dict.fromkeys(sizes)) or (() if network.declares_contract else (usual,)),
        weights=options.weights,
        normalize=options.normalize,
        metadata=options.metadata,
        head=options.head,
        output=options.output,
        force=options.force,
        quantization=quantization,
        allow_tracer_warnings=options.allow_tracer_warnings,
        accelerators=tuple(
            row
            for row in named or ACCELERATORS.values()
            if row.name != CPU and (named or not row.is_compiled_for)
        ),
        needs_cpu_only=not named or ACCELERATORS[CPU] in named,
        names_accelerators=bool(named),
        chips=chips,
        needs_full_acceleration=options.require_full_acceleration,
        command=options.command,
    )


def _precisions_on(
    accelerators: Sequence[Accelerator], names: Sequence[str]
) -> tuple[Precision, ...]:
    """Look up the precisions, without duplicates, in the variant that the accelerators need."""
    found: dict[str, Precision] = {}
    for name in names:
        precision = look_up(PRECISIONS, "precision", name)
        for accelerator in accelerators:
            precision = PRECISIONS[accelerator.precisions.get(precision.name, precision.name)]
        found[precision.name] = precision
    return tuple(found.values())


def _check_chips(
    accelerators: Sequence[Accelerator],
    chips: Sequence[Chip],
    precisions: Sequence[Precision],
    needs_full_acceleration: bool,
) -> None:
    """Check that chips and accelerators that need compilation are given together.

    Precisions that one of the chips does not support are refused as well.
    """
    is_compiling = any(accelerator.is_compiled_for for accelerator in accelerators)
    if is_compiling and not chips:
        raise UsageError(
            f"--accelerator {NPU} compiles for a chip, but none is given. Add --soc, one or more "
            f"of {', '.join(CHIPS)}; --soc {LIST} describes them."
        )
    for option, is_given in (
        ("--soc", bool(chips)),
        ("--require-full-acceleration", needs_full_acceleration),
    ):
        if is_given and not is_compiling:
            raise UsageError(
                f"{option} applies to files compiled for a chip. Add --accelerator {NPU}."
            )
    for precision in precisions:
        for chip in chips:
            if precision.has_float and not chip.has_float:
                raise UsageError(
                    f"precision {precision.name} does not run on {chip.title}, which has no "
                    "floating point. Omit one of the two, or export a fully integer precision."
                )
    if is_compiling:
        require_package()


def _check_accelerator(
    accelerator: Accelerator, precisions: Sequence[Precision], formats: Sequence[Format]
) -> None:
    """Refuse a requested accelerator that runs none of the formats, or not all precisions."""
    taken = [format for format in formats if format.name in accelerator.runtimes]
    if not taken:
        raise UsageError(
            f"accelerator {accelerator.name} does not run .{formats[0].name} files. Allowed "
            f"formats: {', '.join(accelerator.runtimes)}."
        )
    for precision in precisions:
        if reason := accelerator.refuses.get(precision.name):
            raise UsageError(
                f"precision {precision.name} does not run on accelerator {accelerator.name}: "
                f"{reason}. Omit one of the two."
            )


def _check_precisions(
    precisions: Sequence[Precision], formats: Sequence[Format], head: str
) -> None:
    for format in formats:
        allowed = [row.name for row in PRECISIONS.values() if format.name in row.formats]
        for precision in precisions:
            if precision.name not in allowed:
                because = f": {precision.why_not_others}" if precision.why_not_others else ""
                raise UsageError(
                    f"there is no precision {precision.name} for format {format.name}{because}. "
                    f"Allowed: {', '.join(allowed)}."
                )
    for precision in precisions:
        if precision.is_quantized and head != "logits":
            raise UsageError(
                f"precision {precision.name} requires --head logits, not {head}: "
                "the mask is computed directly from integer logits."
            )


def _check_quantization(
    options: QuantizationRequest, mixed_precision: str | None, precisions: Sequence[Precision]
) -> None:
    if mixed_precision not in (None, MIXED):
        raise unknown_name("value of --mixed-precision", str(mixed_precision), (MIXED,))
    if options.method is not None:
        look_up(METHODS, "calibration method", options.method)
    if not options.budget > 0:
        raise UsageError(f"--budget is {options.budget:g}. Allowed: points of mIoU above 0.")
    calibrated = [row for row in PRECISIONS.values() if row.is_calibrated]
    in_float = [row for row in calibrated if row.keep_option == "--keep-float"]
    at_16bit = [row for row in calibrated if row.keep_option == "--keep-16bit"]
    given = {
        "--calibration": (options.calibration is not None, calibrated),
        "--calibration-method": (options.method is not None, calibrated),
        "--keep-float": (bool(options.keep_float), in_float),
        "--keep-16bit": (bool(options.keep_16bit), at_16bit),
        "--mixed-precision": (options.is_mixed, [*in_float, *at_16bit]),
        "--sensitivity": (options.sensitivity, calibrated),
    }
    names = ", ".join(precision.name for precision in precisions)
    for option, (is_given, allowed) in given.items():
        if is_given and not any(precision in allowed for precision in precisions):
            others = {precision.keep_option for precision in precisions} - {option, None}
            has_other = "keep" in option and others
            choose = f"Use {others.pop()} for it, or choose" if has_other else "Choose"
            raise UsageError(
                f"{option} does not apply to precision {names}. {choose} another precision, "
                f"such as --precision {allowed[0].name}. Allowed: "
                f"{', '.join(row.name for row in allowed)}."
            )


@contextmanager
def prepared_output(request: Request, name: str) -> Iterator[None]:
    """Create the output folder, and fail now if a file could not be written in the end.

    If the block raises, a new folder that is still empty is removed.

    Raises:
        UsageError: a file exists and may not be overwritten.
        SeaformerError: the folder cannot be created or written to.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(created_folder(request.output))
        except OSError as error:
            raise SeaformerError(
                f"the output folder '{request.output}' cannot be created: {error.strerror}. "
                "Give another one with --output."
            ) from error
        check_output(request, name)
        yield


def check_output(request: Request, name: str) -> None:
    """Check that all files can be written to the output folder, which exists.

    Raises:
        UsageError: a file exists and may not be overwritten.
        SeaformerError: the folder cannot be written to.
    """
    if not os.access(request.output, os.W_OK | os.X_OK):
        raise SeaformerError(
            f"the output folder '{request.output}' is not writable. Give another one with --output."
        )
    for size in request.sizes:
        for precision in request.precisions:
            for format in request.formats:
                path = request.path(name, size, precision, format)
                for target in (path, *compiled_paths(path, request.chips)):
                    refuse_existing(target, request.force)
                    check_beside(target, request.force)
