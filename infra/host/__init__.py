"""What is true on a droplet, one resource a file.

All are dynamic resources with an honest check, diff, read and delete (see `infra.host.resource`). Give each
`deleted_with` the droplet, and nothing is asked of a host that is about to go. The order in which they build on each
other: bootstrap and host key, baseline, hardening, data volume, checkout, env file, images, migrations, stack; the
proxy beside them; the health gate last.
"""

from infra.commands.hardening import PACKAGES as HARDENING_PACKAGES
from infra.host.baseline import PACKAGES, Baseline
from infra.host.checkout import Checkout
from infra.host.env_file import EnvFile
from infra.host.hardening import Hardening
from infra.host.health import HealthGate
from infra.host.host_key import HostKey, PinnedHost
from infra.host.images import Images
from infra.host.keys import Bootstrap, KeyPair
from infra.host.migrations import Migrations
from infra.host.proxy import Proxy
from infra.host.stack import ComposeStack
from infra.host.volume import DataVolume
from infra.host.workload import connection, workload

__all__ = [
    "HARDENING_PACKAGES",
    "PACKAGES",
    "Baseline",
    "Bootstrap",
    "Checkout",
    "ComposeStack",
    "DataVolume",
    "EnvFile",
    "Hardening",
    "HealthGate",
    "HostKey",
    "Images",
    "KeyPair",
    "Migrations",
    "PinnedHost",
    "Proxy",
    "connection",
    "workload",
]
