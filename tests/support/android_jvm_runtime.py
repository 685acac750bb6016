"""ONNX Runtime for Java on Linux x86-64, from its Android package.

The package has the Java classes, their native library for Android x86-64, and the runtime itself
for Linux. The native library uses ten functions of the C library, which are the same on Android and
Linux; only its dependency on Android's C library by name has to be removed. So the app's own class
that runs models can be tested here with the same Java classes as on a phone.
"""

import struct
import subprocess
from pathlib import Path

from native_argmax import find_compiler

from seaformer.packages import ONNX_RUNTIME_AAR
from smoke_build.tools import package

# A function that the native library needs and that the runtime for Linux lacks.
ABSENT = """
typedef struct { void *(*create_status)(int code, const char *message); } api;
typedef struct { const api *(*get)(unsigned version); } base;
extern const base *OrtGetApiBase(void);
void *OrtSessionOptionsAppendExecutionProvider_Nnapi(void) {
    return OrtGetApiBase()->get(1)->create_status(11, "NNAPI is not on this computer");
}
"""

PT_DYNAMIC = 2
DT_NEEDED, DT_STRTAB, DT_IGNORED = 1, 5, 21
VERSIONS = (0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFF)
ANDROIDS = (b"libc.so", b"libm.so", b"libdl.so")


def java_classes() -> Path:
    """Return the jar of the Java classes."""
    return package("onnxruntime") / ONNX_RUNTIME_AAR / "classes.jar"


def native_libraries(folder: Path) -> Path:
    """Write the native libraries to a folder, for the property onnxruntime.native.path."""
    runtime = package("onnxruntime") / "package/Plugins/Linux/x64/libonnxruntime.so"
    bridge = package("onnxruntime") / ONNX_RUNTIME_AAR / "jni/x86_64/libonnxruntime4j_jni.so"
    (folder / "libonnxruntime4j_jni.so").write_bytes(without_android(bridge.read_bytes()))
    (folder / "libonnxruntime.so.1").symlink_to(runtime)  # its own soname
    (folder / "absent.c").write_text(ABSENT)
    flags = ["-shared", "-fPIC", "-Wl,-soname,libonnxruntime.so", "-Wl,-rpath,$ORIGIN"]
    command = [find_compiler(), *flags, "absent.c", str(runtime), "-o", "libonnxruntime.so"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


def without_android(elf: bytes) -> bytes:
    """Remove references to Android's C library from a 64-bit ELF library."""
    changed = bytearray(elf)
    table, size, count = struct.unpack_from("<Q14xHH", elf, 32)
    headers = [struct.unpack_from("<2I6Q", elf, table + size * i) for i in range(count)]
    begin, length = next((h[2], h[5]) for h in headers if h[0] == PT_DYNAMIC)
    entries = [(at, *struct.unpack_from("<2Q", elf, at)) for at in range(begin, begin + length, 16)]
    # Addresses equal offsets in the first segment, where the names are.
    names = next(value for _, tag, value in entries if tag == DT_STRTAB)
    for at, tag, value in entries:
        name = elf[names + value : elf.index(0, names + value)] if tag == DT_NEEDED else b""
        if tag in VERSIONS or name in ANDROIDS:
            struct.pack_into("<Q", changed, at, DT_IGNORED)
    return bytes(changed)
