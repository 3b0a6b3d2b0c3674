"""The way to a host: one pinned connection each, commands and files over it, and the worker that runs at its far end.

Nothing here knows what is wanted of a host; `infra.host` does. Importing this package is cheap: fabric and paramiko
are loaded when the first connection opens.
"""

from infra.transport.endpoint import Endpoint, Outcome
from infra.transport.progress import say

__all__ = ["Endpoint", "Outcome", "say"]
