"""Quantization: calibration, quantizers, and the sensitivity of each module.

Known rewrites were tried on the trained fixture in int8 TFLite (ranges by "mse", 28.6 dB, 0.05
points of mIoU below fp32) and rejected, because none changed the mIoU:

    rewrite                                                        gain in dB
    equalize expansion and depth-wise kernel, ranges from BatchNorm      +0.6
    the same by powers of two, which does not change fp16                +0.2
    the same, ranges from images                                         +1.0
    equalize depth-wise and point-wise kernel as well                    +0.2
    correct the bias for the rounding of the weights                     +0.1
    subtract the mean in floating point                                  +0.1
    weights by least squares instead of their largest value              -3.8

In every precision the gate's 1/6 is folded into the preceding projection (`fold_gate`) and the
attention's scale into the projections (`fold_attention_scale`). The softmax is not quantized.

For NPUs everything is quantized (`activation_types.py`). Results on the same network in .onnx, 500
scenes, and whether Qualcomm's compiler (QNN 2.51) compiles all of it for V68 and V75:

    activations, weights                       all      dB      points of mIoU
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

With weights of four bits, LiteRT 2.3 and ai-edge-quantizer 0.10 (Tiny at 512x512):

    CONV_2D, FULLY_CONNECTED      static with 8-bit activations, dynamic and weight-only: computed,
                                  by LiteRT's own kernels; XNNPACK has 39 partitions instead of 5
    DEPTHWISE_CONV_2D             refused by the quantizer's policy in all three

QNN 2.51 compiles and computes single convolutions in QDQ form with 4-bit weights per channel, dense
and depth-wise, with 8-bit and 16-bit activations (V68 and V75: 39 dB or more against ONNX Runtime);
ONNX Runtime refuses to run them on the NPU per tensor.

In uint8, the NPU differs from ONNX Runtime as much as either differs from single precision; in
uint16, by 50 dB or more less. For .tflite, LiteRT's compiler compiles all of int8. With int16 it
leaves on the CPU every depth-wise convolution, per channel or per tensor and with any fused
activation, every operator with a fused RELU6, and for V68 also the products of the attention.
"""
