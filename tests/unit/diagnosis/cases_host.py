"""Cases of the families before a release: cloud, host, Docker, disks."""

from __future__ import annotations

from situations import Case, drift, failure, situation, unit

SILENT_HOST = {
    "kind": "silent",
    "code": "HOST_UNREACHABLE",
    "reason": "TimeoutError: timed out",
    "host": "root@203.0.113.7:22",
}
REFUSED = {**SILENT_HOST, "kind": "refused"}
GODO = 'POST https://api.digitalocean.com/v2/droplets: {} (request "3f9a-11") {}'
OWN = "create droplet: the API answered {} {} (request 3f9a-11)"
ENGINE = (
    "update failed: Droplet droplet: droplet_actions.post: the API answered {} {} (request 3f9a-11)\n"
    "  next: correct the resource's inputs in the program"
)
RESIZED = ENGINE.format(422, "unprocessable_entity: This size is not available because it has a smaller disk.")
NO_SPACE = "dd: error writing '/dev/full': No space left on device"
FULL = {"path": "/", "size_bytes": 80 * 1024**3, "free_bytes": 0, "percent": 100.0, "inodes_percent": 4.0}
TIGHT = {"path": "/", "size_bytes": 80 * 1024**3, "free_bytes": 9 * 1024**3, "percent": 88.0, "inodes_percent": 4.0}
NO_INODES = {
    "path": "/",
    "size_bytes": 80 * 1024**3,
    "free_bytes": 50 * 1024**3,
    "percent": 37.0,
    "inodes_percent": 100.0,
}
VOLUME_GONE = drift("volume is gone", "Volume", layer="digitalocean")
UNMOUNTED = drift("nothing is mounted at /mnt/greenroom_staging", "DataVolume")
BAD_DAEMON = "/etc/docker/daemon.json: Expecting ',' delimiter: line 3 column 3 (char 42)"
DEAD = unit("failed", result="exit-code")
BUILD = "IMAGE_BUILD_FAILED"


def _units(**units: dict[str, object]) -> dict[str, object]:
    names = {f"{name}.service": state for name, state in units.items()}
    return {"units": {"docker.service": unit(), "containerd.service": unit(), "caddy.service": unit(), **names}}


CASES = (
    Case(
        "HOST_MISMATCH",
        "another host key",
        situation(unreachable={**REFUSED, "code": "HOST_KEY_REFUSED", "reason": "the host presents another key"}),
        situation(unreachable={**REFUSED, "code": "LOGIN_REFUSED"}),
        "203.0.113.7",
    ),
    Case(
        "HOST_MISMATCH",
        "another droplet by the cloud's word",
        situation(cloud={"id": 480000002}),
        situation(cloud={"id": "480000001"}),
    ),
    Case(
        "HOST_MISMATCH",
        "the tag is not ours",
        situation(failure("HOST_MISMATCH", "tags: production; expected greenroom-staging", phase="identity")),
        situation(failure("HOST_UNREACHABLE", "tags: production", phase="connect")),
    ),
    Case(
        "LOGIN_REFUSED",
        "by the host",
        situation(unreachable={**REFUSED, "code": "LOGIN_REFUSED", "reason": "the login key was refused"}),
        situation(unreachable=SILENT_HOST),
    ),
    Case(
        "DROPLET_GONE",
        "by the cloud",
        situation(failure("DROPLET_GONE", "404 for droplet", phase="identity")),
        situation(),
    ),
    Case(
        "DROPLET_GONE",
        "by a look",
        situation(drift=drift("droplet is gone", "Droplet", layer="digitalocean")),
        situation(drift=drift("record is gone", "DnsRecord", layer="digitalocean")),
    ),
    Case(
        "VOLUME_GONE",
        "by the cloud",
        situation(failure("VOLUME_GONE", "404 for volume", phase="identity")),
        situation(failure("CLOUD_BUSY", "503 for volume", phase="identity")),
        "volume",
    ),
    Case(
        "VOLUME_GONE",
        "by a look",
        situation(drift=VOLUME_GONE),
        situation(drift=[*drift("droplet: volumeIds was changed", "Droplet", layer="digitalocean"), *UNMOUNTED]),
        "volume",
    ),
    Case(
        "DROPLET_OFF",
        "by the cloud",
        situation(cloud={"status": "off"}, unreachable=SILENT_HOST),
        situation(cloud={"status": "off", "id": 480000002}, unreachable=SILENT_HOST),
        "480000001",
    ),
    Case(
        "HOST_SILENT",
        "no answer",
        situation(unreachable=SILENT_HOST),
        situation(unreachable=SILENT_HOST, cloud={"status": "off"}),
    ),
    Case(
        "HOST_SILENT",
        "restarted in the middle",
        situation(failure("HOST_RESTARTED", "the host restarted meanwhile", phase="compose-up", exit_status=None)),
        situation(failure("COMPOSE_UP_FAILED", "HOST_RESTARTED the host restarted meanwhile", phase="compose-up")),
    ),
    Case(
        "CLOUD_BUSY",
        "429 with Retry-After, as the official provider says it",
        situation(
            failure(
                "RESOURCE_FAILED",
                f"error: Error creating droplet: {GODO.format(429, 'Too Many Requests, Retry-After: 7')}",
            )
        ),
        situation(failure("SERVICE_CRASHED", GODO.format(429, "Too Many Requests"), phase="compose-up")),
    ),
    Case(
        "CLOUD_BUSY",
        "503, as the embedded provider says it",
        situation(failure("RESOURCE_FAILED", OWN.format(503, "service_unavailable: try later"), resource="droplet")),
        situation(
            failure("RESOURCE_FAILED", OWN.format(422, "unprocessable_entity: name is invalid"), resource="droplet")
        ),
        "droplet",
    ),
    Case(
        "CLOUD_REFUSED",
        "size sold out",
        situation(
            failure("RESOURCE_FAILED", GODO.format(422, "Size is not available in this region."), resource="droplet")
        ),
        situation(failure("RESOURCE_FAILED", GODO.format(503, "Size is not available"), resource="droplet")),
    ),
    Case(
        "CLOUD_REFUSED",
        "droplet limit",
        situation(
            failure("RESOURCE_FAILED", OWN.format(422, "creating this/these droplet(s) will exceed your droplet limit"))
        ),
        situation(failure("RESOURCE_FAILED", OWN.format(404, "the thing is gone"))),
    ),
    Case(
        "CLOUD_REFUSED",
        "a size, as the embedded engine says it",
        situation(failure("RESOURCE_FAILED", RESIZED, resource="droplet")),
        situation(failure("RESOURCE_FAILED", ENGINE.format(422, "unprocessable_entity: name is invalid"))),
        "droplet",
    ),
    Case(
        "TOKEN_REFUSED",
        "401, as the embedded engine says it",
        situation(failure("RESOURCE_FAILED", ENGINE.format(401, "unauthorized: Unable to authenticate you"))),
        situation(failure("RESOURCE_FAILED", ENGINE.format(404, "not_found: the thing is gone"))),
    ),
    Case(
        "TOKEN_REFUSED",
        "401",
        situation(failure("RESOURCE_FAILED", GODO.format(401, "Unable to authenticate you"))),
        situation(failure("SERVICE_CRASHED", GODO.format(401, "Unable to authenticate you"), phase="compose-up")),
    ),
    Case(
        "DISK_FULL",
        "by its own figures",
        situation(disk={"systems": [FULL], "largest": [{"path": "/var/log", "size_bytes": 9e9}]}),
        situation(disk={"systems": [TIGHT]}),
        "/",
    ),
    Case(
        "DISK_FULL",
        "nearly, and a build says so",
        situation(failure(BUILD, f"#5 0.176 {NO_SPACE}", phase="build"), disk={"systems": [TIGHT]}),
        situation(failure(BUILD, f"#5 0.176 {NO_SPACE}", phase="build")),
    ),
    Case(
        "DISK_FULL",
        "the build's layers are gone again, and there is cache to prune",
        situation(
            failure(BUILD, f"#5 0.176 {NO_SPACE}", phase="build"),
            disk={"prunable": {"images_bytes": 0, "cache_bytes": 7}},
        ),
        situation(failure("SERVICE_CRASHED", NO_SPACE, phase="compose-up"), disk={"prunable": {"cache_bytes": 7}}),
        "/var/lib/docker",
    ),
    Case("INODES_FULL", "all used", situation(disk={"systems": [NO_INODES]}), situation(disk={"systems": [FULL]}), "/"),
    Case(
        "DOCKER_DOWN",
        "stopped",
        situation(
            containers={"engine": "Docker engine: 0: refused", "services": {}}, units=_units(docker=unit("inactive"))
        ),
        situation(units=_units(docker=unit("activating"))),
        "docker.service",
    ),
    Case(
        "DOCKER_DOWN",
        "hung: the unit is active and the engine does not answer",
        situation(containers={"engine": "Docker engine: 0: GET /containers/json: timed out", "services": {}}),
        situation(containers={"engine": ""}),
    ),
    Case(
        "DOCKER_DOWN",
        "its containerd ended",
        situation(units=_units(containerd=unit("failed"))),
        situation(units=_units(caddy=unit("failed"))),
        "containerd.service",
    ),
    Case(
        "DOCKER_BROKEN",
        "its configuration is no JSON",
        situation(units={**_units(docker=DEAD), "daemon_json": BAD_DAEMON}),
        situation(units={**_units(), "daemon_json": BAD_DAEMON}),
        "docker.service",
    ),
    Case(
        "DOCKER_BROKEN",
        "its journal says so",
        situation(
            units=_units(
                docker=unit("failed", journal=["failed to start daemon: Error initializing network controller"])
            )
        ),
        situation(units=_units(docker=unit("failed", journal=["app said: failed to start daemon"]))),
    ),
    Case(
        "PACKAGE_MISSING",
        "by a look",
        situation(drift=drift("package docker-compose is missing", "Baseline")),
        situation(drift=drift("package docker-compose is missing", "Droplet", layer="digitalocean")),
        "docker-compose",
    ),
    Case(
        "PACKAGE_MISSING",
        "compose's plugin",
        situation(
            compose={"exit_status": 1, "error": "docker: 'compose' is not a docker command.\nSee 'docker --help'"}
        ),
        situation(compose={"exit_status": 15, "error": "yaml: line 1: did not find expected ',' or '}'"}),
    ),
    Case(
        "HOST_ALTERED",
        "a file of the hardening",
        situation(drift=drift("/etc/issue was changed", "Hardening")),
        situation(drift=drift("the firewall is not loaded", "Hardening")),
        "host",
    ),
    Case(
        "DPKG_LOCKED",
        "by unattended upgrades",
        situation(
            failure(
                "PACKAGES_FAILED",
                "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 412 (unattended-upgr)",
                phase="baseline",
                exit_status=100,
            )
        ),
        situation(failure("SERVICE_CRASHED", "E: Could not get lock /var/lib/dpkg/lock-frontend.", phase="compose-up")),
    ),
    Case(
        "SUDO_ASKS",
        "reloading the proxy",
        situation(failure("COMMAND_FAILED", "sudo: a password is required", phase="proxy")),
        situation(failure("COMMAND_FAILED", "the docs say: sudo: a password is required", phase="proxy")),
    ),
    Case(
        "SUDO_ASKS",
        "asked by a step, not told by an application",
        situation(failure("PACKAGES_FAILED", "sudo: a terminal is required to read the password", phase="baseline")),
        situation(failure("SERVICE_CRASHED", "sudo: a terminal is required to read the password", phase="compose-up")),
    ),
)
