"""A process of nobody's holds a port of the stack: its owner is named, and it lives on."""

from bed import APP
from faultcase import Case

LISTEN = "systemd-run -q --unit=lab-listener python3 -m http.server 8002 --bind 127.0.0.1"

CASE = Case(
    id="compose-port-taken",
    title="a foreign process listens on 8002",
    rows=("U19", "F65"),
    strikes="run time",
    expected="escalated",
    inject=lambda lab: lab.shell(f"docker stop -t 3 {APP}; sleep 0.5; {LISTEN}; sleep 1"),
    broken=lambda lab: lab.container_broken(APP),
    unharmed=lambda lab: (
        ""
        if "active" in lab.shell("systemctl is-active lab-listener", check=False).split()
        else "the listener was ended"
    ),
    restore=lambda lab: lab.shell("systemctl stop lab-listener; true"),
    causes=("PORT_TAKEN",),
    role="devops",
    watched=True,
)
