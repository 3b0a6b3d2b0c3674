"""Changes made by hand on a droplet: what is done, on which resource it has to show, and in which words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.ops.drift import Drift, in_world

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hostlab import Lab, Wish

APP = "$(docker ps -aqf label=com.docker.compose.service=app)"
CACHE = "$(docker ps -aqf label=com.docker.compose.service=cache)"
COMPOSE = "docker compose --project-name hello --env-file .env.staging"
STRANGER = "--label com.docker.compose.project=hello --label com.docker.compose.service=stranger"


@dataclass(frozen=True)
class ByHand:
    """One change. `@TAG@` in the script is the release's image tag."""

    name: str
    resource: str
    script: str
    what: str
    dated: bool = False
    """Whether the host can tell since when."""
    slow_s: float = 0.0
    """How long it takes until it shows."""


_STOP_ALL = (
    'import os; [os.kill(int(p), 19) for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid())]'
)

BY_HAND = (
    ByHand("env: mode", "env file", "chmod 0644 .env.staging", "has mode 0644", dated=True),
    ByHand("env: owner", "env file", "chown root .env.staging", "belongs to root", dated=True),
    ByHand("env: value changed", "env file", "sed -i 's/^N=.*/N=\"6\"/' .env.staging", "changed N", dated=True),
    ByHand("env: variable added", "env file", "echo 'EXTRA=\"1\"' >> .env.staging", "added EXTRA", dated=True),
    ByHand("env: variable removed", "env file", "sed -i /^LIST=/d .env.staging", "removed LIST", dated=True),
    ByHand("env: a comment", "env file", "echo '# by hand' >> .env.staging", "has another content", dated=True),
    ByHand("env: removed", "env file", "rm .env.staging", "is missing"),
    ByHand("checkout: a file edited", "checkout", "echo '# edited' >> app.py", "app.py was edited", dated=True),
    ByHand("checkout: a file removed", "checkout", "rm Dockerfile", "Dockerfile was removed"),
    ByHand("checkout: untracked", "checkout", "echo x > stray.txt", "stray.txt was added", dated=True),
    ByHand(
        "checkout: another commit",
        "checkout",
        "su deploy -c 'git -c user.name=x -c user.email=x@example.test commit -q --allow-empty -m by-hand'",
        "is at another commit",
        dated=True,
    ),
    ByHand(
        "checkout: another origin",
        "checkout",
        "su deploy -c 'git remote set-url origin http://git.greenroom.test/other.git'",
        "has another origin",
    ),
    ByHand("checkout: a directory's mode", "checkout", "chmod 0700 state", "with mode 0700", dated=True),
    ByHand("image: retagged", "images", "docker tag redis:7-alpine hello-app:@TAG@", "is another one"),
    ByHand("image: removed", "images", "docker rmi -f hello-app:@TAG@", "is missing"),
    ByHand("container: stopped", "stack", f"docker stop -t 1 {CACHE}", "service cache is exited", dated=True),
    ByHand("container: removed", "stack", f"docker rm -f {CACHE}", "service cache has no container"),
    ByHand("container: paused", "stack", f"docker pause {CACHE}", "service cache is paused", dated=True),
    ByHand(
        "container: another memory limit",
        "stack",
        f"docker update --memory 100m --memory-swap 200m {APP}",
        "service app has another limit of memory bytes",
    ),
    ByHand(
        "container: another restart policy",
        "stack",
        f"docker update --restart no {CACHE}",
        "service cache has another limit of restart",
    ),
    ByHand(
        "container: unhealthy",
        "stack",
        f"docker exec {APP} python -c '{_STOP_ALL}'",
        "service app is running, health unhealthy",
        slow_s=75.0,
    ),
    ByHand(
        "container: made anew by hand",
        "stack",
        f"IMAGE_TAG=@TAG@ {COMPOSE} up -d --force-recreate --no-deps cache",
        "service cache runs with another configuration",
        dated=True,
    ),
    ByHand(
        "container: a stranger in the project",
        "stack",
        f"docker run -d {STRANGER} --label com.docker.compose.oneoff=False redis:7-alpine",
        "service stranger is not one of the project's",
        dated=True,
    ),
    ByHand("schema: another revision", "migrations", "echo 0000 > state/revision", "revision 0000 instead of 0001"),
    ByHand(
        "package: removed",
        "baseline",
        "dpkg --remove --force-depends ca-certificates",
        "package ca-certificates is missing",
    ),
    ByHand("user: another shell", "baseline", "usermod --shell /bin/sh deploy", "user deploy has another shell"),
    ByHand("user: out of a group", "baseline", "gpasswd -d deploy docker", "user deploy is not in group docker"),
    ByHand(
        "user: another key",
        "baseline",
        "echo 'ssh-ed25519 AAAA stranger' >> ~deploy/.ssh/authorized_keys",
        "keys that open deploy's account are others",
        dated=True,
    ),
    ByHand(
        "root: another key",
        "baseline",
        "echo 'ssh-ed25519 AAAA stranger' >> ~root/.ssh/authorized_keys",
        "keys that open root's account are others",
        dated=True,
    ),
    ByHand(
        "user: another file of keys",
        "baseline",
        "echo 'ssh-ed25519 AAAA stranger' > ~deploy/.ssh/authorized_keys2",
        "authorized_keys2 can open deploy's account too",
        dated=True,
    ),
    ByHand(
        "user: keys open to all",
        "baseline",
        "chmod 0644 ~deploy/.ssh/authorized_keys",
        "keys that open deploy's account are others",
        dated=True,
    ),
    ByHand(
        "user: home open to all", "baseline", "chmod 0777 /home/deploy", "/home/deploy has another mode", dated=True
    ),
    ByHand(
        "host: the digests' key open to all", "baseline", "chmod 0644 /var/lib/greenroom/key", "key has another mode"
    ),
    ByHand(
        "host: another key of digests",
        "baseline",
        "echo another > /var/lib/greenroom/key",
        "/var/lib/greenroom/key is another key",
        dated=True,
    ),
    ByHand(
        "unit: docker stopped",
        "baseline",
        "systemctl stop docker docker.socket",
        "docker.service is inactive",
        dated=True,
    ),
    ByHand("unit: docker disabled", "baseline", "systemctl disable docker", "docker.service is active and disabled"),
    ByHand("unit: caddy stopped", "proxy", "systemctl stop caddy", "caddy.service is inactive", dated=True),
    ByHand("unit: caddy disabled", "proxy", "systemctl disable caddy", "caddy.service is active, disabled"),
    ByHand("proxy: edited", "proxy", "echo '# x' >> /etc/caddy/Caddyfile", "configuration differs", dated=True),
    ByHand(
        "proxy: runs with another configuration",
        "proxy",
        "sed 's/DENY/SAMEORIGIN/' /etc/caddy/Caddyfile >/run/other"
        " && caddy reload --config /run/other --adapter caddyfile --address unix//var/lib/caddy/admin.sock",
        "the proxy runs with another configuration than its file",
    ),
    ByHand("proxy: removed", "proxy", "rm /etc/caddy/Caddyfile", "configuration differs"),
    ByHand("mount: read-only", "volume", "mount -o remount,bind,ro /mnt/hello_data", "is mounted with other options"),
    ByHand("mount: nothing runs", "volume", "mount -o remount,bind,noexec /mnt/hello_data", "with other options"),
    ByHand("mount: a directory removed", "volume", "rmdir /mnt/hello_data/cache", "/mnt/hello_data/cache is missing"),
    ByHand(
        "sshd: its own file edited",
        "pinned host",
        "echo '# by hand' >> /etc/ssh/sshd_config.d/00-greenroom-host-key.conf",
        "00-greenroom-host-key.conf was edited",
        dated=True,
    ),
    ByHand(
        "sshd: the one-time key is back",
        "pinned host",
        "touch /etc/ssh/ssh_host_ed25519_key",
        "the one-time host key is still there",
        dated=True,
    ),
)


@dataclass(frozen=True)
class Seen:
    """A resource after a look, as the engine would tell of it."""

    name: str
    found: Mapping[str, Any]
    urn: str = ""
    type: str = "pulumi-python:dynamic/greenroom:Resource"
    op: str = "refresh"
    diff: tuple[Any, ...] = field(default=())


def look(lab: Lab) -> list[Drift]:
    """Read every resource once, and return what the command line would name."""
    lab.refresh()
    return in_world([Seen(name, outs) for name, outs in lab.state.items()], dict)


def do(lab: Lab, wish: Wish, change: ByHand) -> None:
    """Make the change."""
    lab.shell(change.script.replace("@TAG@", f"staging-{wish.commit[:7]}"))
