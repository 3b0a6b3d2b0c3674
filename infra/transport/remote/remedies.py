"""What a healer may do on a host. Each act looks first, refuses what it must not do, acts, and looks again.

The precondition is checked here, in the act itself, whatever the controller believed: a container has to carry the
project's label, a unit has to be one of three, a configuration has to be valid, a certificate has to have expired. What
came of it is told by a second look, never by an exit status.
"""

from __future__ import annotations

__all__ = [
    "UNITS",
    "prune_images_act",
    "reload_proxy_act",
    "remove_container_act",
    "renew_certificate_act",
    "restart_service_act",
    "start_unit_act",
]

import contextlib
import functools
import json
import os
import re
import shutil
import time
from typing import TYPE_CHECKING, Any, TypedDict

from infra.transport.remote.engine import Engine, EngineRefusal
from infra.transport.remote.processes import run
from infra.transport.remote.proxy_state import CERTIFICATES, answers, file_configuration, running_configuration, trusted
from infra.transport.remote.prunable import PROJECT, dangling_images, filters_of, own_projects, unused_cache

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.transport.remote.report import Reporter

UNITS = ("docker.service", "containerd.service", "caddy.service")
_SERVICE = "com.docker.compose.service"
_ONE_OFF = "com.docker.compose.oneoff"
_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_PROXY = "caddy.service"
_POLL_S = 0.2
_GRACE_S = 10
"""How long a container may take to end by itself; Docker's own default."""
_LONGEST_GRACE_S = 60
_KILLED_WITHIN_S = 10.0
_UNIT_WITHIN_S = 30.0
_RENEWED_WITHIN_S = (10.0, 60.0)
"""By reading the configuration again; then from nothing, which ACME may need."""
_READ_AGAIN = ("expired", "none")
_LAID_BY = ("early", "other-name")
"""What the proxy takes for good as long as it lies in its store."""
_JOURNAL_LINES = 4


class Seen(TypedDict):
    """What an act leaves: how it was before, how it is now, and why nothing was done where that is so."""

    succeeded: bool
    before: str
    after: str
    refused: str


class _RefusalError(Exception):
    """The act's own precondition does not hold."""

    def __init__(self, why: str, before: str = "") -> None:
        super().__init__(why)
        self.before = before


def _looking(work: Callable[[dict[str, Any], Reporter], Seen]) -> Callable[[dict[str, Any], Reporter], None]:
    """Make an act of a function: what it saw, or why it refused, travels back with the answer."""

    @functools.wraps(work)
    def act(request: dict[str, Any], report: Reporter) -> None:
        try:
            seen = work(request, report)
        except _RefusalError as refusal:
            seen = Seen(succeeded=False, before=refusal.before, after="", refused=str(refusal))
        request["printed"] = json.dumps(seen)

    return act


# ---- containers


@_looking
def restart_service_act(act: dict[str, Any], report: Reporter) -> Seen:
    """Restart a service's container, also one that is stopped in its tracks, paused, or deaf to every signal but one.

    The same container with the same configuration runs again; it has to become healthy within `timeout_s`.
    """
    engine, service = Engine(), str(act["service"])
    own = [each for each in engine.containers(act["project"]) if _label(each, _SERVICE) == service]
    if len(own) != 1:
        raise _RefusalError(f"the project {act['project']} has {len(own)} containers of a service {service}")
    container = own[0]
    before = container["State"]
    _end(engine, container, report)
    engine.call("POST", f"/containers/{container['Id']}/start")
    report.say(f"{service} starts")
    now = _await_health(engine, container["Id"], float(act["timeout_s"]))
    good = now["Running"] and not now["Paused"] and now["StartedAt"] != before["StartedAt"]
    good = good and _health(now) in ("healthy", "none")
    return Seen(succeeded=good, before=_state(before), after=_state(now), refused="")


@_looking
def remove_container_act(act: dict[str, Any], report: Reporter) -> Seen:
    """Remove one container of the stack's own project, by name or id; every volume that it had stays."""
    engine, name = Engine(), str(act["container"])
    if not _CONTAINER.fullmatch(name):
        raise _RefusalError(f"{name[:60]!r} is no container's name")
    container = engine.inspect(name)
    if not container:
        raise _RefusalError(f"there is no container {name}")
    before = f"{container['Name'].lstrip('/')} {container['Id'][:12]}: {_state(container['State'])}"
    owner = _label(container, PROJECT)
    if owner != act["project"]:
        whose = f"belongs to the project {owner}" if owner else "belongs to no compose project"
        raise _RefusalError(f"the container {name} {whose}, not to {act['project']}", before)
    if not _made_by_compose(engine, container):
        raise _RefusalError(f"the container {name} only has its image's label: compose did not make it", before)
    if _label(container, _ONE_OFF).lower() == "true" and container["State"]["Running"]:
        raise _RefusalError(f"the container {name} runs a command of its own, such as a migration", before)
    volumes = [each["Name"] for each in container["Mounts"] if each["Type"] == "volume"]
    _end(engine, container, report)
    engine.call("DELETE", f"/containers/{container['Id']}", {"v": "false", "force": "false"})
    left = engine.inspect(container["Id"])
    lost = sorted(set(volumes) - {each["Name"] for each in engine.get("/volumes")["Volumes"] or []})
    after = "still there" if left else f"gone; {len(volumes) - len(lost)} of {len(volumes)} volumes are there"
    return Seen(succeeded=not left and not lost, before=before, after=after, refused="")


@_looking
def prune_images_act(act: dict[str, Any], report: Reporter) -> Seen:
    """Remove our dangling images, and build cache that nothing uses where nobody else has a container here.

    What has a name stays, and so does every volume, and whatever may be a neighbour's.
    """
    del act
    engine = Engine()
    root = str(engine.get("/info")["DockerRootDir"])
    before = _room(engine, root)
    if not before["dangling"] and not before["cache"]:
        raise _RefusalError("there is no dangling image and no unused build cache of ours", _room_text(before))
    report.say(f"{before['dangling']} own dangling images, {before['cache']} entries of build cache")
    for project in own_projects():
        engine.call("POST", "/images/prune", {"filters": filters_of(project)}, timeout_s=300.0)
    if before["cache"]:
        engine.call("POST", "/build/prune", {"all": "true"}, timeout_s=300.0)
    after = _room(engine, root)
    fewer = after["dangling"] + after["cache"] < before["dangling"] + before["cache"]
    return Seen(succeeded=fewer, before=_room_text(before), after=_room_text(after), refused="")


def _end(engine: Engine, container: dict[str, Any], report: Reporter) -> None:
    """Have a container end: by its own signal, else by the one that cannot be refused."""
    path, state = f"/containers/{container['Id']}", container["State"]
    if not state["Running"] and not state["Restarting"]:
        return
    if state["Paused"]:
        engine.call("POST", f"{path}/unpause")
    with contextlib.suppress(EngineRefusal):
        # One that somebody stopped in its tracks can only end in order when it goes on.
        engine.call("POST", f"{path}/kill", {"signal": "SIGCONT"})
    grace_s = min(int(container["Config"].get("StopTimeout") or _GRACE_S), _LONGEST_GRACE_S)
    try:
        engine.call("POST", f"{path}/stop", {"t": str(grace_s)}, timeout_s=grace_s + 15.0)
    except EngineRefusal as refusal:
        report.say(f"{container['Name'].lstrip('/')} does not stop: {refusal}")
    if engine.inspect(container["Id"])["State"]["Running"]:
        engine.call("POST", f"{path}/kill", {"signal": "SIGKILL"})
        _until(lambda: not engine.inspect(container["Id"])["State"]["Running"], _KILLED_WITHIN_S)


def _await_health(engine: Engine, container: str, timeout_s: float) -> dict[str, Any]:
    """Wait until a container is healthy, or runs where it has no check, or has ended; return its state then."""
    state: dict[str, Any] = {}

    def settled() -> bool:
        nonlocal state
        state = engine.inspect(container)["State"]
        return not (state["Running"] and _health(state) in ("starting", "unhealthy")) and not state["Restarting"]

    _until(settled, timeout_s)
    return state


def _until(holds: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _label(container: dict[str, Any], name: str) -> str:
    return str((container["Config"].get("Labels") or {}).get(name, ""))


def _made_by_compose(engine: Engine, container: dict[str, Any]) -> bool:
    """Whether the project's label is the container's own: compose labels the images that it builds, too."""
    if _label(container, _ONE_OFF):
        return True
    image = engine.get(f"/images/{container['Image']}/json")
    return PROJECT not in (image["Config"].get("Labels") or {})


def _health(state: dict[str, Any]) -> str:
    return str((state.get("Health") or {}).get("Status") or "none")


def _state(state: dict[str, Any]) -> str:
    ended = "" if state["Running"] else f", exit status {state['ExitCode']}{' (OOM)' if state['OOMKilled'] else ''}"
    return (
        f"{state['Status']}, health {_health(state)}, process {state['Pid']}, since {state['StartedAt'][:19]}Z{ended}"
    )


def _room(engine: Engine, root: str) -> dict[str, int]:
    """Tell what could be pruned, and how much room the engine's disk has, in bytes."""
    dangling, cache, disk = dangling_images(engine), unused_cache(engine), os.statvfs(root)
    return {"dangling": len(dangling), "cache": len(cache), "free": disk.f_bavail * disk.f_frsize}


def _room_text(room: dict[str, int]) -> str:
    return (
        f"{room['dangling']} own dangling images, {room['cache']} unused cache entries, {room['free'] >> 20} MiB free"
    )


# ---- units


@_looking
def start_unit_act(act: dict[str, Any], report: Reporter) -> Seen:
    """Start a unit of the allow-list, or restart one that is active and answers nobody."""
    unit = str(act["unit"])
    if unit not in UNITS:
        raise _RefusalError(f"{unit[:60]} is none of {', '.join(UNITS)}")
    facts = _unit(unit)
    before = _unit_text(unit, facts)
    if facts["LoadState"] != "loaded":
        raise _RefusalError(f"{unit} is {facts['LoadState']}: somebody decided that, or it is not installed", before)
    if _serves(unit):
        return Seen(succeeded=True, before=before, after=before, refused="")
    # Five starts in a row make systemd refuse a sixth, however good the reason is.
    run(["systemctl", "reset-failed", unit])
    verb = "restart" if facts["ActiveState"] in ("active", "reloading", "deactivating") else "start"
    report.say(f"{verb} {unit}")
    run(["systemctl", "--no-block", verb, unit])
    good = _until(lambda: _serves(unit), _UNIT_WITHIN_S)
    if not good and int(_unit(unit)["MainPID"] or 0):
        report.say(f"{unit} answers nobody: its process is killed")
        run(["systemctl", "kill", "--signal=SIGKILL", unit])
        run(["systemctl", "--no-block", "start", unit])
        good = _until(lambda: _serves(unit), _UNIT_WITHIN_S)
    after = _unit_text(unit, _unit(unit))
    return Seen(succeeded=good, before=before, after=after if good else f"{after}\n{_journal(unit)}", refused="")


def _unit(unit: str) -> dict[str, str]:
    properties = "LoadState,ActiveState,SubState,Result,MainPID"
    lines = run(["systemctl", "show", f"--property={properties}", unit]).stdout.splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    return {**dict.fromkeys(properties.split(","), ""), **found}


def _serves(unit: str) -> bool:
    """Whether a unit is active and does what it is for: an active daemon may answer nobody."""
    if _unit(unit)["ActiveState"] != "active":
        return False
    if unit == "docker.service":
        try:
            return Engine().call("GET", "/_ping", timeout_s=3.0) == b"OK"
        except EngineRefusal:
            return False
    return answers() if unit == _PROXY else True


def _unit_text(unit: str, facts: dict[str, str]) -> str:
    result = "" if facts["Result"] in ("success", "") else f", result {facts['Result']}"
    silent = ", answers nobody" if facts["ActiveState"] == "active" and not _serves(unit) else ""
    return f"{unit} {facts['ActiveState']} ({facts['SubState']}), process {facts['MainPID'] or 0}{result}{silent}"


def _journal(unit: str) -> str:
    """Return the last lines in which a unit, or systemd about it, tells of an error."""
    argv = ["journalctl", "--unit", unit, "--lines", "100", "--no-pager", "--output", "cat"]
    lines = run(argv, timeout_s=10.0).stdout.splitlines()
    telling = [line[:300] for line in lines if re.search(r"error|fail|fatal|denied", line, re.IGNORECASE)]
    return "\n".join(dict.fromkeys(telling[-_JOURNAL_LINES:]))


# ---- the proxy


@_looking
def reload_proxy_act(act: dict[str, Any], report: Reporter) -> Seen:
    """Validate the proxy's file, have it read, and compare what runs then with the file."""
    del act
    _expect_proxy()
    wanted = _valid_configuration()
    before = _compared(wanted)
    report.say("the proxy reads its configuration")
    run(["systemctl", "reload", _PROXY], timeout_s=30.0)
    good = _until(lambda: running_configuration() == wanted, 5.0)
    return Seen(succeeded=good, before=before, after=_compared(wanted), refused="")


@_looking
def renew_certificate_act(act: dict[str, Any], report: Reporter) -> Seen:
    """Have the proxy get the certificate of a name once more, if it has none that a visitor takes by name and time.

    Reading the configuration again makes it renew what has expired, and get what it lacks. Where that is not enough,
    the stored certificate is put aside and the proxy restarted, which also renews its own authority's intermediate;
    when nothing better comes of it, the old one is put back.
    """
    domain = str(act["domain"])
    _expect_proxy()
    served = trusted(domain)
    if served.verdict not in (*_READ_AGAIN, *_LAID_BY):
        raise _RefusalError(f"another certificate for {domain} is not called for: {served.text}", served.text)
    _valid_configuration()
    quick_s, whole_s = _RENEWED_WITHIN_S
    report.say(f"renew the certificate for {domain}")
    if served.verdict in _READ_AGAIN:
        run(["systemctl", "reload", _PROXY], timeout_s=30.0)
    if served.verdict in _LAID_BY or not _until(lambda: trusted(domain).verdict == "good", quick_s):
        aside = _put_aside(domain)
        run(["systemctl", "restart", _PROXY], timeout_s=60.0)
        if not _until(lambda: trusted(domain).verdict == "good", whole_s):
            _put_back(aside)
    now = trusted(domain)
    good = now.verdict == "good"
    after = now.text if good else f"{now.text}\n{_journal(_PROXY)}"
    return Seen(succeeded=good, before=served.text, after=after, refused="")


def _expect_proxy() -> None:
    facts = _unit(_PROXY)
    if facts["ActiveState"] != "active":
        raise _RefusalError("the proxy does not run", f"{_PROXY} {facts['ActiveState']} ({facts['SubState']})")


def _valid_configuration() -> Any:
    """Return what the proxy's file says; refuse where the proxy would not take it."""
    configuration, why = file_configuration()
    if why:
        raise _RefusalError(f"the proxy's file is not valid: {why}")
    return configuration


def _compared(wanted: Any) -> str:
    same = running_configuration() == wanted
    return "the running configuration is the file's" if same else "the running configuration is not the file's"


def _put_aside(domain: str) -> list[tuple[str, str]]:
    """Move the stored certificates of a name away, whoever issued them; return from where and to where."""
    moved: list[tuple[str, str]] = []
    mark = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for issuer in sorted(os.listdir(CERTIFICATES)) if os.path.isdir(CERTIFICATES) else []:  # noqa: PTH112, PTH208
        place = f"{CERTIFICATES}/{issuer}/{domain}"
        if os.path.isdir(place):  # noqa: PTH112
            os.rename(place, f"{place}.former-{mark}")  # noqa: PTH104
            moved.append((place, f"{place}.former-{mark}"))
    return moved


def _put_back(moved: list[tuple[str, str]]) -> None:
    for place, aside in moved:
        if os.path.isdir(place):  # noqa: PTH112
            shutil.rmtree(place)
        os.rename(aside, place)  # noqa: PTH104
