"""Is it ours? Before any act the droplet in the cloud and the machine at its address have to be the state's own.

A deployment was once sent to the production host because a constant had been copied. So the droplet's id, name, tag
and address are asked of the cloud; the machine at that address has to present the pinned host key (the connection
sees to that before a byte is sent) and, once seen, to keep its machine id. Whatever can't be proved is a failure with
a code of its own: nothing is sent then.
"""

from __future__ import annotations

__all__ = ["CloudAccount", "DropletRecord", "MachineRecord", "ask_droplet", "droplet_failure", "machine_failure"]

import contextlib
import hashlib
import json
import os
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from infra.healing.model import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

API = "https://api.digitalocean.com"
DEADLINE_S = 10.0
LIMIT_BYTES = 1 << 20
LOOPBACK = ("127.", "localhost", "::1")
MACHINE_PATH = "/etc/machine-id"
RECORD = "identity.json"


@dataclass(frozen=True)
class CloudAccount:
    """Where the cloud answers, and the token that opens it."""

    url: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> CloudAccount:
        """Read it as the provider does."""
        token = environment.get("DIGITALOCEAN_TOKEN") or environment.get("DIGITALOCEAN_ACCESS_TOKEN") or ""
        return cls((environment.get("DIGITALOCEAN_API_URL") or API).rstrip("/"), token)


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
        temporary = directory / f"{RECORD}.{os.getpid()}.new"
        temporary.write_text(json.dumps(asdict(self)), encoding="utf-8")
        temporary.replace(directory / RECORD)


def ask_droplet(account: CloudAccount, id_: str) -> tuple[int, dict[str, Any]]:
    """Ask the cloud for a droplet once; gives the status, 0 for no answer, and the droplet or the error's body.

    It is not asked again here: healing waits, and looks anew, where the cloud does not answer.
    """
    parts = urlsplit(account.url)
    local = (parts.hostname or "").startswith(LOOPBACK)
    if parts.scheme != "https" and not local:
        return 0, {"message": f"{account.url} is neither https nor on this machine"}
    handlers = [urllib.request.ProxyHandler({})] if local else []
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(  # noqa: S310 - the scheme was looked at above
        f"{account.url}/v2/droplets/{int(id_)}", headers={"Authorization": f"Bearer {account.token}"}
    )
    try:
        with opener.open(request, timeout=DEADLINE_S) as answer:
            return int(answer.status), _body(answer.read(LIMIT_BYTES)).get("droplet") or {}
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return error.code, _body(error.read(LIMIT_BYTES))
    except (OSError, ValueError) as error:
        return 0, {"message": f"{type(error).__name__}: {error}"}


def droplet_failure(expected: DropletRecord, status: int, found: Mapping[str, Any], *, at: str) -> Failure | None:
    """Tell how the cloud's droplet is not the state's; None where it is."""
    if status == 200:  # noqa: PLR2004 - HTTP's own
        differing = _differences(expected, found)
        return _failure("HOST_MISMATCH", "\n".join(differing), at) if differing else None
    said = str(found.get("message", ""))
    if status == 404:  # noqa: PLR2004 - as above
        return _failure("DROPLET_GONE", f"droplet {expected.id} ({expected.name}): {said}", at)
    if status in {401, 403}:
        return _failure("TOKEN_REFUSED", f"the cloud answered {status}: {said}", at)
    return _failure("CLOUD_BUSY", f"the cloud answered {status or 'nothing'}: {said}", at)


def machine_failure(known: MachineRecord | None, seen: MachineRecord, *, at: str) -> Failure | None:
    """Tell how the machine is not the one that was recorded for the same droplet; another droplet's is no comparison."""
    if known is None or known.droplet != seen.droplet or known == seen:
        return None
    what = "machine id" if known.machine_id != seen.machine_id else "host key"
    return _failure("HOST_MISMATCH", f"{what} of droplet {seen.droplet} is not the recorded one", at)


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


def _body(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {"message": "the answer is no JSON"}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
