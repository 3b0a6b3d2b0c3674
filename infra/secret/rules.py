"""What each secret of a stack has to look like, drawn from its settings and from where the environment uses it."""

from __future__ import annotations

__all__ = ["Rule", "rules_of"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.settings import Settings


@dataclass(frozen=True)
class Rule:
    """The demands on one value; plain data, so that the command line can keep it beside its verdict."""

    min_length: int = 8
    """In characters."""
    alphabet: str = "any"
    pattern: str = ""
    """A regular expression for the whole value; empty for none."""
    url: str = ""
    """The variable whose URL takes the value in as it is; empty for none."""
    is_database_password: bool = False

    @property
    def expected(self) -> str:
        """Say what is asked for, in words that fit after `expected`."""
        words = [f"a secret of at least {self.min_length} characters"]
        if self.alphabet != "any":
            words.append(f"made of {self.alphabet} characters")
        if self.pattern:
            words.append(f"like {self.pattern}")
        return ", ".join(words)


def rules_of(settings: Settings) -> dict[str, Rule]:
    """Give the rule of each declared secret."""
    from infra.commands.environment import flatten  # noqa: PLC0415 (as in infra.secret.declared)
    from infra.settings.templates import raw_in_url  # noqa: PLC0415 (as above)

    urls: dict[str, str] = {}
    for variable, value in settings.environment.items():
        for name in raw_in_url(flatten(value)):
            urls.setdefault(name, variable)
    return {
        name: Rule(
            min_length=setting.min_length,
            alphabet=setting.alphabet,
            pattern=setting.pattern or "",
            url=urls.get(name, ""),
            is_database_password=setting.database is not None,
        )
        for name, setting in settings.secrets.items()
    }
