"""Changes that could lock everybody out: the host itself takes them back unless somebody gets in anew and confirms.

Before anything is touched the old files are kept under `/var/lib/greenroom/access/pending-ID`, beside a script that
puts them back, and a timer of systemd is armed that runs it. Whoever renames that directory first has decided:
`confirm` (sent over a connection made after the change) or `undo` (the timer, or a unit at the next boot). Nothing here
needs the controller to live on: its death leaves the change unconfirmed.
"""

from __future__ import annotations

__all__ = ["guard_act", "pending_fact", "undo_pending_act"]

import glob
import os
import shlex
import shutil
import time

from infra.transport.remote.hardening import files_act
from infra.transport.remote.processes import run
from infra.transport.remote.report import ActFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.transport.remote.report import Reporter

HOME = "/var/lib/greenroom/access"
_UNIT = "/etc/systemd/system/greenroom-undo.service"
_WANTED = "/etc/systemd/system/sysinit.target.wants/greenroom-undo.service"
_BOOT = f"""# Written by Greenroom: a change of the ways in that nobody confirmed does not survive a reboot.
[Unit]
Description=Undo an unconfirmed change of sshd or the firewall
DefaultDependencies=no
RequiresMountsFor={HOME}
After=local-fs.target
Before=nftables.service ssh.service ssh.socket sysinit.target
ConditionPathExistsGlob={HOME}/*ing-*

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for each in {HOME}/*ing-*/undo; do sh "$each" boot; done'

[Install]
WantedBy=sysinit.target
"""
# One place decides: the rename. A second undo after a cut finds `undoing-ID` and puts the same files back again.
_UNDO = """#!/bin/sh
# Written by Greenroom: puts the files back as they were before change {id}. `boot`: the services are not up yet.
cd {home} || exit 1
mv -T pending-{id} undoing-{id} 2>/dev/null
[ -d undoing-{id} ] || exit 0
{{
echo "undone at $(date -u +%FT%TZ) (${{1:-by the timer}})"
{restore}
sync
if [ "${{1:-}}" != boot ]; then
{reload}
journalctl --no-pager --quiet --lines=8 --output=cat --unit=ssh.service
fi
}} >undoing-{id}/log 2>&1
rm -rf undone-*
mv -T undoing-{id} undone-{id}
"""
_CONFIRM = """#!/bin/sh
# Written by Greenroom: exit status 3 says that the change has been undone already.
cd {home} && mv -T pending-{id} confirmed-{id} 2>/dev/null || exit 3
systemctl stop greenroom-undo-{id}.timer
rm -rf confirmed-{id} undone-*
"""


def pending_fact(probe: dict[str, Any]) -> dict[str, list[str]]:
    """Name the changes that wait for their confirmation."""
    del probe
    return {"changes": [os.path.basename(path).partition("-")[2] for path in _unconfirmed()]}  # noqa: PTH119


def guard_act(act: dict[str, Any], report: Reporter) -> None:
    """Change files and have services read them, armed to be undone within `within_s` seconds.

    `files` are `{path, content, owner, mode}`, without content where the file is to go; `checks` are `{argv, code}`,
    run before `apply`; `undo` are the commands that make services read the old files again. A check or command that
    fails is undone at once: ActFailure with its code, or APPLY_FAILED.
    """
    undo_pending_act(act, report)
    place = f"{HOME}/pending-{act['id']}"
    os.makedirs(f"{place}/files", mode=0o700)  # noqa: PTH103
    restore = [_keep(each["path"], f"files/{number}", place) for number, each in enumerate(act["files"])]
    reload = [shlex.join(argv) for argv in act["undo"]]
    names = {"home": HOME, "id": act["id"], "restore": "\n".join(restore), "reload": "\n".join(reload) or ":"}
    _script(f"{place}/confirm", _CONFIRM.format(**names))
    _script(f"{place}/undo", _UNDO.format(**names))
    _arm(act, place)
    try:
        _change(act, report)
    except BaseException:
        run(["sh", f"{place}/undo", "at once"])
        run(["systemctl", "stop", f"greenroom-undo-{act['id']}.timer"])
        raise


def undo_pending_act(act: dict[str, Any], report: Reporter) -> None:
    """Take back what an earlier run left unconfirmed, so that there is one change at a time."""
    del act
    for path in _unconfirmed():
        report.say(f"undo change {path.rpartition('-')[2]}, which nobody confirmed")
        run(["sh", f"{path}/undo", "by the next run"])


def _unconfirmed() -> list[str]:
    return sorted(glob.glob(f"{HOME}/*ing-*"))  # noqa: PTH207


def _keep(path: str, name: str, place: str) -> str:
    """Copy a file with owner, mode and times; return the shell line that brings back what is there now."""
    target = shlex.quote(path)
    if not os.path.lexists(path):
        return f"rm -f {target}"
    kept = f"{place}/{name}"
    shutil.copy2(path, kept, follow_symlinks=False)
    found = os.lstat(path)
    os.chown(kept, found.st_uid, found.st_gid, follow_symlinks=False)
    aside = shlex.quote(f"{path}.greenroom-undo")
    source = f'"$PWD"/{os.path.basename(place).replace("pending", "undoing")}/{name}'  # noqa: PTH119
    return f"cp -a {source} {aside} && mv -fT {aside} {target}"


def _script(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as stream:  # noqa: PTH123
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _arm(act: dict[str, Any], place: str) -> None:
    """Have the host undo the change by itself: by a timer, and at the next boot. Not armed, nothing is changed."""
    if not os.path.exists(_WANTED) or _text(_UNIT) != _BOOT:  # noqa: PTH110
        _script(_UNIT, _BOOT)
        os.makedirs(os.path.dirname(_WANTED), exist_ok=True)  # noqa: PTH103, PTH120
        if not os.path.lexists(_WANTED):
            os.symlink(_UNIT, _WANTED)  # noqa: PTH211 (see report)
    os.sync()
    argv = ["systemd-run", "--quiet", "--collect", f"--unit=greenroom-undo-{act['id']}"]
    argv += [f"--on-active={int(act['within_s'])}s", "--timer-property=AccuracySec=100ms"]
    argv += ["--property=DefaultDependencies=no", "/bin/sh", f"{place}/undo"]
    armed = run(argv)
    if armed.exit_status:
        shutil.rmtree(place)
        raise ActFailure("GUARD_NOT_ARMED", shlex.join(argv), armed.exit_status, armed.printed, "systemctl status")


def _change(act: dict[str, Any], report: Reporter) -> None:
    files_act(act, report)
    for check in act["checks"]:
        _run(check["argv"], check["code"])
    for argv in act["apply"]:
        _run(argv, "APPLY_FAILED")
    report.say(f"changed; undone by the host after {int(act['within_s'])} s unless confirmed over a new connection")


def _run(argv: list[str], code: str) -> None:
    began = time.monotonic()
    finished = run(argv, timeout_s=30.0)
    if finished.exit_status:
        evidence = f"{finished.printed}\nundone at once, {time.monotonic() - began:.1f} s later"
        raise ActFailure(code, shlex.join(argv), finished.exit_status, evidence, "")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:  # noqa: PTH123
            return stream.read()
    except OSError:
        return ""
