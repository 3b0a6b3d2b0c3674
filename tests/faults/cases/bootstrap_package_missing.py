"""A package that the host needs was removed."""

from faultcase import Case

CASE = Case(
    id="bootstrap-package-missing",
    title="the compose plugin was removed from the host",
    rows=("U31", "U35"),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell("dpkg --remove --force-depends docker-compose >/dev/null"),
    broken=lambda lab: (
        "" if lab.shell("docker compose version 2>/dev/null", check=False) else "there is no docker compose"
    ),
    restore=lambda lab: lab.shell(
        "docker compose version >/dev/null || apt-get -o DPkg::Lock::Timeout=60 install -y -q docker-compose",
        check=False,
    ),
    causes=("PACKAGE_MISSING",),
)
