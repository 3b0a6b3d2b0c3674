"""The registry is not reached for a while, and an image is needed that the droplet has not got yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

BLOCK = "iptables -{} OUTPUT -p tcp -d registry.greenroom.test --dport 5000 -j REJECT --reject-with tcp-reset"
WHILE_S = 20


def inject(lab: Lab) -> None:
    lab.replace(
        "docker-compose.staging.yml",
        "image: redis:7-alpine",
        "image: registry.greenroom.test:5000/library/redis:7-alpine",
    )
    lab.shell(
        f"{BLOCK.format('I')}; systemd-run -q --on-active={WHILE_S} --timer-property=AccuracySec=100ms {BLOCK.format('D')}"
    )


CASE = Case(
    id="build-registry-back",
    title=f"the registry is not reached for {WHILE_S} s",
    rows=("U17", "F59"),
    strikes="deployment",
    expected="healed",
    inject=inject,
    restore=lambda lab: lab.shell(f"{BLOCK.format('D')} || true"),
    causes=("REGISTRY_SILENT",),
    still_serves=True,
)
