"""sshd is gone for good, so that nobody gets in: a person has to use the panel's console."""

from faultcase import Case

CASE = Case(
    id="provision-sshd-gone",
    title="sshd was stopped, for good",
    rows=("F39", "F99"),
    strikes="run time",
    expected="escalated",
    inject=lambda lab: lab.shell("systemctl stop ssh; pkill -x sshd; true"),
    broken=lambda lab: "" if "active" in lab.shell("systemctl is-active ssh", check=False).split() else "sshd is down",
    restore=lambda lab: lab.shell("systemctl start ssh"),
    causes=("HOST_SILENT",),
    role="system administrator",
)
