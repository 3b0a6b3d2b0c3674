"""A directory that containers write to belongs to root: uploads fail."""

from bed import DIRECTORY
from faultcase import Case

CASE = Case(
    id="compose-directory-owner",
    title="the upload directory belongs to root",
    rows=("R12", "U39"),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"cd {DIRECTORY} && chown root:root uploads/staging && chmod 0755 uploads/staging"),
    broken=lambda lab: "" if lab.https("/ready") == 200 else "the application is not ready",
    causes=("DIRECTORY_OWNER",),
    watched=True,
)
