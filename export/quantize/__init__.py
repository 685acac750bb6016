"""Integers instead of floating point: calibration, quantizers, and what each module costs.

Exact rewrites that are known to help, tried on the trained fixture in int8 TFLite (ranges by "mse",
28.6 dB, 0.05 points of mIoU below fp32), and not kept, since none moved the mIoU:

    tried                                                                        dB
    equalize expansion and depth-wise kernel, ranges off BatchNorm              +0.6
    the same by powers of two, which leaves fp16 as it was                      +0.2
    the same, ranges off images                                               +1.0
    equalize depth-wise and point-wise kernel as well                           +0.2
    correct the bias for the rounding of the weights                            +0.1
    subtract the mean in floating point                                         +0.1
    weights by least squares instead of their largest value                     -3.8

The gate's 1/6 is in the projection before it (`fold_gate`), and the attention's scale in the
projections (`fold_attention_scale`), in every precision; the softmax itself is not quantized.

For NPUs everything is (`activation_types.py`). What was tried on the same network in .onnx, 500
scenes, and what Qualcomm's compiler takes whole for V68 and V75 (QNN 2.51):

    activations, weights                       whole    dB      points of mIoU
    uint8, int8 per channel, ranges by "mse"   yes      28.3    -0.06 (-0.12 to +0.00)
    the same, "average"                        yes      27.4    +0.02 (-0.04 to +0.08)
    the same, "percentile"                     yes      27.8    -0.07 (-0.13 to -0.01)
    the same, "min-max"                        yes      25.7    -0.11 (-0.20 to -0.01)
    "mse", weights that may saturate           yes      28.5    -0.02 (-0.07 to +0.04)
    int8, int8 per channel                     yes      as uint8
    uint8, int8 or uint8 per tensor            yes      0.7 less
    uint16, int8 per channel                   yes      40.5    -0.01 (-0.03 to +0.01)
    the same, weights that do not saturate     yes      38.2    +0.01 (-0.01 to +0.04)
    uint16, int8 or uint8 per tensor           yes      7 to 8 less
    int16, any                                 no: not one convolution

The NPU's own rounding is as far from ONNX Runtime's as either is from single precision in uint8,
and 50 dB or more away in uint16. In .tflite, LiteRT's compiler takes int8 whole; with int16 it
leaves every depth-wise convolution, per channel or per tensor, whatever is fused into it, and
everything that RELU6 is fused into; for V68 also the products of the attention.
"""
