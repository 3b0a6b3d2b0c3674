"""The causes that are known, a file a family: data with code, found by matchers and never acting.

`CAUSES` joins them; `UNKNOWN` is what is left where none of them is proved. docs/causes.md lists all of them.
"""

from infra.healing.causes import (
    bootstrap,
    build,
    compose,
    containers,
    database,
    directories,
    provision,
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
    *bootstrap.CAUSES,
    *secrets.CAUSES,
    *source.CAUSES,
    *build.CAUSES,
    *compose.CAUSES,
    *directories.CAUSES,
    *containers.CAUSES,
    *database.CAUSES,
    *web.CAUSES,
    *tls.CAUSES,
)
