"""The causes that are known, a file a family: data with code, found by matchers and never acting.

`CAUSES` joins them; `UNKNOWN` is what is left where none of them is proved. docs/causes.md lists all of them.
"""

from infra.healing.causes import (
    application,
    bootstrap,
    build,
    claims,
    cloud,
    compose,
    containers,
    database,
    directories,
    disks,
    environment,
    images,
    migrations,
    provision,
    proxy,
    secrets,
    source,
    tls,
    web,
)
from infra.healing.causes.unknown import UNKNOWN
from infra.healing.model import Cause

__all__ = ["CAUSES", "UNKNOWN"]

CAUSES: tuple[Cause, ...] = (
    *provision.CAUSES,
    *cloud.CAUSES,
    *bootstrap.CAUSES,
    *disks.CAUSES,
    *secrets.CAUSES,
    *environment.CAUSES,
    *source.CAUSES,
    *build.CAUSES,
    *images.CAUSES,
    *compose.CAUSES,
    *claims.CAUSES,
    *directories.CAUSES,
    *containers.CAUSES,
    *migrations.CAUSES,
    *database.CAUSES,
    *application.CAUSES,
    *web.CAUSES,
    *proxy.CAUSES,
    *tls.CAUSES,
)
