r"""The export pipeline: one model, several sizes, formats and precisions.

    training form -> deployment form -> ONNX -> TFLite
                  \-> reference outputs ------------> verification of every file

Nothing is written to the output folder until every file has passed its verification.
"""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import psutil
import torch
from torch import nn

from seaformer.artifact.beside import write_beside
from seaformer.artifact.embedding import embed, serialize
from seaformer.artifact.metadata import AcceleratorParity, Comparison, Metadata
from seaformer.artifact.precisions import PRECISIONS, Format, Precision
from seaformer.errors import SeaformerError, UsageError
from seaformer.export.acceptance import accept, require_accepted
from seaformer.export.blame.named_culprits import with_culprits
from seaformer.export.compiled_files import CompiledFiles
from seaformer.export.convert import tflite_file
from seaformer.export.convert.conversion import to_tflite
from seaformer.export.convert.input_dependence import find_values_made_constant
from seaformer.export.convert.onnx_graph import to_onnx, with_half_weights
from seaformer.export.convert.operator_map import (
    first_different,
    map_onnx,
    map_operators,
    map_tflite_like,
)
from seaformer.export.convert.refusals import OperatorError, first_sentence
from seaformer.export.cpu_check import check, run_samples
from seaformer.export.description import describe
from seaformer.export.export_context import Candidate, ExportContext, OutputFile
from seaformer.export.lint.lint_report import advice, refused_operators
from seaformer.export.lint.linting import Finding, in_modules, lint
from seaformer.export.quantize.calibration import DRAWN, Calibration, open_calibration
from seaformer.export.quantize.engine import operators_inside
from seaformer.export.quantize.independent_images import independent_images
from seaformer.export.quantize.module_patterns import require_modules
from seaformer.export.quantize.onnx_engine import OnnxEngine
from seaformer.export.quantize.tflite_engine import TFLiteEngine
from seaformer.export.quantized_files import QuantizedFiles
from seaformer.export.report import Report
from seaformer.export.request import Request, check_output, prepared_output
from seaformer.export.request_of_source import complete_request
from seaformer.export.rewrite import deployment_form
from seaformer.export.source import Source, create_source
from seaformer.export.verify.half_arithmetic import EMULATED
from seaformer.export.verify.on_accelerator import in_words, run_in_half, verify_on
from seaformer.export.verify.thresholds import lowest_threshold
from seaformer.export.verify.verification import Sample, make_samples, reached
from seaformer.export.verify.verification_inputs import NOISE, ON_DRIVERS
from seaformer.files import atomic_write, created_folder
from seaformer.imaging.input_size import check_memory
from seaformer.locks import locked
from seaformer.models.catalog import count_macs
from seaformer.models.contract import detection_output
from seaformer.models.inputs import input_shape
from seaformer.quantization.preparation import LearnedRanges, require_complete
from seaformer.runtimes.graphics_driver import find_driver
from seaformer.temporary_folders import temporary_folder


def export(request: Request, report: Report) -> list[tuple[Path, Metadata]]:
    """Export, verify and write all files of a request.

    Returns:
        The files with their metadata, ordered by size, precision and format.

    Raises:
        UsageError: the request does not match the network, or a file exists.
        SeaformerError: a stage failed, or a file does not match PyTorch; no file is written.
    """
    for size in request.sizes:
        needed = request.network.export_bytes(size)
        check_memory(size, psutil.virtual_memory().available, needed)
    with report.stage("create the model") as stage:
        first = request.sizes[0] if request.sizes else None
        source = create_source(
            request.network, request.task, request.weights, request.statement, first
        )
        stage.result = f"{source.name}, {source.params / 1e6:.2f} M parameters"
    request = complete_request(request, source, report)
    with prepared_output(request, source.name):
        finished = _finished_files(request, source, report)
        _write(finished, request, source.name)
    return [(file.path, file.metadata) for file in finished]


def _finished_files(request: Request, source: Source, report: Report) -> list[OutputFile]:
    """Convert and verify all files of a request."""
    calibration = _calibration(request, source, report)
    if source.weights.is_random and not source.takes_features:
        report.warn(
            f"weights '{source.weights.name}': latency and size are real, but predictions are "
            "meaningless. Give trained weights with --weights."
        )
    if source.weights.note:
        report.warn(source.weights.note)
    for precision in request.precisions:
        if precision.caution:
            report.warn(precision.caution)
    finished: list[OutputFile] = []
    for size in request.sizes:
        context = _prepare(request, source, size, calibration, report)
        with temporary_folder("export") as folder:
            for candidate in _candidates(context, folder, report):
                finished += _verify(context, candidate, folder, report)
    return finished


def _write(finished: Sequence[OutputFile], request: Request, name: str) -> None:
    """Write all model files, or none if one cannot be written; then the JSON files beside them.

    Raises:
        UsageError: another process has written one of them in the meantime.
        SeaformerError: writing fails, for example because the disk is full.
    """
    try:
        # Another process may have created the folder, and removed it when it failed.
        with created_folder(request.output), locked(request.output, wait=True):
            check_output(request, name)
            with contextlib.ExitStack() as stack:

                def write(path: Path, content: bytes) -> None:
                    draft = stack.enter_context(atomic_write(path, replace=request.force))
                    draft.write_bytes(content)

                for file in finished:
                    write(file.path, file.content)
                    compilation = file.metadata.compilation
                    if compilation is not None and compilation.binary is not None:
                        write(file.path.with_name(compilation.binary.name), file.binary or b"")
            for file in finished:
                write_beside(file.path, file.content, file.metadata)
    except OSError as error:
        raise SeaformerError(
            f"cannot write to the output folder '{request.output}': {error.strerror}. Free some "
            "space, or give another folder with --output."
        ) from error


def _calibration(request: Request, source: Source, report: Report) -> Calibration | None:
    """Open the images that the integer precisions require or can use."""
    options, learned = request.quantization, source.learned
    has_images = request.task.name in DRAWN or options.calibration is not None
    calibrated = [p for p in request.precisions if options.calibrates(p, learned)]
    if learned is not None:
        _check_learned(source.model, learned, request, calibrated, report)
    if not calibrated and not (has_images and any(p.is_quantized for p in request.precisions)):
        return None
    calibration = open_calibration(options.calibration, options.samples, request.task)
    if calibration.skipped:
        report.warn(calibration.skipped)
    for note in calibration.notes:
        report.warn(note)
    if calibration.is_random:
        report.warn(
            "calibrated with noise: latency and size are real, but predictions are worse than "
            "they could be, and the metadata records it. Give photos with --calibration DIR."
        )
    return calibration


def _check_learned(
    model: nn.Module,
    learned: LearnedRanges,
    request: Request,
    calibrated: Sequence[Precision],
    report: Report,
) -> None:
    """Check the learned ranges of the checkpoint, and warn if they are not used.

    Raises:
        UsageError: an option needs calibrated ranges.
        SeaformerError: a range is missing.
    """
    options = request.quantization
    is_used = any(p.is_calibrated and p not in calibrated for p in request.precisions)
    if is_used and (options.sensitivity or options.is_mixed):
        option = "--sensitivity" if options.sensitivity else "--mixed-precision"
        raise UsageError(
            f"{option} needs statistics of images, but the ranges of {learned.precision} are "
            "learned in this checkpoint. Choose them from images with --calibration-method, or "
            f"omit {option}."
        )
    if is_used:
        require_complete(model, learned)
    elif calibrated and options.method is None:
        names = ", ".join(precision.name for precision in calibrated)
        report.warn(
            f"the checkpoint was trained for {learned.precision}, so the ranges of {names} are "
            "chosen from images."
        )


def _prepare(
    request: Request,
    source: Source,
    size: tuple[int, int],
    calibration: Calibration | None,
    report: Report,
) -> ExportContext:
    preprocessing = source.task.preprocessing
    inside = request.normalize == "inside"
    with report.stage("run PyTorch in float64") as stage:
        samples = _run_reference(source, request, size)
        stage.result = f"{len(samples)} inputs of {size[0]}x{size[1]}"
    if source.contract.meaning.has_classes and all(s.decides_for_one_class for s in samples):
        report.warn(
            "the network predicts a single class at every position of every verification input, so "
            "the agreement of classes is meaningless. Check the weights and the preprocessing."
        )
    with report.stage("rewrite to the deployment form") as stage:
        form = deployment_form(
            source.model,
            size,
            preprocessing if inside else None,
            request.head,
            source.contract.meaning,
        )
        applied = [rewrite for rewrite in form.reports if rewrite.count]
        stage.result = f"{len(applied)} rewrites at {sum(r.count for r in applied)} places"
    modules = (path for path, _ in form.model.named_modules())
    options = request.quantization
    require_modules((*options.keep_float, *options.keep_16bit), modules)
    with report.stage("trace to ONNX") as stage:
        of_input = _refuse_constants_of_the_input(form.model, samples, request, report)
        constants: dict[str, None] = {}
        graph = to_onnx(form.model, size, request.head, constants.setdefault)
        stage.result = f"{len(graph.graph.node)} nodes, {graph.ByteSize() / 1e6:.2f} MB"
    if fixed := [place for place in constants if place not in of_input]:
        report.warn(
            f"Python values that are valid for {size[0]}x{size[1]} only, such as shapes, became "
            f"constants in the file: {_listed(fixed)}."
        )
    macs = count_macs(source.model, size)
    independent = None
    if any(precision.is_quantized for precision in request.precisions):
        options = request.quantization
        independent = independent_images(request.task, options.calibration, options.verify_images)
        if independent is not None and independent.skipped:
            report.warn(independent.skipped)
    return ExportContext(
        request, source, size, samples, form, graph, macs, calibration, independent
    )


def _refuse_constants_of_the_input(
    model: nn.Module, samples: Sequence[Sample], request: Request, report: Report
) -> Collection[str]:
    """Return where the trace turns values that depend on the input into constants.

    Raises:
        SeaformerError: there are some, and --allow-tracer-warnings is not given.
    """
    places: dict[str, None] = {}
    for sample in samples[:2]:
        places |= dict.fromkeys(find_values_made_constant(model, torch.from_numpy(sample.input)))
    if not places:
        return ()
    message = (
        f"the network converts input values to Python values at {_listed(places)}. A trace records "
        "them as constants: the file would use the values of one image for all images"
    )
    if not request.allow_tracer_warnings:
        raise SeaformerError(
            f"{message}. Use tensor operations such as torch.where, or export it anyway with "
            "--allow-tracer-warnings."
        )
    report.warn(f"{message}.")
    return places


def _listed(places: Iterable[str], most: int = 4) -> str:
    listed = list(places)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return "; ".join(f"'{place}'" for place in listed[:most]) + more


def _run_reference(source: Source, request: Request, size: tuple[int, int]) -> list[Sample]:
    model, contract = source.model, source.contract
    try:
        return make_samples(
            model,
            request.task.preprocessing,
            size,
            request.normalize == "inside",
            request.head,
            contract.meaning,
            detection_output(model, contract, size),
        )
    except (SeaformerError, MemoryError):
        raise
    except Exception as error:  # a user's model can raise anything
        raise SeaformerError(
            f"the model does not run in float64 on an input of {list(input_shape(model, size))}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _candidates(context: ExportContext, folder: Path, report: Report) -> Iterator[Candidate]:
    """Convert to every requested format and precision."""
    modules = {path for path, _ in context.form.model.named_modules()}
    for format in context.request.formats:
        make = {"onnx": _onnx_candidates, "tflite": _tflite_candidates}[format.name]
        yield from make(context, format, modules, folder, report)


def _onnx_candidates(
    context: ExportContext, format: Format, modules: set[str], _folder: Path, report: Report
) -> Iterator[Candidate]:
    operators = map_onnx(context.graph, modules)
    for precision in context.request.precisions:
        if not precision.is_quantized:
            graph = context.graph if precision.name == "fp32" else with_half_weights(context.graph)
            yield Candidate(format, precision, serialize(graph), map_onnx(graph, modules))
    quantized = [precision for precision in context.request.precisions if precision.is_quantized]
    if quantized:
        unequal = operators_inside(context.unequal_ranges, operators)
        engine = OnnxEngine(context.graph, operators, context.input_range, unequal)
        single = serialize(context.graph)
        yield from QuantizedFiles(context, format, single, engine, report).candidates(quantized)


def _tflite_candidates(
    context: ExportContext, format: Format, modules: set[str], folder: Path, report: Report
) -> Iterator[Candidate]:
    converted = _to_tflite(context, folder, report)
    with report.stage("match operators to modules") as stage:
        operators = map_operators(converted, context.graph, modules, context.samples[NOISE].input)
        stage.result = f"{len(operators)} operators"
    single = tflite_file.with_module_names(converted, [mapped.module for mapped in operators])
    for precision in context.request.precisions:
        if not precision.is_quantized:
            half = precision.name == "fp16"
            flatbuffer = tflite_file.with_half_weights(single) if half else single
            yield Candidate(
                format,
                precision,
                flatbuffer,
                map_tflite_like(tflite_file.operators(flatbuffer), operators),
            )
    quantized = [precision for precision in context.request.precisions if precision.is_quantized]
    if quantized:
        unequal = operators_inside(context.unequal_ranges, operators)
        engine = TFLiteEngine(single, operators, context.input_range, unequal)
        yield from QuantizedFiles(context, format, single, engine, report).candidates(quantized)


def _to_tflite(context: ExportContext, folder: Path, report: Report) -> bytes:
    """Convert with the layouts of the graph; if the result is wrong, let onnx2tf search layouts."""
    onnx_file = folder / "model.onnx"
    onnx.save(context.graph, onnx_file)
    head = context.request.head
    failures: list[SeaformerError] = []
    for search in (False, True):
        title = "convert to TFLite" + (", searching layouts" if search else "")
        with report.stage(title) as stage:
            stage.result = "failed"
            try:
                converted = to_tflite(
                    onnx_file,
                    folder / f"tflite-{search}",
                    context.input_name,
                    head,
                    search_layouts=search,
                )
                flatbuffer = tflite_file.finish(converted, context.standard_metadata)
                _require_same(context, flatbuffer, folder / "check.tflite")
            except OperatorError as error:
                failures.append(_with_modules(error, context))
                if error.is_missing:
                    break
            except SeaformerError as error:
                failures.append(error)
            else:
                stage.result = f"{len(flatbuffer) / 1e6:.2f} MB"
                return flatbuffer
    raise failures[0]


def _require_same(context: ExportContext, flatbuffer: bytes, path: Path) -> None:
    """Verify a converted file; if it is wrong, find the first operator that differs.

    Raises:
        OperatorError: an operator computes something different.
        SeaformerError: the outputs differ only by rounding, or in their shape.
    """
    try:
        check(context, flatbuffer, path, PRECISIONS["fp32"])
    except SeaformerError as error:
        try:
            node = first_different(flatbuffer, context.graph, context.samples[NOISE].input)
        except SeaformerError as failure:
            raise SeaformerError(
                f"onnx2tf wrote a file that does not run ({first_sentence(failure)}). "
                "Use --format onnx."
            ) from failure
        if node is None:
            raise
        raise OperatorError(
            node.op_type,
            node.name,
            f"onnx2tf converts it wrongly ({first_sentence(error)})",
        ) from error


def _with_modules(error: OperatorError, context: ExportContext) -> SeaformerError:
    candidates = [
        node.name
        for node in context.graph.graph.node
        if node.op_type == error.operator and error.node in (None, node.name.lstrip("/"), node.name)
    ]
    return error.in_network(candidates, {path for path, _ in context.form.model.named_modules()})


def _verify(
    context: ExportContext, candidate: Candidate, folder: Path, report: Report
) -> list[OutputFile]:
    """Verify a converted model on every sample, and complete its file if it passes.

    Returns:
        The file, followed by its compiled versions.
    """
    precision = candidate.precision
    target = context.request.path(context.source.name, context.size, precision, candidate.format)
    quantization = candidate.quantization
    with report.stage(f"verify {candidate.format.name} {precision.name}") as stage:
        if quantization is None:
            comparisons = check(context, candidate.content, folder / target.name, precision)
        else:
            comparisons, _ = run_samples(context, candidate.content, folder / target.name)
        stage.result = reached(comparisons)
        if quantization is not None:
            stage.result += ", informative"
    if quantization is not None:
        quantization = accept(quantization, comparisons, precision, target.name, context, report)
        candidate = replace(candidate, quantization=quantization)
    lowest = lowest_threshold(comparisons, precision)
    if lowest.is_of_float32:
        report.warn(
            f"'{target.name}': these weights amplify rounding, so its threshold is {lowest} "
            f"instead of the {precision.min_sqnr_db:g} dB usual for {precision.name}."
        )
    if quantization is not None and quantization.accepted_loss:
        report.warn(
            f"'{target.name}' misses the thresholds of its precision; its metadata records it."
        )
    found = _verify_on_accelerators(context, candidate, folder / target.name, comparisons, report)
    metadata = describe(context, candidate, comparisons, found)
    compiled: list[tuple[AcceleratorParity, OutputFile]] = []
    for accelerator in context.request.accelerators:
        if accelerator.is_compiled_for and candidate.format.name in accelerator.runtimes:
            compiling = CompiledFiles(context, candidate, folder / target.name, metadata, report)
            compiled += compiling.files(accelerator)
    parities = tuple(parity for parity, _ in compiled)
    metadata = metadata.model_copy(update={"accelerators": (*found, *parities)})
    is_inside = context.request.metadata == "inside"
    content = embed(candidate.content, metadata) if is_inside else candidate.content
    file = OutputFile(target, content, metadata)
    return [file, *(made for _, made in compiled)]


def _verify_on_accelerators(
    context: ExportContext,
    candidate: Candidate,
    path: Path,
    on_cpu: list[Comparison],
    report: Report,
) -> tuple[AcceleratorParity, ...]:
    """Verify a file that is correct on the CPU on the other accelerators.

    Accelerators that need compiled files are left to `CompiledFiles`.

    Raises:
        SeaformerError: the outputs on a requested accelerator differ, or the file does not run on
            it and the CPU was not requested.
    """
    format, precision = candidate.format, candidate.precision
    channels = input_shape(context.source.model, context.size)[1]
    found = []
    for accelerator in context.request.accelerators:
        if format.name not in accelerator.runtimes or accelerator.is_compiled_for:
            continue
        findings: Sequence[Finding] = ()
        if accelerator.refusal(format.name, precision.name) is None:
            findings = lint(candidate.content, [accelerator.name], path.name)
            findings = in_modules(findings, candidate.operators)
            for text in advice(findings).values():
                report.warn(f"{accelerator.name}: {path.name}: {text}")
        with report.stage(f"verify {format.name} {precision.name}, {accelerator.name}") as stage:
            samples = context.samples[:ON_DRIVERS]
            parity = verify_on(accelerator, path, precision, samples, on_cpu, channels)
            stage.result = in_words(parity)
        if parity.status == "refused" and (operators := refused_operators(findings)):
            # The runtime's own reason only states that some operators are not supported.
            parity = parity.model_copy(update={"reason": f"it does not run {operators}"})
        elif accelerator.refusal(format.name, precision.name) is None:
            parity = with_culprits(parity, path, candidate.operators, report)
        require_accepted(parity, path.name, context, report)
        if accelerator.computes_half and not precision.is_quantized:
            on_gpu = parity.status == "verified"
            parity = parity.model_copy(
                update=_in_half(context, precision, path if on_gpu else None, report)
            )
        found.append(parity)
    return tuple(found)


def _in_half(
    context: ExportContext, precision: Precision, path: Path | None, report: Report
) -> dict[str, Any]:
    """Return the parity of the network in half precision, as fields of `AcceleratorParity`.

    Measured on the graphics driver if it supports half precision and runs the file at `path`; else
    emulated.
    """
    driver = find_driver()
    if path is not None and driver is not None and driver.computes_half:
        with report.stage(f"verify {precision.name} in half precision") as stage:
            runtime, measured = run_in_half(path, context.samples[:ON_DRIVERS])
            stage.result = reached(measured) or "not computed"
        if measured:
            return {"half_runtime": runtime, "half_comparisons": measured}
    with report.stage(f"emulate {precision.name} in half precision") as stage:
        comparisons = context.in_half
        stage.result = "overflows" if comparisons is None else reached(comparisons)
    if comparisons is None:
        report.warn(
            "in half precision, the default on a phone's GPU, a value overflows and the output is "
            f"not finite: {context.overflow_in_half}. Use single precision there, or rescale the "
            "network."
        )
        return {"half_runtime": f"{EMULATED}; it overflows"}
    return {"half_runtime": EMULATED, "half_comparisons": comparisons}
