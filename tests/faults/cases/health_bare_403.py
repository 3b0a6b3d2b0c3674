"""An endpoint that wants a token answers 401 or 403 without one: that is no fault, and nothing is done about it."""

import subprocess

from faultcase import Case

PATH = "/api/bff/salesperson/gps/sync-status"

CASE = Case(
    id="health-bare-403",
    title="a protected endpoint refuses a caller without a token",
    rows=("R23",),
    strikes="run time",
    expected="nothing to do",
    inject=lambda lab: subprocess.run(["test", str(lab.https(PATH)), "-ge", "401"], check=True),
)
