"""Loads settings from a stack file, or from what Pulumi hands to the program, with the same outcome.

Values of config secrets are no settings: they stand beside them under their own upper-case names (`RESEND_API_KEY`)
and are looked at in `infra.secret`. Here it is only checked that each is declared, and encrypted in the file.
"""

from __future__ import annotations

__all__ = ["PROJECT", "load_config", "load_file", "written_secrets"]

import json
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from infra.errors import ConfigurationError, Problem
from infra.settings.document import Document, Path, read_document
from infra.settings.fields import nearest
from infra.settings.model import SECRET_NAME, Settings
from infra.settings.problems import describe
from infra.settings.templates import check_templates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path as FilePath

PROJECT = "greenroom"
OTHER_NAMESPACES = ("digitalocean", "pulumi")
STACK_FILE_KEYS = ("config", "encryptionsalt", "secretsprovider", "encryptedkey", "environment")
TEXT_KEYS = ("domain", "adminEmail", "cloud", "acceptance")


def load_file(path: FilePath, *, root: FilePath) -> Settings:
    """Read and check a stack file; raises ConfigurationError with everything that is wrong in it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        problem = Problem(path.name, "(file)", error.strerror or "unreadable", "a stack file beside Pulumi.yaml")
        raise ConfigurationError([problem], hint="ls Pulumi.*.yaml") from None
    document = read_document(path.name, content)
    values = _own_values(document)
    if document.problems and not values:
        raise ConfigurationError(document.problems)
    secrets = {name: value for name, value in values.items() if SECRET_NAME.fullmatch(name)}
    problems = list(document.problems)
    for name, value in secrets.items():
        if not (isinstance(value, dict) and list(cast("dict[str, Any]", value)) == ["secure"]):
            place = document.where(("config", f"{PROJECT}:{name}"))
            problems.append(Problem(place, name, "a plain value", "an encrypted one: greenroom secrets set " + name))

    def where(key: Path) -> str:
        for top in (f"{PROJECT}:{key[0]}", str(key[0])) if key else ():
            if ("config", top) in document.lines:
                return document.where(("config", top, *key[1:]))
        return document.where(("config",))

    return _validate(values, set(secrets), where, root, problems)


def written_secrets(path: FilePath) -> set[str]:
    """Name the secrets that a stack file holds; their values stay encrypted."""
    document = read_document(path.name, path.read_bytes())
    return {name for name in _own_values(document) if SECRET_NAME.fullmatch(name)}


def load_config(config: Mapping[str, Any], *, stack: str, root: FilePath) -> Settings:
    """Check the config map that Pulumi hands to the program (`namespace:key` to text; maps and lists as JSON)."""
    values = {
        key.removeprefix(f"{PROJECT}:"): _parsed(key.removeprefix(f"{PROJECT}:"), value)
        for key, value in config.items()
        if key.startswith(f"{PROJECT}:")
    }
    secrets = {name for name in values if SECRET_NAME.fullmatch(name)}
    name = f"Pulumi.{stack}.yaml"
    document: Document | None = None

    def where(key: Path) -> str:
        nonlocal document
        if document is None:
            try:
                document = read_document(name, (root / name).read_bytes())
            except OSError:
                document = Document(name)
        return document.where(("config", f"{PROJECT}:{key[0]}", *key[1:]) if key else ("config",))

    return _validate(values, secrets, where, root, [])


def _own_values(document: Document) -> dict[str, Any]:
    """Pick the project's values out of a stack file and note what belongs to nobody."""
    top = cast("dict[str, Any]", document.value or {})
    for name in top:
        if name not in STACK_FILE_KEYS:
            expected = f"one of {', '.join(STACK_FILE_KEYS)}{nearest(name, STACK_FILE_KEYS)}"
            document.refuse(document.lines[(name,)], name, "an unknown key", expected)
    config = top.get("config")
    if not isinstance(config, dict):
        if not document.problems:
            document.refuse(document.lines.get(("config",), 1), "config", "no settings", "a map of settings")
        return {}
    values: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", config).items():
        namespace, colon, name = key.rpartition(":")
        if not colon or namespace == PROJECT:
            values[name] = _parsed(name, value)  # the CLI writes `false` back as "false"
        elif namespace not in OTHER_NAMESPACES:
            expected = f"the namespace {PROJECT}{nearest(namespace, (PROJECT, *OTHER_NAMESPACES))}"
            document.refuse(document.lines[("config", key)], key, f"the namespace {namespace}", expected)
    return values


def _parsed(name: str, value: Any) -> Any:
    """Undo the engine's making text of everything; what cannot be parsed stays text and is refused by the model."""
    if not isinstance(value, str) or name in TEXT_KEYS or SECRET_NAME.fullmatch(name):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _validate(
    values: Mapping[str, Any],
    secrets: set[str],
    where: Callable[[Path], str],
    root: FilePath,
    problems: list[Problem],
) -> Settings:
    """Build the model, or raise one error with every problem."""
    own = {key: value for key, value in values.items() if key not in secrets}
    declared = {name for name, setting in _map(own.get("secrets")).items() if _map(setting).get("source") == "config"}
    problems += [
        Problem(where((name,)), name, "a secret that is not declared", f"`{name}: {{source: config}}` under secrets")
        for name in sorted(secrets - declared)
    ]
    try:
        settings = Settings.model_validate_json(json.dumps(own))
    except ValidationError as error:
        known = {problem.where for problem in problems}
        problems += [problem for problem in describe(error, Settings, where) if problem.where not in known]
        raise ConfigurationError(problems) from None
    problems += check_templates(settings, where)
    problems += _check_files(settings, where, root)
    if problems:
        raise ConfigurationError(problems)
    return settings


def _map(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _check_files(settings: Settings, where: Callable[[Path], str], root: FilePath) -> list[Problem]:
    """Check that what the settings name in the repository is there."""
    problems: list[Problem] = []
    if settings.acceptance and not (root / settings.acceptance).is_file():
        problems.append(Problem(where(("acceptance",)), "acceptance", settings.acceptance, "a file in the repository"))
    published = settings.local_cloud.publish if settings.local_cloud else {}
    for name, directory in published.items():
        if not (root / directory).is_dir():
            key = ("localCloud", "publish", name)
            problems.append(Problem(where(key), ".".join(key), directory, "a directory in the repository"))
    return problems
