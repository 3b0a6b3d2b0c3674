"""The application is killed for memory: what fills its memory-backed /tmp counts against its limit."""

from bed import APP
from faultcase import Case

CASE = Case(
    id="compose-out-of-memory",
    title="the application was OOM-killed by its own limit, and nobody restarts it",
    rows=(),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(
        f"docker update --restart no {APP} >/dev/null;"
        f" echo 1000 > /proc/$(docker inspect -f '{{{{.State.Pid}}}}' {APP})/oom_score_adj;"
        f" docker exec {APP} dd if=/dev/zero of=/tmp/fill bs=1M count=1100 || true; sleep 1"
    ),
    broken=lambda lab: lab.container_broken(APP),
    causes=("SERVICE_OUT_OF_MEMORY",),
    watched=True,
)
