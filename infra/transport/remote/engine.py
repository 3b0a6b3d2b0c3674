"""The Docker engine's API over its socket: a question costs milliseconds, where the compose CLI costs hundreds."""

from __future__ import annotations

__all__ = ["Engine", "EngineRefusal"]

import json
import struct
import time

from infra.transport.remote.asking import Conversation, quoted, unix_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SOCKET = "/run/docker.sock"
_NOT_FOUND = 404
_FIRST_ERROR = 400


class EngineRefusal(Exception):  # noqa: N818 (becomes an ActFailure where it matters)
    """The engine answered with an error status, or not at all (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"Docker engine: {status}: {message}")
        self.status = status


class Engine:
    """A client for the few calls that are needed; a connection a call, so that threads never meet."""

    def __init__(self, path: str = _SOCKET, *, timeout_s: float = 60.0) -> None:
        self._path, self._timeout_s = path, timeout_s

    def call(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        *,
        timeout_s: float = 0.0,
        limit_bytes: int = 0,
    ) -> bytes:
        """Send one request and return the answer, or its first `limit_bytes`; EngineRefusal when it is an error."""
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in (query or {}).items()}
        pairs = "&".join(f"{quoted(name)}={quoted(text)}" for name, text in texts.items())
        target = f"{path}?{pairs}" if pairs else path
        try:
            with Conversation(unix_socket(self._path, timeout_s or self._timeout_s), "docker") as engine:
                answer = engine.ask(method, target, limit_bytes=limit_bytes)
        except OSError as error:
            raise EngineRefusal(0, f"{method} {path}: {error}") from error
        if answer.status >= _FIRST_ERROR:
            raise EngineRefusal(answer.status, answer.body.decode(errors="replace").strip())
        return answer.body

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        """GET a JSON document; EngineRefusal where it broke off."""
        try:
            return json.loads(self.call("GET", path, query))
        except ValueError as error:
            raise EngineRefusal(0, f"GET {path}: {error}") from error

    def listed(self, project: str) -> list[dict[str, Any]]:
        """Return what the engine's list says of a compose project's containers; one-off ones are left out."""
        labels = [f"com.docker.compose.project={project}", "com.docker.compose.oneoff=False"]
        return list(self.get("/containers/json", {"all": "true", "filters": {"label": labels}}))

    def containers(self, project: str) -> list[dict[str, Any]]:
        """Return the inspected containers of a compose project, running or not; one-off ones are left out."""
        found = (self.inspect(each["Id"]) for each in self.listed(project))
        return [each for each in found if each]

    def inspect(self, container: str) -> dict[str, Any]:
        """Return one container's facts, or nothing when it is gone."""
        try:
            return dict(self.get(f"/containers/{container}/json"))
        except EngineRefusal as refusal:
            if refusal.status == _NOT_FOUND:
                return {}
            raise

    def image_id(self, reference: str) -> str:
        """Return the id of an image that is here, or an empty string."""
        try:
            return str(self.get(f"/images/{quoted(reference, '/:@')}/json")["Id"])
        except EngineRefusal as refusal:
            if refusal.status == _NOT_FOUND:
                return ""
            raise

    def last_exit(self, container: str, since: float) -> int | None:
        """Return the status that a container last ended with after a time (seconds since 1970), running again or not.

        Of one that runs again the engine itself says 0; only its events still know better. None when they don't.
        """
        only = {"container": [container], "event": ["die"]}
        span = {"since": f"{since:.9f}", "until": f"{time.time():.9f}"}
        ends = self.call("GET", "/events", {**span, "filters": only}).decode().splitlines()
        return int(json.loads(ends[-1])["Actor"]["Attributes"]["exitCode"]) if ends else None

    def logs(self, container: str, lines: int = 40) -> str:
        """Return the end of a container's log, both streams."""
        raw = self.call(
            "GET", f"/containers/{container}/logs", {"stdout": "true", "stderr": "true", "tail": str(lines)}
        )
        return _unframe(raw).decode(errors="replace")

    def log(self, container: str, limit_bytes: int, **query: str) -> str:
        """Return the first bytes of a part of a log (since, until, tail), both streams; whole lines only."""
        asked = {"stdout": "true", "stderr": "true", **query}
        raw = self.call("GET", f"/containers/{container}/logs", asked, limit_bytes=limit_bytes)
        text = _unframe(raw).decode(errors="replace")
        return text if len(raw) < limit_bytes else text[: text.rfind("\n") + 1]


def _unframe(raw: bytes) -> bytes:
    """Strip the engine's eight-byte frame headers; a terminal's log has none."""
    out = bytearray()
    position = 0
    while position + 8 <= len(raw):
        kind, size = struct.unpack(">BxxxL", raw[position : position + 8])
        if kind not in (1, 2):
            return raw
        out += raw[position + 8 : position + 8 + size]
        position += 8 + size
    return bytes(out) if position else raw
