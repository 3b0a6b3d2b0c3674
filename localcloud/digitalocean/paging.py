"""Pagination as arithmetic: which items a page shows, and which links go with it."""

from __future__ import annotations

__all__ = ["links", "window"]

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def window(items: Sequence[T], number: int, size: int) -> Sequence[T]:
    """Return the items of page `number` (from 1); past the end there are none."""
    return items[(number - 1) * size : number * size]


def links(total: int, number: int, size: int, url: Callable[[int], str]) -> dict[str, dict[str, str]]:
    """Return `links`: first and prev unless on the first page, next and last unless on the last; nothing else."""
    last = max(-(-total // size), 1)
    pages: dict[str, str] = {}
    if number > 1:
        pages["first"] = url(1)
        pages["prev"] = url(min(number - 1, last))
    if number < last:
        pages["next"] = url(number + 1)
        pages["last"] = url(last)
    return {"pages": pages} if pages else {}
