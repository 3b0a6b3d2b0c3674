"""Gives each declared secret the source that its settings name; the clients behind AWS and Vault load when asked."""

from __future__ import annotations

__all__ = ["sources_of"]

import os
from typing import TYPE_CHECKING

from infra.secret.sources import ConfigSource, EnvironmentSource, SecretSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings import Settings


def sources_of(
    settings: Settings, stack: str, config: Mapping[str, str], environment: Mapping[str, str] | None = None
) -> dict[str, SecretSource]:
    """Give the source of every secret that is not generated.

    `config` is the stack's configuration, decrypted, without its namespace; `environment` is the process's own where
    it is None.
    """
    from infra.settings.model import SECRET_NAME  # noqa: PLC0415 (loads pydantic; a caller that has settings has it)

    variables = os.environ if environment is None else environment
    own = {name: value for name, value in config.items() if SECRET_NAME.fullmatch(name)}
    made: dict[str, SecretSource] = {
        "config": ConfigSource(stack, own),
        "environment": EnvironmentSource(variables),
    }
    used = {setting.source for setting in settings.secrets.values()}
    if "aws" in used:
        made["aws"] = _aws(settings)
    if "vault" in used:
        made["vault"] = _vault(settings, variables)
    return {name: made[setting.source] for name, setting in settings.secrets.items() if setting.source != "generated"}


def _aws(settings: Settings) -> SecretSource:
    from infra.secret.aws import AwsPlace, AwsSource  # noqa: PLC0415 (only stacks that keep secrets there)

    declared = settings.secrets.items()
    return AwsSource({name: AwsPlace(each.id, each.key) for name, each in declared if each.id is not None})


def _vault(settings: Settings, environment: Mapping[str, str]) -> SecretSource:
    from infra.secret.vault import VaultPlace, VaultSource  # noqa: PLC0415 (as above)

    declared = settings.secrets.items()
    places = {name: VaultPlace(each.path, each.key or name) for name, each in declared if each.path is not None}
    return VaultSource(places, environment)
