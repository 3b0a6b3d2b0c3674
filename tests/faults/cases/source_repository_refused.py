"""The repository's server answers, and refuses to hand anything out: reading was switched off there."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def inject(lab: Lab) -> None:
    lab.write("README.md", lab.read("README.md") + "\nOne line more, while the repository refuses everybody.\n")
    lab.git("config", "http.uploadpack", "false")


def broken(lab: Lab) -> str:
    place = json.loads((lab.home / "cloud/cloud.json").read_text(encoding="utf-8"))["git"]
    try:
        urllib.request.urlopen(f"{place}/tsh-erp.git/info/refs?service=git-upload-pack", timeout=10).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        return f"the repository answers {error.code}"
    return ""


CASE = Case(
    id="source-repository-refused",
    title="the repository refuses access",
    rows=("U27",),
    strikes="deployment",
    expected="escalated",
    inject=inject,
    broken=broken,
    restore=lambda lab: lab.git("config", "--unset-all", "http.uploadpack", check=False),
    causes=("REPOSITORY_REFUSED",),
    role="system administrator",
    still_serves=True,
)
