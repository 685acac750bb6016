"""Data that came to harm on the way: truncated anywhere, spoilt anywhere, or something else."""

from collections.abc import Sequence

from hypothesis import strategies as st

FEW_BYTES = st.one_of(
    st.binary(min_size=1, max_size=8),
    # What is special in text, in JSON and CSV, and in lengths and offsets of binary files.
    st.sampled_from([b"", b"\0", b"\n", b"\r", b'"', b"{", b"[", b",", b";", b"\x1b[31m"]),
    st.sampled_from([b"-1", b"1e999", b"NaN", b"9" * 5000, "٣²".encode(), b"\xed\xa0\x80"]),
    st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80" + bytes(3)]),
)


@st.composite
def _spoilt(draw: st.DrawFn, sample: bytes) -> bytes:
    """Replace a piece of the sample by another, or move it elsewhere."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(sample))] * 2)))
    place = draw(st.sampled_from([start, start, start, end]))
    return sample[:start] + draw(FEW_BYTES | st.just(sample[start:end])) + sample[place:]


@st.composite
def _altered(draw: st.DrawFn, sample: bytes) -> bytes:
    """Overwrite some places, so that everything else stays where it is."""
    data = bytearray(sample)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        new = draw(FEW_BYTES)[: len(data) - start]
        data[start : start + len(new)] = new
    return bytes(data)


def harmed(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return what may become of samples."""
    return st.sampled_from(samples).flatmap(
        lambda sample: st.one_of(
            st.integers(0, len(sample)).map(lambda length: sample[:length]),
            _altered(sample),
            _spoilt(sample),
            st.binary(),
            st.text().map(str.encode),
        )
    )
