"""Making droplets: what a request asks for is checked and stored at once, the machine boots behind the answer."""

from __future__ import annotations

__all__ = ["boot", "create", "spec_of"]

import logging
import re
from functools import partial
from typing import TYPE_CHECKING

from localcloud.digitalocean import actions, addresses, droplet_view, images, projects, ssh_keys, tags, volumes, vpcs
from localcloud.digitalocean.account import DROPLET_LIMIT
from localcloud.digitalocean.calls import Call, Reply
from localcloud.digitalocean.errors import unprocessable
from localcloud.machines.spec import MachineSpec

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

log = logging.getLogger("greenroom.cloud")

FIRST_ID = 480_000_001
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,251}[A-Za-z0-9])?")
MOST_NAMES = 10
USER_DATA_BYTES = 64 * 1024
DEFAULT_REGION = "nyc3"


def create(call: Call) -> Reply:
    """Make one droplet (`name`) or up to ten (`names`) and answer while they boot."""
    cloud, body = call.cloud, call.body
    with cloud.store.transaction():
        names = wanted_names(call)
        template = described(call)
        made = [store(call, name, template) for name in names]
    for droplet, action in made:
        cloud.background(partial(boot, cloud, droplet["id"], action["id"]))
    shown = [droplet_view.render(cloud, droplet) for droplet, _ in made]
    links = {"actions": [actions.link(call, action, "create") for _, action in made]}
    return Reply({"droplets": shown, "links": links} if "names" in body else {"droplet": shown[0], "links": links}, 202)


def wanted_names(call: Call) -> list[str]:
    """Return the names asked for; 422 when one is none, or the account's limit is passed."""
    names = call.body.texts("names") or [call.body.text("name")]
    for name in names:
        if not NAME.fullmatch(name):
            raise unprocessable("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
    if len(names) > MOST_NAMES:
        raise unprocessable(f"at most {MOST_NAMES} droplets can be created at once")
    if call.cloud.store.count("droplet") + len(names) > DROPLET_LIMIT:
        raise unprocessable("creating this/these droplet(s) will exceed your droplet limit")
    return names


def placed(call: Call) -> tuple[str, Document]:
    """Return region and VPC: those asked for, or the one that follows from the other."""
    cloud, body = call.cloud, call.body
    wanted = body.text("vpc_uuid", "")
    vpc = cloud.store.get("vpc", wanted) if wanted else None
    if wanted and vpc is None:
        raise unprocessable(f"Invalid VPC: {wanted}")
    region = cloud.catalogue.region(body.text("region", vpc["region"] if vpc else DEFAULT_REGION))["slug"]
    if vpc and vpc["region"] != region:
        raise unprocessable(f"VPC {wanted} is not in region {region}")
    return region, vpc or vpcs.default_vpc(cloud, region)


def described(call: Call) -> Document:
    """Return what all droplets of a request have in common."""
    cloud, body = call.cloud, call.body
    region, vpc = placed(call)
    size = cloud.catalogue.size(body.text("size"))
    image = found_image(call)
    if image["min_disk_size"] > size["disk"]:
        raise unprocessable(f"image {image['name']!r} needs a disk of {image['min_disk_size']} GiB")
    user_data = body.text("user_data", "")
    if len(user_data.encode()) > USER_DATA_BYTES:
        raise unprocessable("User data is too big. Maximum size is 64KiB")
    body.accept("private_networking", "with_droplet_agent", "gpu_partition_mode")
    flags = {name: body.flag(name) for name in ("backups", "ipv6", "monitoring")}
    attached = [volumes.attachable(cloud, entry, region)["id"] for entry in body.list("volumes")]
    return {
        "region": region,
        "vpc_uuid": vpc["id"],
        "size_slug": size["slug"],
        "memory": size["memory"],
        "vcpus": size["vcpus"],
        "disk": size["disk"],
        "image": images.render(image),
        "reference": images.reference(cloud, image),
        "ssh_keys": ssh_keys.public_keys(cloud, body.list("ssh_keys")),
        "user_data": user_data,
        "features": [*(name for name, on in flags.items() if on), "private_networking", "droplet_agent"],
        "backup_policy": body.raw("backup_policy") if flags["backups"] else None,
        "public": body.flag("public_networking", default=True),
        "tags": tags.canonical(cloud, body.texts("tags")),
        "volumes": attached,
    }


def found_image(call: Call) -> Document:
    """Return the image asked for; 422 when there is none."""
    wanted = call.body.raw("image", "")
    if not isinstance(wanted, str | int) or wanted == "":
        raise unprocessable("You specified an invalid image for Droplet creation.")
    try:
        return images.find(call.cloud, wanted)
    except Exception as error:
        raise unprocessable(f"You specified an invalid image for Droplet creation: {wanted!r}") from error


def store(call: Call, name: str, template: Document) -> tuple[Document, Document]:
    """Store one droplet, new and busy with its creation, and return it with that action."""
    cloud = call.cloud
    number = cloud.store.next_id("droplet", FIRST_ID)
    vpc = cloud.store.get("vpc", template["vpc_uuid"])
    attached: list[str] = template["volumes"]
    droplet: Document = {
        **{name: value for name, value in template.items() if name not in {"volumes", "public"}},
        "id": number,
        "name": name,
        "status": "new",
        "event": None,
        "destroying": False,
        "created_at": cloud.now(),
        "private_ipv4": vpcs.free_address(cloud, vpc) if vpc else "",
        "public_ipv4": addresses.free_public(cloud) if template["public"] else "",
        "public_ipv6": addresses.public_v6(number) if "ipv6" in template["features"] else "",
    }
    cloud.store.put("droplet", number, droplet)
    for volume_id in attached:
        volume = cloud.store.get("volume", volume_id) or {}
        cloud.store.put("volume", volume_id, {**volume, "droplet_id": number})
    projects.enrol(cloud, f"do:droplet:{number}")
    action = actions.begin(
        cloud, "create", owner=f"droplet:{number}", region=droplet["region"], droplet=droplet, at=droplet["created_at"]
    )
    return droplet, action


def spec_of(cloud: ControlPlane, droplet: Document) -> MachineSpec:
    """Return the machine that a droplet is."""
    vpc = cloud.store.get("vpc", droplet["vpc_uuid"]) or {}
    return MachineSpec(
        droplet_id=droplet["id"],
        name=droplet["name"],
        image=droplet["reference"],
        vcpus=droplet["vcpus"],
        memory_mib=droplet["memory"],
        user_data=droplet["user_data"],
        ssh_keys=tuple(droplet["ssh_keys"]),
        vpc_id=droplet["vpc_uuid"],
        vpc_cidr=vpc["ip_range"],
        private_ipv4=droplet["private_ipv4"],
        public_ipv4=droplet["public_ipv4"],
        volumes=droplet_view.mounts_of(cloud, droplet["id"]),
        region=droplet["region"],
        tags=tuple(droplet["tags"]),
    )


def boot(cloud: ControlPlane, droplet_id: int, action_id: int) -> None:
    """Boot a stored droplet and open its addresses: it is active. One that does not boot is left off, to be deleted."""
    failure = ""
    try:
        cloud.machines.create(spec_of(cloud, cloud.store.get("droplet", droplet_id) or {}))
        cloud.apply_network()
    except Exception as error:  # the boundary of background work: whatever went wrong ends the action
        log.exception("droplet %d did not boot", droplet_id)
        failure = str(error) or repr(error)
    with cloud.store.transaction():
        droplet = cloud.store.get("droplet", droplet_id) or {}
        cloud.store.put("droplet", droplet_id, {**droplet, "status": "off" if failure else "active"})
        actions.end(cloud, action_id, failure=failure)
