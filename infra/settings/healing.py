"""The settings of healing: whom to tell, and what may be done beyond the droplet."""

from __future__ import annotations

__all__ = ["Escalation", "HealingSettings", "TelegramChannel", "WebhookChannel"]

from typing import Annotated

from pydantic import Field, model_validator

from infra.settings import fields
from infra.settings.base import Model, expected, expects


class WebhookChannel(Model):
    """A webhook that is told what healing leaves to people; docs/healing.md describes the request."""

    url: Annotated[str, expects(fields.channel_url)]
    secret: Annotated[str, expects(fields.secret_name)]
    """The declared secret that signs each request; whoever receives them has it too."""


class TelegramChannel(Model):
    """A Telegram chat that is told the same."""

    chat: Annotated[str, expects(fields.telegram_chat)]
    """The chat's number, in quotes, or a channel's @name."""
    token: Annotated[str, expects(fields.secret_name)]
    """The declared secret that holds the bot's token."""
    url: Annotated[str, expects(fields.channel_url)] = "https://api.telegram.org"
    """The Bot API's address; another one for a server of your own."""


class Escalation(Model):
    """Who is told, besides the file in the incident's directory."""

    webhook: WebhookChannel | None = None
    telegram: TelegramChannel | None = None

    @property
    def secrets(self) -> dict[str, str]:
        """Name the declared secrets that Greenroom needs for itself, by the setting that does."""
        named = {
            "webhook.secret": self.webhook.secret if self.webhook else None,
            "telegram.token": self.telegram.token if self.telegram else None,
        }
        return {setting: name for setting, name in named.items() if name}


class HealingSettings(Model):
    """What healing may do beyond the droplet; see docs/healing.md and docs/decisions/0015-a-patch-is-offered.md."""

    escalation: Escalation = Field(default_factory=Escalation)
    """Whom to tell of what healing leaves to people."""
    push: bool = False
    """Whether the branch with a patch may be pushed to the workload's repository."""
    deploy_patched: bool = False
    """Whether such a branch is deployed as long as the commit that it mends is the newest of `workload.branch`."""
    branch_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*[/-]$")] = (
        "greenroom/heal-"
    )
    """How the branches are called; the first 12 digits of the commit that one mends follow."""

    @model_validator(mode="after")
    def _pushes_what_it_deploys(self) -> HealingSettings:
        if self.deploy_patched and not self.push:
            raise expected("deployPatched with push: true only, as the droplet fetches the branch")
        return self
