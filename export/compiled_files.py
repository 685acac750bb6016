"""Files compiled for the NPUs of chips, verified if there is an emulator of the NPU."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import onnx

from seaformer.artifact.accelerators import Accelerator
from seaformer.artifact.beside import path_beside
from seaformer.artifact.chips import Chip
from seaformer.artifact.embedding import content_sha256, embed
from seaformer.artifact.metadata import AcceleratorParity, Compilation, File, Metadata
from seaformer.errors import SeaformerError
from seaformer.export.acceptance import require_accepted
from seaformer.export.blame.named_culprits import with_culprits
from seaformer.export.export_context import Candidate, ExportContext, OutputFile
from seaformer.export.npu.compiled import Compiled
from seaformer.export.npu.compiled_names import binary_name, compiled_name
from seaformer.export.npu.flat_activations import with_flat_activations
from seaformer.export.npu.onnx_compiler import compile_onnx
from seaformer.export.npu.tflite_compiler import compile_tflite
from seaformer.export.report import Report
from seaformer.export.verify.on_accelerator import as_in_half, in_words, verify_on
from seaformer.export.verify.verification import reached
from seaformer.export.verify.verification_inputs import ON_DRIVERS
from seaformer.models.inputs import input_shape

COMPILERS: Mapping[str, Callable[[Chip, Path], Compiled]] = MappingProxyType(
    {".onnx": compile_onnx, ".tflite": compile_tflite}
)
"""Suffix -> function that compiles a file, written by this process, for a chip.

It raises a SeaformerError if the compiler is missing, supports no operator of the file, fails,
crashes or exceeds its time limit.
"""

NEVER_RUN = "compiled, never run: there is no emulator for compiled .tflite files"


@dataclass(frozen=True)
class _Attempt:
    """A compiled file, its metadata without the result, and the result on the accelerator."""

    compiled: Compiled
    metadata: Metadata
    parity: AcceleratorParity


class CompiledFiles:
    """Compiles one exported file for the requested chips.

    Args:
        context: the export.
        candidate: the file, verified on the CPU.
        path: its temporary path.
        metadata: its metadata.
        report: prints stages and warnings.
    """

    def __init__(
        self,
        context: ExportContext,
        candidate: Candidate,
        path: Path,
        metadata: Metadata,
        report: Report,
    ) -> None:
        self._context, self._candidate, self._path = context, candidate, path
        self._metadata, self._report = metadata, report

    def files(self, accelerator: Accelerator) -> Iterator[tuple[AcceleratorParity, OutputFile]]:
        """Compile and verify for each requested chip.

        Raises:
            SeaformerError: the compiler fails, operators are left on the CPU despite
                --require-full-acceleration, or the file does not match PyTorch.
        """
        for chip in self._context.request.chips:
            yield self._file(accelerator, chip)

    def _file(self, accelerator: Accelerator, chip: Chip) -> tuple[AcceleratorParity, OutputFile]:
        attempt = self._attempt(accelerator, chip, self._path)
        has_half_only = accelerator.has_half_only and not self._candidate.precision.is_quantized
        if attempt.parity.status == "failed" and has_half_only:
            attempt = self._in_half(attempt, accelerator, chip)
        operators = self._candidate.operators
        parity = with_culprits(attempt.parity, self._path, operators, self._report)
        name = compiled_name(self._path.name, chip)
        require_accepted(parity, name, self._context, self._report)
        metadata = attempt.metadata.model_copy(update={"accelerators": (parity,)})
        content = embed(attempt.compiled.content, metadata)
        path = self._context.request.output / name
        return parity, OutputFile(path, content, metadata, attempt.compiled.binary)

    def _attempt(self, accelerator: Accelerator, chip: Chip, path: Path) -> _Attempt:
        """Compile a file, and verify it if that is possible."""
        precision, format = self._candidate.precision, self._candidate.format
        parity = AcceleratorParity(
            name=accelerator.name,
            status="compiled",
            reason=NEVER_RUN,
            runtime=None,
            comparisons=(),
            chip=chip.name,
        )
        with self._report.stage(f"compile {format.name} {precision.name}, {chip.name}") as stage:
            compiled = COMPILERS[format.suffix](chip, path)
            stage.result = compiled.in_words
        name = compiled_name(path.name, chip)
        self._check_left(compiled, chip, name)
        metadata = self._describe(compiled, chip, name)
        if format.name not in accelerator.never_run:
            title = f"verify {format.name} {precision.name}, {accelerator.name} {chip.name}"
            with self._report.stage(title) as stage:
                draft = self._write(compiled, metadata, name, path.parent)
                channels = input_shape(self._context.source.model, self._context.size)[1]
                on_cpu = self._metadata.parity.comparisons
                samples = self._context.samples[:ON_DRIVERS]
                parity = verify_on(accelerator, draft, precision, samples, on_cpu, channels)
                parity = parity.model_copy(update={"chip": chip.name})
                stage.result = in_words(parity)
        return _Attempt(compiled, metadata, parity)

    def _in_half(self, failed: _Attempt, accelerator: Accelerator, chip: Chip) -> _Attempt:
        """Compare a failed file with half precision emulated on the CPU; mend or explain it."""
        with self._report.stage("emulate fp32 in half precision") as stage:
            emulated = self._context.in_half
            stage.result = "overflows" if emulated is None else reached(emulated)
        if emulated is None:
            parity = as_in_half(failed.parity, emulated)
            reason = f"{parity.reason}; in half precision, {self._context.overflow_in_half}"
            return replace(failed, parity=parity.model_copy(update={"reason": reason}))
        for attempt in self._more_accurate(failed, accelerator, chip):
            parity = attempt.parity
            if parity.status == "failed":
                parity = as_in_half(parity, emulated)
                if parity.status == "verified":
                    self._report.warn(
                        f"'{compiled_name(self._path.name, chip)}': these weights amplify the "
                        "rounding of half precision, the only one of this NPU: emulated on the "
                        f"CPU, it reaches {reached(emulated)}, and so does the file."
                    )
            if parity.status == "verified":
                break
        return replace(attempt, parity=parity)

    def _more_accurate(
        self, failed: _Attempt, accelerator: Accelerator, chip: Chip
    ) -> Iterator[_Attempt]:
        """Yield the failed attempt, then one whose activations are not approximated."""
        yield failed
        flat, count = with_flat_activations(onnx.load(self._path))
        if not count:
            return
        self._report.warn(
            f"{chip.name}: the NPU approximates Sigmoid, Tanh and Erf of maps too coarsely for "
            f"this network. Reshapes are added around {count} of them, at a cost in latency that "
            "has not been measured."
        )
        folder = self._path.parent / f"flat_{chip.name}"
        folder.mkdir()
        onnx.save(flat, folder / self._path.name)
        yield self._attempt(accelerator, chip, folder / self._path.name)

    def _write(self, compiled: Compiled, metadata: Metadata, name: str, parent: Path) -> Path:
        """Write a compiled file for verification, with its binary beside it."""
        folder = parent / Path(name).stem
        folder.mkdir()
        (folder / name).write_bytes(embed(compiled.content, metadata))
        if compiled.binary is not None:
            (folder / str(binary_name(name))).write_bytes(compiled.binary)
        return folder / name

    def _describe(self, compiled: Compiled, chip: Chip, name: str) -> Metadata:
        binary = None
        if compiled.binary is not None:
            binary = File(
                name=str(binary_name(name)),
                bytes=len(compiled.binary),
                sha256=hashlib.sha256(compiled.binary).hexdigest(),
            )
        compilation = Compilation(
            chip=chip.name,
            hexagon=chip.hexagon,
            compiler=compiled.compiler,
            qnn_version=compiled.qnn_version,
            phone_needs=compiled.phone_needs,
            source_sha256=self._metadata.content_sha256,
            partitions=compiled.partitions,
            left=compiled.left,
            binary=binary,
        )
        return self._metadata.model_copy(
            update={
                "title": f"{self._metadata.title}, {chip.name}",
                "content_sha256": content_sha256(compiled.content, name),
                "accelerators": (),
                "compilation": compilation,
            }
        )

    def _check_left(self, compiled: Compiled, chip: Chip, name: str) -> None:
        if compiled.left and self._context.request.needs_full_acceleration:
            first = compiled.left[0]
            raise SeaformerError(
                f"'{self._path.name}' does not run entirely on the NPU of {chip.name}: "
                f"{len(compiled.left)} operators are left on the CPU, such as {first.type} "
                f"'{first.name}': {first.reason}. Nothing was written. Omit "
                "--require-full-acceleration to allow them."
            )
        kinds: dict[tuple[str, str], list[str]] = {}
        for one in compiled.left:
            kinds.setdefault((one.type, one.reason), []).append(one.name)
        for (type, reason), names in kinds.items():
            who = f"{type} '{names[0]}'"
            if len(names) > 1:
                who = f"{len(names)} {type}, such as '{names[0]}'"
            self._report.warn(f"{chip.name}: left on the CPU: {who}: {reason}.")
        if compiled.left:
            described = path_beside(Path(name))
            self._report.warn(f"{chip.name}: '{described}' lists all operators left on the CPU.")
