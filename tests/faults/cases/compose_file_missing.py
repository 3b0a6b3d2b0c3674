"""The declared compose file is not in the repository."""

from faultcase import Case

CASE = Case(
    id="compose-file-missing",
    title="the compose file was renamed, the settings were not",
    rows=("U35",),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: (lab.workload / "docker-compose.staging.yml").rename(lab.workload / "compose.staging.yml"),
    causes=("COMPOSE_FILE_BAD",),
    role="devops",
    still_serves=True,
)
