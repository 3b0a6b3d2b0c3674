"""A Docker engine behind a socket that has some containers, changes them as it is told, and notes what it is asked."""

from __future__ import annotations

__all__ = ["FakeEngine", "container", "labels_of"]

import json
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

OWN = "com.docker.compose.project=erp"


class FakeEngine(BaseHTTPRequestHandler):
    """A Docker engine that has three containers, and notes everything that it is asked."""

    asked: ClassVar[list[str]] = []
    containers: ClassVar[dict[str, dict[str, Any]]] = {}

    def do_GET(self) -> None:
        path = self._note()
        if path == "/containers/json":
            wanted = set(self._filters().get("label", []))
            listed = {name: each for name, each in self.containers.items() if wanted <= labels_of(each)}
            self._answer(200, [{"Id": name, "Labels": each["Config"]["Labels"]} for name, each in listed.items()])
        elif path.startswith("/containers/"):
            found = self.containers.get(path.split("/")[2])
            self._answer(200 if found else 404, found or {"message": "none"})
        else:
            answers: dict[str, Any] = {
                "/info": {"DockerRootDir": "/"},
                "/images/json": [{}] if self._filters().get("label", [OWN])[0] == OWN else [],
                "/images/img/json": {"Config": {"Labels": {"com.docker.compose.project": "erp"}}},
                "/volumes": {"Volumes": [{"Name": "data"}]},
                "/system/df": {"BuildCache": [{"InUse": False}]},
            }
            self._answer(200, answers.get(path, "OK"))

    def do_POST(self) -> None:
        path = self._note()
        parts = path.split("/")
        if parts[1] == "containers":
            is_start = parts[3] == "start"
            state = self.containers[parts[2]]["State"]
            state |= {"Running": is_start, "Paused": False, "StartedAt": "now" if is_start else state["StartedAt"]}
        self._answer(200, {})

    def do_DELETE(self) -> None:
        self.containers.pop(self._note().split("/")[2], None)
        self._answer(200, {})

    def _filters(self) -> dict[str, list[str]]:
        return json.loads(parse_qs(urlsplit(self.path).query).get("filters", ["{}"])[0])

    def log_message(self, *_: Any) -> None:
        return

    def address_string(self) -> str:
        return "socket"

    def _note(self) -> str:
        parts = urlsplit(self.path)
        query = "&".join(f"{name}={values[0]}" for name, values in parse_qs(parts.query).items())
        asks = self.command == "GET" or query.startswith("t=")
        self.asked.append(f"{self.command} {parts.path}" + (f"?{query}" if query and not asks else ""))
        return parts.path

    def _answer(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def container(project: str, service: str, *, state: str, oneoff: str = "False") -> dict[str, Any]:
    labels = {"com.docker.compose.project": project, "com.docker.compose.service": service}
    labels |= {"com.docker.compose.oneoff": oneoff} if oneoff else {}
    flags = {"Running": state in ("running", "paused"), "Paused": state == "paused", "Restarting": False}
    told = {"Status": state, "Pid": 7, "ExitCode": 0, "OOMKilled": False, "StartedAt": "before"}
    return {
        "Name": f"/{project}-{service}-1",
        "Image": "img",
        "Config": {"Labels": labels if project else {}, "StopTimeout": 1},
        "State": {**flags, **told},
        "Mounts": [{"Type": "volume", "Name": "data"}],
    }


def labels_of(container: dict[str, Any]) -> set[str]:
    return {f"{name}={value}" for name, value in container["Config"]["Labels"].items()}
