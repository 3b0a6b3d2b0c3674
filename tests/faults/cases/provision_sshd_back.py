"""sshd is absent for a while: the host is waited for, with patience that ends."""

from faultcase import Case

CASE = Case(
    id="provision-sshd-back",
    title="sshd is absent for 25 s",
    rows=("F39", "F41", "F50"),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(
        "systemd-run -q --on-active=25 --timer-property=AccuracySec=100ms systemctl start ssh; systemctl stop ssh; pkill -x sshd; true"
    ),
    broken=lambda lab: "" if "active" in lab.shell("systemctl is-active ssh", check=False).split() else "sshd is down",
    restore=lambda lab: lab.shell("systemctl start ssh"),
    causes=("HOST_SILENT",),
)
