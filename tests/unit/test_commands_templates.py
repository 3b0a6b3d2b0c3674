"""The bootstrap template: one host key, and no other secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key
from jinja2 import UndefinedError

from infra.commands.templates import TEMPLATES, recipe, render
from infra.host.keys import BootstrapProvider, KeyPairProvider, new_key_pair

DROPLET = {"generation": 1, "region": "fra1", "image": "debian-13-x64"}


def test_user_data_carries_the_one_time_host_key_whole() -> None:
    outputs = BootstrapProvider().create(DROPLET).outs or {}
    document = yaml.safe_load(outputs["user_data"])
    private = load_ssh_private_key(document["ssh_keys"]["ed25519_private"].encode(), password=None)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    assert outputs["user_data"].startswith("#cloud-config\n")
    assert public == outputs["host_key"] == document["ssh_keys"]["ed25519_public"]
    assert document["ssh_pwauth"] is False


def test_user_data_stays_far_below_the_clouds_limit() -> None:
    outputs = BootstrapProvider().create(DROPLET).outs or {}

    assert len(base64.b64encode(outputs["user_data"].encode())) < 16_000


@pytest.mark.parametrize("change", [{"generation": 2}, {"region": "ams3"}, {"image": "debian-12-x64"}])
def test_another_droplet_gets_another_host_key(change: dict[str, Any]) -> None:
    provider = BootstrapProvider()
    olds = provider.create(DROPLET).outs or {}

    assert not provider.diff("id", olds, {**DROPLET, "generation": 1.0}).changes
    assert provider.diff("id", olds, {**DROPLET, **change}).replaces == list(change)


def test_a_record_from_before_regions_and_images_were_in_it_is_no_change() -> None:
    olds = {**(BootstrapProvider().create({"generation": 1}).outs or {})}

    assert not BootstrapProvider().diff("id", olds, DROPLET).changes


def test_a_key_pair_is_made_once_and_keeps_its_keys_when_the_comment_changes() -> None:
    provider = KeyPairProvider()
    made = provider.create({"comment": "ops@staging"}).outs or {}
    changed = provider.update("id", made, {"comment": "ops@other"}).outs or {}

    assert made["public_key"].endswith(" ops@staging")
    assert changed["public_key"] == made["public_key"].replace("ops@staging", "ops@other")
    assert changed["private_key"] == made["private_key"]
    assert not provider.diff("id", changed, {"comment": "ops@other"}).changes


def test_two_key_pairs_differ() -> None:
    assert new_key_pair() != new_key_pair()


def test_a_name_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("cloud-init.yaml.j2", {"public_key": "x"})


def test_a_recipe_is_a_digest_of_the_templates_text() -> None:
    assert all(len(recipe(path.name)) == 16 for path in TEMPLATES.glob("*.j2"))
