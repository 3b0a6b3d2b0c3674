"""What the parts of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.engine.control import Control
    from localcloud.engine.journal import Journal
    from localcloud.engine.project import Configuration
    from localcloud.engine.providers import Providers
    from localcloud.engine.reporter import Reporter
    from localcloud.engine.state import ResourceState, Snapshot


@dataclass(frozen=True, slots=True)
class Run:
    """One operation on one stack."""

    project: str
    stack: str
    program_directory: Path
    preview: bool
    parallel: int
    base: Snapshot
    configuration: Configuration
    journal: Journal
    control: Control
    reporter: Reporter
    providers: Providers

    def fail(self, message: str, urn: str = "") -> None:
        """Report an error and let nothing new start."""
        self.reporter.fail(message, urn)
        self.control.stop()

    def base_provider(self, reference: str) -> ResourceState | None:
        """Return the state's entry of a provider."""
        return next((entry for entry in self.base.resources if entry.reference == reference), None)
