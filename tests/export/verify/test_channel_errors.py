"""A lost channel is detected among many, and a nearly constant channel does not count as lost."""

import numpy as np
import pytest

from seaformer.artifact.metadata import ChannelError
from seaformer.export.verify.channel_errors import ChannelErrors, lost_channels, min_channel_db


def errors_of(spreads: np.ndarray, noise: float, inputs: int = 3) -> ChannelErrors:
    """Return the errors of channels with these spreads and the same noise."""
    generator, errors = np.random.default_rng(0), ChannelErrors()
    for _ in range(inputs):
        reference = generator.standard_normal((len(spreads), 16, 16)) * spreads[:, None, None]
        errors.add(reference, reference + noise * generator.standard_normal(reference.shape))
    return errors


def lost(errors: ChannelErrors, labels: tuple[str, ...] = ()) -> str | None:
    return lost_channels(errors.worst(), min_channel_db(15.0, is_quantized=True), labels)


def test_each_channel_is_measured_relative_to_its_own_spread() -> None:
    spreads = np.array([100.0, 10.0, 1.0, 1.0])
    worst = {row.channel: row.sqnr_db for row in errors_of(spreads, 0.1).worst()}
    assert worst[0] == pytest.approx(60, abs=0.5)
    assert worst[1] == pytest.approx(40, abs=0.5)
    assert worst[2] == pytest.approx(20, abs=0.5)


def test_small_channels_are_lost_next_to_large_ones() -> None:
    """Over all channels, such an output has 45 dB."""
    spreads = np.array([100.0] * 4 + [1.0] * 4)
    warning = lost(errors_of(spreads, 0.8), tuple("abcdefgh"))
    assert warning is not None
    assert [place for place in "abcdefgh" if f" {place}: " in warning] == list("efgh")


@pytest.mark.parametrize("constant", [0, 1, 30])
def test_nearly_constant_channels_are_not_lost(constant: int) -> None:
    spreads = np.ones(150)
    spreads[:constant] = 1e-4
    assert lost(errors_of(spreads, 10 ** (-25 / 20))) is None


def test_rounding_at_the_size_of_a_bias_is_not_a_lost_channel() -> None:
    """AFFormer-B with random weights: XNNPACK adds 256 products to the bias one by one."""
    generator, errors = np.random.default_rng(0), ChannelErrors()
    bias = np.full((1, 8, 500), 0.1)
    bias[:, 7] = -0.2656
    products = 6e-6 / 16 * generator.standard_normal((256, 8, 500))
    terms = np.concatenate([bias, products])
    reference, one_by_one = terms.sum(axis=0), np.cumsum(terms, axis=0, dtype=np.float32)[-1]
    errors.add(reference, one_by_one)
    assert lost_channels(errors.worst(), min_channel_db(100.0, is_quantized=False)) is None
    one_by_one[7] = -0.2656  # without its products
    errors.add(reference, one_by_one)
    assert [row.channel for row in errors.worst() if row.sqnr_db < 70] == [7]


def test_a_correct_output_of_zeros_is_not_lost() -> None:
    errors = ChannelErrors()
    errors.add(np.zeros((3, 4, 4)), np.zeros((3, 4, 4)))
    assert lost(errors) is None


def test_classes_of_an_image_have_a_spread_over_the_images() -> None:
    generator, errors = np.random.default_rng(0), ChannelErrors()
    for _ in range(200):
        reference = generator.standard_normal(10)
        output = reference.copy()
        output[3] = 0.0
        errors.add(reference, output)
    assert [row.channel for row in errors.worst() if row.sqnr_db < 5] == [3]


@pytest.mark.parametrize(
    ("own_db", "expected"),
    [(None, 70.0), (90.0, 70.0), (76.0, 70.0), (66.0, 60.0), (20.0, 30.0)],
)
def test_a_channel_need_not_be_more_accurate_than_in_pytorch(
    own_db: float | None, expected: float
) -> None:
    """The output of some networks with random weights hardly depends on the image."""
    own = () if own_db is None else (ChannelError(channel=3, sqnr_db=own_db),)
    assert min_channel_db(100.0, False, own) == expected
    assert min_channel_db(15.0, True, own) == 5.0


@pytest.mark.parametrize(("float32_db", "expected"), [(None, 60.0), (103.0, 60.0), (116.0, 50.0)])
def test_a_channel_may_have_as_much_more_noise_as_all_together(
    float32_db: float | None, expected: float
) -> None:
    own = (ChannelError(channel=3, sqnr_db=66.0),)
    assert min_channel_db(100.0, False, own, float32_db) == expected
    assert min_channel_db(100.0, False, own, 200.0) == 30.0
