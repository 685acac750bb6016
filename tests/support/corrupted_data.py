"""Corrupted data: truncated or changed anywhere, or replaced entirely."""

from collections.abc import Sequence

from hypothesis import strategies as st

SHORT_BYTES = st.one_of(
    st.binary(min_size=1, max_size=8),
    # Special in text, in JSON and CSV, and in lengths and offsets of binary files.
    st.sampled_from([b"", b"\0", b"\n", b"\r", b'"', b"{", b"[", b",", b";", b"\x1b[31m"]),
    st.sampled_from([b"-1", b"1e999", b"NaN", b"9" * 5000, "٣²".encode(), b"\xed\xa0\x80"]),
    st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80" + bytes(3)]),
)


@st.composite
def _replaced(draw: st.DrawFn, sample: bytes) -> bytes:
    """Replace a piece of the sample, or repeat it."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(sample))] * 2)))
    place = draw(st.sampled_from([start, start, start, end]))
    return sample[:start] + draw(SHORT_BYTES | st.just(sample[start:end])) + sample[place:]


@st.composite
def _overwritten(draw: st.DrawFn, sample: bytes) -> bytes:
    """Overwrite some bytes without moving the others."""
    data = bytearray(sample)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        new = draw(SHORT_BYTES)[: len(data) - start]
        data[start : start + len(new)] = new
    return bytes(data)


def corrupted(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return a strategy of corrupted versions of samples."""
    return st.sampled_from(samples).flatmap(
        lambda sample: st.one_of(
            st.integers(0, len(sample)).map(lambda length: sample[:length]),
            _overwritten(sample),
            _replaced(sample),
            st.binary(),
            st.text().map(str.encode),
        )
    )
