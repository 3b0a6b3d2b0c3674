"""Another program holds dpkg's lock while a package is missing: it is waited for, and never broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

HOLD_S = 20
HOLDER = f"""
import fcntl, time
held = [open(path, "w") for path in ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock")]
for each in held:
    fcntl.lockf(each, fcntl.LOCK_EX)
time.sleep({HOLD_S})
"""


def inject(lab: Lab) -> None:
    lab.shell("dpkg --remove --force-depends docker-compose >/dev/null")
    lab.background("exec python3 -", HOLDER, ends=True)


CASE = Case(
    id="bootstrap-dpkg-locked",
    title=f"dpkg's lock is held for {HOLD_S} s while a package is missing",
    rows=("F46",),
    strikes="run time",
    expected="healed",
    inject=inject,
    broken=lambda lab: (
        "" if lab.shell("docker compose version 2>/dev/null", check=False) else "there is no docker compose"
    ),
    restore=lambda lab: lab.shell(
        "docker compose version >/dev/null || apt-get -o DPkg::Lock::Timeout=60 install -y -q docker-compose",
        check=False,
    ),
    causes=("DPKG_LOCKED", "PACKAGE_MISSING"),
)
