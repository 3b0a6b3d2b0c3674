"""Where secrets come from: stack config, environment, AWS, Vault, or made once and remembered in state.

The package's name is singular on purpose: Pulumi puts the program's own directory first on the module path, and a
folder called `secrets` there would take the place of the standard library's module.
"""

from __future__ import annotations

__all__ = [
    "ConfigSource",
    "EnvironmentSource",
    "Found",
    "Rule",
    "Secret",
    "SecretError",
    "SecretSource",
    "gather",
    "look",
    "rules_of",
    "sources_of",
    "weakness",
]

from infra.secret.declared import sources_of
from infra.secret.rules import Rule, rules_of
from infra.secret.sources import (
    ConfigSource,
    EnvironmentSource,
    Found,
    Secret,
    SecretError,
    SecretSource,
    gather,
    look,
)
from infra.secret.strength import weakness
