"""Somebody detached the data volume in the cloud and deleted it: nothing but a copy brings its data back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab


def volumes(lab: Lab) -> list[dict[str, Any]]:
    return lab.api("GET", "/volumes?per_page=200")["volumes"]


def inject(lab: Lab) -> None:
    (volume,) = volumes(lab)
    detach = {"type": "detach", "droplet_id": lab.droplet["id"]}
    lab.api("POST", f"/volumes/{volume['id']}/actions", detach)
    lab.api("DELETE", f"/volumes/{volume['id']}")


CASE = Case(
    id="provision-volume-gone",
    title="the data volume was deleted in the cloud",
    rows=(),
    strikes="run time",
    expected="escalated",
    inject=inject,
    broken=lambda lab: "" if volumes(lab) else "there is no data volume",
    restore=lambda lab: lab.renew(),
    unharmed=lambda lab: "an empty volume was put in its place" if volumes(lab) else "",
    causes=("VOLUME_GONE",),
    role="system administrator",
    disturbs=frozenset({"cloud volumes"}),
)
