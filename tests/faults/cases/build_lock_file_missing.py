"""The 2025-11-15 report's first failure: no lock file in the dashboard, and git ignores it: `npm ci` can't build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def inject(lab: Lab) -> None:
    (lab.workload / "dashboard/package-lock.json").unlink()
    lab.write(".gitignore", lab.read(".gitignore") + "package-lock.json\n")


CASE = Case(
    id="build-lock-file-missing",
    title="package-lock.json is missing and git-ignored in the published repository",
    rows=("U14", "F51"),
    strikes="deployment",
    expected="healed",
    inject=inject,
    causes=("LOCK_FILE_MISSING",),
    fast=True,
)
