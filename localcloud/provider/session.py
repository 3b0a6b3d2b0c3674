"""The requests of one operation on one resource: retries, pages, waits, all under one deadline.

Reading, replacing and deleting may be repeated, so they are, on 429, on 5xx and on lost answers. A POST is repeated
only when it surely had no effect: it was never sent, or was turned away by the rate limit. When its answer is lost the
caller looks for what it would have made (`create`) instead of making it again.

Waits are not the official provider's, which sleeps 10 s before its first look and up to 10 s between looks: here the
first look is at once, the next after 0.1 s, then each time half as long again, up to 3 s.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from localcloud.provider.api import Api, Body, RefusedError
from localcloud.provider.backoff import TRIES, Backoff, Fault
from localcloud.provider.errors import (
    ApiError,
    CancelledError,
    DeadlineError,
    NotFoundError,
    OutcomeUnknownError,
    ProviderError,
    TransportError,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from localcloud.provider.api import Refusal

T = TypeVar("T")

_ANSWER_S = 120.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 3.0
_GROWTH = 1.5
_PAGE = 200
_RATE_LIMITED = 429
_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501


class Session:
    """What a resource's create, read, update and delete talk to the API with."""

    def __init__(
        self,
        api: Api,
        timeout_s: float,
        cancelled: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._cancelled = cancelled
        self._clock = clock
        self._timeout_s = timeout_s
        self._ends_at = clock() + timeout_s

    def read(self, operation: str, **arguments: Any) -> Body:
        """Send a request that changes nothing."""
        return self._send(operation, arguments, repeatable=True)

    def find(self, operation: str, **arguments: Any) -> Body | None:
        """Read something that may be gone; None for 404."""
        try:
            return self.read(operation, **arguments)
        except NotFoundError:
            return None

    def put(self, operation: str, **arguments: Any) -> Body:
        """Send a request that sets a whole state, so that sending it twice is the same as once."""
        return self._send(operation, arguments, repeatable=True)

    def post(self, operation: str, **arguments: Any) -> Body:
        """Send a request whose repetition would do something twice."""
        return self._send(operation, arguments, repeatable=False)

    def delete(self, operation: str, **arguments: Any) -> None:
        """Delete something; that it is gone already is as good."""
        try:
            self._send(operation, arguments, repeatable=True)
        except NotFoundError:
            return

    def create(self, operation: str, made: Callable[[], Body | None], **arguments: Any) -> Body:
        """Create something; when the answer is lost, adopt what `made` finds, and create again only if it finds none.

        `made` gives the thing in the same envelope as the create request would have, or raises if it can't tell.
        """
        try:
            return self.post(operation, **arguments)
        except (OutcomeUnknownError, ApiError) as error:
            if isinstance(error, ApiError) and not _is_broken(error.status):
                raise
            self.pause(min(_LONGEST_PAUSE_S, self._api.settings.longest_wait_s))
            found = made()
            return found if found is not None else self.post(operation, **arguments)

    def pages(self, operation: str, key: str, **arguments: Any) -> Iterator[Body]:
        """Walk all items of a listing."""
        page = 1
        while True:
            answer = self.read(operation, per_page=_PAGE, page=page, **arguments)
            yield from cast("list[Body]", answer.get(key) or [])
            pages = (answer.get("links") or {}).get("pages") or {}
            if "next" not in pages:
                return
            page += 1

    def wait(self, what: str, look: Callable[[], T | None]) -> T:
        """Look until there is something to see.

        Raises DeadlineError with `what` when the operation's time is up, CancelledError when the engine stops the run.
        """
        pause_s = _FIRST_PAUSE_S
        while (seen := look()) is None:
            if self._remaining_s() <= pause_s:
                raise DeadlineError(
                    f"{what}: not within {self._timeout_s:g} s",
                    hint="run the command again to go on waiting, or raise the resource's customTimeouts",
                )
            self.pause(pause_s)
            pause_s = min(pause_s * _GROWTH, _LONGEST_PAUSE_S)
        return seen

    def finish(self, action: Body, what: str) -> None:
        """Wait for an action to complete; `action` is its object as the API first gave it."""

        def look() -> Body | None:
            nonlocal action
            if action.get("status") == "in-progress":
                action = self.read("actions.get", action_id=action["id"])["action"]
            return None if action.get("status") == "in-progress" else action

        if self.wait(what, look).get("status") != "completed":
            raise ProviderError(
                f"{what}: action {action.get('id')} ({action.get('type')}) ended as {action.get('status')}",
                hint="look at the resource's history in the control panel, then run the command again",
            )

    def pause(self, seconds: float) -> None:
        """Sleep; raises CancelledError as soon as the engine cancels."""
        if self._cancelled.wait(seconds):
            raise CancelledError("Stopped on request", hint="run the command again to go on")

    def _remaining_s(self) -> float:
        return self._ends_at - self._clock()

    def _send(self, operation: str, arguments: dict[str, Any], *, repeatable: bool) -> Body:
        outage = self._api.outage
        outage.asked()
        for attempt in range(TRIES):
            remaining_s = self._remaining_s()
            if remaining_s <= 0:
                raise DeadlineError(f"{operation}: not sent, the {self._timeout_s:g} s for this operation are over")
            try:
                answer = self._api.send(operation, min(_ANSWER_S, remaining_s), arguments)
            except RefusedError as refused:
                pause_s = self._retry_in_s(refused.refusal, attempt, repeatable=repeatable)
                if pause_s is None or pause_s >= self._remaining_s():
                    raise refused.refusal.error from refused.__cause__
                if not outage.may_retry():
                    raise refused.refusal.error from refused.__cause__
            else:
                outage.over()
                return answer
            self.pause(pause_s)
        raise AssertionError(operation)

    def _retry_in_s(self, refusal: Refusal, attempt: int, *, repeatable: bool) -> float | None:
        """Return how long to wait before the next try; None where there is none."""
        fault = _fault(refusal)
        if fault is None:
            self._api.outage.over()
            return None
        settings = self._api.settings
        if attempt >= min(settings.retries, TRIES - 1) or (fault is Fault.BROKEN and not repeatable):
            return None
        backoff = Backoff(settings.shortest_wait_s, settings.longest_wait_s)
        return backoff.pause_s(fault, attempt, refusal.retry_after_s)


def _fault(refusal: Refusal) -> Fault | None:
    """Tell what passing fault a refusal is; None for one that the next try would meet as well."""
    if refusal.status == _RATE_LIMITED:
        return Fault.LIMITED
    if isinstance(refusal.error, TransportError):
        return Fault.UNREACHED
    return Fault.BROKEN if isinstance(refusal.error, OutcomeUnknownError) or _is_broken(refusal.status) else None


def _is_broken(status: int) -> bool:
    return status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED
