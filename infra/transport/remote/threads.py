"""The same for many, side by side. Loading `concurrent.futures` for it would cost a look five milliseconds."""

from __future__ import annotations

__all__ = ["side_by_side"]

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    Item = TypeVar("Item")
    Result = TypeVar("Result")


def side_by_side(do: Callable[[Item], Result], items: Sequence[Item], *, at_once: int) -> list[Result]:
    """Return the results in the order of the items; when all have ended, the first failure is raised."""
    results: dict[int, Result] = {}
    failures: dict[int, BaseException] = {}
    numbers = iter(range(len(items)))
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                number = next(numbers, None)
            if number is None:
                return
            try:
                results[number] = do(items[number])
            except BaseException as error:  # noqa: BLE001 (handed to the waiting thread)
                failures[number] = error

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(items)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[min(failures)]
    return [results[number] for number in range(len(items))]
