"""ONNX -> onnx2tf -> SavedModel -> TFLite, in a process of its own.

    python -P -m seaformer.export.convert.onnx2tf_worker REQUEST

A process of its own, because TensorFlow takes seconds to import and gigabytes that are given back
only when it ends, and because both libraries write to the terminal as they please: the caller sends
all of that to a log file. The request, in JSON, names the .onnx file, the .tflite file to write,
and whether onnx2tf may search for layouts. If it fails at an operator, `FAILURE` beside the .tflite
file says which: a `Failure` in JSON.

On that search: onnx2tf runs the ONNX file on sample data and, where its own result differs by more
than an absolute 1e-3, tries every permutation of an operator's inputs and keeps the closest. With
activations in the hundreds the correct layout misses the threshold too, and a wrong one of the same
shape can win: heads and tokens of equal number were swapped so. Our graphs need no search: their
layout follows from the operators, and where shapes do not show it `equal_axes` says it. The search
stays available for models that do.
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
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the conversion is done on the processor

SIGNATURE = "serving_default"
FAILURE = "failure.json"

OF_TENSORFLOW = {"Conv2DBackpropInput": "ConvTranspose", "ResizeBicubic": "Resize"}
"""Operators of TensorFlow that ONNX calls by another name."""


@dataclass(frozen=True)
class Failure:
    """The operator that a conversion failed at.

    Attributes:
        operator: as ONNX calls it.
        node: name of the ONNX node; None if any node of this operator can be meant.
        is_missing: whether TFLite has no such operator.
        reason: what onnx2tf or TensorFlow said.
    """

    operator: str
    node: str | None
    is_missing: bool
    reason: str


def convert(request: dict[str, Any]) -> None:
    """Convert as the request says; raises what onnx2tf and TensorFlow raise."""
    try:
        _convert(request)
    except BaseException as error:  # onnx2tf exits where it gives up
        if failure := _failure(error):
            Path(request["tflite"]).with_name(FAILURE).write_text(json.dumps(asdict(failure)))
        raise


def _failure(error: BaseException) -> Failure | None:
    """Find the operator: the node in onnx2tf's frames, or what TensorFlow's converter names."""
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

    from seaformer.export.convert.equal_axes import replacements
    from seaformer.export.convert.onnx2tf_corrections import correct
    from seaformer.export.convert.products_of_maps import reorder_factors

    correct()

    if not search_layouts:

        def no_samples(**_: Any) -> None:
            raise RuntimeError("layout search is off")

        # onnx2tf's own way to go on without sample data is to fail to compute it.
        implementation.dummy_onnx_inference = no_samples
    # onnx2tf downloads this file unless it lies in the working directory; its content is only
    # sample data for the search.
    samples = np.random.default_rng(0).random((20, 128, 128, 3), dtype=np.float32)
    np.save("calibration_image_sample_data_20x128x128x3_float32.npy", samples)
    graph = onnx.load(onnx_file)
    for node in graph.graph.node:
        node.name = node.name.lstrip("/")  # TensorFlow refuses to save a variable that is named so
    reorder_factors(graph)
    onnx.save(graph, "named.onnx")
    told = Path("parameter_replacements.json")
    told.write_text(json.dumps(replacements(graph)))
    return onnx2tf.convert(
        input_onnx_file_path="named.onnx",
        not_use_onnxsim=True,  # simplified and named already
        not_use_opname_auto_generate=True,
        disable_strict_mode=not search_layouts,
        param_replacement_file=str(told),
        disable_model_save=True,
        non_verbose=True,
    )


def _save(model: Any, folder: str, input_name: str, output_name: str) -> None:
    """Write a SavedModel whose signature has our names for input and output."""
    import tensorflow as tf

    shape, dtype = model.inputs[0].shape, model.inputs[0].dtype

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype, name=input_name)])
    def serve(image: Any) -> dict[str, Any]:
        return {output_name: model(image)}

    # A bare module rather than the Keras model: the .tflite comes out the same byte for byte, and
    # the description of every Keras layer is not written, which takes most of the conversion.
    module = tf.Module()
    # Not `model.variables`: the kernel of a grouped convolution is in no layer that Keras knows.
    module.weights = serve.get_concrete_function().variables
    tf.saved_model.save(module, folder, signatures={SIGNATURE: serve})


if __name__ == "__main__":
    convert(json.loads(sys.argv[1]))
