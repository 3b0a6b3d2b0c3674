"""What may go where room is short: images without a name that are ours, and build cache that nobody else can want.

Ours are the compose projects that Greenroom makes containers of on this host: each has an override file in a folder of
root's. compose labels the images that it builds with their project, and an image keeps that when it loses its name.
Build cache says of nobody whose it is; it counts only where every container on the engine is one of ours.
"""

from __future__ import annotations

__all__ = ["PROJECT", "dangling_images", "filters_of", "own_projects", "unused_cache"]

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.transport.remote.engine import Engine

PROJECT = "com.docker.compose.project"
OVERRIDES = "/var/lib/greenroom"
_ENDS = ".yml"


def own_projects() -> list[str]:
    """Return the names of the compose projects that Greenroom runs on this host."""
    names = os.listdir(OVERRIDES) if os.path.isdir(OVERRIDES) else []  # noqa: PTH112, PTH208
    return sorted(name.removesuffix(_ENDS) for name in names if name.endswith(_ENDS))


def dangling_images(engine: Engine) -> list[dict[str, Any]]:
    """Return the images without a name that were built for one of our projects, as the engine lists them."""
    found: list[dict[str, Any]] = []
    for project in own_projects():
        found += engine.get("/images/json", {"filters": filters_of(project)})
    return found


def unused_cache(engine: Engine) -> list[dict[str, Any]]:
    """Return the entries of the build cache that nothing uses; none where anybody else has a container here."""
    own = own_projects()
    containers: list[dict[str, Any]] = engine.get("/containers/json", {"all": "true"})
    if any((each.get("Labels") or {}).get(PROJECT) not in own for each in containers):
        return []
    entries: list[dict[str, Any]] = engine.get("/system/df", {"type": "build-cache"}).get("BuildCache") or []
    return [each for each in entries if not each["InUse"]]


def filters_of(project: str) -> dict[str, list[str]]:
    """Return the engine's filters for the images without a name of one project."""
    return {"dangling": ["true"], "label": [f"{PROJECT}={project}"]}
