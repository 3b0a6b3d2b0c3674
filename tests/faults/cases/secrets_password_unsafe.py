"""A given password breaks the URL that it is put into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def inject(lab: Lab) -> None:
    text = lab.settings.read_text(encoding="utf-8")
    old = "      source: generated\n      length: 32\n      database:"
    assert text.count(old) == 1
    lab.settings.write_text(text.replace(old, "      source: environment\n      database:"), encoding="utf-8")
    lab.environment["POSTGRES_PASSWORD"] = "a#b@c%40!d/e:f-and-long-enough-to-pass"


CASE = Case(
    id="secrets-password-unsafe",
    title="the given database password breaks the URL it stands in",
    rows=("U15", "R03", "R04"),
    strikes="deployment",
    expected="escalated",
    inject=inject,
    causes=("PASSWORD_UNSAFE",),
    role="system administrator",
    disturbs=frozenset({"secrets"}),
)
