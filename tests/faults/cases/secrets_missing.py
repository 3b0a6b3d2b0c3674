"""The seed's third failure: what only a person can give was not given, or left as a placeholder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def inject(lab: Lab) -> None:
    lab.set("RESEND_API_KEY: {source: generated}", "RESEND_API_KEY: {source: environment}")
    lab.set("ZOHO_CLIENT_SECRET: {source: generated}", "ZOHO_CLIENT_SECRET: {source: environment}")
    lab.environment["ZOHO_CLIENT_SECRET"] = "<CHANGE_ME_ZOHO>"


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
