"""An emulated phone for testing code that uses adb.

The real adb client talks to an implementation of the device side of its protocol (`adbd`), over a
connection that can be cut and frozen (`cable`). Commands run in their own namespaces (`boot.sh`) on
a small arm64 userland (`userland`), with qemu. The executables and libraries are those that are
sent to phones: a small loader (`bionic/`) binds them to glibc instead of Android's C library, which
is not available. So tests do not cover Android's own linker and C library, and times
measured here are not latencies of a phone.
"""
