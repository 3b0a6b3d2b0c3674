"""What hardening asks of a host: sshd as it is in effect, the packet filter as the kernel has it, kernel parameters."""

from __future__ import annotations

__all__ = [
    "ages_fact",
    "daemon_fact",
    "defs_act",
    "defs_fact",
    "files_act",
    "firewall_fact",
    "kernel_fact",
    "sshd_fact",
    "sysctl_act",
]

import fnmatch
import glob
import os
import re

from infra.transport.remote.engine import Engine, EngineRefusal
from infra.transport.remote.files import file_fact, write_act
from infra.transport.remote.processes import run
from infra.transport.remote.report import ActFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from infra.transport.remote.report import Reporter

_CONTAINER = "/run/systemd/container"
_SSHD_CONFIG = "/etc/ssh/sshd_config"
_SETTING = re.compile(r'\s*"?([A-Za-z]\w*)"?(?:\s*=\s*|\s+)(.*?)\s*$')
_DEEPEST = 16
"""How deep sshd follows `Include`."""
_NEVER = 99_999
"""Days; what shadow(5) takes for no expiry."""


def sshd_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Return sshd's version, the key exchanges it knows, where this connection comes from, and what is in effect.

    In effect is what `sshd -T` says of a login by `user` from the controller's address: the first value wins across
    all files, and `Match` blocks count. What other logins are told stands in `settings`: every option of every file but
    `ours`, with its value, and whether it stands before or after what `ours` says, or for some logins only ("match");
    `times` has the last change of each of those files.
    """
    client, _, server = os.environ.get("SSH_CONNECTION", "127.0.0.1 0 127.0.0.1 22").partition(" ")
    address, port = server.split(" ")[1:]
    match = f"user={probe['user']},host={client},addr={client},laddr={address},lport={port}"
    effective: dict[str, str] = {}
    for line in run(["sshd", "-T", "-C", match]).stdout.splitlines():
        name, _, value = line.partition(" ")
        effective[name] = f"{effective[name]} {value}" if name in effective else value
    others = settings(_SSHD_CONFIG, probe["ours"])
    version = re.search(r"OpenSSH_(\d+)\.(\d+)", run(["ssh", "-V"]).printed)
    return {
        "version": [int(number) for number in version.groups()] if version else [0, 0],
        "kex": run(["ssh", "-Q", "kex"]).stdout.split(),
        "controller": client,
        "effective": {name: effective.get(name, "") for name in probe["names"]},
        "settings": others,
        "times": {path: file_fact({"path": path}).get("changed_at") for path in {each["path"] for each in others}},
    }


def settings(config: str, ours: str) -> list[dict[str, str]]:
    """Return the settings of sshd's files but `ours`, in sshd's order: path, option, value, place."""
    found: list[dict[str, str]] = []
    place = "before"
    for path, option, value, is_conditional in _settings(config, ours, "", is_conditional=False, depth=0):
        if path == ours:
            place = "after"
        else:
            where = "match" if is_conditional else place
            found.append({"path": path, "option": option, "value": value, "place": where})
    return found


def _settings(
    path: str, ours: str, owner: str, *, is_conditional: bool, depth: int
) -> Iterator[tuple[str, str, str, bool]]:
    """Yield file, option, value and whether it is under `Match`; what a drop-in includes counts as its own.

    `ours` is yielded where it stands or would stand, without its options.
    """
    if path == ours:
        yield path, "", "", is_conditional
        return
    for line in _lines(path):
        setting = _SETTING.match(line)
        if not setting:
            continue
        option, value = setting[1].lower(), setting[2]
        is_conditional = is_conditional or option == "match"
        if option != "include":
            yield owner or path, option, value, is_conditional
        elif depth < _DEEPEST:
            for each in _included(value, ours):
                below = owner or (each if depth == 0 else path)
                yield from _settings(each, ours, below, is_conditional=is_conditional, depth=depth + 1)


def _included(value: str, ours: str) -> list[str]:
    found: list[str] = []
    for pattern in value.replace('"', "").split():
        whole = os.path.join(os.path.dirname(_SSHD_CONFIG), pattern)  # noqa: PTH118, PTH120
        own = [ours] if fnmatch.fnmatch(ours, whole) else []
        found += sorted({*glob.glob(whole), *own})  # noqa: PTH207
    return found


def firewall_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Compare the kernel's table with what the file says, both as this host's own nft prints them.

    The file is loaded into a network namespace that exists for this question only, so that any version of nft is
    compared with itself. `differs` holds the lines that do, at most ten.
    """
    listing = ["nft", "-s", "list", "table", *probe["table"].split()]
    live = run(listing)
    script = 'nft -f "$1" && shift && exec "$@"'
    wanted = run(["unshare", "--net", "sh", "-c", script, "wanted", probe["path"], *listing])
    changed = _changed(wanted.stdout, live.stdout)
    return {
        "loaded": live.exit_status == 0,
        "differs": changed[:10] if wanted.exit_status == 0 else [wanted.printed[-400:]],
    }


def _changed(wanted: str, live: str) -> list[str]:
    """Return the lines that only one of two texts has, marked as in a patch."""
    if wanted == live:
        return []
    import difflib  # noqa: PLC0415 (mostly there is nothing to compare)

    lines = difflib.unified_diff(wanted.splitlines(), live.splitlines(), lineterm="", n=0)
    told = (line for line in lines if line[:3] not in ("---", "+++") and not line.startswith("@@"))
    return [f"{line[:1]} {line[1:].strip()}" for line in told]


def kernel_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Return the named kernel parameters that there are, and whether the kernel is another machine's."""
    values: dict[str, str] = {}
    for name in probe["names"]:
        try:
            with open(_parameter(name), encoding="utf-8") as stream:  # noqa: PTH123
                values[name] = " ".join(stream.read().split())
        except OSError:
            continue  # this kernel does not have it
    return {"container": os.path.exists(_CONTAINER), "values": values}  # noqa: PTH110


def sysctl_act(act: dict[str, Any], report: Reporter) -> None:
    """Set kernel parameters; ActFailure naming the first that is refused."""
    del report
    for name, value in act["values"].items():
        try:
            with open(_parameter(name), "w", encoding="utf-8") as stream:  # noqa: PTH123
                stream.write(value)
        except OSError as error:
            raise ActFailure("SYSCTL_REFUSED", f"sysctl -w {name}={value}", error.errno, str(error)) from error


def daemon_fact(probe: dict[str, Any]) -> dict[str, bool | None]:
    """Tell whether containers outlive the daemon that runs now, and whether its chains stand; null where none runs."""
    del probe
    try:
        outlive = bool(Engine().get("/info")["LiveRestoreEnabled"])
    except EngineRefusal:
        return {"live_restore": None, "chains": None}
    chains = run(["iptables", "-w", "10", "-t", "nat", "-n", "-L", "DOCKER"])
    return {"live_restore": outlive, "chains": chains.exit_status == 0}


def ages_fact(probe: dict[str, Any]) -> dict[str, list[str]]:
    """Name the accounts that nobody opens with a password, whose password nevertheless expires."""
    del probe
    shells = {fields[0]: fields[6] for fields in map(_fields, _lines("/etc/passwd")) if len(fields) > 6}  # noqa: PLR2004
    expiring: list[str] = []
    for name, password, _, _, longest, *_ in map(_fields, _lines("/etc/shadow")):
        opens = shells.get(name, "").rpartition("/")[2] not in ("nologin", "false", "sync", "")
        if opens and password.startswith(("!", "*")) and longest.isdigit() and int(longest) < _NEVER:
            expiring.append(name)
    return {"expiring": expiring}


def defs_fact(probe: dict[str, Any]) -> dict[str, str]:
    """Return the values of the named keys in a file of `KEY value` lines; the last one counts."""
    found = dict(line.split(None, 1) for line in _lines(probe["path"]) if _is_value(line))
    return {name: found[name].strip() for name in probe["names"] if name in found}


def defs_act(act: dict[str, Any], report: Reporter) -> None:
    """Set keys in a file of `KEY value` lines and leave every other line, owner and mode as they are."""
    values: dict[str, str] = dict(act["values"])
    kept = [line for line in _lines(act["path"]) if not (_is_value(line) and line.split()[0] in values)]
    text = "\n".join([*kept, *(f"{name}\t{value}" for name, value in values.items())]) + "\n"
    found = file_fact({"path": act["path"]})
    import base64  # noqa: PLC0415 (a look writes nothing)

    content = base64.b64encode(text.encode()).decode()
    mode, owner = found["mode"] or "0644", found["owner"] or "root"
    write_act({"path": act["path"], "content": content, "owner": owner, "mode": mode}, report)


def files_act(act: dict[str, Any], report: Reporter) -> None:
    """Write `files` ({path, content, owner, mode}), with the directory each stands in; without content: gone.

    With `copy_of` in place of content the file becomes a copy of another.
    """
    for each in act["files"]:
        if "copy_of" in each:
            import shutil  # noqa: PLC0415 (as above)

            shutil.copy2(each["copy_of"], each["path"], follow_symlinks=False)
        elif "content" in each:
            os.makedirs(os.path.dirname(each["path"]), exist_ok=True)  # noqa: PTH103, PTH120
            write_act(each, report)
        elif os.path.lexists(each["path"]):
            os.unlink(each["path"])  # noqa: PTH108


def _fields(line: str) -> list[str]:
    return line.split(":")


def _is_value(line: str) -> bool:
    return not line.lstrip().startswith("#") and len(line.split(None, 1)) > 1


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            return stream.read().splitlines()
    except OSError:
        return []


def _parameter(name: str) -> str:
    return f"/proc/sys/{name.replace('.', '/')}"
