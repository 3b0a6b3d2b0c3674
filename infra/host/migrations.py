"""The schema at the release's revision, before any of the release's services start on it.

Migrations run in a container of the new image, with only what that service depends on up: a migration that fails
leaves the old services where they were.
"""

from __future__ import annotations

__all__ = ["Migrations"]

import shlex
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Resource

from infra.commands import acts, compose
from infra.commands.migrations import parse_applied, parse_current
from infra.errors import StepError
from infra.host.findings import Finding
from infra.host.resource import HostProvider
from infra.host.stack import bring_up, write_override
from infra.host.workload import expect_acceptable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, Output, ResourceOptions

_IMPATIENT = "PGOPTIONS=-c lock_timeout=10s"
"""To libpq: a migration that waits for somebody's lock gives up and says so, instead of keeping the readers behind it
waiting too. Other databases don't read it."""
_MARK = "-- where the schema stands --"
_MIGRATE_S = 600.0
_WHY = "the release's migrations have not been run"


class MigrationsProvider(HostProvider):
    """Brings the database up, runs the migrations, and reads where the schema stands, in one container."""

    subject = "migrations"
    phase = "migrate"
    timeout_s = 900.0
    withheld = ("full",)

    def prepared(self, spec: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
        """Note the revision that there was."""
        return {**spec, "before": str(olds.get("revision", "")), "full": True}

    def wanted(self, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Want the schema at the head."""
        return {**super().wanted(olds, news), "head": True}

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for the model to converge; ask alembic, in the running service, to look."""
        if spec.get("full"):
            question = {"stack": compose.model_probe("stack", spec["workload"])}
            return {**question, **compose.password_probes(spec["workload"])}
        options = ["--workdir", spec["workdir"]] if spec["workdir"] else []
        workload = spec["workload"]
        redact = {"path": f"{workload['directory']}/{workload['env_file']}", "names": workload["secrets"]}
        question = {"project": workload["project"], "service": spec["service"], "redact": redact}
        command = {"kind": "exec", **question, "options": options, "argv": spec["current"]}
        if not spec.get("version") or not spec.get("made_from"):
            return {"current": command}
        recorded = {**spec["made_from"], "revision": spec["revision"]}
        return {"current": {**command, "kind": "schema", "version": spec["version"], "recorded": recorded}}

    def probes_after(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask nothing more: what the migrations printed tells where the schema stands."""
        del spec
        return {}

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Migrate until the facts tell that it is done."""
        if "current" in facts:
            return [acts.Act(each.what, {}) for each in _drift(spec, facts["current"])]
        if "migration" in facts:
            return []
        stack = facts["stack"]
        expect_acceptable(spec, stack, self.phase)
        services = compose.closure(stack["services"], stack["services"][spec["service"]]["depends"])
        passwords = facts.get("passwords")
        return [
            write_override(_WHY, spec["workload"], stack),
            *bring_up(spec, stack, services, passwords=passwords, timeout_s=300.0, overridden=True),
            _migrate(spec),
        ]

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Tell the revision, as recorded and as it is."""
        return _drift(spec, facts["current"])

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return the revision; while the service is down, the one on record."""
        if "migration" not in facts:
            seen = facts["current"]
            if seen.get("as_recorded"):
                return {"revision": spec["revision"], "head": True}
            if seen["exit_status"] != 0:
                return {}
            revision = parse_current(seen["stdout"])
            return {"revision": revision.name, "head": revision.is_head}
        printed, _, current = str(facts["migration"]).rpartition(_MARK)
        revision = parse_current(current)
        if not revision.is_head:
            raise StepError(
                phase=self.phase,
                host=str(spec["connection"]["host"]),
                command=shlex.join(spec["command"]),
                exit_status=0,
                evidence=str(facts["migration"]),
                code="MIGRATION_INCOMPLETE",
                hint=shlex.join(spec["current"]),
            )
        made_from = _made_from(spec, facts["stack"]) if spec.get("version") else {}
        return {"revision": revision.name, "head": True, "applied": parse_applied(printed), **made_from}


class Migrations(Resource, module="greenroom", name="Migrations"):
    """alembic (or what prints like it) run to the head, in the declared service's image and its environment.

    `version` tells where PostgreSQL keeps the revision: service, role, name (of the database), table. A look then reads
    it there, and starts `current` only where something is not as recorded; see `infra.transport.remote.schema`. What is
    on record was made under the host's key of digests, `key_fingerprint`: with another one it is recorded anew.
    """

    revision: Output[str]
    head: Output[bool]
    applied: Output[list[str]]

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        workload: Mapping[str, Input[Any]],
        service: str,
        command: Sequence[str],
        current: Sequence[str],
        commit: Input[str],
        environment: Input[str],
        key_fingerprint: Input[str],
        workdir: str = "",
        version: Mapping[str, str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {
            "connection": connection,
            "workload": workload,
            "service": service,
            "command": list(command),
            "current": list(current),
            "workdir": workdir,
            "commit": commit,
            "environment": environment,
            "key_fingerprint": key_fingerprint,
            "version": dict(version) if version else None,
            **dict.fromkeys(("revision", "head", "applied", "before", "made_from")),
        }
        super().__init__(MigrationsProvider(), name, props, opts)


def _made_from(spec: dict[str, Any], stack: dict[str, Any]) -> dict[str, Any]:
    """Return what tells a container that can be believed to have the code that told the head: image, configuration."""
    service = stack["services"][spec["service"]]
    image = stack["images"].get(service["image"], "")
    return {"made_from": {"image": image, "config": service["config"]}} if image else {}


def _migrate(spec: dict[str, Any]) -> acts.Act:
    workload = spec["workload"]
    script = f"{shlex.join(spec['command'])} && echo {shlex.quote(_MARK)} && {shlex.join(spec['current'])}"
    where = ["--workdir", spec["workdir"]] if spec["workdir"] else []
    flags = ["--rm", "--no-TTY", "--no-deps", "--quiet-pull", "--env", _IMPATIENT, *where]
    return acts.run(
        _WHY,
        [*compose.arguments(workload, labelled=True), "run", *flags, spec["service"], "sh", "-c", script],
        say=shlex.join(spec["command"]),
        code="MIGRATION_FAILED",
        timeout_s=_MIGRATE_S,
        env=dict(workload["variables"]),
        keep="migration",
        hint="docker compose logs, and the migration that the evidence names",
    )


def _drift(spec: dict[str, Any], seen: dict[str, Any]) -> list[Finding]:
    wanted = str(spec["revision"])
    if seen.get("as_recorded"):
        return []
    if seen["exit_status"] != 0:
        what = f"where the schema stands is unknown: service {spec['service']} can't tell"
        status, printed = int(seen["exit_status"]), " ".join(str(seen.get("stderr", "")).split())
        return [Finding(what, wanted, printed if status < 0 else f"exit status {status}: {printed}")]
    revision = parse_current(seen["stdout"])
    if revision.is_head and revision.name == wanted:
        return []
    there = revision.name or "none"
    return [Finding(f"the schema is at revision {there} instead of {wanted}", wanted, there)]
