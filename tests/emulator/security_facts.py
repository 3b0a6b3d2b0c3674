"""Security statements about what a droplet in a container cannot be: the facts are changed instead of the host.

After a change of `FACTS` the checks beside it must fail, as after a script of `security_breaks`. `AS_IT_IS` fails on any
emulated droplet; there the way to make it hold is what the facts are changed to.
"""

from __future__ import annotations

__all__ = ["AS_IT_IS", "FACTS"]

from typing import Any

from security_breaks import INSTALLED, SERVED

Facts = dict[str, Any]


def _with(facts: Facts, **changes: Any) -> Facts:
    return {**facts, **changes}


def _daemon(facts: Facts, **settings: Any) -> Facts:
    return _with(facts, daemon={**facts["daemon"], "file": {**facts["daemon"]["file"], **settings}})


def _engine(facts: Facts, **changes: Any) -> Facts:
    return _with(facts, engine={**facts["engine"], **changes})


def _without(facts: Facts, package: str) -> Facts:
    return _with(facts, packages=[each for each in facts["packages"] if each != package])


def _unlisted(facts: Facts, key: str) -> Facts:
    """The facts after a systemctl that could not list what is in use, or enabled."""
    return _with(facts, units={name: {**each, key: ""} for name, each in facts["units"].items()})


def _denied_by_another(facts: Facts) -> Facts:
    another = {**facts["files"]["/etc/cron.allow"], "owner": "daemon"}
    return _with(facts, files={**facts["files"], "/etc/cron.deny": another, "/etc/at.deny": another})


def _among_the_host_s_control_groups(facts: Facts) -> Facts:
    containers = {
        name: {**each, "host": {**each["host"], "CgroupnsMode": "host"}} for name, each in facts["containers"].items()
    }
    return _with(_engine(facts, cgroup_version="2"), containers=containers)


def _own_machine(facts: Facts) -> Facts:
    sysctl = {**facts["sysctl"], "kernel.randomize_va_space": "0", "kernel.yama.ptrace_scope": "0"}
    return _with(facts, virtualisation="kvm", sysctl=sysctl)


def _labelled(facts: Facts) -> Facts:
    containers = {
        name: {**each, "host": {**each["host"], "SecurityOpt": ["label=disable"]}}
        for name, each in facts["containers"].items()
    }
    return _with(_engine(facts, security=["name=selinux"]), containers=containers)


FACTS: list[tuple[str, Any]] = [
    (
        "debian-1.1.2.3.1 debian-1.1.2.4.1 debian-1.1.2.5.1 debian-1.1.2.6.1 debian-2.3.1.1 debian-6.2.1.1 debian-6.2.1.2 "
        "debian-1.5.1|in~force debian-1.5.2|in~force",
        _own_machine,
    ),
    ("docker-5.2 debian-1.3.1.1", lambda facts: _with(facts, apparmor=True)),
    ("docker-5.3", _labelled),
    (" ".join([*SERVED, "debian-6.1.1.4"]), lambda facts: _with(facts, units={})),
    (" ".join(SERVED), lambda facts: _unlisted(facts, "active")),
    (" ".join(SERVED), lambda facts: _unlisted(facts, "enabled")),
    (" ".join(INSTALLED), lambda facts: _with(facts, packages=[])),
    ("debian-2.1.21 debian-2.1.22", lambda facts: _with(facts, listening=[])),
    ("debian-2.4.1.8 debian-2.4.2.1", _denied_by_another),
    ("docker-5.25|control~groups~alone", _among_the_host_s_control_groups),
    ("greenroom-12", lambda facts: _with(facts, containers={})),
    ("docker-1.2.2", lambda facts: _engine(facts, version="19.03.1")),
    ("docker-2.6", lambda facts: _engine(facts, storage="aufs")),
    ("docker-2.7", lambda facts: _daemon(facts, hosts=["tcp://0.0.0.0:2375"])),
    ("debian-4.3.1", lambda facts: _without(facts, "nftables")),
    ("debian-5.2.1", lambda facts: _without(facts, "sudo")),
]
AS_IT_IS: list[tuple[str, Any]] = [
    ("docker-2.5", lambda facts: _engine(facts, insecure=[])),
    ("docker-2.9", lambda facts: _engine(facts, security=[*facts["engine"]["security"], "name=userns"])),
    ("docker-2.16", lambda facts: _daemon(facts, **{"userland-proxy": False})),
    ("debian-5.1.20", lambda facts: _with(facts, sshd={**facts["sshd"], "permitrootlogin": ["no"]})),
]
