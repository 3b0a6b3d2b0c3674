"""The chain of host resources on each droplet of a list, without a cloud: what `scripts/bench host` refreshes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi

from infra import host

DIRECTORY = "/home/deploy/hello"
DOMAIN = "staging.hello.test"


def declare(number: int, droplet: dict[str, Any], commit: str) -> None:
    """Declare one droplet's chain, as `infra.deployment` does."""
    first = host.connection(
        **{name: droplet[name] for name in ("machine", "host", "host_key", "private_key")}, user="root", port=22
    )
    key = host.HostKey(f"host-key-{number}", connection=first)
    pinned = host.PinnedHost(f"pinned-host-{number}", connection=first, public_key=key.public_key)
    reach = {**first, "host_key": pinned.host_key}

    def after(*others: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(depends_on=list(others))

    base = host.Baseline(f"baseline-{number}", connection=reach, user="deploy", authorized_keys=[droplet["login"]])
    checkout = host.Checkout(
        f"checkout-{number}",
        connection=reach,
        repository="http://git.greenroom.test/hello.git",
        branch="develop",
        commit=commit,
        directory=DIRECTORY,
        owner="deploy",
        keep=[".env.staging"],
        directories=[{"path": "logs", "owner": 1000, "mode": "0755"}],
        opts=after(base),
    )
    env = host.EnvFile(
        f"env-file-{number}",
        connection=reach,
        path=f"{DIRECTORY}/.env.staging",
        owner="deploy",
        values={"GREETING": "hi", "LIST": ["a", "b"]},
        secrets={"TOKEN": "a-token-of-the-bench"},
        opts=after(checkout),
    )
    place = host.workload(
        directory=DIRECTORY,
        compose_file="docker-compose.yml",
        env_file=".env.staging",
        project="hello",
        variables={"IMAGE_TAG": f"staging-{commit[:7]}"},
        secrets=["TOKEN"],
    )
    release: dict[str, Any] = {"connection": reach, "workload": place, "commit": commit}
    made_under: dict[str, Any] = {"environment": env.digest, "key_fingerprint": base.key_fingerprint}
    images = host.Images(f"images-{number}", **release, opts=after(env))
    migrated = host.Migrations(
        f"migrations-{number}",
        **release,
        service="app",
        command=["python", "/app/app.py", "upgrade"],
        current=["python", "/app/app.py", "current"],
        **made_under,
        version={"service": "db", "role": "hello", "name": "hello", "table": "alembic_version"},
        opts=after(images),
    )
    stack = host.ComposeStack(f"stack-{number}", **release, **made_under, opts=after(migrated))
    proxy = host.Proxy(
        f"proxy-{number}",
        connection=reach,
        domain=DOMAIN,
        routes=[{"path": "/*", "port": 8002}],
        tls="internal",
        opts=after(base),
    )
    host.HealthGate(
        f"health-{number}",
        connection=reach,
        domain=DOMAIN,
        paths=["/health", "/ready", "/environment"],
        ca_certificate=proxy.ca_certificate,
        triggers=[commit, env.digest],
        opts=after(stack, proxy),
    )


fleet = json.loads(Path(pulumi.Config().require("fleet")).read_text(encoding="utf-8"))
for place_in_line, each in enumerate(fleet["droplets"]):
    declare(place_in_line, each, fleet["commit"])
