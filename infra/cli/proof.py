"""`greenroom verify`: builds the target from the stack's state, runs the proof and prints it as a table."""

from __future__ import annotations

__all__ = ["endpoint_of_stack", "full_proof", "last_verification", "prove", "prove_security", "target_of", "verify"]

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from infra.cli.options import with_session
from infra.cli.render import table
from infra.errors import ConfigurationError, GreenroomError, Problem

if TYPE_CHECKING:
    from infra.cli.session import Session
    from infra.ops.verify import Target, Verification
    from infra.transport import Endpoint

PROOF_FAILED = 20
HOST_RESOURCE = "baseline"
SUITES = "tests/acceptance"
PATIENCE_S = 15.0
STYLES = {
    "passed": ("ok    ", ("green",)),
    "failed": ("FAIL  ", ("red", "bold")),
    "waived": ("waived", ("yellow",)),
    "not-applicable": ("n/a   ", ("dim",)),
}
ORDER = ("passed", "not-applicable", "waived", "failed")
"""What somebody has to act on stands last, next to the verdict."""


@click.command()
@click.option("--security", is_flag=True, help="Prove host and containers against the CIS checks instead.")
@with_session()
def verify(session: Session, *, security: bool) -> int:
    """Prove the stack: host, containers, ports, schema, and every endpoint through TLS. Exits 20 where it fails.

    With --security: the CIS checks of Docker and Debian, with the settings' waivers, and a report as one HTML page.
    """
    _ = session.facts
    document, code = prove_security(session) if security else prove(session)
    if session.as_json:
        session.console.document(document)
    return code


def prove(session: Session, *, mirrors: bool = False) -> tuple[dict[str, Any], int]:
    """Run the proof, print the table, and give its document and exit code.

    With `mirrors` the audit log's head is left on the droplet, over the connection that is open anyway.
    """
    from infra.ops.verify import verify as run  # noqa: PLC0415 - loads pytest and testinfra
    from infra.transport.pool import close_all  # noqa: PLC0415 - as above

    target = target_of(session)
    session.console.say(f"verifying {target.domain} at {target.address}")
    try:
        verification = run(target, root=session.root / SUITES, evidence=session.directory / "verify")
        if mirrors:
            _mirror(session, target.endpoint)
    finally:
        close_all()
    _print(session, verification)
    return verification.document(), PROOF_FAILED if verification.failed else 0


def _mirror(session: Session, endpoint: Endpoint) -> None:
    from infra.cli.audit import audit_of, mirror_head  # noqa: PLC0415 - only after a change
    from infra.transport.pool import link  # noqa: PLC0415 - as above
    from infra.transport.worker import worker  # noqa: PLC0415 - as above

    try:
        mirror_head(worker(link(endpoint)), audit_of(session).head())
    except GreenroomError as error:
        session.console.say(f"the audit log's head is not on the droplet: {error.message.splitlines()[0]}")


def full_proof(session: Session) -> dict[str, Any]:
    """Run the proof over the connection that is open, and leave that open; print only what does not hold."""
    from infra.ops.verify import verify as run  # noqa: PLC0415 - loads pytest and testinfra

    target = target_of(session)
    session.console.say(f"verifying {target.domain} at {target.address}")
    verification = run(target, root=session.root / SUITES, evidence=session.directory / "verify")
    _print(session, replace(verification, rows=tuple(verification.failed)), verification.summary)
    return verification.document()


def prove_security(session: Session) -> tuple[dict[str, Any], int]:
    """Gather the host's facts, hold the security statements against them, and leave the report as a page too."""
    from infra.ops.report import write_page  # noqa: PLC0415 - loads jinja2
    from infra.ops.survey import survey  # noqa: PLC0415 - loads fabric
    from infra.ops.verify import SECURITY, Exemption  # noqa: PLC0415 - loads pytest and testinfra
    from infra.ops.verify import verify as run  # noqa: PLC0415 - as above
    from infra.transport.pool import close_all, link  # noqa: PLC0415 - as above

    target = target_of(session)
    session.console.say(f"looking at {target.endpoint}")
    waivers = tuple(
        Exemption(each["check"], each["service"], each["reason"], date.fromisoformat(each["until"]))
        for each in session.facts.waivers
    )
    evidence = session.directory / "verify"
    try:
        facts = survey(link(target.endpoint, patience_s=PATIENCE_S))
        target = replace(target, facts=facts, waivers=waivers)
        verification = run(target, SECURITY, root=session.root / SUITES, evidence=evidence)
    finally:
        close_all()
    _print(session, verification)
    page = write_page(verification.document(), evidence / "security.html")
    session.console.say(f"report: {page}")
    return verification.document(), PROOF_FAILED if verification.failed else 0


def last_verification(session: Session) -> dict[str, Any] | None:
    """Read what the last proof found; None when there was none."""
    try:
        return json.loads((session.directory / "verify" / "latest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def target_of(session: Session) -> Target:
    """Describe the stack under proof; raises GreenroomError when it was never deployed."""
    from infra.ops.verify import Target  # noqa: PLC0415 - loads pytest

    facts = session.facts
    if not facts.acceptance:
        expected = "the path of the workload's acceptance.yaml"
        problem = Problem(f"Pulumi.{session.stack}.yaml", "greenroom:acceptance", "nothing", expected)
        raise ConfigurationError([problem], hint=f"greenroom verify -s {session.stack}   # once it stands there")
    outputs = session.driver.outputs(show_secrets=True)
    if "release" not in outputs:
        raise GreenroomError(f"{session.stack} is not deployed", hint=f"greenroom up -s {session.stack}")
    session.console.redactor.add(session.driver.secret_values())
    return Target(
        stack=session.stack,
        domain=facts.domain,
        address=outputs["address"],
        ca_certificate=outputs.get("ca_certificate") or "",
        endpoint=endpoint_of_stack(session),
        user=outputs["ssh"]["user"],
        directory=facts.directory,
        env_file=facts.env_file,
        contract=session.root / facts.acceptance,
        release=outputs["release"],
        admin_email=outputs["admin_email"],
        admin_password=outputs.get("admin_password", ""),
    )


def endpoint_of_stack(session: Session) -> Endpoint:
    """Give the pinned connection that the stack's host resources use, from the state."""
    from infra.host.resource import endpoint_of  # noqa: PLC0415 - loads pulumi

    for resource in session.driver.resources():
        if resource.name == HOST_RESOURCE and "connection" in resource.inputs:
            return endpoint_of(dict(resource.inputs["connection"]))
    raise GreenroomError(f"{session.stack} has no host", hint=f"greenroom up -s {session.stack}")


def _print(session: Session, verification: Verification, summary: str = "") -> None:
    """Print every statement with its outcome; people read it on standard error, next to the rest of the talk."""
    console = session.console
    rows: list[list[str]] = []
    for row in sorted(verification.rows, key=lambda each: ORDER.index(each.status)):
        word, colours = STYLES[row.status]
        notes = [row.reason, f"remedy: {row.remedy}" if row.remedy and not row.passed else ""]
        said = "\n      ".join([row.name, *(note for note in notes if note)])
        label = row.check or f"{row.seconds * 1000:6.0f} ms"
        rows.append([console.style(word, *colours), row.group, label, said])
    for line in table(rows):
        console.say(line)
    colour = "red" if verification.failed else "green"
    console.say(console.style(f"{session.stack}: {summary or verification.summary}", colour, "bold"))
