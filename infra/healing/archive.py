"""All incidents of a stack, as they lie in its directory: read at once, found by id, kept apart from damaged ones."""

from __future__ import annotations

__all__ = ["LATEST", "Archive", "UnknownIncidentError", "find", "open_archive"]

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.errors import GreenroomError
from infra.healing.document import FILE, DamagedIncidentError, read

if TYPE_CHECKING:
    from pathlib import Path

    from infra.healing.incident import Incident

LATEST = "latest"


class UnknownIncidentError(GreenroomError):
    """There is no incident of that id."""

    exit_code = 2


@dataclass(frozen=True)
class Archive:
    """What was found, the newest first."""

    incidents: tuple[Incident, ...]
    damaged: tuple[DamagedIncidentError, ...]


def open_archive(incidents: Path) -> Archive:
    """Read all incidents below a directory; a damaged one is told and hides no other."""
    whole: list[Incident] = []
    damaged: list[DamagedIncidentError] = []
    for name in reversed(_names(incidents)):
        try:
            whole.append(read(incidents / name))
        except DamagedIncidentError as error:
            damaged.append(error)
    return Archive(tuple(whole), tuple(damaged))


def find(incidents: Path, name: str, *, stack: str) -> Path:
    """Return the directory of an incident: its id, an unmistakable beginning of it, or `latest`.

    Raises UnknownIncidentError with the nearest id where there is none.
    """
    names = _names(incidents)
    if not names:
        raise UnknownIncidentError(f"{stack} has no incident", hint=f"greenroom heal -s {stack}")
    if name == LATEST:
        return incidents / names[-1]
    begun = [each for each in names if each.startswith(name)] if name else []
    if name in begun or len(begun) == 1:
        return incidents / (name if name in begun else begun[0])
    if begun:
        several = f"{len(begun)} incidents of {stack} begin with {name}: {', '.join(begun[-3:])}"
        raise UnknownIncidentError(several, hint=f"greenroom incidents {begun[-1]} -s {stack}")
    import difflib  # noqa: PLC0415 - for a mistake only

    near = next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.5)), names[-1])
    message = f"{stack} has no incident {name[:60]!r}; the nearest of {len(names)} is {near}"
    raise UnknownIncidentError(message, hint=f"greenroom incidents {near} -s {stack}")


def _names(incidents: Path) -> list[str]:
    """Return the ids, which sort by time; only what holds a document, or once did, is an incident."""
    if not incidents.is_dir():
        return []
    return sorted(each.name for each in incidents.iterdir() if (each / FILE).exists() or (each / FILE).is_symlink())
