"""The mask is the same as with every class evaluated at every pixel, in Python and in C."""

import re
import subprocess
from collections.abc import Callable
from typing import Any

import native_argmax
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from native_argmax import Job, NativeArgmax, NoCompilerError
from sampling import sampled

from seaformer.errors import SeaformerError
from seaformer.imaging.upsampling import argmax, upsample_argmax

U = 2.0**-24
Upsample = Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def native() -> NativeArgmax:
    try:
        return NativeArgmax()
    except NoCompilerError as error:
        pytest.skip(str(error))


def upsample_skipping(*args: Any, **kwargs: Any) -> np.ndarray:
    """Return upsample_argmax that always skips classes, also where that is slower."""
    with pytest.MonkeyPatch.context() as patch:
        for cost in ("SKIP_COST", "PIXEL_COST", "CELL_COST"):
            patch.setattr(argmax, cost, 0)
        return upsample_argmax(*args, **kwargs)


@pytest.fixture(scope="session", params=["python", "python skipping", "c"])
def upsample(request: pytest.FixtureRequest) -> Upsample:
    if request.param == "c":
        return request.getfixturevalue("native")
    return upsample_argmax if request.param == "python" else upsample_skipping


def every_class(logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Evaluate the expression of the module docstring for all classes."""
    above, below, v = neighbors(logits.shape[1], size[0])
    left, right, w = neighbors(logits.shape[2], size[1])
    logits, v = logits.astype(np.float32), v[:, None]
    a, b = logits[:, above][:, :, left], logits[:, above][:, :, right]
    c, d = logits[:, below][:, :, left], logits[:, below][:, :, right]
    values = (1 - v) * ((1 - w) * a + w * b) + v * ((1 - w) * c + w * d)
    return values.argmax(axis=0)


def neighbors(sources: int, outputs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sources before and after each output, and the weight of the second."""
    half, last = np.float32(0.5), sources - 1
    t = np.float32(sources) / np.float32(outputs) * (np.arange(outputs, dtype=np.float32) + half)
    t = np.maximum(t - half, np.float32(0))
    before = np.minimum(t.astype(int), last)
    weight = np.minimum(t - before.astype(np.float32), np.float32(1))
    return before, np.minimum(before + 1, last), weight


def in_real_arithmetic(logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate in float64: [C, height, width]."""
    values = logits.astype(np.float64)
    for axis, outputs in zip((1, 2), size, strict=True):
        sources = logits.shape[axis]
        t = ((2 * np.arange(outputs) + 1) * sources - outputs) / (2 * outputs)
        t = t.clip(0, sources - 1)
        before = np.floor(t).astype(int)
        w = np.expand_dims(t - before, 2 - axis)
        after = np.minimum(before + 1, sources - 1)
        values = (1 - w) * values.take(before, axis) + w * values.take(after, axis)
    return values


def rounding_bound(logits: np.ndarray) -> np.ndarray:
    """Return B of the module docstring per class, for the largest logit."""
    logits = logits.astype(np.float64)
    down, right = (
        np.abs(np.diff(logits, axis=axis)).max(axis=(1, 2), initial=0) for axis in (1, 2)
    )
    largest = np.abs(logits).max(axis=(1, 2))
    return 8 * U * largest + 3 * U * (logits.shape[1] * down + logits.shape[2] * right)


def assert_best_up_to_rounding(mask: np.ndarray, logits: np.ndarray) -> None:
    values, bound = in_real_arithmetic(logits, mask.shape), rounding_bound(logits)
    chosen = np.take_along_axis(values, mask[None].astype(int), axis=0)[0]
    best = values.argmax(axis=0)
    assert (values.max(axis=0) - chosen <= bound[best] + bound[mask] + 1e-40).all()


def smooth(classes: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return logits like a network's: smooth, with few leading classes and boundaries."""
    coarse = np.random.default_rng(seed).normal(size=(classes, height // 4 + 2, width // 4 + 2))
    return (4 * in_real_arithmetic(coarse, (height, width))).astype(np.float32)


sides = st.integers(1, 9)
masks = st.tuples(st.integers(1, 40), st.integers(1, 40))
shapes = st.tuples(st.integers(1, 6), sides, sides)
plateaus = st.integers(-3, 3).map(float)  # ties everywhere
ordinary = st.floats(-100, 100, width=32)
extreme = st.floats(-(2.0**127), 2.0**127, width=32)  # also subnormal, also close to overflow
nearly_one = st.integers(0, 6).map(lambda k: 1 + k * 2.0**-23)  # only rounding apart
fields = st.sampled_from([plateaus, ordinary, extreme, nearly_one]).flatmap(
    lambda elements: hnp.arrays(np.float32, shapes, elements=elements)
)
integers = st.sampled_from([np.int8, np.uint8]).flatmap(lambda kind: hnp.arrays(kind, shapes))


@settings(max_examples=150, deadline=None)
@given(logits=fields, size=masks)
@example(logits=np.zeros((1, 1, 1), np.float32), size=(1, 1))
@example(logits=np.full((3, 1, 2), -(2.0**127), np.float32), size=(5, 5))
def test_matches_evaluating_every_class(
    upsample: Upsample, logits: np.ndarray, size: tuple[int, int]
) -> None:
    expected = every_class(logits, size)
    np.testing.assert_array_equal(upsample(logits, size), expected)
    channels_last = np.ascontiguousarray(logits.transpose(1, 2, 0))
    np.testing.assert_array_equal(upsample(channels_last, size, layout="HWC"), expected)


@settings(max_examples=50, deadline=None)
@given(logits=integers, size=masks)
def test_integers_are_compared_directly(
    upsample: Upsample, logits: np.ndarray, size: tuple[int, int]
) -> None:
    expected = every_class(logits, size)
    np.testing.assert_array_equal(upsample(logits, size), expected)
    channels_last = np.ascontiguousarray(logits.transpose(1, 2, 0))
    np.testing.assert_array_equal(upsample(channels_last, size, layout="HWC"), expected)


@settings(max_examples=50, deadline=None)
@given(logits=fields, size=masks)
def test_is_the_best_class_up_to_the_bound(
    upsample: Upsample, logits: np.ndarray, size: tuple[int, int]
) -> None:
    assert_best_up_to_rounding(upsample(logits, size), logits)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((150, 64, 64), (512, 512)),  # the network
        ((19, 128, 64), (1024, 512)),
        ((300, 17, 23), (131, 90)),  # uint16, odd ratios
        ((5, 40, 30), (40, 30)),  # the same size
        ((5, 40, 30), (80, 90)),
        ((40, 90, 70), (31, 200)),  # smaller and larger
        ((40, 90, 70), (7, 5)),
        ((7, 2, 3), (500, 300)),  # cells far larger than a block
        ((9, 1, 50), (64, 99)),
        ((1, 5, 5), (9, 9)),
    ],
)
@pytest.mark.parametrize("kind", sampled(["smooth", "noise"]))
def test_shapes(
    upsample: Upsample, shape: tuple[int, int, int], size: tuple[int, int], kind: str
) -> None:
    noise = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    logits = smooth(*shape) if kind == "smooth" else noise
    mask = upsample(logits, size)
    assert mask.dtype == (np.uint8 if shape[0] <= 256 else np.uint16)
    expected = every_class(logits, size)
    np.testing.assert_array_equal(mask, expected)
    channels_last = np.ascontiguousarray(logits.transpose(1, 2, 0))
    np.testing.assert_array_equal(upsample(channels_last, size, layout="HWC"), expected)


def test_the_maximum_number_of_classes(upsample: Upsample) -> None:
    logits = np.zeros((65536, 1, 2), np.float32)
    logits[65535, 0, 1] = 1
    assert upsample(logits, (1, 2)).tolist() == [[0, 65535]]


@pytest.mark.parametrize("seed", range(3))
def test_torch_differs_only_within_rounding(upsample: Upsample, seed: int) -> None:
    torch = pytest.importorskip("torch")
    logits = smooth(30, 40, 33, seed)
    for size in ((320, 264), (101, 77), (13, 50)):
        mask = upsample(logits, size)
        theirs = torch_argmax(torch, logits, size)
        assert_best_up_to_rounding(mask, logits)
        assert_best_up_to_rounding(theirs, logits)
        assert (mask != theirs).mean() <= 1e-3


@settings(max_examples=50, deadline=None)
@given(
    logits=hnp.arrays(np.int8, shapes),
    scale=st.tuples(*[st.sampled_from([1, 2, 4, 8, 16])] * 2),
)
def test_torch_agrees_where_arithmetic_is_exact(
    upsample: Upsample, logits: np.ndarray, scale: tuple[int, int]
) -> None:
    """The weights are multiples of 1/32, so ties are exact and the lowest class has to win."""
    torch = pytest.importorskip("torch")
    size = (logits.shape[1] * scale[0], logits.shape[2] * scale[1])
    np.testing.assert_array_equal(upsample(logits, size), torch_argmax(torch, logits, size))


def torch_argmax(torch, logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    batch = torch.from_numpy(logits.astype(np.float32))[None]
    resized = torch.nn.functional.interpolate(
        batch, size=size, mode="bilinear", align_corners=False
    )
    # torch guarantees no order among ties; numpy returns the first.
    return resized[0].numpy().argmax(axis=0)


def test_quantized_and_dequantized_logits_give_the_same_mask(upsample: Upsample) -> None:
    quantized = np.random.default_rng(0).integers(-128, 128, (21, 16, 16), np.int8)
    dequantized = (quantized.astype(np.float32) - -7) * 0.0625  # exact
    size = (128, 128)
    np.testing.assert_array_equal(upsample(quantized, size), upsample(dequantized, size))


def test_ties_by_rounding_go_to_the_lowest_class(upsample: Upsample) -> None:
    """A class that is lower at all corners may tie once interpolated and rounded.

    So a rule without a margin would skip class 0 where it ties with class 1 and has to win.
    """
    ties = 0
    for low in np.linspace(1, 2, 40, dtype=np.float32):
        logits = np.empty((2, 2, 2), np.float32)
        logits[0], logits[1] = low, np.nextafter(low, np.float32(4))
        expected = every_class(logits, (63, 61))
        np.testing.assert_array_equal(upsample(logits, (63, 61)), expected)
        ties += np.count_nonzero(expected == 0)
    assert ties > 1000


def test_a_dominated_class_may_tie_by_rounding(upsample: Upsample) -> None:
    """On a slope, the skip rule keeps both classes, although one is above the other everywhere."""
    ties = 0
    for low in np.linspace(1, 2, 40, dtype=np.float32):
        logits = np.empty((2, 2, 2), np.float32)
        logits[0] = low * np.array([[1, 1.5], [2, 2.5]], np.float32)
        logits[1] = np.nextafter(logits[0], np.float32(8))
        expected = every_class(logits, (63, 61))
        np.testing.assert_array_equal(upsample(logits, (63, 61)), expected)
        ties += np.count_nonzero(expected == 0)
    assert ties > 1000


def test_half_precision_is_widened() -> None:
    logits = smooth(12, 20, 20).astype(np.float16)
    expected = upsample_argmax(logits.astype(np.float32), (80, 80))
    np.testing.assert_array_equal(upsample_argmax(logits, (80, 80)), expected)


def test_any_strides_are_accepted() -> None:
    logits = smooth(12, 40, 40)
    view = logits[::2, ::-1, 3::2]
    expected = upsample_argmax(view.copy(), (80, 80))
    np.testing.assert_array_equal(upsample_argmax(view, (80, 80)), expected)


@settings(max_examples=50, deadline=None)
@given(
    logits=fields, size=masks, bad=st.sampled_from([np.nan, np.inf, -np.inf, 3e38]), data=st.data()
)
def test_logits_that_are_not_finite_are_refused(
    native: NativeArgmax, logits: np.ndarray, size: tuple[int, int], bad: float, data: st.DataObject
) -> None:
    assume(size[0] >= logits.shape[1])  # every row is read
    at = data.draw(st.tuples(*(st.integers(0, side - 1) for side in logits.shape)))
    logits[at] = bad
    message = re.escape(f"the logits contain {bad:.3g}; all have to be finite")
    with pytest.raises(SeaformerError, match=message):
        upsample_argmax(logits, size)
    for layout in ("CHW", "HWC"):
        ordered = logits if layout == "CHW" else logits.transpose(1, 2, 0)
        with pytest.raises(ValueError, match=str(native_argmax.NOT_FINITE)):
            native(ordered, size, layout)


def test_unused_rows_are_not_checked(upsample: Upsample) -> None:
    logits = np.zeros((2, 8, 2), np.float32)
    logits[1] = 1
    logits[:, :3] = np.nan
    assert upsample(logits, (1, 1)).tolist() == [[1]]


@pytest.mark.parametrize(
    ("logits", "size", "layout", "message"),
    [
        (np.zeros((2, 3), np.float32), (4, 4), "CHW", r"shape \(2, 3\).*three axes C, H, W"),
        (np.zeros((1, 2, 3, 3), np.float32), (4, 4), "HWC", r"shape \(1, 2, 3, 3\).*H, W, C"),
        (np.zeros((0, 3, 3), np.float32), (4, 4), "CHW", "0 classes; 1 to 65536"),
        (np.zeros((65537, 1, 1), np.int8), (4, 4), "CHW", "65537 classes; 1 to 65536"),
        (np.zeros((3, 0, 3), np.float32), (4, 4), "CHW", "0 x 3; a side has to be 1 to 1048576"),
        (np.zeros((2, 3, 3), np.float32), (0, 4), "CHW", "size is 0 x 4; a side has to be 1 to"),
        (np.zeros((2, 3, 3), np.float32), (4, -1), "CHW", "size is 4 x -1"),
        (np.zeros((2, 3, 3), np.float32), (4, 2**21), "CHW", "size is 4 x 2097152"),
        (np.zeros((2, 3, 3), np.float32), (4.5, 4), "CHW", r"size is \(4.5, 4\); .*a height and"),
        (np.zeros((2, 3, 3), np.float32), 4, "CHW", "size is 4; it has to be a height and"),
        (np.zeros((2, 3, 3), np.float64), (4, 4), "CHW", "type float64; supported are float32"),
        (np.zeros((2, 3, 3), np.int32), (4, 4), "CHW", "type int32; .*int8, uint8"),
        (np.zeros((2, 3, 3), np.float32), (4, 4), "WHC", "layout is 'WHC'.*'CHW' or 'HWC'"),
    ],
)
def test_errors_name_the_value_and_what_is_allowed(
    logits: np.ndarray, size: tuple[int, int], layout: str, message: str
) -> None:
    with pytest.raises(SeaformerError, match=message):
        upsample_argmax(logits, size, layout)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        *(
            (field, value, native_argmax.BAD_SHAPE)
            for field in ("height", "width", "mask_height", "mask_width")
            for value in (0, -1, 2**20 + 1)
        ),
        *(("classes", value, native_argmax.BAD_SHAPE) for value in (0, -1, 65537)),
        *(("type", value, native_argmax.BAD_TYPE) for value in (-1, 3)),
        *(("layout", value, native_argmax.BAD_TYPE) for value in (-1, 2)),
    ],
)
def test_native_refuses(native: NativeArgmax, field: str, value: int, status: int) -> None:
    job = Job(3, 4, 5, 6, 7, 0, 0)
    setattr(job, field, value)
    assert native.workspace_size(job) == 0
    assert native.status(job) == status


def test_native_compiles_without_warnings() -> None:
    try:
        compiler = native_argmax.find_compiler()
    except NoCompilerError as error:
        pytest.skip(str(error))
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
    command = [compiler, *native_argmax.FLAGS, *warnings, "-fsyntax-only"]
    subprocess.run([*command, str(native_argmax.SOURCE)], check=True)
