"""A phone that consists of software: what adb, and all that uses adb, is tested with.

The real adb client talks to the device side of its protocol (`adbd`), over a connection that can
be cut and frozen (`cable`). What it asks for runs in namespaces of its own (`boot.sh`) on a small
arm64 userland (`userland`), with qemu. The executables and libraries in there are those that go to
phones: a small loader (`bionic/`) binds them to glibc instead of Android's C library, which is not
to be had. So what passes here has still not met Android's own linker and C library, and times from
here are no latency.
"""
