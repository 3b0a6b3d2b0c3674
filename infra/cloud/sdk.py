"""The DigitalOcean SDK's own classes, without the hundred and eighty modules beside them.

`import pulumi_digitalocean` runs the package's `__init__`, which imports every resource and function there is; a run
that changes nothing spends an eighth of its time on that. Here the package starts out as an empty shell with the right
search path, so that its modules can be imported one by one; whoever asks the shell itself for a name gets the whole
package after all. The classes are the SDK's either way, and so is everything that is registered with them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any


def _shell(name: str) -> None:
    """Enter a package without running it, unless it has been imported already. ModuleNotFoundError where it is not."""
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"The {name} package is not installed", name=name)
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def whole(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if importlib.util.find_spec(f"{name}.{attribute}"):  # `from . import outputs`, in one of its modules
            return importlib.import_module(f"{name}.{attribute}")
        del package.__dict__["__getattr__"]
        loader.exec_module(package)
        return getattr(package, attribute)

    package.__dict__["__getattr__"] = whole
    sys.modules[name] = package


_shell("pulumi_digitalocean")

from pulumi_digitalocean._inputs import (  # noqa: E402 - the shell comes first
    FirewallInboundRuleArgs,
    FirewallOutboundRuleArgs,
    MonitorAlertAlertsArgs,
)
from pulumi_digitalocean.dns_record import DnsRecord  # noqa: E402
from pulumi_digitalocean.domain import Domain  # noqa: E402
from pulumi_digitalocean.droplet import Droplet  # noqa: E402
from pulumi_digitalocean.firewall import Firewall  # noqa: E402
from pulumi_digitalocean.monitor_alert import MonitorAlert  # noqa: E402
from pulumi_digitalocean.project import Project  # noqa: E402
from pulumi_digitalocean.reserved_ip import ReservedIp  # noqa: E402
from pulumi_digitalocean.reserved_ip_assignment import ReservedIpAssignment  # noqa: E402
from pulumi_digitalocean.ssh_key import SshKey  # noqa: E402
from pulumi_digitalocean.tag import Tag  # noqa: E402
from pulumi_digitalocean.volume import Volume  # noqa: E402
from pulumi_digitalocean.vpc import Vpc  # noqa: E402

__all__ = [
    "DnsRecord",
    "Domain",
    "Droplet",
    "Firewall",
    "FirewallInboundRuleArgs",
    "FirewallOutboundRuleArgs",
    "MonitorAlert",
    "MonitorAlertAlertsArgs",
    "Project",
    "ReservedIp",
    "ReservedIpAssignment",
    "SshKey",
    "Tag",
    "Volume",
    "Vpc",
]
