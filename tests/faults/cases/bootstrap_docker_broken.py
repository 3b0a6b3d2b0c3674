"""Docker's configuration is not JSON any more, and the engine does not come up."""

from faultcase import Case

CASE = Case(
    id="bootstrap-docker-broken",
    title="daemon.json does not parse, the engine is down",
    rows=("F66",),
    strikes="run time",
    expected="escalated",
    inject=lambda lab: lab.shell(
        "cp -a /etc/docker/daemon.json /root/lab-daemon.json; echo '{' > /etc/docker/daemon.json;"
        " systemctl stop docker.service docker.socket; systemctl start docker 2>/dev/null; true"
    ),
    broken=lambda lab: (
        "" if lab.shell("docker version >/dev/null 2>&1 && echo up", check=False) else "no engine answers"
    ),
    restore=lambda lab: lab.shell(
        "docker version >/dev/null 2>&1 || { cp -a /root/lab-daemon.json /etc/docker/daemon.json; systemctl reset-failed docker;"
        " systemctl start docker; }"
    ),
    disturbs=frozenset({"neighbour's start"}),
    causes=("DOCKER_BROKEN",),
    role="devops",
)
