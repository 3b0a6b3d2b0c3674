"""Tells people of an incident on the channels of the stack's settings, with the secrets of the stack's own sources."""

from __future__ import annotations

__all__ = ["escalated"]

import functools
from typing import TYPE_CHECKING

from infra.errors import GreenroomError
from infra.healing.channels.telegram import Telegram
from infra.healing.channels.webhook import Webhook
from infra.healing.escalation import escalate
from infra.healing.pages import keep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.cli.session import Session
    from infra.healing.escalation import Channel
    from infra.healing.incident import Incident
    from infra.secret import Secret
    from infra.settings import Settings


def escalated(session: Session, incident: Incident, incidents: Path) -> Incident:
    """Write the incident with all its reports below `incidents`, tell whoever is asked, and write what became of it.

    Safe to repeat: a channel that has had the incident is not told again. Returns the incident as it was written last.
    """
    directory = keep(incident, incidents)
    told = escalate(incident, directory, _channels_or_why(session))
    if told != incident:
        keep(told, incidents)
    for moment in told.timeline[len(incident.timeline) :]:
        session.console.say(f"  {moment.text}")
    return told


def _channels_or_why(session: Session) -> dict[str, Callable[[], Channel]]:
    """Give the channels; settings that can't be read are one that fails, so that the file is written all the same."""
    try:
        return _channels(session)
    except GreenroomError as error:
        return {"settings": functools.partial(_failing, error)}


def _failing(error: GreenroomError) -> Channel:
    raise error


def _channels(session: Session) -> dict[str, Callable[[], Channel]]:
    from infra.settings import load_file  # noqa: PLC0415 - loads pydantic

    settings = load_file(session.root / f"Pulumi.{session.stack}.yaml", root=session.root)
    webhook, telegram = settings.healing.escalation.webhook, settings.healing.escalation.telegram
    channels: dict[str, Callable[[], Channel]] = {}
    if webhook:
        channels["webhook"] = lambda: Webhook(webhook.url, _secret(session, settings, webhook.secret))
    if telegram:
        token = telegram.token
        channels["telegram"] = lambda: Telegram(telegram.url, telegram.chat, _secret(session, settings, token))
    return channels


def _secret(session: Session, settings: Settings, name: str) -> Secret:
    """Read one secret from its source; raises ConfigurationError where it is missing or no good."""
    from infra.secret import gather, rules_of, sources_of  # noqa: PLC0415 - loads the clients of the sources

    only = _with_one(settings, name)
    secret = gather(rules_of(only), sources_of(only, session.stack, session.driver.config()))[name]
    session.console.redactor.add([secret.reveal()])
    return secret


def _with_one(settings: Settings, name: str) -> Settings:
    """Return the settings with one declared secret, so that no other source is asked."""
    return settings.model_copy(update={"secrets": {name: settings.secrets[name]}})
