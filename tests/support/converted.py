"""Running what the converter to TFLite writes."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from torch import Tensor


def run_converted(content: bytes, image: Tensor) -> np.ndarray:
    """Return the output of a .tflite with one input, for an image [1, C, H, W]."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    (source,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(source["index"], image.permute(0, 2, 3, 1).numpy())
    interpreter.invoke()
    found: np.ndarray = interpreter.get_tensor(output["index"])
    return found
