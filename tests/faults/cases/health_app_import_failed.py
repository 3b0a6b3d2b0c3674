"""The new code imports a module that no requirement brings."""

from faultcase import Case

CASE = Case(
    id="health-app-import-failed",
    title="the application imports a module that is not installed",
    rows=("U04", "U37", "R13", "F73"),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace("erp/health.py", "import os\n", "import os\n\nimport socketio  # noqa: F401\n"),
    causes=("APP_IMPORT_FAILED",),
    role="devops",
)
