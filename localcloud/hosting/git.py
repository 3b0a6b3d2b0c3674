"""The hosted git repositories: git's smart HTTP protocol, served by ``git http-backend`` as an ASGI application.

Reading is open to whoever reaches the port (it is bound to loopback, and droplets reach it at their gateway); writing
is not offered: repositories are filled on this machine.
"""

from __future__ import annotations

__all__ = ["application"]

import asyncio
import os
import re
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHUNK = 1 << 16
# A repository's name, then one of the paths of the smart protocol that reads.
_SERVED = re.compile(r"/(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*\.git)/(?:HEAD|info/refs|git-upload-pack)")


def application(root: Path) -> ASGIApp:
    """Return the application that serves ``root/<name>.git`` at ``/<name>.git``."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        match = _SERVED.fullmatch(scope["path"])
        query = scope["query_string"].decode("ascii", errors="replace")
        if match is None or not (root / match["name"]).is_dir():
            await PlainTextResponse("There is no such repository.\n", 404)(scope, receive, send)
        elif scope["method"] not in {"GET", "POST"} or "git-receive-pack" in query:
            await PlainTextResponse("This repository is read-only.\n", 403)(scope, receive, send)
        else:
            await _backend(root, scope, receive, send)

    return serve


def _environment(root: Path, scope: Scope) -> dict[str, str]:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": scope["path"],
        "QUERY_STRING": scope["query_string"].decode("ascii", errors="replace"),
        "CONTENT_TYPE": headers.get("content-type", ""),
        "REMOTE_ADDR": (scope.get("client") or ("127.0.0.1", 0))[0],
    }
    optional = {
        "CONTENT_LENGTH": headers.get("content-length"),
        "HTTP_CONTENT_ENCODING": headers.get("content-encoding"),
        "GIT_PROTOCOL": headers.get("git-protocol"),
    }
    return environment | {name: value for name, value in optional.items() if value}


async def _backend(root: Path, scope: Scope, receive: Receive, send: Send) -> None:
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(root, scope),
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("git http-backend started without its pipes")
    feeding = asyncio.create_task(_feed(process.stdin, receive))
    try:
        await send(await _start(process.stdout))
        while chunk := await process.stdout.read(CHUNK):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        feeding.cancel()
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _feed(stdin: asyncio.StreamWriter, receive: Receive) -> None:
    """Hand the request's body on as it comes."""
    try:
        while True:
            message = await receive()
            if message["type"] != "http.request":
                break
            stdin.write(message.get("body", b""))
            await stdin.drain()
            if not message.get("more_body"):
                break
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        stdin.close()


async def _start(stdout: asyncio.StreamReader) -> Message:
    """Read the CGI headers and return the message that starts the response."""
    status, headers = 200, list[tuple[bytes, bytes]]()
    while (line := (await stdout.readline()).strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            status = int(value.split()[0])
        else:
            headers.append((name.lower(), value.strip()))
    return {"type": "http.response.start", "status": status, "headers": headers}
