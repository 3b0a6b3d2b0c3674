"""What counts as broken at run time, decided from one look after another; pure, without a clock of its own.

A hard fact (a container that has exited, a unit that failed, an expired certificate) is believed at once; anything that
can be a passing weakness (an answer that did not come, a disk that is nearly full) has to be seen in two looks running.
While a deployment runs nothing counts, and a service that is still starting excuses the paths behind it for a while.
"""

from __future__ import annotations

__all__ = ["Alarm", "Change", "Detector", "Look", "Sign", "signs_of"]

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from infra.healing.model import Stage

LOOKS_RUNNING = 2
FULL_PERCENT = 95.0
START_GRACE_S = 180.0
"""How long a service may be starting before that itself is a sign."""
QUIET_S = (60.0, 3600.0)
"""After a sign was handed over it is not handed over again for this long, doubled each time up to the second."""
_OK = 200
_DEAD = ("exited", "created", "dead", "removing", "missing")
_HARD_VERDICTS = ("expired", "none")


@dataclass(frozen=True)
class Look:
    """What one look saw."""

    at: float
    """Seconds of a clock that only goes forward."""
    wall: str
    """RFC 3339 in UTC."""
    busy: str = ""
    """Why nothing counts just now, such as a deployment that runs; nothing else was looked at then."""
    unreachable: str = ""
    """Why the host did not answer."""
    offline: bool = False
    """Whether it is this machine that has no network."""
    vitals: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The answer to `vitals`, as `infra.transport.remote.vitals` has it."""
    answers: Mapping[str, int] = field(default_factory=dict[str, int])
    """Status of each public path, 0 for no answer."""


@dataclass(frozen=True)
class Sign:
    """One thing that is not as it should be."""

    key: str
    """What it is about; the same fault has the same key in each look."""
    text: str
    stage: Stage
    hard: bool = False
    since: str = ""
    """When it began, where the host knows that."""


@dataclass(frozen=True)
class Alarm:
    """What is handed over: every sign that is believed."""

    signs: tuple[Sign, ...]
    at: str


@dataclass(frozen=True)
class Change:
    """What a look changed: one line each, and what is to be healed."""

    lines: tuple[str, ...] = ()
    alarm: Alarm | None = None
    suspicious: bool = False
    """Whether something was seen that one more look will decide: the next one should not wait."""


@dataclass
class Detector:
    """Turns looks into alarms for one stack."""

    services: tuple[str, ...]
    """Which services there should be."""
    _seen: dict[str, int] = field(default_factory=dict[str, int], init=False)
    _known: dict[str, Sign] = field(default_factory=dict[str, Sign], init=False)
    _quiet: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]], init=False)
    _starting: dict[str, float] = field(default_factory=dict[str, float], init=False)
    _state: str = field(default="", init=False)

    def observe(self, look: Look) -> Change:
        """Take one look in."""
        state = "busy" if look.busy else "offline" if look.offline else "watching"
        lines = [] if state == self._state else [_spoken(state, look)]
        self._state = state
        if state != "watching":
            self._seen.clear()
            self._starting.clear()
            return Change(tuple(lines))
        signs = {each.key: each for each in signs_of(look, self.services, self._ages(look))}
        lines += self._compared(signs)
        self._seen = {key: self._seen.get(key, 0) + 1 for key in signs}
        believed = [each for key, each in signs.items() if each.hard or self._seen[key] >= LOOKS_RUNNING]
        due = [each for each in believed if self._is_due(each.key, look.at)]
        if due:
            lines.append(f"alarm: {', '.join(each.key for each in due)}")
        alarm = Alarm(tuple(believed), look.wall) if due else None
        return Change(tuple(lines), alarm, suspicious=len(signs) > len(believed))

    def handed_over(self, alarm: Alarm, at: float) -> None:
        """Note that somebody has dealt with an alarm; the same signs are quiet for a while now."""
        self._seen.clear()
        self._starting.clear()
        first, longest = QUIET_S
        for sign in alarm.signs:
            _, span = self._quiet.get(sign.key, (0.0, first / 2))
            span = min(span * 2, longest)
            self._quiet[sign.key] = (at + span, span)

    def _is_due(self, key: str, at: float) -> bool:
        return at >= self._quiet.get(key, (0.0, 0.0))[0]

    def _ages(self, look: Look) -> dict[str, float]:
        """Return for how long each starting service has been seen starting."""
        services: Mapping[str, Any] = look.vitals.get("services", {})
        starting = [name for name, each in services.items() if each["health"] == "starting"]
        self._starting = {name: self._starting.get(name, look.at) for name in starting}
        return {name: look.at - began for name, began in self._starting.items()}

    def _compared(self, signs: Mapping[str, Sign]) -> list[str]:
        """Say what is new and what is over, and forget how long to be quiet about what is over."""
        new = [each.text for key, each in signs.items() if key not in self._known]
        over = [f"over: {each.text}" for key, each in self._known.items() if key not in signs]
        for key in self._known.keys() - signs:
            self._quiet.pop(key, None)
        self._known = dict(signs)
        return [*new, *over]


def signs_of(look: Look, services: Iterable[str], ages: Mapping[str, float] | None = None) -> Iterator[Sign]:
    """Return everything in a look that is not as it should be. Pure."""
    if look.unreachable:
        yield Sign("host", f"the host does not answer: {look.unreachable}", "provision")
        return
    vitals = look.vitals
    starting = {name for name, age in (ages or {}).items() if age < START_GRACE_S}
    if vitals["engine"]:
        yield Sign("engine", f"the Docker engine does not answer: {vitals['engine'][:120]}", "bootstrap")
    else:
        for service in services:
            yield from _service(service, vitals["services"].get(service), service in starting)
        yield from _events(vitals["events"])
    yield from _units(vitals)
    yield from _certificate(vitals["certificate"])
    yield from _disks(vitals["disks"])
    if not starting:
        for path, status in look.answers.items():
            if status != _OK:
                told = f"answers {status}" if status else "does not answer"
                yield Sign(f"path {path}", f"{path} {told}", "health")


def _service(name: str, found: Mapping[str, Any] | None, is_starting: bool) -> Iterator[Sign]:  # noqa: FBT001 - a fact
    key, state = f"service {name}", found["state"] if found else "missing"
    since = str(found.get("since") or "") if found else ""
    if found is None or state in _DEAD:
        code = f" ({found['exit_code']}{', out of memory' if found['oom'] else ''})" if found else ""
        yield Sign(key, f"service {name} is {state}{code}", "compose", hard=True, since=since)
    elif found["frozen"] or state == "paused":
        how = "paused" if state == "paused" else "stopped in its tracks"
        yield Sign(key, f"service {name} is {how}", "compose", hard=True)
    elif state == "restarting":
        yield Sign(key, f"service {name} restarts", "compose")
    elif found["health"] == "unhealthy":
        yield Sign(key, f"service {name} is unhealthy", "health", hard=True)  # Docker has asked several times
    elif found["health"] == "starting" and not is_starting:
        yield Sign(key, f"service {name} has been starting for more than {START_GRACE_S:.0f} s", "health", hard=True)


def _events(events: Iterable[Mapping[str, Any]]) -> Iterator[Sign]:
    """Tell of what happened between two looks; who died and runs again may be in a loop of it."""
    for service in sorted({str(each["service"]) for each in events if each["what"] == "oom"}):
        yield Sign(f"memory {service}", f"service {service} met its limit of memory", "compose", hard=True)
    for event in events:
        if event["what"] == "die" and event["exit_code"]:
            text = f"service {event['service']} died with exit status {event['exit_code']}"
            yield Sign(f"death {event['service']}", text, "compose")


def _units(vitals: Mapping[str, Any]) -> Iterator[Sign]:
    for unit, facts in vitals["units"].items():
        active = facts["active"]
        stage: Stage = "proxy" if unit.startswith("caddy") else "bootstrap"
        if active in ("inactive", "failed"):
            yield Sign(f"unit {unit}", f"{unit} is {active}", stage, hard=True, since=str(facts.get("since") or ""))
        elif active != "active":
            yield Sign(f"unit {unit}", f"{unit} is {active}", stage)
        elif unit.startswith("caddy") and not vitals["proxy"]:
            yield Sign(f"unit {unit}", f"{unit} answers nobody", stage)


def _certificate(certificate: Mapping[str, str]) -> Iterator[Sign]:
    verdict: Literal["good"] | str = certificate.get("verdict", "good")  # noqa: PYI051 - names the one that is none
    if verdict not in ("good", "silent"):  # one that does not answer at all is the proxy's sign
        yield Sign("certificate", f"certificate: {certificate['text']}", "tls", hard=verdict in _HARD_VERDICTS)


def _disks(disks: Mapping[str, Mapping[str, float]]) -> Iterator[Sign]:
    for place, facts in disks.items():
        if facts["percent"] >= FULL_PERCENT:
            yield Sign(f"disk {place}", f"{place} is {facts['percent']:.0f}% full", "bootstrap")
        elif facts["inodes_percent"] >= FULL_PERCENT:
            text = f"{place} has used {facts['inodes_percent']:.0f}% of its inodes"
            yield Sign(f"disk {place}", text, "bootstrap")


def _spoken(state: str, look: Look) -> str:
    told = {
        "busy": f"{look.busy}; nothing counts until that is over",
        "offline": "this machine has no network; nothing counts until it has",
        "watching": "watching",
    }
    return told[state]
