"""The stack's token was revoked in the control panel; the next deployment has something to change in the cloud."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from faultcase import Case
from gate import shut

if TYPE_CHECKING:
    from bed import Lab

TOKEN = "local-cloud"


def inject(lab: Lab) -> None:
    lab.set("email: [admin@tsh-erp.test]", "email: [admin@tsh-erp.test, owner@tsh-erp.test]")
    lab.notes["open again"] = shut(lab.home / "cloud/cloud.json", TOKEN)


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
