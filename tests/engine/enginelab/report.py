"""What one run showed, told the same way for every engine."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Report:
    """The outcome of preview, up, refresh or destroy."""

    ok: bool
    """Whether the operation succeeded as a whole."""
    steps: list[str]
    """Steps that were done (or planned, in a preview) as `update a`, in the order they started."""
    failed: list[str]
    """Names of the resources whose step failed, sorted."""
    text: str
    """Everything said to the user: diagnostics and the error's message."""
    exit_code: int
    calls: list[dict[str, Any]] = field(default_factory=list)
    """The provider's record of this run."""
    outputs: dict[str, Any] = field(default_factory=dict)
    details: dict[str, dict[str, str]] = field(default_factory=dict)
    """For each step, as `update a`, the property paths that differ and how."""

    def did(self, *steps: str) -> bool:
        """Tell whether the multiset of steps is exactly this one; `a, b` after one verb stands for two steps."""
        return Counter(self.steps) == Counter(spell(*steps))

    def called(self, *calls: str, kind: str = "Create Update Delete Read") -> bool:
        """Tell whether the provider's changing calls (previews left out) were exactly these, in any order."""
        return Counter(self.changing(kind)) == Counter(spell(*calls))

    def changing(self, kind: str = "Create Update Delete Read") -> list[str]:
        """Give the provider's calls of some kinds in the order they came in."""
        wanted = kind.split()
        begun = [entry for entry in self.calls if entry["phase"] == "begin" and not entry.get("preview")]
        return [f"{entry['call']} {entry['name']}" for entry in begun if entry["call"] in wanted]

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The provider's record without its start: a plugin may be started before it is needed."""
        return [entry for entry in self.calls if entry["call"] != "Start"]

    def call(self, kind: str, name: str | None = None, *, preview: bool = False) -> dict[str, Any]:
        """Give the one call of a kind, for a resource if one is named."""
        found = self.calls_of(kind, name, preview=preview)
        assert len(found) == 1, f"{kind} {name} was called {len(found)} times"
        return found[0]

    def calls_of(self, kind: str, name: str | None = None, *, preview: bool = False) -> list[dict[str, Any]]:
        """Give every call of a kind, for a resource if one is named, in order."""
        return [
            entry
            for entry in self.calls
            if (entry["call"], entry["phase"]) == (kind, "begin")
            and name in {None, entry["name"]}
            and bool(entry.get("preview")) == preview
        ]

    def __repr__(self) -> str:
        lines = [f"ok={self.ok} exit={self.exit_code} failed={self.failed}", *self.steps, self.text]
        return "\n".join(["<Report", *(f"  {line}" for line in lines), ">"])


def spell(*steps: str) -> list[str]:
    """Spell `create a, b` out as `create a` and `create b`."""
    spelt: list[str] = []
    for step in steps:
        verb, _, names = step.partition(" ")
        spelt += [f"{verb} {name.strip()}" for name in names.split(",")]
    return spelt


def short(urn: str) -> str:
    """Name a urn shortly."""
    return "Stack" if "::pulumi:pulumi:Stack::" in urn else urn.split("::", 3)[3]
