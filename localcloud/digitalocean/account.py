"""The account: who the token belongs to and how much it may have."""

from __future__ import annotations

__all__ = ["DROPLET_LIMIT", "ENDPOINTS", "RESERVED_IP_LIMIT", "VOLUME_LIMIT"]

from localcloud.digitalocean.calls import Call, Endpoint, Reply

DROPLET_LIMIT = 25
RESERVED_IP_LIMIT = 20
VOLUME_LIMIT = 100

ACCOUNT_UUID = "7b1e4c52-2f0e-4b52-9d7e-6f6c6f63616c"


def show(_call: Call) -> Reply:
    """Answer with the one account there is."""
    return Reply(
        {
            "account": {
                "droplet_limit": DROPLET_LIMIT,
                "floating_ip_limit": RESERVED_IP_LIMIT,
                "reserved_ip_limit": RESERVED_IP_LIMIT,
                "volume_limit": VOLUME_LIMIT,
                "name": "Local Cloud",
                "email": "owner@greenroom.test",
                "uuid": ACCOUNT_UUID,
                "email_verified": True,
                "status": "active",
                "status_message": "",
                "team": {"uuid": ACCOUNT_UUID, "name": "Local Team"},
            }
        }
    )


ENDPOINTS = (Endpoint("GET", "/v2/account", show),)
