"""A traced network to ONNX and TFLite, and its operators to modules."""
