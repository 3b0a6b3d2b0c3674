"""The program: one staging environment, from the cloud account to a verified release."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

from infra.errors import GreenroomError
from infra.report import write_report
from infra.settings import load_config
from infra.source import PINNED, CommitLookup


def deploy() -> None:
    """Declare everything. Settings and secrets are checked before the first resource is registered."""
    stack = pulumi.get_stack()
    config = dict(pulumi.runtime.config.CONFIG.get())
    settings = load_config(config, stack=stack, root=Path(pulumi.get_root_directory()))
    healing = settings.healing
    lookup = CommitLookup(
        settings.workload,
        healing_prefix=healing.branch_prefix if healing.deploy_patched else "",
        pinned=os.environ.get(PINNED, ""),
    )

    from infra.cloud import Cloud, Login, Names  # noqa: PLC0415 - the lookup above runs while this loads for 0.5 s
    from infra.deployment import Environment, Host, Release, all_secrets, given_secrets  # noqa: PLC0415
    from infra.host import Bootstrap, KeyPair  # noqa: PLC0415

    names = Names(pulumi.get_project(), stack)
    own = {key.removeprefix(f"{names.project}:"): value for key, value in config.items()}
    given = given_secrets(settings, stack, own)
    commit = lookup.commit()
    if lookup.mends:
        pulumi.log.warn(f"deploying {commit[:12]}, the healing branch of {lookup.mends[:12]}: merge its patch")

    secrets = all_secrets(settings, given)
    operator = KeyPair("operator", comment=f"operator@{names.prefix}")
    droplet = settings.droplet
    bootstrap = Bootstrap("bootstrap", generation=droplet.generation, region=droplet.region, image=droplet.image)
    cloud = Cloud(names, settings, Login(operator.public_key, bootstrap.user_data))
    host = Host(settings, names, cloud, operator, bootstrap)
    environment = Environment.of(settings, commit=commit, volume_path=names.volume_path)
    release = Release(settings, host, cloud, commit=commit, environment=environment, secrets=secrets)

    pulumi.export("url", f"https://{settings.domain}")
    pulumi.export("address", cloud.address)
    ssh = {"user": settings.host.user, "host": cloud.droplet.ipv4_address, "port": 22, "host_key": host.key}
    pulumi.export("ssh", ssh)
    pulumi.export("release", release.summary())
    pulumi.export("services", release.stack.services)
    pulumi.export("ca_certificate", release.proxy.ca_certificate)
    pulumi.export("admin_email", settings.admin_email)
    if "ADMIN_PASSWORD" in secrets:
        pulumi.export("admin_password", pulumi.Output.secret(secrets["ADMIN_PASSWORD"]))


def main() -> None:
    """Run the program; a typed error ends it with its own words instead of a traceback."""
    try:
        deploy()
    except GreenroomError as error:
        write_report(error)
        raise pulumi.RunError(str(error)) from None


if __name__ == "__main__":
    main()
