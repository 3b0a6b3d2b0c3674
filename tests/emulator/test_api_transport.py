"""What holds for every request: tokens, exact paths, headers, words for errors, TLS, a loud log."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from apilab import Api

    from localcloud.digitalocean.server import CloudServer
    from localcloud.digitalocean.testing import RecordingMachines

GONE = "The resource you were accessing could not be found."


@pytest.mark.parametrize("header", [None, "", "Bearer", "bearer", "Basic abc"])
def test_a_request_without_a_token_is_refused(server: CloudServer, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    response = httpx.get(f"{server.urls['http']}/v2/account", headers=headers)
    assert response.status_code == 401
    assert response.json()["id"] == "unauthorized"


@pytest.mark.parametrize(
    "path",
    [
        "/v2/monitoring/alerts/",
        "/v2/droplets/",
        "/v2/droplets/1/",
        "/v2/apps",
        "/v2",
        "/",
        "/v1/droplets",
        "/v2/droplets//actions",
    ],
)
def test_an_unserved_path_is_not_found_and_named(api: Api, path: str) -> None:
    status, message = api.error("GET", path)
    assert status == 404
    assert message.startswith(GONE)
    assert f"GET {path}" in message


@pytest.mark.parametrize(
    "path",
    [
        "/v2/account/keys/1",
        "/v2/account/keys/aa:bb",
        "/v2/actions/1",
        "/v2/domains/none.test",
        "/v2/droplets/1",
        "/v2/droplets/word",
        "/v2/firewalls/none",
        "/v2/floating_ips/127.0.20.9",
        "/v2/images/1",
        "/v2/images/none",
        "/v2/monitoring/alerts/none",
        "/v2/projects/none",
        "/v2/reserved_ips/127.0.20.9",
        "/v2/snapshots/1",
        "/v2/tags/none",
        "/v2/volumes/none",
        "/v2/vpcs/none",
    ],
)
def test_what_is_not_there_is_said_in_the_words_that_clients_match(api: Api, path: str) -> None:
    for method in ("GET", "DELETE"):
        if method == "DELETE" and "/actions/" in path:
            continue
        assert api.error(method, path) == (404, GONE)


def test_every_answer_carries_its_id_and_the_rate_limit(api: Api) -> None:
    for path in ("/v2/account", "/v2/none"):
        headers = api.call("GET", path).headers
        assert len(headers["x-request-id"]) == 36
        assert headers["ratelimit-limit"] == "5000"
        assert int(headers["ratelimit-remaining"]) < 5000
        assert int(headers["ratelimit-reset"]) > 0


def test_head_is_get_without_the_body(api: Api) -> None:
    response = httpx.head(f"{api.url}/v2/account", headers={"authorization": "Bearer x"})
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("content", [b"{", b"[]", b'"text"', b"\xff"])
def test_a_body_that_is_no_object_is_a_bad_request(api: Api, content: bytes) -> None:
    headers = {"authorization": "Bearer x", "content-type": "application/json"}
    response = httpx.post(f"{api.url}/v2/tags", content=content, headers=headers)
    assert response.status_code == 400
    assert response.json()["id"] == "bad_request"


def test_unknown_fields_are_tolerated_and_logged_loudly(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.post("/v2/tags", {"name": "known", "colour": "red"})
    api.get("/v2/tags?flavour=sweet")
    assert "IGNORED FIELD: colour of POST /v2/tags" in caplog.messages
    assert "IGNORED PARAMETER: flavour of GET /v2/tags" in caplog.messages
    unserved = httpx.get(f"{api.url}/_greenroom/status").json()["unserved"]
    assert unserved["IGNORED FIELD: colour of POST /v2/tags"] == 1


def test_a_known_field_is_no_complaint(api: Api) -> None:
    api.booting(with_droplet_agent=True, private_networking=True)
    assert httpx.get(f"{api.url}/_greenroom/status").json()["unserved"] == {}


def test_https_is_signed_by_the_clouds_own_authority(server: CloudServer) -> None:
    trusting = ssl.create_default_context(cafile=str(server.certificates.authority))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    url = f"{server.urls['https']}/v2/account"
    response = httpx.get(url, headers={"authorization": "Bearer x"}, verify=trusting)
    assert response.json()["account"]["status"] == "active"
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, verify=ssl.create_default_context())


def test_the_servers_key_is_readable_by_its_owner_only(server: CloudServer) -> None:
    assert server.certificates.key.stat().st_mode & 0o777 == 0o600


def test_a_failing_machine_host_is_a_server_error_and_changes_nothing(api: Api, machines: RecordingMachines) -> None:
    machines.fail["create_volume"] = RuntimeError("no space at /secret/place")
    status, message = api.error("POST", "/v2/volumes", {"name": "data", "region": "fra1", "size_gigabytes": 1})
    assert (status, message) == (500, "Server was unable to give you a response.")
    assert api.get("/v2/volumes")["volumes"] == []
    assert api.get("/v2/projects/default/resources")["resources"] == []


def test_answers_are_not_held_back_by_delayed_acknowledgements(api: Api) -> None:
    took_s: list[float] = []
    for _ in range(9):
        began = time.monotonic()
        api.get("/v2/account")
        took_s.append(time.monotonic() - began)
    # Nagle's algorithm would make each of them wait 40 ms.
    assert sorted(took_s)[4] < 0.03
