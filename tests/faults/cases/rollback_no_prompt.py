"""Without a terminal nothing asks anything (U44): a verb that needs a yes says so at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case, nothing

if TYPE_CHECKING:
    from bed import Lab


def broken(lab: Lab) -> str:
    run = lab.greenroom("destroy", timeout_s=30)
    return (
        ""
        if run.status == 2 and run.seconds < 15
        else f"destroy without --yes ended with {run.status} after {run.seconds:.0f} s"
    )


CASE = Case(
    id="rollback-no-prompt",
    title="a verb that wants a yes does not wait for one where there is no terminal",
    rows=("U44",),
    strikes="run time",
    expected="prevented",
    inject=nothing,
    broken=broken,
)
