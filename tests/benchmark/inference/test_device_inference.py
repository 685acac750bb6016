"""Running exported files for their outputs, on this computer and on the loopback phone."""

from pathlib import Path

import numpy as np
import pytest

from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.devices.phone import Phone
from seaformer.benchmark.inference import device_inference
from seaformer.benchmark.inference.device_inference import open_inference
from seaformer.benchmark.inference.device_session import open_device_session
from seaformer.benchmark.measure.backends import backend_on
from seaformer.runtimes import open_session


def _inputs(path: Path, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return inputs, and their first outputs on this computer."""
    random = np.random.default_rng(0)
    with open_session(path) as session:
        shape = session.inputs[0].shape
        inputs = [random.uniform(0, 255, shape).astype(np.float32) for _ in range(count)]
        return inputs, [session.run([one])[0] for one in inputs]


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
@pytest.mark.slow
def test_every_input_gets_its_own_output(phone_export, suffix, monkeypatch):
    (path,) = phone_export.glob(f"*{suffix}")
    inputs, expected = _inputs(path, 5)
    monkeypatch.setattr(device_inference, "BATCH_BYTES", 2 * inputs[0].nbytes)
    with open_inference(Host(), backend_on("cpu", path)) as inference:
        done = inference.run(path, inputs)
    assert len(done.outputs) == 5
    for (found,), reference in zip(done.outputs, expected, strict=True):
        np.testing.assert_allclose(found, reference, rtol=0, atol=1e-4 * np.abs(reference).max())
    assert done.loaded.outputs[0].shape == expected[0].shape


def test_a_phone_computes_the_same_as_this_computer(phone_export, loopback_phone):
    (path,) = phone_export.glob("*.tflite")
    inputs, expected = _inputs(path, 3)
    with open_device_session(path, Phone(loopback_phone.serial), "cpu") as session:
        assert loopback_phone.serial in session.runtime
        found = session.run_many([[one] for one in inputs])
    for (one,), reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, reference, rtol=0, atol=1e-4 * np.abs(reference).max())
    assert loopback_phone.left_files() == []
