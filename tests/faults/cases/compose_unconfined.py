"""A container asks for the whole machine: refused before anything starts."""

from faultcase import Case

CASE = Case(
    id="compose-unconfined",
    title="the compose file makes a container privileged",
    rows=(),
    strikes="deployment",
    expected="escalated",
    inject=lambda lab: lab.replace(
        "docker-compose.staging.yml",
        "    container_name: tsh_neurolink_staging\n",
        "    container_name: tsh_neurolink_staging\n    privileged: true\n",
    ),
    causes=("COMPOSE_UNCONFINED",),
    role="devops",
    still_serves=True,
)
