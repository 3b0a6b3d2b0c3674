"""The provider as a process: it starts fast, ends with its engine, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from providerlab import OWN, Plugin


def test_starts_with_a_quarter_of_a_second_of_work() -> None:
    """Processor time is counted, since other tests may run beside this one."""
    used_s = []
    for _ in range(3):
        process = subprocess.Popen([*OWN, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        assert int(process.stdout.readline()) > 0
        user, system = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        used_s.append((int(user) + int(system)) / os.sysconf("SC_CLK_TCK"))
        process.terminate()
        process.wait(5)
        process.stdout.close()
    assert min(used_s) < 0.25


def test_imports_neither_the_sdk_nor_the_api_client_to_start() -> None:
    program = (
        "import sys, localcloud.provider.service\n"
        "print([name for name in ('pulumi', 'pydo', 'azure') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_shares_the_protocol_with_an_sdk_in_the_same_process() -> None:
    program = (
        "from localcloud.provider.protocol import provider_pb2 as ours\n"
        "from pulumi.runtime.proto import provider_pb2 as theirs\n"
        "print(ours.CheckRequest.DESCRIPTOR is theirs.CheckRequest.DESCRIPTOR)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "True"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_on_a_signal(number: signal.Signals) -> None:
    process = subprocess.Popen([*OWN, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(3) == 0
    process.stdout.close()


def test_ends_when_its_engine_vanishes() -> None:
    program = (
        "import subprocess, sys\n"
        f"p = subprocess.Popen({list(OWN)!r} + ['127.0.0.1:1'], stdout=subprocess.PIPE, text=True)\n"
        "print(p.pid, p.stdout.readline().strip(), flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=20)
    pid = int(done.stdout.split()[0])
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline and _is_alive(pid):
        time.sleep(0.1)
    assert not _is_alive(pid)


def test_announces_what_it_can_do(provider: Plugin) -> None:
    assert provider.capabilities.supportsPreview
    assert provider.capabilities.supports_autonaming_configuration
    assert not provider.capabilities.acceptSecrets
    assert not provider.capabilities.acceptResources


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
