"""What is left running takes no secret and no descriptor of its caller along."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.processes import detach, end

if TYPE_CHECKING:
    import pytest


def test_a_detached_process_knows_places_and_no_secrets_and_holds_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESEND_API_KEY", "re_canary_0123456789")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "canary-passphrase")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/elsewhere.sock")
    with tempfile.TemporaryFile() as lock:
        os.set_inheritable(lock.fileno(), True)  # noqa: FBT003 (as a shell's `exec 8>lock` leaves one)
        process = detach(
            [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"], tmp_path / "log"
        )
        try:
            deadline = time.monotonic() + 10
            while "up" not in (tmp_path / "log").read_text() and time.monotonic() < deadline:
                time.sleep(0.02)
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            held = {str(entry.readlink()) for entry in Path(f"/proc/{process.pid}/fd").iterdir()}
        finally:
            assert end(process, 5)
            os.waitpid(process.pid, 0)
    assert b"canary" not in environment
    assert b"DOCKER_HOST=unix:///run/elsewhere.sock" in environment
    assert held == {os.devnull, str(tmp_path / "log")}
