"""What the worker can be asked, by the module that answers: each is loaded by the first request that needs it.

Most requests need few of them, and half of a worker's start went into modules that nobody asked.
"""

from __future__ import annotations

__all__ = ["ACTS", "FACTS", "act", "fact", "load_all", "load_for"]

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from infra.transport.remote.report import Reporter

FACTS = {
    "ages": "hardening",
    "checkout": "checkout",
    "command": "processes",
    "containers": "stack",
    "daemon": "hardening",
    "database_passwords": "database",
    "defs": "hardening",
    "evidence": "evidence",
    "exec": "stack",
    "file": "files",
    "firewall": "hardening",
    "first_boot": "system",
    "gathered": "gather",
    "hold": "holding",
    "host_keys": "system",
    "http": "web",
    "images": "stack",
    "kernel": "hardening",
    "model": "stack",
    "mount": "volume",
    "packages": "system",
    "pending": "confirm",
    "proxy": "proxy_state",
    "schema": "schema",
    "sshd": "hardening",
    "stack": "stack",
    "units": "units",
    "user": "system",
    "vitals": "vitals",
}
"""The function is named after the kind: `ages_fact`."""
ACTS = {
    "await_http": "web",
    "checkout": "checkout",
    "database_password": "database",
    "defs": "hardening",
    "directory": "files",
    "down": "stack",
    "files": "hardening",
    "guard": "confirm",
    "lock_file": "lock_file",
    "mount": "volume",
    "prune_images": "remedies",
    "reload_proxy": "remedies",
    "remember": "gather",
    "remove": "files",
    "remove_container": "remedies",
    "remove_images": "stack",
    "renew_certificate": "remedies",
    "restart_service": "remedies",
    "run": "processes",
    "start": "start",
    "start_unit": "remedies",
    "sysctl": "hardening",
    "together": "together",
    "undo_pending": "confirm",
    "write": "files",
}
"""The function is named after what it does: `write_act`."""


def fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Answer one question."""
    kind: str = probe["kind"]
    return getattr(_module(FACTS[kind]), f"{kind}_fact")(probe)


def act(wire: dict[str, Any], report: Reporter) -> None:
    """Perform one act."""
    do: str = wire["do"]
    getattr(_module(ACTS[do]), f"{do}_act")(wire, report)


def load_for(kinds: Iterable[str]) -> None:
    """Load what answers these questions, before threads that ask them get into each other's way."""
    for kind in kinds:
        if kind in FACTS:
            _module(FACTS[kind])


def load_all() -> None:
    """Load every module: for a process that forks others, which then have them."""
    for name in sorted({*FACTS.values(), *ACTS.values()}):
        _module(name)


def _module(name: str) -> Any:
    return importlib.import_module(f"infra.transport.remote.{name}")
