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
from infra.commands.environment import render_environment
from infra.commands.templates import recipe
from infra.host.resource import HostProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

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
            "fingerprint": _fingerprint(key, spec),
            "names": sorted({*spec["values"], *spec["secrets"]}),
        }

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for mode, owner and keyed digest."""
        return {"file": {"kind": "file", "path": spec["path"], "key": spec["key"]}}

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
        outputs = ("digest", "names", "key", "expected", "fingerprint", "mode")
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


def _fingerprint(key: str, spec: dict[str, Any]) -> str:
    canonical = json.dumps([spec["values"], spec["secrets"], spec["recipe"]], sort_keys=True)
    return hmac.new(bytes.fromhex(key), canonical.encode(), "sha256").hexdigest()
