"""A webhook: the escalation as JSON, signed as the Standard Webhooks specification has it.

Libraries that verify these three headers exist for most languages. The id is the incident's, so that a receiver can
tell a second try from a second incident; the signature covers id, time and body, so that none of them can be changed
and an old request can't be sent again.
"""

from __future__ import annotations

__all__ = ["Webhook", "signature_of"]

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.healing.channels.delivery import DEADLINE_S, ChannelError, Request, deliver
from infra.healing.plain import to_plain
from infra.healing.wording import visible
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from infra.healing.notice import Notice
    from infra.secret import Secret

SCHEMA = "greenroom/escalation/1"
PREFIX = "whsec_"
SAID = 160


@dataclass(frozen=True)
class Webhook:
    """Where an escalation is posted to, and the key that signs it."""

    url: str
    key: Secret
    deadline_s: float = DEADLINE_S
    name: str = "webhook"

    def send(self, notice: Notice) -> None:
        """Post the escalation; raises ChannelError where it was not accepted."""
        PROCESS.add([self.key.reveal()])
        body = json.dumps(PROCESS.mask_all({"schema": SCHEMA, **to_plain(notice)}), ensure_ascii=False).encode()
        now = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "greenroom",
            "webhook-id": notice.incident,
            "webhook-timestamp": str(now),
            "webhook-signature": signature_of(self.key.reveal(), notice.incident, now, body),
        }
        answer = deliver(Request(self.url, body, headers), deadline_s=self.deadline_s)
        if not answer.is_good:
            host = Request(self.url, b"", {}).host
            said = PROCESS.mask(visible(" ".join(answer.body.decode(errors="replace").split())))[:SAID]
            raise ChannelError(f"{host}: answered {answer.status}{f': {said}' if said else ''}")


def signature_of(key: str, id_: str, timestamp: int, body: bytes) -> str:
    """Sign `id.timestamp.body` with HMAC-SHA-256; a key that begins with whsec_ is base64, as in the specification."""
    raw = key.encode()
    if key.startswith(PREFIX):
        try:
            raw = base64.b64decode(key.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            raise ChannelError("the webhook's secret begins with whsec_ and is no base64") from None
    mac = hmac.new(raw, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(mac.digest()).decode()}"
