"""The one place where healing acts: a verb of the closed set becomes one request to the host, or one call handed in.

What is performed is an `Act` of the playbook, checked again here: a verb that is none, an argument that its verb does
not have, a subject that is no name, are refused before anything is sent. The project, the domain and the machine come
from what is declared and never from an act, so no diagnosis can point a verb at something else. On the host the act
checks its own precondition (`infra.transport.remote.remedies`); how it went is told by what the host looks like then.
"""

from __future__ import annotations

__all__ = ["ARGUMENTS", "UNITS", "Hands", "Seen", "request_of"]

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from infra.errors import GreenroomError, UnreachableError
from infra.healing.model import Act, Outcome, Verb
from infra.transport.remote.remedies import UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.healing.model import Declared

LONGEST_WAIT_S = 120.0
ACT_TIMEOUT_S = 240.0
HEALTHY_WITHIN_S = 60.0
ASK_AGAIN_S = 1.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_KEPT = "seen"
_HOST: Mapping[Verb, str] = {
    Verb.RESTART_SERVICE: "stack",
    Verb.REMOVE_CONTAINER: "stack",
    Verb.PRUNE_IMAGES: "images",
    Verb.START_UNIT: "baseline",
    Verb.RELOAD_PROXY: "proxy",
    Verb.RENEW_CERTIFICATE: "proxy",
}
"""The verbs that act on the host, each with the lock of the resource that it could meet there."""
ARGUMENTS: Mapping[Verb, frozenset[str]] = {
    Verb.CONVERGE: frozenset(),
    Verb.WAIT: frozenset({"seconds"}),
    Verb.AWAIT_HOST: frozenset({"seconds"}),
    Verb.RESTART_SERVICE: frozenset(),
    Verb.REMOVE_CONTAINER: frozenset(),
    Verb.START_UNIT: frozenset(),
    Verb.RELOAD_PROXY: frozenset(),
    Verb.RENEW_CERTIFICATE: frozenset(),
    Verb.PRUNE_IMAGES: frozenset(),
    Verb.POWER_ON: frozenset(),
    Verb.OFFER_PATCH: frozenset({"dockerfile", "evidence"}),
}
"""The arguments that an act of each verb may have."""


class Host(Protocol):
    """The worker on the stack's host, as `infra.transport.worker` has it."""

    def call(
        self,
        *,
        subject: str,
        phase: str,
        probes: Mapping[str, Any],
        acts: Sequence[dict[str, Any]] = (),
        lock: str = "host",
        redact: Mapping[str, object] | None = None,
        timeout_s: float = 60.0,
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Seen:
    """What an act that is handed in tells: whether it took effect, and how things were before and are now."""

    succeeded: bool
    before: str = ""
    after: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Hands:
    """Performs acts on one stack."""

    declared: Declared
    host: Callable[[], Host]
    """The worker over the pinned connection; asked for when an act needs it."""
    converge: Callable[[], Seen]
    """Runs the program again, reading cloud and host first."""
    power_on: Callable[[], Seen]
    """Switches the stack's own droplet on, after it was found to be ours."""
    offer_patch: Callable[[Act], Seen]
    """Makes the branch and the patch."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def perform(self, act: Act) -> Outcome:
        """Perform one act and tell how it went; never raises for what an act can meet.

        An error of the typed tree ends as an outcome that did not succeed, with its message as what was seen. Whoever
        hands in `converge` keeps the error itself, if its fields are wanted.
        """
        began = self.clock()
        why_not = refusal(act)
        if why_not:
            return Outcome(act, succeeded=False, refused=why_not)
        try:
            seen = self._do(act)
        except GreenroomError as error:
            seen = Seen(succeeded=False, after=error.message)
        return Outcome(
            act,
            succeeded=seen.succeeded and not seen.refused,
            before=seen.before,
            after=seen.after,
            seconds=self.clock() - began,
            refused=seen.refused,
        )

    def _do(self, act: Act) -> Seen:
        if act.verb in _HOST:
            return self._ask(act)
        if act.verb is Verb.CONVERGE:
            return self.converge()
        if act.verb is Verb.POWER_ON:
            return self.power_on()
        if act.verb is Verb.OFFER_PATCH:
            return self.offer_patch(act)
        seconds = float(act.arguments["seconds"])
        if act.verb is Verb.AWAIT_HOST:
            return self._await_host(seconds)
        self.sleep(seconds)
        return Seen(succeeded=True, after=f"{seconds:g} s later")

    def _await_host(self, seconds: float) -> Seen:
        began = self.clock()
        while True:
            try:
                self.host()
            except UnreachableError as error:
                silence = error
            else:
                return Seen(succeeded=True, before="no answer", after=f"it answers, {self.clock() - began:.0f} s later")
            if silence.code == "HOST_NOT_MADE":  # the deployment waits for its own
                return Seen(succeeded=True, after=silence.evidence)
            if self.clock() - began >= seconds:
                said = silence.evidence or silence.code
                return Seen(succeeded=False, before="no answer", after=f"no answer within {seconds:g} s: {said}")
            self.sleep(ASK_AGAIN_S)

    def _ask(self, act: Act) -> Seen:
        declared = self.declared
        answer = self.host().call(
            subject="healing",
            phase="heal",
            probes={},
            acts=[request_of(act, declared)],
            lock=_HOST[act.verb],
            redact={
                "path": f"{declared.directory}/{declared.env_file}",
                "names": sorted(declared.secret_sources),
            },
            timeout_s=ACT_TIMEOUT_S,
        )
        return Seen(**json.loads(answer[_KEPT]))


def refusal(act: Act) -> str:
    """Say why an act is none that can be performed; an empty text where it is one. Pure."""
    if not any(act.verb is each for each in ARGUMENTS):
        return f"{str(act.verb)[:60]!r} is no verb"
    surplus = sorted(set(act.arguments) - ARGUMENTS[act.verb])
    if surplus:
        return f"{act.verb.value} has no argument {surplus[0][:60]}"
    if act.verb in (Verb.RESTART_SERVICE, Verb.REMOVE_CONTAINER) and not _NAME.fullmatch(act.subject):
        return f"{act.subject[:60]!r} is no name of a {'service' if act.verb is Verb.RESTART_SERVICE else 'container'}"
    if act.verb is Verb.START_UNIT and act.subject not in UNITS:
        return f"{act.subject[:60]!r} is none of {', '.join(UNITS)}"
    if act.verb in (Verb.WAIT, Verb.AWAIT_HOST):
        return _wait_refusal(act.arguments.get("seconds"))
    return ""


def request_of(act: Act, declared: Declared) -> dict[str, Any]:
    """Return the one request that a verb of the host becomes; whose it is comes from what is declared. Pure."""
    own: dict[Verb, dict[str, Any]] = {
        Verb.RESTART_SERVICE: {
            "do": "restart_service",
            "project": declared.project,
            "service": act.subject,
            "timeout_s": HEALTHY_WITHIN_S,
        },
        Verb.REMOVE_CONTAINER: {"do": "remove_container", "project": declared.project, "container": act.subject},
        Verb.PRUNE_IMAGES: {"do": "prune_images"},
        Verb.START_UNIT: {"do": "start_unit", "unit": act.subject},
        Verb.RELOAD_PROXY: {"do": "reload_proxy"},
        Verb.RENEW_CERTIFICATE: {"do": "renew_certificate", "domain": declared.domain},
    }
    return {**own[act.verb], "keep": _KEPT}


def _wait_refusal(seconds: object) -> str:
    if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_WAIT_S:
        return f"a wait takes more than 0 and at most {LONGEST_WAIT_S:g} seconds, not {str(seconds)[:40]}"
    return ""
