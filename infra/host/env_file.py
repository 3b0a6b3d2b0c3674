"""The workload's env file: rendered here, written there, and known to the stack by a keyed digest only."""

from __future__ import annotations

__all__ = ["EnvFile"]

import hmac
import json
import secrets as randomness
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import Resource

from infra.commands import acts
from infra.commands.environment import render_environment, resolve
from infra.commands.templates import recipe
from infra.host.findings import Finding, of_file
from infra.host.resource import HostProvider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulumi import Input, Output, ResourceOptions

_MODE = "0600"
_KEY_BYTES = 32


class EnvFileProvider(HostProvider):
    """Compares by digest. The digests' key is a secret of the state, so that none of them can be guessed at."""

    subject = "env file"
    phase = "secrets"
    withheld = ("values", "secrets", "content")

    def wanted(self, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Compare the inputs' fingerprint; nothing is rendered for that."""
        wanted = super().wanted(olds, news)
        key = str(olds.get("key", ""))
        return {**wanted, "fingerprint": _fingerprint(key, news), "digest": olds.get("expected")}

    def prepared(self, spec: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
        """Render, and digest what was rendered."""
        key = str(olds.get("key") or randomness.token_hex(_KEY_BYTES))
        content = render_environment(spec["values"], spec["secrets"])
        return {
            **spec,
            "key": key,
            "content": content,
            "expected": hmac.new(bytes.fromhex(key), content.encode(), "sha256").hexdigest(),
            "variables": _digests(key, resolve(spec["values"], spec["secrets"])),
            "fingerprint": _fingerprint(key, spec),
            "names": sorted({*spec["values"], *spec["secrets"]}),
        }

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for mode, owner and keyed digests, of the whole and of each variable."""
        return {"file": {"kind": "file", "path": spec["path"], "key": spec["key"], "variables": True}}

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Write the file anew when anything about it differs."""
        found, path = facts["file"], spec["path"]
        differences = [
            text
            for text, differs in (
                (f"{path} is missing", not found["exists"]),
                (f"{path} has another content", found["exists"] and found["digest"] != spec["expected"]),
                (f"{path} has mode {found['mode']}", found["exists"] and found["mode"] != _MODE),
                (f"{path} belongs to {found['owner']}", found["exists"] and found["owner"] != spec["owner"]),
            )
            if differs
        ]
        content = str(spec.get("content", ""))
        return [acts.write(why, path, content, owner=spec["owner"], mode=_MODE) for why in differences[:1]]

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Name the variables that differ; of their values nothing is told."""
        found, path = facts["file"], spec["path"]
        if not found["exists"]:
            return [of_file(f"{path} is missing", "present", "missing", found)]
        differing = [
            of_file(f"{path}: {what} {name}", expected, there, found)
            for name, what, expected, there in _differing(spec.get("variables", {}), found.get("variables", {}))
        ]
        if found["digest"] != spec["expected"] and not differing:
            differing = [of_file(f"{path} has another content", "as rendered", "comments or quoting edited", found)]
        if found["mode"] != _MODE:
            differing.append(of_file(f"{path} has mode {found['mode']}", _MODE, found["mode"], found))
        if found["owner"] != spec["owner"]:
            differing.append(of_file(f"{path} belongs to {found['owner']}", spec["owner"], found["owner"], found))
        return differing

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return the digest of what is there."""
        del spec
        return {"digest": facts["file"]["digest"], "mode": facts["file"]["mode"]}

    def removal(self, spec: dict[str, Any]) -> list[acts.Act]:
        """Remove the file."""
        return [acts.remove("the env file is no longer wanted", spec["path"])]


class EnvFile(Resource, module="greenroom", name="EnvFile"):
    """An env file, mode 0600, in docker compose's own quoting.

    `values` may be strings, numbers, booleans, lists and mappings; strings may refer to other names as `{{ NAME }}`.
    `secrets` are taken byte for byte.
    """

    digest: Output[str]
    names: Output[list[str]]

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        path: Input[str],
        owner: Input[str],
        values: Mapping[str, Any],
        secrets: Mapping[str, Input[str]],
        opts: ResourceOptions | None = None,
    ) -> None:
        outputs = ("digest", "names", "key", "expected", "fingerprint", "mode", "variables")
        props = {
            "connection": connection,
            "path": path,
            "owner": owner,
            "values": dict(values),
            "secrets": pulumi.Output.secret(dict(secrets)),
            "recipe": recipe("environment.env.j2"),
            **dict.fromkeys(outputs),
        }
        hidden = pulumi.ResourceOptions(additional_secret_outputs=["key"])
        super().__init__(EnvFileProvider(), name, props, pulumi.ResourceOptions.merge(opts, hidden))


def _digests(key: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Digest each variable as the host does; a short digest tells that a value changed, and the long one proves it."""
    return {
        name: hmac.new(bytes.fromhex(key), f"{name}={value}".encode(), "sha256").hexdigest()[:16]
        for name, value in sorted(variables.items())
    }


def _differing(expected: Mapping[str, str], found: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, what happened to it, expected, found) for each variable that is not as it was written."""
    for name in sorted({*expected, *found}):
        if name not in found:
            yield name, "removed", "set", "not set"
        elif name not in expected:
            yield name, "added", "not set", "set"
        elif expected[name] != found[name]:
            yield name, "changed", "the declared value", "another value"


def _fingerprint(key: str, spec: dict[str, Any]) -> str:
    canonical = json.dumps([spec["values"], spec["secrets"], spec["recipe"]], sort_keys=True)
    return hmac.new(bytes.fromhex(key), canonical.encode(), "sha256").hexdigest()
