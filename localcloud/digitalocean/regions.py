"""Regions, from the catalogue."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from localcloud.digitalocean.calls import Call, Endpoint, Reply, page


def index(call: Call) -> Reply:
    """List the regions."""
    return page(call, "regions", list(call.cloud.catalogue.regions.values()))


ENDPOINTS = (Endpoint("GET", "/v2/regions", index),)
