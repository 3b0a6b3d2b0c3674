"""Whose host it is: the cloud's word, the machine's own, and what an act must not be done without."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from infra.healing.account import Answer, CloudAccount
from infra.healing.identity import DropletRecord, MachineRecord, droplet_failure, machine_failure, volume_failure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = "2026-11-24T18:00:00.000Z"
OURS = DropletRecord("480000001", "greenroom-test", ("greenroom-test",), "203.0.113.7")
DROPLET: dict[str, Any] = {
    "id": 480000001,
    "name": "greenroom-test",
    "tags": ["greenroom-test", "more"],
    "status": "active",
    "networks": {
        "v4": [{"type": "private", "ip_address": "10.0.0.2"}, {"type": "public", "ip_address": "203.0.113.7"}]
    },
}


def answer(**changes: Any) -> Answer:
    return Answer(200, {"droplet": {**DROPLET, **changes}})


def test_the_states_own_droplet_is_ours_on_or_off() -> None:
    assert droplet_failure(OURS, answer(), at=AT) is None
    assert droplet_failure(OURS, answer(status="off"), at=AT) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": 7}, "id: 7; expected 480000001"),
        ({"name": "production"}, "name: production"),
        ({"tags": []}, "tags: none; expected greenroom-test"),
        ({"tags": ["greenroom-test2"]}, "tags: greenroom-test2; expected greenroom-test"),
        ({"networks": {"v4": [{"type": "public", "ip_address": "203.0.113.8"}]}}, "expected 203.0.113.7"),
    ],
)
def test_whatever_differs_makes_it_a_stranger(change: dict[str, Any], words: str) -> None:
    failure = droplet_failure(OURS, answer(**change), at=AT)
    assert failure is not None
    assert failure.code == "HOST_MISMATCH"
    assert words in failure.evidence


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((404, "DROPLET_GONE"), (401, "TOKEN_REFUSED"), (403, "TOKEN_REFUSED")),
        *((429, "CLOUD_BUSY"), (500, "CLOUD_BUSY"), (503, "CLOUD_BUSY"), (0, "CLOUD_BUSY")),
    ],
)
def test_what_cannot_be_proved_is_a_failure_with_a_code_of_its_own(status: int, code: str) -> None:
    failure = droplet_failure(OURS, Answer(status, {"message": "made up"}), at=AT)
    assert failure is not None
    assert (failure.code, failure.phase) == (code, "identity")


@pytest.mark.parametrize(
    ("status", "code"), [(404, "VOLUME_GONE"), (401, "TOKEN_REFUSED"), (503, "CLOUD_BUSY"), (0, "CLOUD_BUSY")]
)
def test_a_volume_that_is_not_known_to_be_there_stops_every_act(status: int, code: str) -> None:
    assert volume_failure("v-1", Answer(200, {"volume": {"id": "v-1"}}), at=AT) is None
    failure = volume_failure("v-1", Answer(status, {"message": "made up"}), at=AT)
    assert failure is not None
    assert (failure.code, failure.phase) == (code, "identity")
    assert "volume v-1" in failure.evidence


def test_a_machine_is_known_again_and_another_on_the_same_droplet_is_not(tmp_path: Path) -> None:
    first = MachineRecord.of("1", "aaaa\n", "ssh-ed25519 AAAA")
    assert machine_failure(MachineRecord.read(tmp_path), first, at=AT) is None, "nothing is recorded yet"
    first.write(tmp_path)
    known = MachineRecord.read(tmp_path)
    assert machine_failure(known, MachineRecord.of("1", "aaaa", "ssh-ed25519 AAAA "), at=AT) is None
    for other in (MachineRecord.of("1", "bbbb", "ssh-ed25519 AAAA"), MachineRecord.of("1", "aaaa", "ssh-ed25519 BBBB")):
        failure = machine_failure(known, other, at=AT)
        assert failure is not None
        assert failure.code == "HOST_MISMATCH"
    assert machine_failure(known, MachineRecord.of("2", "bbbb", "k"), at=AT) is None, "another droplet is made anew"


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "identity.json").write_text("{")
    assert MachineRecord.read(tmp_path) is None


# ---- the question itself, at a real server


class Api(BaseHTTPRequestHandler):
    seen: list[tuple[str, str, str | None, bytes]] = []  # noqa: RUF012 - one server, one test

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.seen.append((self.command, self.path, self.headers.get("authorization"), body))
        known = self.path.startswith("/v2/droplets/480000001")
        content = {"droplet": DROPLET} if known else {"message": "not found"}
        text = json.dumps(content).encode() if self.path != "/v2/droplets/5" else b"<html>"
        self.send_response(200 if known else 404)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _answer  # noqa: N815 - the server's own names

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Api.seen.clear()
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_cloud_is_asked_with_the_stacks_token_and_past_any_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    account = CloudAccount.of({"DIGITALOCEAN_API_URL": f"{url}/", "DIGITALOCEAN_TOKEN": "t0ken"})
    assert droplet_failure(OURS, account.droplet("480000001"), at=AT) is None
    assert account.droplet("7").status == 404
    assert account.droplet("5").said == "the answer is no JSON"
    assert account.volume("a/../b").status == 404
    account.power_on("480000001")
    assert Api.seen[0][:3] == ("GET", "/v2/droplets/480000001", "Bearer t0ken")
    assert Api.seen[-2][:2] == ("GET", "/v2/volumes/a%2F..%2Fb")
    assert Api.seen[-1][0::3] == ("POST", b'{"type": "power_on"}')
    assert "t0ken" not in repr(account)


def test_a_cloud_that_does_not_answer_is_told_and_asked_once() -> None:
    account = CloudAccount.of({"DIGITALOCEAN_API_URL": "http://127.0.0.1:1", "DIGITALOCEAN_TOKEN": "t"})
    assert account.droplet("480000001").status == 0


@pytest.mark.parametrize("url", ["http://api.example.org", "ftp://127.0.0.1", "127.0.0.1"])
def test_a_token_never_travels_in_the_clear(url: str) -> None:
    answer = CloudAccount(url, "t0ken").droplet("1")
    assert answer.status == 0
    assert "neither https nor on this machine" in answer.said
