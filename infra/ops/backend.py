"""testinfra over the one pinned connection: its statements are made on the host, its habits of connecting are not."""

from __future__ import annotations

__all__ = ["host_over"]

from typing import TYPE_CHECKING, Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

if TYPE_CHECKING:
    from infra.transport.link import Link

TIMEOUT_S = 60.0


class PinnedBackend(BaseBackend):
    """Runs what testinfra asks for; quoting is testinfra's own (`%s` placeholders)."""

    NAME = "pinned"

    def __init__(self, link: Link, **options: Any) -> None:
        self._link = link
        super().__init__(str(link.endpoint), **options)

    def run(self, command: str, *args: str, **_options: Any) -> CommandResult:
        """Run one command line in a POSIX shell."""
        line = self.get_command(command, *args)
        outcome = self._link.run(["sh", "-c", line], timeout_s=TIMEOUT_S)
        return self.result(outcome.exit_status, self.encode(line), outcome.stdout, outcome.stderr)


def host_over(link: Link) -> Host:
    """Give testinfra's host over an open link."""
    return Host(PinnedBackend(link))
