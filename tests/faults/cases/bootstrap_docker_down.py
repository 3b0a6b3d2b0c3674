"""The Docker engine is down; with live-restore its containers go on serving."""

from faultcase import Case

CASE = Case(
    id="bootstrap-docker-down",
    title="the Docker engine was stopped",
    rows=("F66",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell("systemctl stop docker.service docker.socket"),
    broken=lambda lab: (
        "" if lab.shell("docker version >/dev/null 2>&1 && echo up", check=False) else "no engine answers"
    ),
    causes=("DOCKER_DOWN",),
    disturbs=frozenset({"neighbour's start"}),
    watched=True,
)
