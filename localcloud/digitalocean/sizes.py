"""Droplet sizes, from the catalogue."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from localcloud.digitalocean.calls import Call, Endpoint, Reply, page


def index(call: Call) -> Reply:
    """List the sizes."""
    return page(call, "sizes", list(call.cloud.catalogue.sizes.values()))


ENDPOINTS = (Endpoint("GET", "/v2/sizes", index),)
