"""Identities of processes, of this computer and of others."""

import os
import subprocess
import sys

import pytest

from seaformer.benchmark.devices.process_identity import has_ended, own_identity

PRINT = "from seaformer.benchmark.devices.process_identity import *; print(own_identity())"


def test_an_ended_process_is_distinguished_from_another_with_its_pid() -> None:
    child = subprocess.run(
        [sys.executable, "-c", PRINT], capture_output=True, text=True, check=True
    )
    assert has_ended(child.stdout.strip())
    own = own_identity()
    assert not has_ended(own)
    boot, namespace, _, start = own.split()
    earlier = f"{boot} {namespace} {os.getpid()} {int(start) - 1}"
    assert has_ended(earlier)


@pytest.mark.parametrize(
    "identity",
    [
        "00000000 {namespace} {pid} 1",
        "{boot} 1 {pid} 1",
        "{boot} {namespace} ../1 1",
        "{boot} {namespace} " + "9" * 5000 + " 1",
        "{boot} {namespace} {pid}",
        "unknown",
        "",
    ],
)
def test_processes_elsewhere_and_invalid_identities_are_unknown(identity: str) -> None:
    boot, namespace, pid, _ = own_identity().split()
    assert not has_ended(identity.format(boot=boot, namespace=namespace, pid=pid))
