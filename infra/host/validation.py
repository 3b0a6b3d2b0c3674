"""What inputs of host resources must look like: the last gate before a value becomes an argument on a host.

The settings say the same in better words and earlier; this holds for any program that uses these resources.
"""

from __future__ import annotations

__all__ = ["is_known", "problems_of"]

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RULES: dict[str, tuple[re.Pattern[str], str]] = {
    "user": (re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z"), "a Unix user name"),
    "owner": (re.compile(r"([a-z_][a-z0-9_-]{0,31}|[0-9]{1,9})\Z"), "a Unix user name or number"),
    "directory": (re.compile(r"/(?!.*(//|/\.\.?(/|\Z)))[^\0\n]{1,4000}(?<!/)\Z"), "an absolute path without . or .."),
    "path": (re.compile(r"/(?!.*(//|/\.\.?(/|\Z)))[^\0\n]{1,4000}\Z"), "an absolute path without . or .."),
    "workdir": (re.compile(r"(/[^\0\n]*)?\Z"), "an absolute path, or nothing"),
    "mount": (re.compile(r"/(mnt|srv|data)/[A-Za-z0-9._-]+\Z"), "a path such as /mnt/data"),
    "repository": (re.compile(r"(https?|ssh)://[^\s\0'\"-][^\s\0'\"]*\Z"), "an http, https or ssh URL"),
    "commit": (re.compile(r"[0-9a-f]{40}\Z"), "a full commit id"),
    "branch": (re.compile(r"(?!-)(?!.*(\.\.|@\{|//))[A-Za-z0-9._/-]{1,200}(?<![/.])\Z"), "a branch name"),
    "domain": (re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z"), "a domain name"),
    "tls": (re.compile(r"(internal|acme)\Z"), "internal or acme"),
    "mode": (re.compile(r"(build|pull|0[0-7]{3})\Z"), "build or pull"),
    "email": (re.compile(r"([^\s@{}]+@[^\s@{}]+)?\Z"), "an e-mail address"),
    "project": (re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z"), "a compose project name"),
    "volume": (re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z"), "a volume name"),
    "table": (re.compile(r"[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?\Z"), "a table's name, in lower case"),
    "service": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z"), "a compose service name"),
}


def is_known(value: Any) -> bool:
    """Tell whether a value is complete: in a preview parts of it may be decided later."""
    return all(not _is_unknown(each) for each in _walk(value))


def problems_of(inputs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (input, what is wrong with it) for each input that breaks its rule."""
    for name, value in inputs.items():
        if name in _RULES and isinstance(value, str):
            pattern, expected = _RULES[name]
            if not pattern.match(value):
                yield name, f"{value!r} is not {expected}"
        elif name in _NESTED and isinstance(value, dict | list):
            yield from _NESTED[name](value)


def _workload(value: Any) -> Iterator[tuple[str, str]]:
    for key in ("compose_file", "env_file"):
        text = value.get(key, "")
        if isinstance(text, str) and (text.startswith(("/", "-")) or ".." in text.split("/") or not text):
            yield f"workload.{key}", f"{text!r} is not a path inside the checkout"
    inner = {key: value[key] for key in ("directory", "project") if key in value}
    yield from ((f"workload.{name}", reason) for name, reason in problems_of(inner))


def _version(value: Any) -> Iterator[tuple[str, str]]:
    yield from ((f"version.{name}", reason) for name, reason in problems_of(value))


def _routes(value: Any) -> Iterator[tuple[str, str]]:
    for route in value:
        path, port = route["path"], route["port"]
        if isinstance(path, str) and not re.match(r"/[A-Za-z0-9/._*-]*\Z", path):
            yield "routes", f"{path!r} is not a path pattern"
        if isinstance(port, int | float) and not 1 <= port <= 65535:  # noqa: PLR2004
            yield "routes", f"{port!r} is not a port"


_NESTED: dict[str, Callable[[Any], Iterator[tuple[str, str]]]] = {
    "workload": _workload,
    "routes": _routes,
    "version": _version,
}


def _walk(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each)
    else:
        yield value


def _is_unknown(value: Any) -> bool:
    from pulumi.output import Unknown  # noqa: PLC0415 (loaded already wherever it can occur)

    return isinstance(value, Unknown)
