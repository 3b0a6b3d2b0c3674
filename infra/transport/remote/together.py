"""Acts side by side, where none needs what another one makes."""

from __future__ import annotations

__all__ = ["together_act"]

import threading
from typing import TYPE_CHECKING, Any

from infra.transport.remote import verbs

if TYPE_CHECKING:
    from infra.transport.remote.report import Reporter


def together_act(act: dict[str, Any], report: Reporter) -> None:
    """Perform several acts side by side; the first failure counts, after all have ended."""
    failures: list[BaseException] = []

    def one(each: dict[str, Any]) -> None:
        try:
            verbs.act(each, report)
        except Exception as error:  # noqa: BLE001 (handed to the waiting thread)
            failures.append(error)

    threads = [threading.Thread(target=one, args=(each,)) for each in act["acts"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
