"""Pulumi.yaml and Pulumi.<stack>.yaml: what the program is, and the configuration it runs with.

A configuration value is always a string to the program; objects and lists become compact JSON text, and one secure leaf
makes the whole key secret. Keys without a namespace get the project's name. What would change the engine's behaviour
and is not supported is refused by name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from localcloud.engine.errors import ProjectError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localcloud.engine.secrets import SecretsManager

STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
REFUSED_PROJECT_KEYS = ("packages", "options", "backend")
REFUSED_STACK_KEYS = ("secretsprovider", "encryptedkey", "environment")
REFUSED_CONFIG_KEYS = ("pulumi:autonaming", "pulumi:disable-default-providers", "pulumi:template")


@dataclass(frozen=True, slots=True)
class Project:
    """What Pulumi.yaml says."""

    root: Path
    name: str
    main: Path
    """The program's directory, absolute."""
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    plugins: Mapping[str, Path] = field(default_factory=dict[str, "Path"])

    @classmethod
    def load(cls, root: Path) -> Project:
        """Read `<root>/Pulumi.yaml`. Raises ProjectError or UnsupportedError."""
        path = root / "Pulumi.yaml"
        document = _read_yaml(path, required=True)
        name = document.get("name")
        if not isinstance(name, str) or not name:
            raise ProjectError(f"{path.name}: name: missing; expected the project's name")
        for key in REFUSED_PROJECT_KEYS:
            if document.get(key):
                raise UnsupportedError(f"{path.name}: {key}: {document[key]!r} is not supported by this engine")
        runtime = document.get("runtime")
        runtime = runtime if isinstance(runtime, dict) else {"name": runtime}
        if runtime.get("name") != "python":
            raise UnsupportedError(f"{path.name}: runtime: {runtime.get('name')!r} is not supported; only python is")
        return cls(
            root=root.resolve(),
            name=name,
            main=(root / (document.get("main") or ".")).resolve(),
            options={key: str(value) for key, value in (runtime.get("options") or {}).items()},
            defaults=_project_defaults(name, document.get("config") or {}),
            plugins=_declared_plugins(root, document.get("plugins") or {}),
        )


def _declared_plugins(root: Path, plugins: Mapping[str, Any]) -> dict[str, Path]:
    """Return where the project keeps provider executables of its own."""
    found = {entry["name"]: (root / entry["path"]).resolve() for entry in plugins.get("providers") or []}
    for name, path in found.items():
        if not path.exists():
            raise ProjectError(f"Pulumi.yaml: plugins: the path of the provider {name} does not exist: {path}")
    return found


def _project_defaults(project: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults that a `config:` block of Pulumi.yaml supplies; a declaration without one supplies none."""
    defaults: dict[str, Any] = {}
    for key, declared in block.items():
        if isinstance(declared, dict) and (set(declared) & {"value", "default", "type"}):
            declared = declared.get("value", declared.get("default"))  # noqa: PLW2901 - unwrapped in place
        if declared is not None:
            defaults[_qualified(project, key)] = declared
    return defaults


def _qualified(project: str, key: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _read_yaml(path: Path, *, required: bool = False) -> dict[str, Any]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        if required:
            raise ProjectError(f"There is no {path.name} in {path.parent}") from None
        return {}
    try:
        document = yaml.load(text, Loader=_loader())  # noqa: S506 - a safe loader, made below
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise ProjectError(f"{path.name}:{where} is not YAML: {getattr(error, 'problem', error)}") from error
    if document is not None and not isinstance(document, dict):
        raise ProjectError(f"{path.name}: expected a mapping at the top")
    return document or {}


def _loader() -> type[Any]:
    """Return a safe loader that leaves dates as the text they were."""
    base: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class TextDates(base):
        yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in base.yaml_implicit_resolvers.items()
        }

    return TextDates


@dataclass(frozen=True, slots=True)
class Configuration:
    """A stack's decrypted configuration."""

    values: Mapping[str, str] = field(repr=False)
    secret_keys: frozenset[str]
    stored: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The values as the file has them, secrets still encrypted; this is what the history keeps."""


class StackFile:
    """Pulumi.<stack>.yaml."""

    def __init__(self, project: Project, stack: str) -> None:
        """Read the file if there is one. Raises ProjectError or UnsupportedError."""
        if not STACK_NAME.fullmatch(stack):
            raise ProjectError(f"{stack!r} is no stack name; expected letters, digits, '.', '-' and '_'")
        self.project = project
        self.path = project.root / f"Pulumi.{stack}.yaml"
        self._document = _read_yaml(self.path)
        for key in REFUSED_STACK_KEYS:
            if self._document.get(key):
                raise UnsupportedError(f"{self.path.name}: {key}: not supported by this engine")
        block = self._document.get("config") or {}
        if not isinstance(block, dict):
            raise ProjectError(f"{self.path.name}: config: expected a mapping")
        self._config = {**project.defaults, **{_qualified(project.name, key): value for key, value in block.items()}}
        for key in REFUSED_CONFIG_KEYS:
            if key in self._config:
                raise UnsupportedError(f"{self.path.name}: {key}: not supported by this engine")

    @property
    def salt(self) -> str:
        """The `encryptionsalt`, empty when the file has none."""
        return str(self._document.get("encryptionsalt") or "")

    def plain_namespace(self, namespace: str) -> dict[str, str] | None:
        """Return a namespace's values without it in the keys; None when one of them is a secret."""
        own = {key: value for key, value in self._config.items() if key.partition(":")[0] == namespace}
        if any(_has_secure(value) for value in own.values()):
            return None
        return {key.partition(":")[2]: _text(value) for key, value in own.items()}

    def load(self, secrets: SecretsManager) -> Configuration:
        """Decrypt and flatten the configuration. Raises PassphraseError or StateError."""
        values: dict[str, str] = {}
        secret_keys: set[str] = set()
        for key, value in self._config.items():
            values[key] = _text(_decrypted(value, secrets.decrypt))
            if _has_secure(value):
                secret_keys.add(key)
        return Configuration(values, frozenset(secret_keys), dict(self._config))

    def set_secret(self, key: str, value: str, secrets: SecretsManager) -> None:
        """Encrypt a value into the file, as the CLI's `config set --secret`; comments and order survive."""
        ciphertext = secrets.encrypt(value)
        text = self.path.read_text() if self.path.exists() else ""
        if not self.salt:
            text = _with_salt(text, secrets.salt)
        text = _with_entry(text, _qualified(self.project.name, key), ciphertext)
        temporary = self.path.with_suffix(".yaml.new")
        temporary.write_text(text)
        if self.path.exists():
            temporary.chmod(self.path.stat().st_mode & 0o777)
        temporary.replace(self.path)
        self.__init__(self.project, self.path.name.removeprefix("Pulumi.").removesuffix(".yaml"))


def _is_secure(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str)


def _has_secure(value: Any) -> bool:
    if _is_secure(value):
        return True
    if isinstance(value, dict):
        return any(_has_secure(item) for item in value.values())
    return isinstance(value, list) and any(_has_secure(item) for item in value)


def _decrypted(value: Any, decrypt: Callable[[str], str]) -> Any:
    if _is_secure(value):
        return decrypt(value["secure"])
    if isinstance(value, dict):
        return {str(key): _decrypted(item, decrypt) for key, item in value.items()}
    if isinstance(value, list):
        return [_decrypted(item, decrypt) for item in value]
    return value


def _text(value: Any) -> str:
    """Return the string a program gets for a value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if value is None:
        return ""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _with_salt(text: str, salt: str) -> str:
    lines = text.splitlines(keepends=True)
    start = next((index for index, line in enumerate(lines) if not line.startswith(("#", "---"))), len(lines))
    return "".join([*lines[:start], f"encryptionsalt: {salt}\n", *lines[start:]])


def _with_entry(text: str, key: str, ciphertext: str) -> str:
    """Replace or append one entry of the `config:` block, leaving every other line as it is."""
    lines = text.splitlines()
    start = next((index for index, line in enumerate(lines) if re.match(r"config:\s*(#.*)?$", line)), None)
    if start is None:
        inline = next((index for index, line in enumerate(lines) if re.match(r"config:\s*\{\s*\}\s*$", line)), None)
        if inline is None:
            lines.append("config:")
            start = len(lines) - 1
        else:
            lines[inline] = "config:"
            start = inline
    end = _block_end(lines, start)
    indent = next((_indent(line) for line in lines[start + 1 : end] if line.strip() and _indent(line)), 2)
    margin = " " * indent
    entry = [f"{margin}{key}:", f"{margin}{margin}secure: {ciphertext}"]
    pattern = re.compile(rf"{margin}['\"]?(?:{re.escape(key)}|{re.escape(key.split(':', 1)[1])})['\"]?:(\s|$)")
    found = next((index for index in range(start + 1, end) if pattern.match(lines[index])), None)
    if found is None:
        return "\n".join([*lines[:end], *entry, *lines[end:]]) + "\n"
    return "\n".join([*lines[:found], *entry, *lines[_entry_end(lines, found, end, indent) :]]) + "\n"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _block_end(lines: list[str], start: int) -> int:
    """Return the index after the last line of the block that starts at `start`."""
    end = start + 1
    for index in range(start + 1, len(lines)):
        if lines[index].strip() and not lines[index].startswith((" ", "#")):
            break
        if lines[index].startswith(" "):
            end = index + 1
    return end


def _entry_end(lines: list[str], found: int, end: int, indent: int) -> int:
    """Return the index after an entry's last line; comments between entries belong to the next one."""
    last = found + 1
    for index in range(found + 1, end):
        line = lines[index]
        if line.strip() and not line.lstrip().startswith("#"):
            if _indent(line) <= indent and not line.lstrip().startswith("- "):
                break
            last = index + 1
    return last
