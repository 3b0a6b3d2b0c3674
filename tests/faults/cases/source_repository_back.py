"""The droplet can't reach the repository for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

BLOCK = "iptables -{} OUTPUT -p tcp -d git.greenroom.test --dport 80 -j REJECT --reject-with tcp-reset"
WHILE_S = 15


def inject(lab: Lab) -> None:
    lab.write("README.md", lab.read("README.md") + "\nOne line more, while the repository is silent.\n")
    lab.shell(
        f"{BLOCK.format('I')}; systemd-run -q --on-active={WHILE_S} --timer-property=AccuracySec=100ms {BLOCK.format('D')}"
    )


CASE = Case(
    id="source-repository-back",
    title=f"egress to the repository is blocked for {WHILE_S} s",
    rows=("F94", "F97"),
    strikes="deployment",
    expected="healed",
    inject=inject,
    restore=lambda lab: lab.shell(f"{BLOCK.format('D')} || true"),
    causes=("REPOSITORY_SILENT",),
    still_serves=True,
)
