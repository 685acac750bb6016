"""The benchmark on LiteRT's GPU accelerator: WebGPU here, and a phone without OpenCL."""

from phone_benchmarks import assert_left_as_it_was, benchmark


def test_a_phone_without_opencl_says_so_in_one_line(loopback_phone, phone_export, tmp_path):
    (file,) = phone_export.glob("*_fp32.tflite")
    ended = benchmark(tmp_path, file, "--backend", "litert-gpu", "--runs", "1")
    assert ended.status == 1
    assert 'the GPU accelerator finds no driver: library "libOpenCL.so" not found' in ended.error
    assert "leave --backend out" in ended.error
    assert_left_as_it_was(loopback_phone)
