"""The metadata table of the TFLite metadata standard, for readers other than this package.

LiteRT's Task Library uses only this table to preprocess images and to name masks: it refuses a
floating-point file without normalization parameters.

Source: tflite-support, metadata_schema.fbs 1.5.0. Slots number the fields of a table in the order
of their declaration in the schema; a union takes two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import flatbuffers
import numpy as np

from seaformer.artifact.embedding import ASSOCIATED_FILE, LABELS_FILE

_IDENTIFIER = b"M001"
_IMAGE_PROPERTIES, _FEATURE_PROPERTIES = 2, 1
_NORMALIZATION_OPTIONS = 1
_COLOR_SPACES = {3: 1, 1: 2}
"""Channels of the image -> RGB or gray."""
_AXIS_LABELS, _VALUE_LABELS = 2, 3


@dataclass(frozen=True)
class StandardMetadata:
    """The content of the table.

    Attributes:
        description: one line about the model.
        input_name: name of the input tensor.
        output_name: name of the output tensor.
        size: height and width of the image; None for features.
        channels: number of channels of the image.
        mean: mean of each channel, to subtract from pixels of 0..255 before inference; None if
            unknown.
        std: standard deviation of each channel, to divide by afterwards; None if unknown.
        has_labels: whether the file contains class labels in addition to the JSON.
        gives_classes: whether the output is class ids instead of a score for each class.
    """

    description: str
    input_name: str
    output_name: str
    size: tuple[int, int] | None
    channels: int
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    has_labels: bool
    gives_classes: bool

    def table(self) -> list[int]:
        """Build the table as the bytes of a buffer."""
        builder = flatbuffers.Builder(1024)
        text = builder.CreateString
        ours = _table(
            builder,
            5,
            {0: text(ASSOCIATED_FILE), 1: text("Input and output of the model, and its parity")},
        )
        subgraph = _table(
            builder,
            10,
            {
                2: _vector(builder, [self._input(builder)]),
                3: _vector(builder, [self._output(builder)]),
            },
        )
        whole = _table(
            builder,
            8,
            {
                0: text("seaformer"),
                1: text(self.description),
                3: _vector(builder, [subgraph]),
                6: _vector(builder, [ours]),
            },
        )
        builder.Finish(whole, _IDENTIFIER)
        return list(builder.Output())

    def _input(self, builder: flatbuffers.Builder) -> int:
        slots = {0: builder.CreateString(self.input_name)}
        if self.size is None:
            slots[3] = _content(builder, _FEATURE_PROPERTIES, _table(builder, 0, {}))
            return _table(builder, 7, slots)
        height, width = self.size
        size = _table(builder, 2, {}, {0: width, 1: height})
        color_space = _COLOR_SPACES[self.channels]
        properties = _table(builder, 2, {1: size}, {}, {0: color_space})
        slots[3] = _content(builder, _IMAGE_PROPERTIES, properties)
        if self.mean is None or self.std is None:
            return _table(builder, 7, slots)
        values = {
            0: builder.CreateNumpyVector(np.array(self.mean, np.float32)),
            1: builder.CreateNumpyVector(np.array(self.std, np.float32)),
        }
        options = _table(builder, 2, values)
        unit = _table(builder, 2, {1: options}, {}, {0: _NORMALIZATION_OPTIONS})
        slots[4] = _vector(builder, [unit])
        return _table(builder, 7, slots)

    def _output(self, builder: flatbuffers.Builder) -> int:
        slots = {0: builder.CreateString(self.output_name)}
        is_image = self.size is not None
        properties = _table(builder, 2, {}, {}, {0: 0}) if is_image else _table(builder, 0, {})
        kind = _IMAGE_PROPERTIES if is_image else _FEATURE_PROPERTIES
        slots[3] = _content(builder, kind, properties)
        if self.has_labels:
            names = {0: builder.CreateString(LABELS_FILE)}
            kind = _VALUE_LABELS if self.gives_classes else _AXIS_LABELS
            slots[6] = _vector(builder, [_table(builder, 5, names, {}, {2: kind})])
        return _table(builder, 7, slots)


def _table(
    builder: flatbuffers.Builder,
    fields: int,
    offsets: Mapping[int, int],
    numbers: Mapping[int, int] | None = None,
    kinds: Mapping[int, int] | None = None,
) -> int:
    """Build a table.

    Args:
        builder: builder of the whole buffer.
        fields: number of slots.
        offsets: slot -> tables, vectors and strings that are already built.
        numbers: slot -> unsigned 32-bit integers.
        kinds: slot -> bytes: enumerations and types of unions.
    """
    builder.StartObject(fields)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in (numbers or {}).items():
        builder.PrependUint32Slot(slot, number, 0)
    for slot, kind in (kinds or {}).items():
        builder.PrependUint8Slot(slot, kind, 0)
    return int(builder.EndObject())


def _content(builder: flatbuffers.Builder, kind: int, properties: int) -> int:
    return _table(builder, 3, {1: properties}, {}, {0: kind})


def _vector(builder: flatbuffers.Builder, tables: Sequence[int]) -> int:
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())
