"""Is it ours? Before any act droplet and volume in the cloud and the machine at the address have to be the state's own.

A deployment was once sent to the production host because a constant had been copied. So the droplet's id, name, tag
and address are asked of the cloud; the machine at that address has to present the pinned host key (the connection
sees to that before a byte is sent) and, once seen, to keep its machine id. The data volume has to be there, because
whatever brings back what is declared would put an empty one in the place of one that was deleted. Whatever can't be
proved is a failure with a code of its own: nothing is sent then.
"""

from __future__ import annotations

__all__ = ["MACHINE_PATH", "DropletRecord", "MachineRecord", "droplet_failure", "machine_failure", "volume_failure"]

import hashlib
import json
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from infra.durable import save
from infra.healing.model import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.healing.account import Answer

MACHINE_PATH = "/etc/machine-id"
RECORD = "identity.json"


@dataclass(frozen=True)
class DropletRecord:
    """What the state says of the droplet."""

    id: str
    name: str
    tags: tuple[str, ...]
    address: str


@dataclass(frozen=True)
class MachineRecord:
    """The machine as it was when it was first seen to be ours."""

    droplet: str
    machine_id: str
    host_key: str
    """A digest of it."""

    @classmethod
    def of(cls, droplet: str, machine_id: str, host_key: str) -> MachineRecord:
        """Describe the machine that answered."""
        return cls(droplet, machine_id.strip(), hashlib.sha256(host_key.strip().encode()).hexdigest())

    @classmethod
    def read(cls, directory: Path) -> MachineRecord | None:
        """Read the record; None where there is none, or none that can be read."""
        try:
            return cls(**json.loads((directory / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, directory: Path) -> None:
        """Keep the record."""
        save(directory / RECORD, json.dumps(asdict(self)))


def droplet_failure(expected: DropletRecord, answer: Answer, *, at: str) -> Failure | None:
    """Tell how the cloud's droplet is not the state's; None where it is."""
    if answer.status == HTTPStatus.OK:
        differing = _differences(expected, answer.droplet)
        return _failure("HOST_MISMATCH", "\n".join(differing), at) if differing else None
    return _unanswered(answer, f"droplet {expected.id} ({expected.name})", gone="DROPLET_GONE", at=at)


def volume_failure(id_: str, answer: Answer, *, at: str) -> Failure | None:
    """Tell why the state's data volume is not known to be there; None where it is."""
    if answer.status == HTTPStatus.OK:
        return None
    return _unanswered(answer, f"volume {id_}", gone="VOLUME_GONE", at=at)


def machine_failure(known: MachineRecord | None, seen: MachineRecord, *, at: str) -> Failure | None:
    """Tell how the machine is not the one that was recorded for its droplet; another droplet's is no comparison."""
    if known is None or known.droplet != seen.droplet or known == seen:
        return None
    what = "machine id" if known.machine_id != seen.machine_id else "host key"
    return _failure("HOST_MISMATCH", f"{what} of droplet {seen.droplet} is not the recorded one", at)


def _unanswered(answer: Answer, what: str, *, gone: str, at: str) -> Failure:
    said = f"the cloud answered {answer.status or 'nothing'} for {what}: {answer.said}"
    if answer.status == HTTPStatus.NOT_FOUND:
        return _failure(gone, said, at)
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _failure("TOKEN_REFUSED", said, at)
    return _failure("CLOUD_BUSY", said, at)


def _differences(expected: DropletRecord, found: Mapping[str, Any]) -> Sequence[str]:
    networks: list[dict[str, Any]] = (found.get("networks") or {}).get("v4") or []
    addresses = [str(each.get("ip_address")) for each in networks if each.get("type") == "public"]
    tags = [str(each) for each in found.get("tags") or []]
    differing: list[str] = []
    if str(found.get("id")) != expected.id:
        differing.append(f"id: {found.get('id')}; expected {expected.id}")
    if found.get("name") != expected.name:
        differing.append(f"name: {found.get('name')}; expected {expected.name}")
    if missing := [each for each in expected.tags if each not in tags]:
        differing.append(f"tags: {', '.join(tags) or 'none'}; expected {', '.join(missing)}")
    if addresses and expected.address not in addresses:
        differing.append(f"address: {', '.join(addresses)}; expected {expected.address}")
    return differing


def _failure(code: str, evidence: str, at: str) -> Failure:
    return Failure(stage="provision", code=code, phase="identity", resource="droplet", evidence=evidence, at=at)
