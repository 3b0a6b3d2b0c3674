"""What the stack has in the DigitalOcean account, one component a thing, put together by `Cloud`."""

from __future__ import annotations

__all__ = ["Cloud", "Login", "Names"]

from infra.cloud.account import Cloud
from infra.cloud.machine import Login
from infra.cloud.naming import Names
