"""A small reader of acceptance.yaml: it asks a stack what the file asks, through any function that sends requests."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import yaml

CONTRACT = Path(__file__).resolve().parent.parent / "acceptance.yaml"
VARIABLE = re.compile(r"\{(\w+)\}")

Send = Callable[..., httpx.Response]


def load() -> dict[str, Any]:
    return yaml.safe_load(CONTRACT.read_text())


def look_up(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


@dataclass
class Client:
    """Fills in variables, sends, checks, captures."""

    send: Send
    variables: dict[str, Any]
    token: str | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.variables |= {
            "run": uuid4().hex[:8],
            "today": self.started.date().isoformat(),
            "now": self.started.isoformat(),
        }

    def fill(self, value: Any, local: dict[str, Any] | None = None) -> Any:
        local = local or {}
        match value:
            case {"repeat": int(count), "item": item}:
                return [self.fill(item, self._item(count, index)) for index in range(count)]
            case dict():
                return {key: self.fill(inner, local) for key, inner in value.items()}
            case list():
                return [self.fill(inner, local) for inner in value]
            case str():
                whole = VARIABLE.fullmatch(value)
                if whole:
                    return self._variable(whole[1], local)
                return VARIABLE.sub(lambda found: str(self._variable(found[1], local)), value)
        return value

    def _variable(self, name: str, local: dict[str, Any]) -> Any:
        return str(uuid4()) if name == "uuid" else (local | self.variables)[name]

    def _item(self, count: int, index: int) -> dict[str, Any]:
        at = self.started - timedelta(seconds=count - index)
        return {"n": index, "nn": f"{index:02}", "item_time": at.isoformat()}

    def ask(self, request: dict[str, Any]) -> httpx.Response:
        auth = request.get("auth", True)
        token = self.token if auth is True else auth
        response = self.send(
            request.get("method", "GET"),
            self.fill(request["path"]),
            params=self.fill(request.get("query", {})),
            json=self.fill(request["body"]) if "body" in request else None,
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        expected = request["expect"]
        assert response.status_code == expected["status"], f"{request['name']}: {response.text}"
        for path in expected.get("keys", ()):
            look_up(response.json(), path)
        for path, value in self.fill(expected.get("equals", {})).items():
            found = look_up(response.json(), path)
            assert found == value, f"{request['name']}: {path} is {found!r}, not {value!r}"
        for path, length in expected.get("length", {}).items():
            assert len(look_up(response.json(), path)) == length
        for name, path in request.get("capture", {}).items():
            self.variables[name] = look_up(response.json(), path)
        if "max_seconds" in request:
            assert response.elapsed.total_seconds() <= request["max_seconds"]
        return response

    def log_in(self, request: dict[str, Any]) -> None:
        self.token = look_up(self.ask(request).json(), request["token"])


def requests(contract: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from contract["endpoints"]
    for check in contract["checks"]:
        yield from check["steps"]
