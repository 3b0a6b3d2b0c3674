"""Whether anybody listens where the Docker engine should, asked without loading a Docker client."""

from __future__ import annotations

__all__ = ["knock"]

import os
import socket

DEFAULT = "unix:///var/run/docker.sock"
TIMEOUT_S = 10.0


def knock() -> None:
    """Connect to the engine's socket, `DOCKER_HOST` first; raises OSError where nobody answers.

    The Docker client would leave a socket open in that case. An engine that is reached otherwise is not asked.
    """
    host = os.environ.get("DOCKER_HOST") or DEFAULT
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(TIMEOUT_S)
            probe.connect(host.removeprefix("unix://"))
