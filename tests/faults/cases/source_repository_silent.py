"""The droplet can't reach the repository, and it stays so: which host and port is what a person needs to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

BLOCK = "iptables -{} OUTPUT -p tcp -d git.greenroom.test --dport 80 -j REJECT --reject-with tcp-reset"


def inject(lab: Lab) -> None:
    lab.write("README.md", lab.read("README.md") + "\nOne line more, while nobody reaches the repository.\n")
    lab.shell(BLOCK.format("I"))


CASE = Case(
    id="source-repository-silent",
    title="egress to the repository is blocked, for good",
    rows=("F94", "F97"),
    strikes="deployment",
    expected="escalated",
    inject=inject,
    restore=lambda lab: lab.shell(f"{BLOCK.format('D')} || true"),
    causes=("REPOSITORY_SILENT",),
    role="devops",
    still_serves=True,
)
