"""The stack's token was revoked in the control panel; the next deployment has something to change in the cloud.

The local cloud takes any token. Whoever finds the cloud at this desk is led over a link that refuses this one, as the
real API refuses one that was revoked, and lets every other pass.
"""

from __future__ import annotations

import contextlib
import json
import math
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING

from faultcase import Case
from faults import open_link

if TYPE_CHECKING:
    from bed import Lab

TOKEN = "local-cloud"


def inject(lab: Lab) -> None:
    lab.set("email: [admin@tsh-erp.test]", "email: [admin@tsh-erp.test, owner@tsh-erp.test]")
    record = lab.home / "cloud/cloud.json"
    told = record.read_text(encoding="utf-8")
    with contextlib.ExitStack() as stack:
        link = stack.enter_context(open_link(lab.api_url))
        link.break_next(".*", ".*", "refuse", times=math.inf, status=HTTPStatus.UNAUTHORIZED, token=TOKEN)
        stack.callback(record.write_text, told, encoding="utf-8")
        record.write_text(json.dumps({**json.loads(told), "http": link.url}), encoding="utf-8")
        lab.notes["open again"] = stack.pop_all().close


def broken(lab: Lab) -> str:
    request = urllib.request.Request(f"{lab.api_url}/v2/account", headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310
    try:
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        return f"the cloud answers {error.code} to the stack's token"
    return ""


CASE = Case(
    id="provision-token-refused",
    title="the cloud does not take the token any more",
    rows=(),
    strikes="deployment",
    expected="escalated",
    inject=inject,
    broken=broken,
    restore=lambda lab: lab.notes.pop("open again", lambda: None)(),
    causes=("TOKEN_REFUSED",),
    role="system administrator",
    still_serves=True,
)
