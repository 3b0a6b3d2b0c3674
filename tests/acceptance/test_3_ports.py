"""The public address, tried from here: what is declared open answers, what is declared closed doesn't."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.ops.proof import Subject

GROUP = "ports"
OPEN_WITHIN_S = 5.0
CLOSED_AFTER_S = 1.0


def answers(address: str, port: int, timeout_s: float) -> bool:
    try:
        socket.create_connection((address, port), timeout=timeout_s).close()
    except OSError:
        return False
    return True


def test_is_open(stack: Subject, open_port: int) -> None:
    assert answers(stack.target.address, open_port, OPEN_WITHIN_S), f"{stack.target.address}:{open_port} is closed"


def test_is_closed(stack: Subject, closed_port: int) -> None:
    assert not answers(stack.target.address, closed_port, CLOSED_AFTER_S), (
        f"{stack.target.address}:{closed_port} is open"
    )
