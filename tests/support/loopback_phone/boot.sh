#!/bin/bash
# Starts the phone: process 1 of its namespaces (unshare --user --map-root-user --mount --pid).
# boot.sh ROOT USERLAND STORAGE PYTHON ADBD [ARGUMENT...]
#   ROOT      the phone's file tree: its own files, and empty folders to mount on
#   USERLAND  the files that all phones share: system/, lib/
#   STORAGE   options of the file system on /data, such as size=64m,noexec
set -euo pipefail
root=$1 userland=$2 storage=$3
shift 3

# Arm programs run through qemu. "F" opens qemu now, so it need not be in the phone's file tree. If
# user namespaces do not have their own binfmt_misc (before Linux 6.7), the computer's is used.
if mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc 2>/dev/null; then
  head='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff'
  printf '%s' ":arm64:M::$head\\x02\\x00\\xb7\\x00:$mask\\xfe\\xff\\xff\\xff:$(command -v qemu-aarch64-static):F" \
    >/proc/sys/fs/binfmt_misc/register
fi

mount --bind "$userland/system" "$root/system"
mount --bind "$userland/lib" "$root/lib"
mount -t tmpfs -o "mode=0771,$storage" data "$root/data"
mkdir -p -m 0771 "$root/data/local/tmp"
mount -t proc proc "$root/proc"
for fact in cpuinfo meminfo; do
  mount --bind "$root/$fact" "$root/proc/$fact"
done
for device in null zero random urandom; do
  mount --bind "/dev/$device" "$root/dev/$device"
done

env -i "$(command -v chroot)" "$root" /system/bin/sh -c : || {
  echo "arm64 programs do not start in the phone: this Linux has no private binfmt_misc (6.7 has)" \
    "and none of its own for them (Debian: apt install binfmt-support qemu-user-static)" >&2
  exit 1
}
"$@"
exit # not "exec": process 1 has to reap orphaned processes
