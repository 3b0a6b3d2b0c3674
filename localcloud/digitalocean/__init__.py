"""DigitalOcean's API v2 as a local server.

One module a noun, each with its routes (`ENDPOINTS`) and what they do; `app` binds them, `store` remembers, `control`
is what they share, `server` serves. Droplets are booted by a machine host that is passed in; `testing` has one that
boots nothing.
"""

from __future__ import annotations

__all__: list[str] = []
