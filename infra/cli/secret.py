"""`greenroom secrets`: what there is, what is wrong with it, values that people give, and new ones for old ones."""

from __future__ import annotations

__all__ = ["every_problem", "secrets"]

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from infra.cli.options import with_session
from infra.cli.session import Session  # noqa: TC001 - click looks at the signature
from infra.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.ops.secret_survey import Known, Row
    from infra.settings import Settings
    from infra.settings.model import SecretSetting

BAD_SECRETS = 2
GENERATED = "GeneratedSecret"
OF_THE_IMAGE = "POSTGRES_PASSWORD"
"""What PostgreSQL's image reads, and only while its volume is empty."""


@click.group()
def secrets() -> None:
    """List, check, set and rotate the stack's secrets; no value is ever printed."""


@secrets.command("list")
@with_session()
def list_all(session: Session) -> None:
    """Show every secret: source, place, state, last change, and the services that read it.

    \b
    greenroom secrets list -s staging
    greenroom secrets list -s staging --json      schema greenroom/secrets/1
    """  # noqa: D301 - click keeps the lines after this mark
    _survey(session, everything=True)


@secrets.command("check")
@with_session()
def check(session: Session) -> int:
    """Read every secret from its source and name all that are no good, at once. Exits 2 when there are any."""
    return _survey(session, everything=False)


@secrets.command("set")
@click.argument("name")
@with_session(documents=False)
def set_value(session: Session, name: str) -> None:
    """Encrypt the value of NAME into the stack file. The value is typed unseen, or comes by standard input.

    \b
    greenroom secrets set RESEND_API_KEY -s staging
    printf %s "$VALUE" | greenroom secrets set RESEND_API_KEY -s staging
    """  # noqa: D301 - click keeps the lines after this mark
    settings = _settings(session)
    setting = settings.secrets.get(name)
    if setting is None or setting.source != "config":
        found = "a name that is not declared" if setting is None else f"declared with source {setting.source}"
        expected = f"`{name}: {{source: config}}` under secrets"
        hint = f"greenroom secrets list -s {session.stack}"
        raise ConfigurationError([Problem(_file(session), name, found, expected)], hint=hint)
    _audited(session, "secrets set", name, partial(_taken, session, settings, name))


@secrets.command("rotate")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@with_session(documents=False)
def rotate(session: Session, *, names: tuple[str, ...]) -> None:
    """Ask for new values of NAMEs; the next `up` brings them to what reads them, and restarts nothing else.

    A generated secret gets a higher generation in the stack file. A config secret takes its new value as `set` does.
    Of others the place is named where the new value belongs.

    \b
    greenroom secrets rotate POSTGRES_PASSWORD SECRET_KEY -s staging
    greenroom preview -s staging
    greenroom up -s staging
    """  # noqa: D301 - click keeps the lines after this mark
    settings = _settings(session)
    unknown = [name for name in names if name not in settings.secrets]
    given = [name for name in names if name not in unknown and settings.secrets[name].source == "config"]
    problems = [
        Problem(_file(session), name, "a name that is not declared", "a name under secrets") for name in unknown
    ]
    if len(given) > 1 and not sys.stdin.isatty():
        problems += [Problem("standard input", name, "one value for several", "one name a command") for name in given]
    hint, password = "", settings.secrets.get(OF_THE_IMAGE)
    if OF_THE_IMAGE in names and password and not password.database:
        found = "no `database`, and without it the database on the volume keeps the old password"
        expected = (
            '`database: {service: NAME, role: "{{ POSTGRES_USER }}", name: "{{ POSTGRES_DB }}"}` beside its source'
        )
        problems.append(Problem(_file(session), f"secrets.{OF_THE_IMAGE}", found, expected))
        hint = f"greenroom secrets rotate {OF_THE_IMAGE} -s {session.stack}   # once it stands there"
    if problems:
        raise ConfigurationError(problems, hint=hint)
    for name in names:
        setting = settings.secrets[name]
        _audited(session, "secrets rotate", name, partial(_rotated, session, settings, name, setting))
    session.console.say(f"  next: greenroom preview -s {session.stack}, then greenroom up -s {session.stack}")


def _audited(session: Session, verb: str, name: str, change: Callable[[], str]) -> None:
    """Change one secret, say so, and record it; without a passphrase nothing could be recorded, so nothing is done."""
    from infra.cli.audit import append  # noqa: PLC0415 - verbs that only look append nothing

    _ = session.passphrase
    told = change()
    session.console.say(told)
    append(session, verb, name, why="asked on the command line", after=told)


def _taken(session: Session, settings: Settings, name: str) -> str:
    _take(session, settings, name)
    return f"{_file(session)}: {name} is set"


def _rotated(session: Session, settings: Settings, name: str, setting: SecretSetting) -> str:
    """Do what can be done for one secret here; return what to tell."""
    from infra.secret import sources_of  # noqa: PLC0415 - other verbs don't need it
    from infra.settings.edit import with_generation  # noqa: PLC0415 - as above

    if setting.source == "config":
        _take(session, settings, name, anew=True)
        return f"{_file(session)}: {name} has a new value"
    if setting.source != "generated":
        advice = sources_of(settings, session.stack, {})[name].advice(name)
        return f"{name}: give the new value to its source: {advice}"
    path = session.root / _file(session)
    generation = setting.generation + 1
    changed = with_generation(path.read_text(encoding="utf-8"), name, generation)
    if changed is None:
        expected = f"`generation: {generation}`, written there by hand"
        problem = Problem(_file(session), f"secrets.{name}", "a style this can't edit", expected)
        raise ConfigurationError([problem], hint=f"greenroom preview -s {session.stack}   # once it stands there")
    temporary = path.with_suffix(".yaml.new")
    temporary.write_text(changed, encoding="utf-8")
    temporary.chmod(path.stat().st_mode & 0o777)
    temporary.replace(path)
    whose = f"; {setting.database.service} gets it before anything restarts" if setting.database else ""
    return f"{_file(session)}: {name}: generation {generation}{whose}"


def _take(session: Session, settings: Settings, name: str, *, anew: bool = False) -> None:
    """Read a value, judge it, and encrypt it into the stack file; `anew` refuses the one that is there."""
    from infra.secret import rules_of, weakness  # noqa: PLC0415 - as above

    value = click.prompt(name, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    value = value.removesuffix("\n")
    session.console.redactor.add([value])
    rule = rules_of(settings)[name]
    wrong = weakness(value, rule)
    if not wrong and anew and session.driver.config().get(name) == value:
        wrong = "the value that it has already"
    if wrong:
        hint = f"greenroom secrets set {name} -s {session.stack}"
        raise ConfigurationError([Problem(_file(session), name, wrong, rule.expected)], hint=hint)
    session.driver.set_secret(name, value)


def every_problem(session: Session) -> ConfigurationError | None:
    """Ask every source and return all problems as one error; None where the stack's own values can't be opened."""
    from infra.ops.secret_survey import Known, survey  # noqa: PLC0415 - as above
    from localcloud.engine import EngineError  # noqa: PLC0415 - as above

    try:
        config = session.driver.config()
    except (ConfigurationError, EngineError):
        return None
    _, problems, hint = survey(_settings(session), session.stack, config, Known())
    return ConfigurationError(problems, hint=hint) if problems else None


def _survey(session: Session, *, everything: bool) -> int:
    """Print the rows, all of them or those with problems, and give the exit code of a check."""
    from infra.ops.secret_survey import survey, survey_document  # noqa: PLC0415 - as above

    settings = _settings(session)
    config = session.driver.config()
    session.console.redactor.add(config[name] for name in settings.secrets if name in config)
    rows, problems, hint = survey(settings, session.stack, config, _known(session))
    if session.as_json:
        session.console.document(survey_document(session.stack, rows, problems))
    elif everything:
        _print(session, rows)
    for problem in problems if not everything else ():
        session.console.say(f"error: {problem}")
    if not everything:
        words = f"{len(problems)} of {len(rows)} secrets are no good" if problems else f"all {len(rows)} secrets hold"
        session.console.say(f"{session.stack}: {words}" + (f"\n  next: {hint}" if hint else ""))
    return BAD_SECRETS if problems and not everything else 0


def _print(session: Session, rows: list[Row]) -> None:
    from infra.cli.render import table  # noqa: PLC0415 - as above

    cells = [
        [row.name, row.source, row.where, row.state, row.changed or "-", " ".join(row.readers) or "-"] for row in rows
    ]
    for line in table(cells, header=["SECRET", "SOURCE", "WHERE", "STATE", "CHANGED", "READ BY"]):
        session.console.data(line)
    for row in rows:
        if row.detail:
            session.console.say(f"{row.name}: {row.detail}")


def _known(session: Session) -> Known:
    """Take from the state what it remembers of secrets."""
    from infra.ops.secret_survey import Known  # noqa: PLC0415 - as above

    if not session.driver.exists():
        return Known()
    resources = session.driver.resources()
    stacks = [each.outputs for each in resources if each.name == "compose-stack"]
    return Known(
        generated={each.name: each.outputs for each in resources if each.type.endswith(f":{GENERATED}")},
        readers=(stacks[0].get("readers") or {}) if stacks else {},
    )


def _settings(session: Session) -> Settings:
    from infra.settings import load_file  # noqa: PLC0415 - loads pydantic

    return load_file(session.root / _file(session), root=session.root)


def _file(session: Session) -> str:
    return f"Pulumi.{session.stack}.yaml"
