"""DigitalOcean's published description of its API as JSON schemas, to hold answers against."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data" / "digitalocean-openapi.json"
DEVIATIONS = {
    ("POST", "/v2/domains", 201): "zone_file is null on creation, as clients see it",
    ("GET", "/v2/droplets/{droplet_id}/backups/policy", 200): "next_backup_window is null until a backup ran",
}
"""Where the local cloud follows the real service instead of its description."""


class Description:
    """The published description, asked by method, path and status."""

    def __init__(self, path: Path = PUBLISHED) -> None:
        self._document = as_json_schema(json.loads(path.read_text(encoding="utf-8")))
        self._paths = [(re.compile(re.sub(r"\{\w+\}", "[^/]+", name)), name) for name in self._document["paths"]]
        self._paths.sort(key=lambda pair: pair[1].count("{"))

    def template(self, path: str) -> str | None:
        """The described path that a real one is an instance of."""
        return next((name for pattern, name in self._paths if pattern.fullmatch(path)), None)

    def problems(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What in an answer is not as described; an undescribed path or status is a problem too."""
        name = self.template(path)
        operation = self._document["paths"].get(name, {}).get(method.lower())
        if name is None or operation is None:
            return [f"{method} {path} is not described"]
        if (method, name, status) in DEVIATIONS:
            return []
        code = str(status) if str(status) in operation["responses"] else "default"
        if code == "default" and status < 400:
            return [f"{status} is not a described success of {method} {name}"]
        return [] if body is None else self._invalid(name, method, code, body)

    def _invalid(self, name: str, method: str, code: str, body: Any) -> list[str]:
        response = self._resolve(self._document["paths"][name][method.lower()]["responses"][code])
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return [f"a body where none is described: {body!r}"]
        rooted = {"allOf": [schema], "components": self._document["components"]}
        validator = jsonschema.Draft7Validator(rooted)
        return [text for error in validator.iter_errors(body) for text in explained(error)]

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self._document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node


def explained(error: jsonschema.ValidationError) -> list[str]:
    """The leaves of an error: of alternatives, why each did not fit."""
    if not error.context:
        return [f"{error.json_path}: {error.message[:200]}"]
    return [text for inner in error.context for text in explained(inner)]


def as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0's dialect as JSON schema: `nullable` becomes a type, examples go."""
    if isinstance(node, list):
        return [as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: as_json_schema(value) for key, value in node.items() if key not in {"example", "examples"}}
    if plain.pop("nullable", None) is True:
        return {"anyOf": [plain, {"type": "null"}]}
    return plain
