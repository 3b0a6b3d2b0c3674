"""Our thin classes against the official SDK's: same tokens, same property names, same plugin version."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import pytest

from infra.cloud import resources

OWN_WORDS = {"self", "name", "opts", "label"}


@pytest.mark.filterwarnings("ignore:digitalocean:DeprecationWarning")
@pytest.mark.parametrize("name", resources.__all__)
def test_a_class_is_what_the_official_sdk_has(name: str) -> None:
    import pulumi_digitalocean  # noqa: PLC0415 - as above

    own, official = getattr(resources, name), getattr(pulumi_digitalocean, name)
    assert own.token == official.pulumi_type
    accepted = set(inspect.signature(official._internal_init).parameters)
    inputs = set(inspect.signature(own.__init__).parameters) - OWN_WORDS
    assert inputs <= accepted, inputs - accepted
    assert all(isinstance(getattr(official, result), property) for result in own.results)


def test_the_plugin_version_is_the_locked_sdk_s() -> None:
    assert version("pulumi-digitalocean") == resources.VERSION


@pytest.mark.parametrize(
    ("python", "provider"),
    [("ip_range", "ipRange"), ("vpc_uuid", "vpcUuid"), ("ipv4_address", "ipv4Address"), ("name", "name")],
)
def test_names_are_spelled_both_ways(python: str, provider: str) -> None:
    spelled = resources.Vpc.translate_input_property
    back = resources.Vpc.translate_output_property
    anything: Any = None
    assert spelled(anything, python) == provider
    assert back(anything, provider) == python
