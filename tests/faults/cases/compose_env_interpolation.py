"""An env_file does not feed interpolation (R01): Greenroom always names the env file, whatever stands around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bed import POSTGRES
from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def broken(lab: Lab) -> str:
    held = lab.shell(f"docker exec {POSTGRES} printenv POSTGRES_PASSWORD", check=False).strip()
    return "" if len(held) == 32 else "the container has no password"


CASE = Case(
    id="compose-env-interpolation",
    title="the container is gone, and no variable of the shell holds what the compose file asks for",
    rows=("R01",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(f"env -u POSTGRES_PASSWORD docker rm -f {POSTGRES}"),
    broken=broken,
    causes=("SERVICE_STOPPED",),
    watched=True,
)
