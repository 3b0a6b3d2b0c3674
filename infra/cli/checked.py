"""Checks the settings before anything is touched, at most once for each content of the stack file.

Loading the model costs more than the rest of the command line together, so what the command line itself has to know of
a stack is kept beside its verdict, under a digest of the file and of the code that judged it. The program checks
everything again: this is what lets a bad file end the run before a cloud is started or a state is written.
"""

from __future__ import annotations

__all__ = ["StackFacts", "check_name", "check_stack"]

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.errors import ConfigurationError, Problem

STACK_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class StackFacts:
    """What the command line has to know of a stack."""

    stack: str
    cloud: str
    domain: str
    directory: str
    project: str
    compose_file: str
    env_file: str
    branch: str
    acceptance: str | None
    publish: dict[str, str]
    environment_secrets: dict[str, dict[str, Any]]
    """Secrets that the environment has to give, each with the fields of its `Rule`."""
    unset_secrets: dict[str, dict[str, Any]]
    """Secrets that the stack file has to hold and does not, likewise."""
    waivers: list[dict[str, str]]
    """check, service (empty: none in particular), reason, until (ISO date)."""

    def require_secrets(self) -> None:
        """Raise one ConfigurationError that names every secret nobody has given; called before a run."""
        from infra.secret import ConfigSource, EnvironmentSource, Rule, SecretSource, gather  # noqa: PLC0415 - rarely wanted

        sources: dict[str, SecretSource] = {
            **dict.fromkeys(self.unset_secrets, ConfigSource(self.stack, {})),
            **dict.fromkeys(self.environment_secrets, EnvironmentSource(os.environ)),
        }
        wanted = {**self.unset_secrets, **self.environment_secrets}
        gather({name: Rule(**rule) for name, rule in wanted.items()}, sources)


def check_name(stack: str) -> None:
    """Raise ConfigurationError where a stack can't be called so; its name becomes a directory's, too."""
    if not STACK_NAME.fullmatch(stack):
        expected = "lower-case letters, digits and inner dashes, at most 40: it becomes part of names in the account"
        raise ConfigurationError([Problem("command line", "--stack", repr(stack[:60]), expected)])


def check_stack(root: Path, stack: str, home: Path) -> StackFacts:
    """Return the facts of a stack whose settings are good; raises ConfigurationError naming all that is wrong."""
    check_name(stack)
    path = root / f"Pulumi.{stack}.yaml"
    cache = home / stack / "checked.json"
    digest = _digest(root, path)
    facts = _recall(cache, digest)
    if facts is None:
        facts = _judge(root, path, stack)
        cache.parent.mkdir(parents=True, exist_ok=True)
        temporary = cache.with_suffix(".new")
        temporary.write_text(json.dumps({"digest": digest, "facts": asdict(facts)}), encoding="utf-8")
        temporary.replace(cache)
    return facts


def _digest(root: Path, path: Path) -> str:
    """Digest the stack file and the code and data that judge it."""
    parts = [path.name.encode(), path.read_bytes() if path.is_file() else b"", str(root).encode()]
    package = Path(__file__).parents[1]
    for each in sorted([*(package / "settings").glob("*.*"), *(package / "secret").glob("*.py")]):
        status = each.stat()
        parts.append(f"{each.name} {status.st_size} {status.st_mtime_ns}".encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _recall(cache: Path, digest: str) -> StackFacts | None:
    """Return the remembered facts if they are about this very content."""
    try:
        remembered = json.loads(cache.read_text(encoding="utf-8"))
        return StackFacts(**remembered["facts"]) if remembered["digest"] == digest else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _judge(root: Path, path: Path, stack: str) -> StackFacts:
    from infra.secret import rules_of  # noqa: PLC0415 - loads pydantic
    from infra.settings import load_file, written_secrets  # noqa: PLC0415 - as above

    settings = load_file(path, root=root)
    rules = {name: asdict(rule) for name, rule in rules_of(settings).items()}
    given = {name: rules[name] for name, each in settings.secrets.items() if each.source == "environment"}
    written = written_secrets(path)
    unset = {
        name: rules[name] for name, each in settings.secrets.items() if each.source == "config" and name not in written
    }
    return StackFacts(
        stack=stack,
        cloud=settings.cloud,
        domain=settings.domain,
        directory=settings.host.directory,
        project=settings.workload.project,
        compose_file=settings.workload.compose_file,
        env_file=settings.workload.env_file,
        branch=settings.workload.branch,
        acceptance=settings.acceptance,
        publish=dict(settings.local_cloud.publish) if settings.local_cloud else {},
        environment_secrets=given,
        unset_secrets=unset,
        waivers=[
            {"check": each.check, "service": each.service or "", "reason": each.reason, "until": str(each.until)}
            for each in settings.waivers
        ],
    )
