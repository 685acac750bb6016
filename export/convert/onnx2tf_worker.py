"""ONNX -> onnx2tf -> SavedModel -> TFLite, in a separate process.

    python -P -m seaformer.export.convert.onnx2tf_worker REQUEST

The process is separate because TensorFlow takes seconds to import and gigabytes of memory that are
freed only at its exit, and because both libraries print to the terminal: the caller redirects the
output to a log file. The request, in JSON, names the .onnx file, the .tflite file to write, and
whether onnx2tf may search for layouts. If the conversion fails at an operator, the file `FAILURE`
beside the .tflite file describes it: a `Failure` in JSON.

The layout search: onnx2tf runs the ONNX file on sample data and, if its own result differs by more
than an absolute 1e-3, tries every permutation of an operator's inputs and keeps the closest. With
activations in the hundreds the correct layout exceeds this threshold too, and a wrong layout of the
same shape can win; for example, the axes of heads and tokens were swapped when equally long. Our
graphs need no search: their layout follows from the operators, or from `equal_axes` if shapes are
ambiguous.
The search remains available for models that need it.
"""

import json
import os
import re
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the conversion runs on the CPU

SIGNATURE = "serving_default"
FAILURE = "failure.json"

OF_TENSORFLOW = {"Conv2DBackpropInput": "ConvTranspose", "ResizeBicubic": "Resize"}
"""Names of operators in TensorFlow -> in ONNX, where they differ."""


@dataclass(frozen=True)
class Failure:
    """The operator at which a conversion failed.

    Attributes:
        operator: its name in ONNX.
        node: name of the ONNX node; None if it is unknown which node of this operator.
        is_missing: whether TFLite has no such operator.
        reason: error message of onnx2tf or TensorFlow.
    """

    operator: str
    node: str | None
    is_missing: bool
    reason: str


def convert(request: dict[str, Any]) -> None:
    """Convert as requested; exceptions of onnx2tf and TensorFlow are passed on."""
    try:
        _convert(request)
    except BaseException as error:  # onnx2tf raises SystemExit when it gives up
        if failure := _failure(error):
            Path(request["tflite"]).with_name(FAILURE).write_text(json.dumps(asdict(failure)))
        raise


def _failure(error: BaseException) -> Failure | None:
    """Find the operator: the node in onnx2tf's frames, or the one in TensorFlow's message."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        if (node := frame.f_locals.get("graph_node")) is not None:
            from seaformer.export.convert.refusals import first_sentence

            return Failure(node.op, node.name, is_missing=False, reason=first_sentence(error))
    if missing := re.search(r"'tf\.(\w+)' op is neither", str(error)):
        operator = OF_TENSORFLOW.get(missing[1], missing[1])
        return Failure(operator, None, is_missing=True, reason=f"TFLite has no {missing[1]}")
    return None


def _convert(request: dict[str, Any]) -> None:
    import tensorflow as tf

    tflite_file = Path(request["tflite"])
    os.chdir(tflite_file.parent)
    model = _to_keras(request["onnx"], search_layouts=request["search_layouts"])
    saved_model = str(tflite_file.parent / "saved_model")
    _save(model, saved_model, request["input_name"], request["output_name"])
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model, signature_keys=[SIGNATURE])
    tflite_file.write_bytes(converter.convert())


def _to_keras(onnx_file: str, search_layouts: bool) -> Any:
    import numpy as np
    import onnx
    import onnx2tf
    import onnx2tf.onnx2tf as implementation

    from seaformer.export.convert.blocks_of_positions import rearrange_blocks
    from seaformer.export.convert.channel_shuffles import gather_shuffled_channels
    from seaformer.export.convert.constants_behind_transposes import move_constants
    from seaformer.export.convert.constants_of_equal_axes import complete_constants
    from seaformer.export.convert.constants_of_many_axes import flatten_constants
    from seaformer.export.convert.equal_axes import replacements
    from seaformer.export.convert.means_of_maps import split_means
    from seaformer.export.convert.merged_axes import merge_axes
    from seaformer.export.convert.onnx2tf_corrections import correct
    from seaformer.export.convert.products_of_maps import reorder_factors
    from seaformer.export.convert.single_elements import slice_single_elements

    correct()

    if not search_layouts:

        def no_samples(**_: Any) -> None:
            raise RuntimeError("layout search is off")

        # onnx2tf skips the search if computing the sample outputs fails.
        implementation.dummy_onnx_inference = no_samples
    # onnx2tf downloads this file unless it is in the working directory; it only contains sample
    # data for the search.
    samples = np.random.default_rng(0).random((20, 128, 128, 3), dtype=np.float32)
    np.save("calibration_image_sample_data_20x128x128x3_float32.npy", samples)
    graph = onnx.load(onnx_file)
    for node in graph.graph.node:
        node.name = node.name.lstrip("/")  # TensorFlow refuses variable names with a leading slash
    gather_shuffled_channels(graph)
    rearrange_blocks(graph)
    merge_axes(graph)
    flatten_constants(graph)
    split_means(graph)
    slice_single_elements(graph)
    move_constants(graph)
    reorder_factors(graph)
    complete_constants(graph)
    onnx.save(graph, "named.onnx")
    overrides = Path("parameter_replacements.json")
    overrides.write_text(json.dumps(replacements(graph)))
    return onnx2tf.convert(
        input_onnx_file_path="named.onnx",
        not_use_onnxsim=True,  # simplified and named already
        not_use_opname_auto_generate=True,
        disable_strict_mode=not search_layouts,
        param_replacement_file=str(overrides),
        disable_model_save=True,
        non_verbose=True,
    )


def _save(model: Any, folder: str, input_name: str, output_name: str) -> None:
    """Write a SavedModel whose signature has the requested names of input and output."""
    import tensorflow as tf

    shape, dtype = model.inputs[0].shape, model.inputs[0].dtype

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype, name=input_name)])
    def serve(image: Any) -> dict[str, Any]:
        return {output_name: model(image)}

    # A plain module instead of the Keras model: the .tflite is identical, and writing the
    # description of every Keras layer would take most of the conversion's time.
    module = tf.Module()
    # Not `model.variables`: the kernel of a grouped convolution is not in a Keras layer.
    module.weights = serve.get_concrete_function().variables
    tf.saved_model.save(module, folder, signatures={SIGNATURE: serve})


if __name__ == "__main__":
    convert(json.loads(sys.argv[1]))
