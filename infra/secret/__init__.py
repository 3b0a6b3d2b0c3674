"""Where secrets come from: stack config, environment, or made once and remembered in state.

The package's name is singular on purpose: Pulumi puts the program's own directory first on the module path, and a
folder called `secrets` there would take the place of the standard library's module.
"""

from __future__ import annotations

__all__ = ["ConfigSource", "EnvironmentSource", "Secret", "SecretSource", "gather", "weakness"]

from infra.secret.sources import ConfigSource, EnvironmentSource, Secret, SecretSource, gather
from infra.secret.strength import weakness
