"""The compose file has a key that nobody knows."""

from faultcase import Case

CASE = Case(
    id="compose-file-bad",
    title="the compose file does not hold",
    rows=("F64",),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace(
        "docker-compose.staging.yml", "container_name: tsh_neurolink_staging", "container_nam: tsh_neurolink_staging"
    ),
    causes=("COMPOSE_FILE_BAD",),
    role="devops",
    still_serves=True,
)
