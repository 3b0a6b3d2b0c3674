"""The Dockerfile copies a file that was moved."""

from faultcase import Case

CASE = Case(
    id="build-file-missing",
    title="the Dockerfile copies a file that is not there",
    rows=("U13",),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace("Dockerfile", "COPY alembic.ini ./", "COPY database/alembic.ini ./"),
    causes=("BUILD_FILE_MISSING",),
    role="devops",
    still_serves=True,
)
