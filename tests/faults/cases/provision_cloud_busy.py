"""The cloud's burst limit is spent by somebody else with the same token: 429 with Retry-After, for real."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def inject(lab: Lab) -> None:
    lab.write("README.md", lab.read("README.md") + "\nOne line more, while the cloud is busy.\n")
    for _ in range(260):
        request = urllib.request.Request(f"{lab.api_url}/v2/droplets", headers={"Authorization": "Bearer local-cloud"})  # noqa: S310
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


CASE = Case(
    id="provision-cloud-busy",
    title="the cloud answers 429: its burst limit is spent",
    rows=("F09", "F10", "F11"),
    strikes="deployment",
    expected="healed",
    inject=inject,
    still_serves=True,
)
