"""The 2025-11-15 report's third failure: what only a person can give was not given, or left a placeholder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def inject(lab: Lab) -> None:
    for name in ("RESEND_API_KEY", "ZOHO_CLIENT_SECRET"):
        text = lab.settings.read_text(encoding="utf-8")
        lab.settings.write_text(
            text.replace(f"{name}: {{source: generated}}", f"{name}: {{source: environment}}"), encoding="utf-8"
        )
    lab.environment |= {"RESEND_API_KEY": "", "ZOHO_CLIENT_SECRET": "<CHANGE_ME_ZOHO>"}


CASE = Case(
    id="secrets-missing",
    title="an external secret was not given, another is a placeholder",
    rows=("U47", "F01", "F02", "U23"),
    strikes="deployment",
    expected="escalated",
    inject=inject,
    causes=("SECRET_MISSING",),
    role="system administrator",
    still_serves=True,
    fast=True,
)
