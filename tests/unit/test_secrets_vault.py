"""Vault, asked by its real client: OpenBao as a real server."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import hvac
import pytest
from secretservers import ROOT_TOKEN, Counting, authority, reader_token, serving

from infra.secret import Rule, SecretError, gather
from infra.secret.vault import VaultPlace, VaultSource

if TYPE_CHECKING:
    from pathlib import Path

# boto's vendored requests and moto's Flask warn of themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_vault_gives_keys_with_one_call_for_each_path(vault: tuple[Counting, dict[str, str]]) -> None:
    server, environment = vault
    names = [f"N{number}" for number in range(20)]
    source = VaultSource(dict.fromkeys(names, VaultPlace("secret/tsh-erp/staging", "RESEND_API_KEY")), environment)
    found = gather(dict.fromkeys(names, Rule()), dict.fromkeys(names, source))

    assert {each.reveal() for each in found.values()} == {"re_canary_1234567"}
    assert found["N0"].changed is not None
    assert server.seen == ["/v1/secret/data/tsh-erp/staging"]


VAULT_REFUSALS = [
    (VaultPlace("secret/tsh-erp/none", "A"), "NOT_FOUND", "vault kv metadata get secret/tsh-erp/none"),
    (VaultPlace("secret/tsh-erp/staging", "RESEND"), "NO_SUCH_KEY", "vault kv metadata get"),
    (VaultPlace("secret/tsh-erp/staging", "NUMBER"), "NO_TEXT", "vault kv metadata get"),
    (VaultPlace("secret/other", "A"), "ACCESS_DENIED", "vault token capabilities secret/data/other"),
]


@pytest.mark.parametrize(("place", "reason", "hint"), VAULT_REFUSALS, ids=[str(each[0]) for each in VAULT_REFUSALS])
def test_each_refusal_of_vault_has_its_reason(
    vault: tuple[Counting, dict[str, str]], place: VaultPlace, reason: str, hint: str
) -> None:
    with pytest.raises(SecretError) as caught:
        VaultSource({"NAME": place}, vault[1]).read("NAME")
    assert (caught.value.name, caught.value.reason) == ("NAME", reason)
    assert hint in caught.value.hint
    assert "canary" not in str(caught.value)


def test_a_deleted_version_is_nothing(vault: tuple[Counting, dict[str, str]]) -> None:
    environment = {**vault[1], "VAULT_TOKEN": ROOT_TOKEN}
    with pytest.raises(SecretError) as caught:
        VaultSource({"NAME": VaultPlace("secret/gone", "A")}, environment).read("NAME")
    assert caught.value.reason == "NOT_FOUND"


def test_an_expired_token_is_told_from_one_that_may_not_read(
    vault: tuple[Counting, dict[str, str]], bao_url: str
) -> None:
    token = reader_token(hvac.Client(bao_url, ROOT_TOKEN), ttl="1s")
    time.sleep(1.6)
    with pytest.raises(SecretError) as caught:
        VaultSource({"NAME": VaultPlace("secret/tsh-erp/staging", "A")}, {**vault[1], "VAULT_TOKEN": token}).read(
            "NAME"
        )
    assert (caught.value.reason, caught.value.hint) == ("CREDENTIALS_EXPIRED", "vault login")
    assert token not in str(caught.value)


def test_an_approle_logs_in(vault: tuple[Counting, dict[str, str]], bao_url: str) -> None:
    client = hvac.Client(bao_url, ROOT_TOKEN)
    if "approle/" not in client.sys.list_auth_methods():
        client.sys.enable_auth_method("approle")
    client.auth.approle.create_or_update_approle("greenroom", token_policies=["reader"])
    role = client.auth.approle.read_role_id("greenroom")["data"]["role_id"]
    secret = client.auth.approle.generate_secret_id("greenroom")["data"]["secret_id"]
    environment = {"VAULT_ADDR": vault[1]["VAULT_ADDR"], "VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret}
    places = {"NAME": VaultPlace("secret/tsh-erp/staging", "RESEND_API_KEY")}

    found = VaultSource(places, environment).read("NAME")
    assert found is not None
    assert found.reveal() == "re_canary_1234567"
    with pytest.raises(SecretError) as caught:
        VaultSource(places, {**environment, "VAULT_SECRET_ID": "of-yesterday"}).read("NAME")
    assert caught.value.reason == "CREDENTIALS_EXPIRED"


def test_vault_that_does_not_answer_is_given_up_in_bounded_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(SecretError) as caught:
        VaultSource({"NAME": VaultPlace("secret/x", "A")}, {"VAULT_ADDR": address, "VAULT_TOKEN": "t"}).read("NAME")
    assert (caught.value.reason, caught.value.hint) == ("UNREACHABLE", "vault status")
    assert time.monotonic() - began < 12


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({}, "NOT_CONFIGURED"), ({"VAULT_ADDR": "http://127.0.0.1:9"}, "NO_CREDENTIALS")],
)
def test_vault_without_address_or_token_says_so(
    environment: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    with pytest.raises(SecretError) as caught:
        VaultSource({"NAME": VaultPlace("secret/x", "A")}, environment).read("NAME")
    assert caught.value.reason == reason


def test_the_authority_of_the_environment_vouches_for_vault(tmp_path: Path) -> None:
    certificate, server_pem = authority(tmp_path)
    held = {"data": {"A": "canary-over-tls"}, "metadata": {"created_time": "2026-11-24T10:00:00Z"}}
    places = {"NAME": VaultPlace("secret/x", "A")}
    with serving(Counting(answer=(200, {"data": held}), certificate=server_pem)) as server:
        environment = {"VAULT_ADDR": server.url, "VAULT_TOKEN": "t"}
        found = VaultSource(places, {**environment, "VAULT_CACERT": str(certificate)}).read("NAME")
        with pytest.raises(SecretError) as caught:
            VaultSource(places, environment).read("NAME")

    assert found is not None
    assert found.reveal() == "canary-over-tls"
    assert caught.value.reason == "UNREACHABLE"
    assert server.seen == ["/v1/secret/data/x"]


@pytest.mark.parametrize("name", ["VAULT_CACERT", "VAULT_CAPATH"])
def test_an_authority_that_is_not_there_is_told(name: str, tmp_path: Path) -> None:
    environment = {"VAULT_ADDR": "https://127.0.0.1:9", "VAULT_TOKEN": "t", name: str(tmp_path / "nothing.pem")}
    with pytest.raises(SecretError, match=f"{name} names .*nothing.pem, which is not there") as caught:
        VaultSource({"NAME": VaultPlace("secret/x", "A")}, environment).read("NAME")
    assert caught.value.reason == "NOT_CONFIGURED"
