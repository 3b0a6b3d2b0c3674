"""The public address, tried from here: what is declared open answers, what is declared closed doesn't."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.ops.proof import Subject

GROUP = "ports"


def test_is_open(stack: Subject, open_port: int) -> None:
    assert stack.answering[open_port], f"{stack.target.address}:{open_port} is closed"


def test_is_closed(stack: Subject, closed_port: int) -> None:
    assert not stack.answering[closed_port], f"{stack.target.address}:{closed_port} is open"
