"""Where a schema stands: read from its own table while all else is as recorded, told by the workload otherwise."""

from __future__ import annotations

__all__ = ["schema_fact"]


from infra.transport.remote.engine import Engine
from infra.transport.remote.postgres import Unanswered, query
from infra.transport.remote.stack import exec_fact, listed_services

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def schema_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Tell whether the schema is as recorded; where that is not so, or can't be told cheaply, run the given command.

    The table alone confirms and never accuses. It is believed only while the service runs the image and configuration
    that were there when its own command told the revision and that it is the head; whatever differs is asked of that
    command, as ever (see `exec_fact`).
    """
    if _is_as_recorded(probe):
        return {"as_recorded": True}
    return exec_fact(probe)


def _is_as_recorded(probe: dict[str, Any]) -> bool:
    engine, recorded, table = Engine(), probe["recorded"], probe["version"]
    containers = listed_services(engine, probe["project"])
    asked, kept = containers.get(probe["service"]), containers.get(table["service"])
    if asked is None or kept is None or not asked["state"] == kept["state"] == "running":
        return False
    if (asked["image_id"], asked["config"]) != (recorded["image"], recorded["config"]):
        return False
    statement = f"SELECT version_num FROM {table['table']}"  # noqa: S608 (a name that was checked to be one)
    try:
        rows = query(engine.inspect(kept["id"])["State"]["Pid"], table["role"], table["name"], statement)
    except (Unanswered, KeyError):
        return False
    return sorted(row[0] for row in rows) == sorted(recorded["revision"].split(","))
