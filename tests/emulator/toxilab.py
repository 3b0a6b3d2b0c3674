"""toxiproxy between a controller and a droplet: built once by the go command, told by its HTTP API what to spoil."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.transport import Endpoint

TOOLS = Path(__file__).parents[1] / "tools"
PACKAGE = "github.com/Shopify/toxiproxy/v2/cmd/server"
BUILD_S = 300.0


def built() -> Path:
    """Build the server into the cache directory, named by what it is built from; skip where that can't be done."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "greenroom-tests"
    program = cache / f"toxiproxy-{_fingerprint()}"
    if program.exists():
        return program
    if shutil.which("go") is None:
        pytest.skip("needs the go command, to build toxiproxy")
    cache.mkdir(parents=True, exist_ok=True)
    temporary = program.with_suffix(f".{os.getpid()}")
    argv = ["go", "build", "-mod=readonly", "-o", str(temporary), PACKAGE]
    made = subprocess.run(argv, cwd=TOOLS, capture_output=True, text=True, timeout=BUILD_S, check=False)
    if made.returncode:
        pytest.skip(f"toxiproxy can't be built here: {made.stderr.strip()[-300:]}")
    return temporary.rename(program)


class Toxiproxy:
    """A running server. Its proxies listen on 127.0.0.1; what is spoiled is called a toxic there."""

    def __init__(self, port: int) -> None:
        self._api = f"http://127.0.0.1:{port}"

    def proxy(self, name: str, endpoint: Endpoint) -> Endpoint:
        """Make a proxy to an endpoint; return the endpoint as it is reached through it."""
        upstream = f"{endpoint.host}:{endpoint.port}"
        made = self._call("POST", "/proxies", {"name": name, "listen": "127.0.0.1:0", "upstream": upstream})
        return replace(endpoint, host="127.0.0.1", port=int(made["listen"].rpartition(":")[2]))

    def spoil(self, proxy: str, kind: str, stream: str, **attributes: int) -> None:
        """Add a toxic to a proxy, for connections old and new; `stream` is upstream or downstream."""
        toxic = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes}
        self._call("POST", f"/proxies/{proxy}/toxics", toxic)

    def mend(self, proxy: str, kind: str, stream: str) -> None:
        """Remove a toxic."""
        self._call("DELETE", f"/proxies/{proxy}/toxics/{kind}-{stream}")

    def remove(self, proxy: str) -> None:
        """Remove a proxy and end its connections."""
        self._call("DELETE", f"/proxies/{proxy}")

    def answers(self) -> bool:
        """Whether the server is up."""
        try:
            self._call("GET", "/proxies")
        except OSError:
            return False
        return True

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._api + path, content, method=method)  # noqa: S310 (http, on loopback)
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None


@contextlib.contextmanager
def toxiproxy() -> Iterator[Toxiproxy]:
    """Run a server on a free port of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [str(built()), "-host", "127.0.0.1", "-port", str(port)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        server = Toxiproxy(port)
        deadline = time.monotonic() + 10
        try:
            while not server.answers():
                assert time.monotonic() < deadline, "toxiproxy did not start"
                time.sleep(0.05)
            yield server
        finally:
            process.terminate()


def _fingerprint() -> str:
    return hashlib.sha256((TOOLS / "go.sum").read_bytes()).hexdigest()[:12]
