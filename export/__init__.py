"""Export: a PyTorch SeaFormer to ONNX and TFLite, verified."""
