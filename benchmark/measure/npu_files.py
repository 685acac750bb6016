"""Files for a Snapdragon NPU, on a phone or for Qualcomm's emulator on this computer."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from seaformer.artifact.chips import CHIPS, UNSUPPORTED, Chip
from seaformer.artifact.precisions import PRECISIONS
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.devices.facts import FASTRPC
from seaformer.benchmark.measure.accelerator_files import AcceleratorFiles, ModelFile
from seaformer.benchmark.measure.backends import Backend
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.power_modes import POWER_MODES
from seaformer.benchmark.runner.libraries import PHONE
from seaformer.benchmark.runner.qairt import (
    BACKEND_LIBRARY,
    PLUGIN,
    find_npu_libraries,
    find_runtime,
    require_version,
)
from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes.qnn_package import (
    is_newer,
    library_folders,
    provider_options,
    qnn_version,
    require_package,
)

ON_CPU = "Measure it on the CPU with --backend {}."

MODE = "htp_performance_mode"
"""Name of the option in both runtimes."""


def npu_files(
    backend: Backend, device: Device, options: Options, candidates: Sequence[ModelFile]
) -> AcceleratorFiles:
    """Return the files that the NPU of a device needs; nothing is sent to it.

    Raises:
        UsageError: the device has no such NPU, the models were compiled for another one, or an
            option is missing.
        SeaformerError: the libraries are incompatible with each other or with the models.
    """
    if backend.runtime == "litert":
        _require_compiled(backend, candidates)
    if device.target == PHONE:
        return _on_phone(backend, device, options, candidates)
    return _emulated(backend, options, candidates)


def _on_phone(
    backend: Backend, device: Device, options: Options, candidates: Sequence[ModelFile]
) -> AcceleratorFiles:
    chip = _chip_of_phone(backend, device, options.soc)
    for one in candidates:
        _require_fitting(one, chip, f"the phone's chip is {chip.name}")
    _require_fastrpc(backend, device)
    runtime = options.runtime_library or find_runtime(options.qairt, backend.runtime)
    libraries = find_npu_libraries(
        options.qairt,
        backend.runtime,
        chip,
        compiles=any(one.compilation is None for one in candidates),
        has_runtime=runtime is not None,
    )
    for one in candidates:
        if one.compilation is not None:
            needed = one.compilation.qnn_version
            require_version(libraries, needed, one.path, options.qairt or Path())
    mode = POWER_MODES[options.npu_power]
    settings: Mapping[str, str] = {MODE: mode.litert}
    if backend.runtime == "onnxruntime":
        settings = {
            "backend_path": BACKEND_LIBRARY,
            "offload_graph_io_quantization": "0",
            MODE: mode.onnxruntime,
        }
    version = "of an unknown version" if libraries.version is None else libraries.version
    return AcceleratorFiles(
        files=libraries.files,
        runtime=runtime,
        driver=f"{chip.title}, QNN {version}",
        plugin=libraries.plugin,
        options=settings,
        folder_variables=("LD_LIBRARY_PATH", "ADSP_LIBRARY_PATH"),
    )


def _emulated(
    backend: Backend, options: Options, candidates: Sequence[ModelFile]
) -> AcceleratorFiles:
    if backend.runtime != "onnxruntime":
        raise UsageError(
            f"--backend {backend.name} needs a phone: LiteRT has no emulator of the NPU. On this "
            "computer, --backend onnxruntime-qnn runs an .onnx on Qualcomm's emulator."
        )
    if options.qairt is not None:
        raise UsageError(
            "--qairt is only for phones: the emulator on this computer comes from pip install "
            "'seaformer[npu]'. Omit it."
        )
    require_package()
    compiled = {one.compilation.chip for one in candidates if one.compilation is not None}
    is_compiled = {one.compilation is not None for one in candidates}
    if len(is_compiled) > 1 or len(compiled) > 1:
        raise UsageError(
            "the emulator emulates one chip per benchmark. Measure files for different chips, and "
            "files that are not compiled, with separate commands."
        )
    name = options.soc or next(iter(compiled), None)
    if name is None:
        raise UsageError(
            "the emulator needs to know which chip to emulate. Give it with --soc, one of "
            f"{', '.join(CHIPS)}."
        )
    chip = CHIPS[name]
    for one in candidates:
        _require_fitting(one, chip, f"--soc is {chip.name}")
        if one.compilation is not None:
            _require_not_newer(one)
    mode = POWER_MODES[options.npu_power]
    return AcceleratorFiles(
        driver=f"Qualcomm's emulator of {chip.title}, QNN {qnn_version()}",
        is_emulated=True,
        plugin=str(library_folders()[0] / PLUGIN),
        options=provider_options(None if compiled else chip) | {MODE: mode.onnxruntime},
    )


def _chip_of_phone(backend: Backend, device: Device, requested: str | None) -> Chip:
    reported = device.facts().soc or ""
    # A variant has the number of its chip, as in SM8750P.
    found = re.match(r"SM\d{4}", reported.upper())
    name = None if found is None else found[0]
    if requested is not None and name is not None and requested != name:
        raise UsageError(
            f"--soc is {requested}, but the chip of the phone {device.serial} is {name}. "
            "Omit --soc."
        )
    name = requested or name
    if name is None:
        raise UsageError(
            f"the phone {device.serial} does not report a Snapdragon (it reports "
            f"'{reported or 'nothing'}'). If it has one, give it with --soc, one of "
            f"{', '.join(CHIPS)}."
        )
    if name not in CHIPS:
        why = UNSUPPORTED.get(name, f"supported are {', '.join(CHIPS)}").partition(";")[0]
        raise UsageError(
            f"the NPU of the phone {device.serial}, {name}, is not supported: {why}. "
            f"{ON_CPU.format(backend.runtime)}"
        )
    return CHIPS[name]


def _require_fitting(candidate: ModelFile, chip: Chip, why: str) -> None:
    """Refuse a file that the NPU of a chip cannot run."""
    compilation, precision = candidate.compilation, PRECISIONS.get(candidate.precision)
    if compilation is not None and compilation.chip != chip.name:
        raise UsageError(
            f"'{candidate.path}' is compiled for {compilation.chip}, but {why}. Compile it for "
            f"that chip: seaformer-export --accelerator npu --soc {chip.name}."
        )
    if not chip.has_float and precision is not None and not precision.is_quantized:
        raise UsageError(
            f"'{candidate.path}' is in {precision.name}, but the NPU of {chip.title} does not "
            "support floating point. Export it in w8a8 or w8a16."
        )


def _require_compiled(backend: Backend, candidates: Sequence[ModelFile]) -> None:
    for one in candidates:
        if one.compilation is None:
            raise UsageError(
                f"'{one.path}' is not compiled, but --backend {backend.name} runs only compiled "
                "files. Compile it: seaformer-export --format tflite --accelerator npu --soc CHIP."
            )


def _require_fastrpc(backend: Backend, device: Device) -> None:
    if device.facts().fastrpc == ():
        raise SeaformerError(
            f"the phone {device.serial} has no FastRPC device ({', '.join(FASTRPC)}), which "
            f"programs need to use the NPU. {ON_CPU.format(backend.runtime)}"
        )


def _require_not_newer(candidate: ModelFile) -> None:
    assert candidate.compilation is not None
    needed = candidate.compilation.qnn_version
    if is_newer(needed, qnn_version()):
        raise SeaformerError(
            f"'{candidate.path}' was compiled with QNN {needed}, but the emulator here is QNN "
            f"{qnn_version()}, which cannot run newer files. Run: pip install --upgrade "
            "onnxruntime-qnn"
        )
