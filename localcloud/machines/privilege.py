"""Acts on this machine's kernel: directly for root, otherwise through a short-lived helper container.

A member of the docker group may do with the engine what root may do without it; this is where that is used, for packet
filter rules and for mounts.
"""

from __future__ import annotations

__all__ = ["copy_volume", "graft", "run_script"]

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.machines import graft as graft_program
from localcloud.machines.container import UNMASKED
from localcloud.machines.engine import client
from localcloud.machines.recipes import DROPLET
from localcloud.machines.spec import MachineError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 60
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def run_script(script: str) -> None:
    """Run a shell script with the right to change this machine's network; MachineError with what it said."""
    if os.geteuid() == 0 and shutil.which("iptables-restore", path=_PATH):
        done = subprocess.run(
            ["sh", "-s"],
            input=script,
            env={"PATH": _PATH},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise MachineError(f"The packet filter refused the cloud's rules: {done.stderr.strip()[-500:]}")
        return
    _in_helper(["sh", "-c", script], what="The packet filter refused the cloud's rules", network_mode="host")


def graft(process: int, mounts: Mapping[str, str]) -> None:
    """Mount Docker volumes (name -> path) in the container whose first process is given.

    Raises UnsupportedError where the kernel can't.
    """
    if os.geteuid() == 0:
        pairs = [word for name, path in mounts.items() for word in (_mountpoint(name), path)]
        argv = [sys.executable, "-I", graft_program.__file__, str(process), *pairs]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if done.returncode:
            raise UnsupportedError(f"Can't mount the volume: {done.stderr.strip().splitlines()[-1]}")
        return
    inside = {name: f"/volumes/{number}" for number, name in enumerate(mounts)}
    pairs = [word for name, path in mounts.items() for word in (inside[name], path)]
    source = Path(graft_program.__file__).read_text(encoding="utf-8")
    _in_helper(
        ["python3", "-I", "-c", source, str(process), *pairs],
        what="Can't mount the volume",
        pid_mode="host",
        binds=[f"{name}:{path}" for name, path in inside.items()],
    )


def copy_volume(source: str, target: str) -> None:
    """Copy a Docker volume as a whole, with owners, modes and extended attributes."""
    _in_helper(
        ["sh", "-c", "cp -a /from/. /to/"],
        what=f"Can't copy volume {source}",
        binds=[f"{source}:/from:ro", f"{target}:/to"],
    )


def _mountpoint(volume: str) -> str:
    return str(client().api.inspect_volume(volume)["Mountpoint"])


def _in_helper(command: list[str], *, what: str, **options: Any) -> None:
    api = client().api
    host = api.create_host_config(
        cap_add=["NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        **options,
    )
    made = api.create_container(DROPLET, entrypoint=command, host_config=host | UNMASKED)
    try:
        api.start(made)
        status = api.wait(made, timeout=TIMEOUT_S)["StatusCode"]
        said = api.logs(made).decode(errors="replace").strip()
    finally:
        api.remove_container(made, v=True, force=True)
    if status:
        raise UnsupportedError(f"{what}: {said[-500:]}")
