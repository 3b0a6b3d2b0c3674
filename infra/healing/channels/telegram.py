"""Telegram: the escalation as a plain message of a bot (Bot API, method sendMessage).

The bot's token is part of the address, so nothing here prints one, and what the server says is masked before anybody
sees it: servers like to repeat the path that they were asked for. No parse mode is set: evidence is text, and no
character of it is markup.
"""

from __future__ import annotations

__all__ = ["LIMIT", "Telegram", "cut"]

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from infra.healing.channels.delivery import DEADLINE_S, Answer, ChannelError, Request, deliver, retry_after
from infra.healing.notice import as_text
from infra.healing.wording import visible
from infra.redaction import PROCESS, Redactor

if TYPE_CHECKING:
    from infra.healing.notice import Notice
    from infra.secret import Secret

LIMIT = 4096
"""The longest message, which the servers count in UTF-16 code units (Bot API, sendMessage and MessageEntity)."""
CUT = "\n… cut: the rest is in the incident"
TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{8,128}")
SAID = 160


@dataclass(frozen=True)
class Telegram:
    """The chat that is told, and the bot that tells it."""

    url: str
    """The Bot API's address, without a path of its own: https://api.telegram.org."""
    chat: str
    token: Secret
    deadline_s: float = DEADLINE_S
    name: str = "telegram"

    def send(self, notice: Notice) -> None:
        """Send the message; raises ChannelError where it was not accepted."""
        token = self.token.reveal()
        PROCESS.add([token])
        if not TOKEN.fullmatch(token):
            raise ChannelError("telegram: the token is none that BotFather gives, such as 123456:AbC…")
        message = {
            "chat_id": self.chat,
            "text": cut(PROCESS.mask(as_text(notice))),
            "link_preview_options": {"is_disabled": True},
        }
        request = Request(
            f"{self.url.rstrip('/')}/bot{token}/sendMessage",
            json.dumps(message, ensure_ascii=False).encode(),
            {"Content-Type": "application/json", "User-Agent": "greenroom"},
        )
        answer = deliver(request, deadline_s=self.deadline_s, asked=_asked)
        if not (answer.is_good and _said(answer).get("ok") is True):
            said = str(_said(answer).get("description") or "")
            told = Redactor([token]).mask(PROCESS.mask(visible(" ".join(said.split()))))[:SAID]
            raise ChannelError(f"{request.host}: answered {answer.status}{f': {told}' if told else ''}")


def cut(text: str, limit: int = LIMIT) -> str:
    """Cut a text to so many UTF-16 code units, between characters, and say so."""
    if _units(text) <= limit:
        return text
    room, kept = limit - _units(CUT), 0
    for index, character in enumerate(text):
        kept += _units(character)
        if kept > room:
            return f"{text[:index].rstrip()}{CUT}"
    return text


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def _asked(answer: Answer) -> float | None:
    """Read how long the server wants to be left alone: in the body (ResponseParameters), or in the header."""
    parameters = _said(answer).get("parameters")
    wanted = cast("dict[str, Any]", parameters).get("retry_after") if isinstance(parameters, dict) else None
    return float(wanted) if isinstance(wanted, int) and wanted >= 0 else retry_after(answer)


def _said(answer: Answer) -> dict[str, Any]:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}
