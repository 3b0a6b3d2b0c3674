"""A leftover of the stack's own project holds its port."""

from bed import APP
from faultcase import Case

LEFTOVER = (
    "docker run -d --name tsh_old_app --label com.docker.compose.project=tsh_erp_staging"
    " --label com.docker.compose.service=old_app --label com.docker.compose.oneoff=False"
    " -p 127.0.0.1:8002:6379 redis:7-alpine"
)

CASE = Case(
    id="compose-port-taken-by-ours",
    title="a leftover container of our own project holds 8002",
    rows=("U19",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"docker stop -t 3 {APP}; {LEFTOVER}; sleep 1"),
    broken=lambda lab: lab.container_broken(APP),
    restore=lambda lab: lab.shell("docker rm -f tsh_old_app; true"),
    causes=("PORT_TAKEN_BY_OURS", "CONTAINER_ALTERED"),
)
