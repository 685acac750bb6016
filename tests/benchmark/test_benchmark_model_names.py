"""Names of networks instead of files as arguments of seaformer-benchmark."""

from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from seaformer.benchmark.cli import main
from seaformer.benchmark.measure.request import resolve_model
from seaformer.benchmark.results.schema import read_results
from seaformer.errors import SeaformerError, UsageError


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_named_network_is_exported_and_measured_next_to_a_file(
    users_export: Path, tmp_path: Path
) -> None:
    file, folder = next(users_export.glob("*.onnx")), tmp_path / "out"
    result = command(
        file, "attention-squeeze", "--device", "host", "--runs", "2", "--output", folder
    )
    assert result.exit_code == 0, result.stderr
    first, second = read_results(folder).models
    assert first.file == str(file)
    assert Path(second.file).parent == folder / "models"
    assert (second.facts.model, second.precision) == ("attention-squeeze", "fp32")
    assert second.latency is not None
    assert "export: attention-squeeze: trace to ONNX" in result.stderr


def test_a_file_has_precedence_over_a_network_and_that_over_a_factory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_model(Path("topformer-tiny")) == "topformer-tiny"
    assert resolve_model(Path("my.networks:make")) == "my.networks:make"
    for name in ("topformer-tiny", "my.networks:make"):
        Path(name).write_bytes(b"")
        assert resolve_model(Path(name)) == Path(name)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("topformr-tiny", UsageError, "Did you mean 'topformer-tiny'"),
        ("missing.tflite", SeaformerError, "there is no model file 'missing.tflite'"),
        ("folder/missing", SeaformerError, "there is no model file 'folder/missing'"),
        ("attention:", UsageError, "unknown model 'attention:'"),
    ],
)
def test_an_unknown_name_is_reported(name: str, kind: type[SeaformerError], message: str) -> None:
    with pytest.raises(kind, match=message):
        resolve_model(Path(name))


@pytest.mark.parametrize(
    ("arguments", "begun", "names"),
    [
        (["--backend"], "li", ["litert", "litert-gpu", "litert-npu"]),
        (["a.tflite", "--table"], "p", ["precision"]),
        (["--table", "precision", "--variant"], "", ["tiny", "small", "base", "large"]),
        (["attention", "--layers"], "global,ax", ["global,axial"]),
        (["pareto", "--backend"], "on", ["onnxruntime", "onnxruntime-qnn"]),
    ],
)
def test_names_are_completed_in_a_shell(arguments: list[str], begun: str, names: list[str]) -> None:
    shell = ShellComplete(main, {}, "seaformer-benchmark", "_SEAFORMER_BENCHMARK_COMPLETE")
    assert [item.value for item in shell.get_completions(arguments, begun)] == names
