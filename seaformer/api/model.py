"""The class `Model`: predict, evaluate, export and benchmark from Python."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from seaformer.api.outcomes import Benchmarked, Evaluated, Exported, ExportedFile, Predicted
from seaformer.artifact.accelerators import CPU
from seaformer.artifact.chips import parse_chips
from seaformer.artifact.metadata import Interface
from seaformer.benchmark.inference.device_inference import Settings
from seaformer.benchmark.inference.device_session import opener_on
from seaformer.benchmark.measure.options import Options as BenchmarkOptions
from seaformer.benchmark.studies.benchmark_study import BenchmarkStudy
from seaformer.benchmark.studies.running import measure_quietly
from seaformer.console import silent_console
from seaformer.datasets import open_dataset
from seaformer.datasets.selection import selected
from seaformer.errors import SeaformerError, UsageError, look_up
from seaformer.evaluation.device_defaults import DEVICE_BATCH, DEVICE_THREADS
from seaformer.evaluation.engine import Evaluation
from seaformer.evaluation.evaluation_page import write_report
from seaformer.evaluation.models import (
    Options,
    choose_protocol,
    open_candidate,
    task_of_data,
)
from seaformer.evaluation.results import collect
from seaformer.evaluation.training_images import training_note
from seaformer.extras import missing_extras_named, require
from seaformer.files import refuse_existing
from seaformer.imaging.images import as_pixels
from seaformer.imaging.prediction import predict
from seaformer.locks import locked
from seaformer.models.entry import Network
from seaformer.models.resolve import chosen, find_model
from seaformer.progress_events import Event, StageAdvanced, notify, reporting_to
from seaformer.runtimes import PROCESSORS, ImageSession, is_checkpoint
from seaformer.runtimes.opening import open_found
from seaformer.runtimes.stated_interface import stated_interface
from seaformer.tasks import Task
from seaformer.tasks.statement import NOTHING, Palette, Statement
from seaformer.tasks.task_file import make_statement
from seaformer.temporary_folders import temporary_folder

ImageLike = str | Path | Image.Image | npt.NDArray[np.uint8]
"""An image: a file, a Pillow image, or an array, uint8 [H, W, 3] for RGB or [H, W] for gray."""

OnProgress = Callable[[Event], None]
"""Callback for events of `seaformer.progress_events`: finished stages, and progress within stages.
For a benchmark, it is called from the thread that measures."""

PROGRESS = "images.jsonl"


def load(
    model: str | Path,
    *,
    weights: str | Path | None = None,
    variant: str | None = None,
    task: str | Task | None = None,
    labels: Sequence[str] | None = None,
    palette: Palette | None = None,
    input_range: tuple[float, float] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output_meaning: str | None = None,
    input_size: tuple[int, int] | None = None,
    accelerator: str = CPU,
    soc: str | None = None,
    threads: int = 1,
) -> "Model":
    """Load a model: an exported file, a checkpoint, or a network by its name.

    ::

        model = seaformer.load("build/seaformer_tiny_shapes_256x256_fp32.tflite")
        model = seaformer.load("seaformer-tiny", weights="ade20k")

    Exported files need no extra. Checkpoints and networks by name need `seaformer[torch]`, and
    `seaformer[export]` to be exported.

    Args:
        model: path of a .tflite, .onnx, .pth, .pt, .safetensors or .pdparams; or the name of
            a network, see `seaformer-export --list`, or "package.module:factory".
        weights: weights for a network given by name: name of released weights, or path of a
            checkpoint; None for random weights, with which predictions are meaningless.
        variant: variant of a checkpoint that does not record it.
        task: name of a task, path of a task file, or a `Task`, for a model that does not record it.
        labels: class names that replace the task's.
        palette: red, green and blue of each class, 0..255.
        input_range: range that pixels of 0..255 are first scaled to, such as (0, 1).
        mean: subtracted after scaling; one number, or one per channel.
        std: divisor after the mean is subtracted; one number, or one per channel.
        output_meaning: one of `seaformer.tasks.statement.MEANINGS`.
        input_size: height and width in pixels, for a model that takes any.
        accelerator: accelerator for an exported file: "cpu", "gpu", or "npu" (Qualcomm's emulator).
        soc: chip of the NPU, such as "SM8650".
        threads: threads for one run on the CPU, at least 1.

    Raises:
        UsageError: there is no such network, or an argument is invalid.
        SeaformerError: there is no such file.
    """
    look_up(PROCESSORS, "accelerator", accelerator)
    chips = () if soc is None else parse_chips([soc])
    found = find_model(str(model))
    if isinstance(found, Path) and not found.is_file():
        raise SeaformerError(f"there is no model file '{found}'. Check the name.")
    return Model(
        found,
        weights=None if weights is None else str(weights),
        variant=variant,
        statement=make_statement(task, labels, palette, input_range, mean, std, output_meaning),
        input_size=input_size,
        accelerator=accelerator,
        chip=chips[0].name if chips else None,
        threads=threads,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """The result of `load`; see there for the other attributes.

    The model is in memory from the first prediction until `close`, or the end of a `with` block.

    Attributes:
        source: the file, or the network.
        chip: chip of the NPU.
        statement: what the user states about the model.
    """

    source: Path | Network = field(kw_only=False)
    weights: str | None = None
    variant: str | None = None
    statement: Statement = NOTHING
    input_size: tuple[int, int] | None = None
    accelerator: str = CPU
    chip: str | None = None
    threads: int = 1

    @cached_property
    def interface(self) -> Interface:
        """Input and output of the model: task, classes, colors, and preprocessing.

        Raises:
            UsageError, SeaformerError: as `predict`.
        """
        return stated_interface(self._session, self.statement)[0].require_classes()

    def predict(self, image: ImageLike) -> Predicted:
        """Run the model on an image.

        Args:
            image: see `ImageLike`.

        Raises:
            MissingExtraError: it is a checkpoint or a network, and `seaformer[torch]` is missing.
            UsageError: the image is of a type that is not allowed, or the preprocessing of the
                model is unknown.
            SeaformerError: the image or the model cannot be read, or the model fails.
        """
        with missing_extras_named():
            pixels, interface = as_pixels(image), self.interface
            return Predicted(predict(pixels, self._session, interface, 0), interface)

    def evaluate(
        self,
        data: str | Path,
        *,
        images: str | Path | None = None,
        limit: int | None = None,
        batch: int | None = None,
        protocol: str | None = None,
        layout: str | None = None,
        device: str | None = None,
        reference: "Model | str | Path | None" = None,
        resume: str | Path | None = None,
        report: str | Path | None = None,
        force: bool = False,
        progress: OnProgress | None = None,
    ) -> Evaluated:
        """Measure the accuracy of the model on a data set with annotations.

        Args:
            data: folder of the data set, in a layout that `seaformer-evaluate` supports.
            images: file that names the images to use, such as held_out.json of a training run; None
                for all.
            limit: size of an evenly spaced subset of the images to use; None for all.
            batch: batch size for checkpoints, or number of inputs to send to a device at once; None
                for 1, or 16 with a device.
            protocol: "official" or "deployed"; None for the official one if the model supports it.
            layout: layout of the data set, if its folders are ambiguous.
            device: "auto", "host", or the serial number of a phone on whose accelerator the file
                runs; the result is compared with `reference`, or else with the same file on the CPU
                of this computer. None to run it on this computer.
            reference: model to compare with, image by image, on the CPU of this computer; a path or
                a name is loaded as by `load`.
            resume: file that keeps the progress: if the evaluation is interrupted, the next call
                with the same file resumes it. None to store no progress.
            report: HTML report to write.
            force: whether the report may be overwritten, and the evaluation started over.
            progress: called with every `StageAdvanced`.

        Raises:
            MissingExtraError: as `predict`.
            UsageError: model and data do not match, the report exists, or `resume` is the progress
                of another evaluation.
            SeaformerError: the data cannot be read, or the model or the device fails.
        """
        page = None if report is None else Path(report)
        if page is not None:
            refuse_existing(page, force)
        of_this_computer = replace(self, accelerator=CPU, chip=None) if device else self
        others: list[Model] = []
        if reference is not None:
            other = reference if isinstance(reference, Model) else load(reference)
            others = [replace(other, accelerator=CPU, chip=None)]
        elif device is not None:
            others = [of_this_computer]
        first = others[0] if others else self
        with missing_extras_named(), ExitStack() as opened:
            if resume is None:
                kept = opened.enter_context(temporary_folder("evaluation")) / PROGRESS
            else:
                kept = Path(resume)
                opened.enter_context(locked(kept.parent))
                if force:
                    kept.unlink(missing_ok=True)
            data = Path(data)
            where = first.accelerator, first.chip
            task = task_of_data(data, self.statement, first.source, first.weights, *where)
            whole = open_dataset(data, task, layout=layout)
            dataset = selected(whole, None if images is None else Path(images), limit)
            models = [*others, of_this_computer]
            sources = [one.source for one in models]
            chosen_protocol = choose_protocol(protocol, sources, dataset.task)
            of_models = [one._evaluation_options(chosen_protocol) for one in models]
            if device is not None:
                of_chip = BenchmarkOptions(command="", soc=self.chip)
                settings = Settings(threads=DEVICE_THREADS, of_accelerator=of_chip)
                opener = opener_on(device, self.accelerator, settings)
                of_models[-1] = replace(of_models[-1], open_elsewhere=opener)
            candidates = [
                opened.enter_context(closing(open_candidate(source, dataset.task, options)))
                for source, options in zip(sources, of_models, strict=True)
            ]
            notes = [training_note(one.path, dataset, whole) for one in candidates]
            candidates = [one.with_note(note) for one, note in zip(candidates, notes, strict=True)]
            evaluation = Evaluation(dataset, candidates)
            with reporting_to(progress):
                at_once = batch or (DEVICE_BATCH if device else 1)
                for _ in evaluation.run(kept, at_once):
                    done = evaluation.done + len(evaluation.broken)
                    notify(StageAdvanced(title="evaluate", done=done, total=evaluation.total))
            evaluation.require_images()
            results = collect(
                evaluation,
                dataset,
                candidates,
                available=len(whole.items),
                skip_broken=True,
            )
            if page is not None:
                write_report(page, results, dataset, candidates)
        return Evaluated(results)

    def _evaluation_options(self, protocol: str) -> Options:
        return Options(
            protocol=protocol,
            threads=self.threads,
            network=None if self.variant is None else chosen(None, self.variant),
            weights=self.weights,
            input_size=self.input_size,
            accelerator=self.accelerator,
            chip=self.chip,
            statement=self.statement,
        )

    def export(
        self,
        output: str | Path = "build",
        *,
        format: str | Sequence[str] = "tflite",
        precision: str | Sequence[str] = "fp32",
        accelerator: str | Sequence[str] = (),
        soc: str | Sequence[str] = (),
        input_size: tuple[int, int] | None = None,
        head: str = "logits",
        normalize: str = "inside",
        calibration: str | Path | None = None,
        calibration_samples: int = 200,
        verify_images: str | Path | None = None,
        keep_float: Sequence[str] = (),
        accept_loss: bool = False,
        force: bool = False,
        progress: OnProgress | None = None,
    ) -> Exported:
        """Export the network to files, which are verified against PyTorch before they are written.

        Args:
            output: folder for the files; created if it does not exist.
            format: "tflite", "onnx", or both.
            precision: one or several of `seaformer.artifact.precisions.PRECISIONS`.
            accelerator: accelerators to verify the files on: "cpu", "gpu", "npu"; empty for the
                CPU, and the GPU if a driver is found.
            soc: chips with an NPU to compile for.
            input_size: height and width in pixels; None for the default of the model or its task.
            head: "logits", "classes" or "mask".
            normalize: "inside" or "outside" the file.
            calibration: folder of images or a data set, for quantization; "random" for noise.
            calibration_samples: maximum number of calibration images.
            verify_images: folder of additional images to verify a quantized file on.
            keep_float: modules that stay in floating point in a quantized file.
            accept_loss: whether to write a quantized file that misses its thresholds.
            force: whether files may be overwritten.
            progress: called with every `StageFinished`.

        Raises:
            MissingExtraError: `seaformer[export]` is missing.
            UsageError: the request is invalid, or a file exists.
            SeaformerError: a file does not match PyTorch, and was not written.
        """
        if isinstance(self.source, Path) and not is_checkpoint(self.source):
            raise UsageError(
                f"'{self.source}' is already exported. Load the checkpoint that it was exported "
                "from, or the network by its name."
            )
        size = input_size or self.input_size
        with missing_extras_named(), reporting_to(progress):
            require("export")
            from seaformer.export.acceptance import unmet
            from seaformer.export.pipeline import export
            from seaformer.export.report import Report
            from seaformer.export.request import ExportOptions, make_request

            is_network = isinstance(self.source, Network)
            request = make_request(
                ExportOptions(
                    output=Path(output),
                    model=self.source.name if isinstance(self.source, Network) else None,
                    variant=None if is_network else self.variant,
                    weights=self.weights if is_network else str(self.source),
                    statement=self.statement,
                    formats=_as_sequence(format),
                    precisions=_as_sequence(precision),
                    accelerators=_as_sequence(accelerator),
                    chips=_as_sequence(soc),
                    input_sizes=() if size is None else (f"{size[0]}x{size[1]}",),
                    head=head,
                    normalize=normalize,
                    calibration=None if calibration is None else str(calibration),
                    calibration_samples=calibration_samples,
                    verify_images=None if verify_images is None else str(verify_images),
                    keep_float=tuple(keep_float),
                    accept_loss=accept_loss,
                    force=force,
                )
            )
            report = Report(silent_console())
            files = export(request, report)
            return Exported(
                files=tuple(ExportedFile(path, metadata) for path, metadata in files),
                warnings=tuple(report.warnings),
                is_verified=not unmet(request, [metadata for _, metadata in files]),
            )

    def benchmark(
        self,
        device: str = "auto",
        *,
        runs: int | None = None,
        until: float | None = None,
        threads: int = 1,
        cores: str | None = None,
        breakdown: bool = False,
        frame_size: tuple[int, int] | None = None,
        time_limit_s: float = 900.0,
        output: str | Path | None = None,
        force: bool = False,
        progress: OnProgress | None = None,
    ) -> Benchmarked:
        """Measure latency and memory on a phone over adb, or on this computer.

        A checkpoint or a network is exported first, to .tflite in fp32.

        Args:
            device: "auto" for the attached phone, or this computer if there is none; "host" for
                this computer; the serial number of a phone; "all" for every phone.
            runs: number of timed runs; None for 50.
            until: alternative to `runs`: measure until the half-width of the 95 % interval of the
                median is at most this share of the median, such as 0.01.
            threads: threads for one run.
            cores: "prime", "big", "little", "all", a mask or a list.
            breakdown: whether to measure latency by module.
            frame_size: width and height of camera frames, which are measured as well, from the
                preparation to the mask; None to measure none.
            time_limit_s: time limit of the benchmark.
            output: folder for results.json, results.csv and report.html; None to write nothing.
            force: whether results may be overwritten.
            progress: called with every `StageAdvanced`.

        Raises:
            MissingExtraError: the model must be exported first, and `seaformer[export]` is missing.
            UsageError: an option is out of range, or results exist.
            SeaformerError: not everything could be measured; the message says where the results
                are.
        """
        with temporary_folder("benchmark") as folder:
            if isinstance(self.source, Path) and not is_checkpoint(self.source):
                file = self.source
            else:
                file = self.export(folder / "models", progress=progress).files[0].path
            call = f"seaformer.load({str(file)!r}).benchmark(device={device!r})"
            options = BenchmarkOptions(
                command=call,
                models=(file,),
                device=device,
                runs=runs,
                until=until,
                threads=threads,
                cores=cores,
                breakdown=breakdown,
                frame_size=frame_size,
                time_limit_s=time_limit_s,
                output=folder / "results" if output is None else Path(output),
                force=force,
            )
            with missing_extras_named(), reporting_to(progress):
                return Benchmarked(measure_quietly(BenchmarkStudy(options)))

    def close(self) -> None:
        """Free the memory of the model, and end its process."""
        if "_session" in self.__dict__:
            self._session.close()

    def __enter__(self) -> Self:
        """Return the model."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the model."""
        self.close()

    @cached_property
    def _session(self) -> ImageSession:
        with missing_extras_named():
            return open_found(
                self.source,
                self.weights,
                variant=self.variant,
                statement=self.statement,
                input_size=self.input_size,
                threads=self.threads,
                accelerator=self.accelerator,
                chip=self.chip,
            )


def _as_sequence(names: str | Sequence[str]) -> Sequence[str]:
    return (names,) if isinstance(names, str) else tuple(names)
