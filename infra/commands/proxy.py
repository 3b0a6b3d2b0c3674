"""The reverse proxy's configuration, rendered from what is declared and nothing else."""

from __future__ import annotations

__all__ = ["caddyfile"]

from typing import TYPE_CHECKING, Any

from infra.commands.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def caddyfile(*, domain: str, routes: Sequence[Mapping[str, Any]], tls: str, email: str) -> str:
    """Return the Caddyfile for one name: each route goes to a port on this host's loopback."""
    ways = [{"path": str(route["path"]), "port": int(route["port"])} for route in routes]
    return render("Caddyfile.j2", {"domain": domain, "routes": ways, "tls": tls, "email": email})
