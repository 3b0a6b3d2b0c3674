"""The bundler refuses the dashboard's source."""

from faultcase import Case

CASE = Case(
    id="build-code-failed",
    title="the dashboard's source does not compile",
    rows=("U16",),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.write(
        "dashboard/src/api.js", "export const broken = (;\n" + lab.read("dashboard/src/api.js")
    ),
    causes=("BUILD_CODE_FAILED",),
    role="devops",
    still_serves=True,
)
