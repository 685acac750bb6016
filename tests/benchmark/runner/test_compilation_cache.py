"""The runtimes' compilation caches: written by one process, and used by the next one."""

from pathlib import Path

import numpy as np
import pytest
from rounds import BACKENDS, SUFFIXES, add_model, assert_gave_up, basic_plan, run_plan

from seaformer.benchmark.runner.record import Status
from seaformer.runtimes import open_session


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_start_with_the_cache_computes_the_same(
    backend: str, tiny_export: Path, tmp_path: Path
) -> None:
    (file,) = tiny_export.glob(f"*_fp32{SUFFIXES[backend]}")
    with open_session(file) as session:
        x = np.random.default_rng(0).uniform(0, 255, session.inputs[0].shape).astype(np.float32)
    model = add_model(tmp_path, "tiny", file, x)
    cache = tmp_path / f"{model.file}.cache"
    outputs, sizes, caches = [], [], []
    for use in ("none", "fill", "use"):
        done = run_plan(tmp_path, basic_plan(backend, model, blocks=0, cache=use))
        assert done.record.complete, done.stderr
        sizes.append(done.record.models[0].cache_bytes)
        outputs.append(np.fromfile(tmp_path / "tiny.output", np.float32))
        if use != "none":
            caches.append((cache.read_bytes(), cache.stat().st_mtime_ns))
    assert caches[0] == caches[1]  # it was read, and not made again
    filled, _ = caches[0]
    assert sizes == [None, len(filled), len(filled)]
    assert len(filled) > 1_000_000  # it has the weights
    for output in outputs[1:]:
        np.testing.assert_allclose(output, outputs[0], rtol=0, atol=1e-5 * np.abs(output).max())


def test_a_missing_cache_is_an_error_where_it_replaces_the_model(
    tiny_export: Path, tmp_path: Path
) -> None:
    (file,) = tiny_export.glob("*_fp32.onnx")
    with open_session(file) as session:
        x = np.zeros(session.inputs[0].shape, np.float32)
    model = add_model(tmp_path, "tiny", file, x)
    done = run_plan(tmp_path, basic_plan("onnxruntime", model, blocks=0, cache="use"))
    assert_gave_up(done, Status.NO_MODEL, "tiny.onnx.cache")
