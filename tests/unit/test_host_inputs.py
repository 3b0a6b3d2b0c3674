"""Inputs of host resources: what could not be meant is refused, and what is a change is seen without a look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hostfacts import CHECKOUT, ENV, PROXY, REACH, SETTLED, STACK, VOLUME, WORKLOAD
from pulumi.output import Unknown

from infra.host.checkout import CheckoutProvider
from infra.host.env_file import EnvFileProvider
from infra.host.host_key import HostKeyProvider
from infra.host.proxy import ProxyProvider
from infra.host.stack import ComposeStackProvider
from infra.host.volume import DataVolumeProvider

if TYPE_CHECKING:
    from infra.host.resource import HostProvider


@pytest.mark.parametrize(
    ("provider", "inputs", "name"),
    [
        (CheckoutProvider(), {**CHECKOUT, "repository": "ext::sh -c id"}, "repository"),
        (CheckoutProvider(), {**CHECKOUT, "repository": "file:///etc"}, "repository"),
        (CheckoutProvider(), {**CHECKOUT, "repository": "https://-oProxyCommand=id/x"}, "repository"),
        (CheckoutProvider(), {**CHECKOUT, "branch": "--upload-pack=id"}, "branch"),
        (CheckoutProvider(), {**CHECKOUT, "branch": "a..b"}, "branch"),
        (CheckoutProvider(), {**CHECKOUT, "commit": "HEAD"}, "commit"),
        (CheckoutProvider(), {**CHECKOUT, "directory": "/home/x/../../etc"}, "directory"),
        (CheckoutProvider(), {**CHECKOUT, "directory": "relative"}, "directory"),
        (CheckoutProvider(), {**CHECKOUT, "directory": "/a\nb"}, "directory"),
        (CheckoutProvider(), {**CHECKOUT, "owner": "a;b"}, "owner"),
        (EnvFileProvider(), {**ENV, "path": "/home//x"}, "path"),
        (ComposeStackProvider(), {**STACK, "workload": {**WORKLOAD, "project": "A b"}}, "workload.project"),
        (
            ComposeStackProvider(),
            {**STACK, "workload": {**WORKLOAD, "compose_file": "../x.yml"}},
            "workload.compose_file",
        ),
        (ComposeStackProvider(), {**STACK, "workload": {**WORKLOAD, "env_file": "/etc/x"}}, "workload.env_file"),
        (ProxyProvider(), {**PROXY, "domain": "a.test {\n}"}, "domain"),
        (ProxyProvider(), {**PROXY, "email": "a@b}\n{"}, "email"),
        (ProxyProvider(), {**PROXY, "tls": "off"}, "tls"),
        (ProxyProvider(), {**PROXY, "routes": [{"path": "/x {\n", "port": 1.0}]}, "routes"),
        (ProxyProvider(), {**PROXY, "routes": [{"path": "/", "port": 0.0}]}, "routes"),
        (DataVolumeProvider(), {**VOLUME, "mount": "/etc"}, "mount"),
        (DataVolumeProvider(), {**VOLUME, "volume": "A;b"}, "volume"),
    ],
)
def test_inputs_that_could_not_be_meant_are_refused(provider: HostProvider, inputs: dict[str, Any], name: str) -> None:
    failures = provider.check({}, inputs).failures

    assert [failure.property for failure in failures] == [name]


@pytest.mark.parametrize(("provider", "spec", "facts"), SETTLED, ids=lambda each: getattr(each, "subject", ""))
def test_inputs_that_are_meant_are_accepted(
    provider: HostProvider, spec: dict[str, Any], facts: dict[str, Any]
) -> None:
    del facts
    assert provider.check({}, spec).failures == []


def test_unknown_inputs_are_a_change_in_a_preview() -> None:
    news = {**STACK, "environment": Unknown()}

    assert ComposeStackProvider().diff("id", {**STACK, "drift": [], "reachable": True}, news).changes


@pytest.mark.parametrize("found", [{"drift": ["edited"]}, {"reachable": False}])
def test_what_a_refresh_has_found_makes_the_next_run_mend_it(found: dict[str, Any]) -> None:
    settled = {**STACK, "drift": [], "reachable": True}
    provider = ComposeStackProvider()

    assert not provider.diff("id", settled, STACK).changes
    assert provider.diff("id", {**settled, **found}, STACK).changes


def test_another_machine_is_a_change_of_everything_on_it() -> None:
    settled = {**STACK, "drift": [], "reachable": True}
    news = {**STACK, "connection": {**REACH, "machine": "2"}}

    assert ComposeStackProvider().diff("id", settled, news).changes


def test_a_recorded_host_key_stays_on_record_without_asking_the_host() -> None:
    olds = {"connection": REACH, "public_key": "ssh-ed25519 B", "recorded": {}, "drift": [], "reachable": True}
    news = {"connection": {**REACH, "private_key": "another login"}}

    outs = HostKeyProvider().update("id", olds, news).outs or {}
    assert outs["public_key"] == "ssh-ed25519 B"
    assert outs["connection"]["private_key"] == "another login"
