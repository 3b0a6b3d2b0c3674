"""A stack's state as a test reads it: by short names, with secrets opened, and its laws checked.

The laws are those the official CLI enforces when it loads a file: an entry's parent, provider, dependencies and
deletedWith stand before it, and of several entries with one urn all but one are marked for deletion.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from enginelab.cipher import Cipher

ENTRY_KEYS = {
    *("urn", "custom", "type", "id", "inputs", "outputs", "parent", "protect", "taint", "external", "delete"),
    *("dependencies", "initErrors", "provider", "propertyDependencies", "pendingReplacement", "customTimeouts"),
    *("additionalSecretOutputs", "importID", "retainOnDelete", "deletedWith", "replaceWith", "replacementTrigger"),
    *("created", "modified", "sourcePosition", "stackTrace", "ignoreChanges", "hideDiff", "replaceOnChanges"),
    *("refreshBeforeUpdate", "viewOf", "resourceHooks"),
}
VOLATILE = ("created", "modified", "sourcePosition", "stackTrace")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


@dataclass(frozen=True)
class State:
    """One reading of a stack's file."""

    path: Path
    text: str
    cipher: Cipher

    @property
    def latest(self) -> dict[str, Any]:
        """The deployment: manifest, secrets provider, resources, pending operations."""
        latest: dict[str, Any] = json.loads(self.text)["checkpoint"]["latest"]
        return latest

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The resource entries in the file's order, with secrets opened as `{"secret": value}`."""
        return [self.cipher.open(entry) for entry in self.latest.get("resources") or []]

    @property
    def names(self) -> list[str]:
        """Short names in the file's order; a second entry of a urn shows its mark, as in `a (delete)`."""
        return [label(entry) for entry in self.entries]

    @property
    def things(self) -> list[str]:
        """As `names`, sorted, without the stack and default providers."""
        return sorted(name for name in self.names if name != "Stack" and not name.startswith("default"))

    def __getitem__(self, name: str) -> dict[str, Any]:
        found = [entry for entry in self.entries if label(entry) == name]
        assert len(found) == 1, f"{name} occurs {len(found)} times in {self.names}"
        return found[0]

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        outputs: dict[str, Any] = self["Stack"].get("outputs", {})
        return outputs

    @property
    def pending(self) -> list[str]:
        """Pending operations as `creating a`."""
        operations = self.latest.get("pending_operations") or []
        return sorted(f"{item['type']} {label(item['resource'])}" for item in operations)

    def normal(self) -> list[dict[str, Any]]:
        """Entries without what differs between two good runs: times, source positions, ids' numbers, salt."""
        return [_normal({key: value for key, value in entry.items() if key not in VOLATILE}) for entry in self.entries]


def label(entry: dict[str, Any]) -> str:
    """Name an entry shortly."""
    if entry["type"] == "pulumi:pulumi:Stack":
        return "Stack"
    name = str(entry["urn"]).split("::", 3)[3]
    marks = [mark for mark in ("delete", "pendingReplacement") if entry.get(mark)]
    return f"{name} ({', '.join(marks)})" if marks else name


def check(state: State) -> None:
    """Assert every law a state file has to keep, whatever the program was."""
    document = json.loads(state.text)
    assert document["version"] == 3
    latest = document["checkpoint"]["latest"]
    manifest = latest["manifest"]
    magic = hashlib.sha256(manifest["version"].encode()).hexdigest() if manifest.get("version") else ""
    assert manifest.get("magic", "") == magic, "The CLI refuses a manifest whose magic does not fit its version"
    assert TIME.fullmatch(manifest["time"]) or "+" in manifest["time"]
    assert latest["secrets_providers"]["type"] == "passphrase"
    assert latest["secrets_providers"]["state"]["salt"] == state.cipher.salt_text
    assert not re.search(r"[:\[,]\s*-?\d+\.0\s*[,\]}]", state.text), "Integral numbers are written without a fraction"
    check_order(latest.get("resources") or [])
    for entry in state.entries:
        _check_entry(entry)


def check_order(entries: list[dict[str, Any]]) -> None:
    """Assert the topological order and the uniqueness of live urns."""
    live = Counter(entry["urn"] for entry in entries if not entry.get("delete"))
    assert not [urn for urn, times in live.items() if times > 1]
    urns: set[str] = set()
    references: set[str] = set()
    for entry in entries:
        for name, urn in edges(entry):
            assert urn in urns, f"{label(entry)}: {name} {urn} does not stand before it"
        provider = entry.get("provider")
        assert not provider or provider in references, f"{label(entry)}: provider {provider} does not stand before it"
        urns.add(entry["urn"])
        references.add(f"{entry['urn']}::{entry.get('id', '')}")


def edges(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """List what an entry refers to by urn, with the name of the reference."""
    found = [("dependency", urn) for urn in entry.get("dependencies") or []]
    for key, urns in (entry.get("propertyDependencies") or {}).items():
        found += [(f"dependency of {key}", urn) for urn in urns or []]
    found += [("replaceWith", urn) for urn in entry.get("replaceWith") or []]
    found += [(name, entry[name]) for name in ("parent", "deletedWith") if entry.get(name)]
    return found


def _check_entry(entry: dict[str, Any]) -> None:
    name = label(entry)
    assert {"urn", "custom", "type"} <= set(entry), name
    assert set(entry) <= ENTRY_KEYS, f"{name}: unknown fields {sorted(set(entry) - ENTRY_KEYS)}"
    assert entry["urn"].split("::")[2].rpartition("$")[2] == entry["type"], name
    for key in ("created", "modified"):
        assert key not in entry or TIME.fullmatch(entry[key]), f"{name}: {key} {entry[key]}"
    if entry["custom"] and not entry["type"].startswith("pulumi:providers:"):
        assert entry.get("provider"), f"{name} has no provider"
        assert entry.get("id"), f"{name} has no id"


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        told = {key: _normal(item) for key, item in sorted(value.items())}
        kept = {key: item for key, item in told.items() if item is not False and item not in ([], {}, None, "")}
        return {key: sorted(item) if key == "dependencies" else item for key, item in kept.items()}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>", value) if isinstance(value, str) else value
