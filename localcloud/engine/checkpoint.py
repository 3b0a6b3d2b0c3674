"""Reading and writing the checkpoint's JSON.

Version 3 is the format both engines share; what the engine does not understand in it is refused, so that nothing is
lost by a round trip. Secrets are encrypted on the way out; a value that did not change keeps the ciphertext it had, so
that a state that did not change is written byte for byte the same but for its manifest.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from typing import TYPE_CHECKING, Any

from localcloud.engine.errors import StateError, UnsupportedError
from localcloud.engine.state import PendingOperation, ResourceState, Snapshot, check_order
from localcloud.engine.values import (
    FLOAT,
    SECRET,
    SIGNATURE,
    UNKNOWN_SENTINELS,
    Asset,
    ResourceReference,
    Secret,
    Unknown,
    asset_object,
    from_marked,
    number,
    reference_object,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.engine.secrets import SecretsManager

VERSION = 3
ENGINE_VERSION = ""
KEYS = {
    "urn": "urn",
    "custom": "custom",
    "delete": "delete",
    "id": "id",
    "type": "type",
    "inputs": "inputs",
    "outputs": "outputs",
    "parent": "parent",
    "protect": "protect",
    "external": "external",
    "dependencies": "dependencies",
    "initErrors": "init_errors",
    "provider": "provider",
    "propertyDependencies": "property_dependencies",
    "pendingReplacement": "pending_replacement",
    "additionalSecretOutputs": "additional_secret_outputs",
    "customTimeouts": "custom_timeouts",
    "importID": "import_id",
    "retainOnDelete": "retain_on_delete",
    "deletedWith": "deleted_with",
    "replacementTrigger": "replacement_trigger",
    "created": "created",
    "modified": "modified",
    "sourcePosition": "source_position",
    "ignoreChanges": "ignore_changes",
    "hideDiff": "hide_diff",
    "replaceOnChanges": "replace_on_changes",
}
ALWAYS_WRITTEN = frozenset({"urn", "custom", "type"})
VALUE_KEYS = frozenset({"inputs", "outputs", "replacementTrigger"})
DROPPED_KEYS = frozenset({"stackTrace", "aliases", "snippetId"})
"""Of no meaning to a later run: call sites, and aliases, which are never stored."""


def resource_documents(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the raw resource entries of a checkpoint, for a look that needs no secrets."""
    return list(_latest(document).get("resources") or [])


def salt_of(document: Mapping[str, Any]) -> str:
    """Return the passphrase manager's salt, empty when there is none. Refuses other secrets managers."""
    manager = _latest(document).get("secrets_providers") or {}
    kind = manager.get("type") or ""
    if kind not in ("", "passphrase"):
        raise UnsupportedError(f"The secrets provider {kind!r} is not supported by this engine; only passphrase is")
    return str((manager.get("state") or {}).get("salt") or "")


def _latest(document: Mapping[str, Any]) -> dict[str, Any]:
    version = document.get("version")
    if version != VERSION:
        features = ", ".join(document.get("features") or []) or "no features"
        raise UnsupportedError(f"State version {version} ({features}) is not supported by this engine; only 3 is")
    checkpoint = document.get("checkpoint")
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("latest") or {}, dict):
        raise StateError("It is no checkpoint: it has no deployment in it")
    latest: dict[str, Any] = checkpoint.get("latest") or {}
    manifest = latest.get("manifest") or {}
    version, magic = manifest.get("version") or "", manifest.get("magic") or ""
    if magic != (hashlib.sha256(version.encode()).hexdigest() if version else ""):
        raise StateError("The manifest's magic does not fit its version; the state was altered, or is of another kind")
    return latest


class Decoder:
    """Reads a checkpoint; remembers each ciphertext for the encoder."""

    def __init__(self, secrets: SecretsManager | None) -> None:
        """Without a secrets manager, secrets stay unread: they decode to a Secret of None."""
        self._secrets = secrets
        self.ciphertexts: dict[tuple[str, str], str] = {}
        """By place in the state and plaintext, so that equal secrets in different places look different."""
        self._urn = ""

    def decode(self, document: Mapping[str, Any]) -> Snapshot:
        """Return the snapshot. Raises StateError, UnsupportedError or PassphraseError."""
        latest = _latest(document)
        try:
            resources = tuple(self._resource(entry) for entry in latest.get("resources") or [])
            pending = tuple(
                PendingOperation(entry["type"], self._resource(entry["resource"]))
                for entry in latest.get("pending_operations") or []
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise StateError(f"The state is malformed: {type(error).__name__}: {error}") from error
        check_order(resources)
        return Snapshot(resources, pending, salt_of(document))

    def _resource(self, entry: Mapping[str, Any]) -> ResourceState:
        self._urn = entry["urn"]
        unknown = [key for key, value in entry.items() if value and key not in KEYS and key not in DROPPED_KEYS]
        if unknown:
            raise UnsupportedError(
                f"The state of {self._urn} uses {', '.join(unknown)}, which this engine can't handle"
            )
        values = {
            KEYS[key]: self._value(value, f"{self._urn} {key}") if key in VALUE_KEYS else value
            for key, value in entry.items()
            if key in KEYS and value is not None
        }
        if "property_dependencies" in values:
            values["property_dependencies"] = {
                key: list(urns or []) for key, urns in values["property_dependencies"].items()
            }
        return ResourceState(**values)

    def _value(self, value: Any, place: str) -> Any:
        if isinstance(value, dict):
            if value.get(SIGNATURE) == SECRET:
                return self._secret(value, place)
            return from_marked({key: self._value(item, f"{place}.{key}") for key, item in value.items()})
        if isinstance(value, list):
            return [self._value(item, f"{place}.{index}") for index, item in enumerate(value)]
        return _leaf(value)

    def _secret(self, value: Mapping[str, Any], place: str) -> Secret:
        if value.get("plaintext"):
            return Secret(self._nested(json.loads(value["plaintext"])))
        ciphertext = value.get("ciphertext") or ""
        if self._secrets is None:
            return Secret(None)
        text = self._secrets.decrypt(ciphertext)
        decoded = self._nested(json.loads(text))
        self.ciphertexts[place, json_text(plain_json(decoded))] = ciphertext
        return Secret(decoded)

    def _nested(self, value: Any) -> Any:
        """Read what was inside a secret: there, a nested secret holds its JSON text unencrypted."""
        if isinstance(value, dict):
            if value.get(SIGNATURE) == SECRET:
                text = value.get("ciphertext") or value.get("plaintext") or "null"
                return Secret(self._nested(json.loads(text)))
            return from_marked({key: self._nested(item) for key, item in value.items()})
        if isinstance(value, list):
            return [self._nested(item) for item in value]
        return _leaf(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, float):
        return number(value)
    return Unknown(value) if isinstance(value, str) and value in UNKNOWN_SENTINELS else value


class Encoder:
    """Writes snapshots of one stack."""

    def __init__(self, secrets: SecretsManager, ciphertexts: dict[tuple[str, str], str]) -> None:
        self._secrets = secrets
        self._ciphertexts = ciphertexts

    def encode(self, snapshot: Snapshot, *, name: str, time: str) -> dict[str, Any]:
        """Return the checkpoint document of the stack called `name` (organization/project/stack)."""
        latest: dict[str, Any] = {
            "manifest": {"time": time, "magic": "", "version": ENGINE_VERSION},
            "secrets_providers": {"type": "passphrase", "state": {"salt": self._secrets.salt}},
        }
        if snapshot.resources:
            latest["resources"] = [self.resource(entry) for entry in snapshot.resources]
        if snapshot.pending:
            latest["pending_operations"] = [
                {"resource": self.resource(pending.resource), "type": pending.type} for pending in snapshot.pending
            ]
        latest["metadata"] = {}
        return {"version": VERSION, "checkpoint": {"stack": name, "latest": latest}}

    def resource(self, entry: ResourceState) -> dict[str, Any]:
        """Return one entry's document."""
        document: dict[str, Any] = {}
        for key, attribute in KEYS.items():
            value = getattr(entry, attribute)
            if key in ALWAYS_WRITTEN:
                document[key] = value
            elif key in VALUE_KEYS:
                if value is not None and value != {}:
                    document[key] = self._value(value, f"{entry.urn} {key}")
            elif value:
                document[key] = value
        return document

    def _value(self, value: Any, place: str) -> Any:
        if isinstance(value, Secret):
            return {SIGNATURE: SECRET, "ciphertext": self._encrypt(json_text(plain_json(value.value)), place)}
        if isinstance(value, dict):
            return {key: self._value(item, f"{place}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, f"{place}.{index}") for index, item in enumerate(value)]
        return marker_document(value)

    def _encrypt(self, text: str, place: str) -> str:
        key = (place, text)
        if key not in self._ciphertexts:
            self._ciphertexts[key] = self._secrets.encrypt(text)
        return self._ciphertexts[key]


def plain_json(value: Any) -> Any:
    """Return the document of a value inside a secret, where nested secrets keep their JSON text as it is."""
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET, "ciphertext": json_text(plain_json(value.value))}
    if isinstance(value, dict):
        return {key: plain_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    return marker_document(value)


def marker_document(value: Any) -> Any:
    """Return the document of a leaf: markers and special floats as objects, all else as it is."""
    if isinstance(value, float) and not math.isfinite(value):
        return {SIGNATURE: FLOAT, "value": struct.pack(">d", value).hex()}
    if isinstance(value, Unknown):
        return value.sentinel
    if isinstance(value, Asset):
        return asset_object(value)
    if isinstance(value, ResourceReference):
        return reference_object(value)
    return value


def json_text(value: Any) -> str:
    """Return compact JSON with sorted keys, the text that is encrypted."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
