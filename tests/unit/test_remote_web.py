"""Health through a proxy that speaks TLS: how many connections are made, and what each path's answer is."""

from __future__ import annotations

import ssl
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from secretservers import authority, serving

from infra.transport.remote.web import http_fact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Site(ThreadingHTTPServer):
    """Counts its connections; `closes` are the paths after which it hangs up, `drops` those before whose answer."""

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.connections: set[tuple[str, int]] = set()
        self.asked: list[str] = []
        self.closes: set[str] = set()
        self.drops: list[str] = []


class _Visit(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.connections.add(self.client_address)
        self.server.asked.append(self.path)
        self.close_connection = True
        if self.path in self.server.drops:
            self.server.drops.remove(self.path)
            return
        time.sleep(0.4 if self.path == "/slow" else 0)
        content = b"no such page" if self.path == "/none" else b"fine"
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(content)))
        if self.headers.get("Connection") == "keep-alive" and self.path not in self.server.closes:
            self.send_header("Connection", "keep-alive")
            self.close_connection = False
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Site, dict[str, Any]]]:
    alone, both = authority(tmp_path)
    with serving(Site(both)) as server:  # type: ignore[arg-type]  (serves any server)
        probe = {"domain": "127.0.0.1", "port": server.server_address[1], "authority": alone.read_text()}
        yield server, probe  # type: ignore[misc]  (it is the one that was given)


def statuses(probe: dict[str, Any], *paths: str) -> list[int]:
    fact = http_fact({**probe, "paths": list(paths)})
    assert list(fact) == list(paths)
    return [each["status"] for each in fact.values()]


def test_paths_that_answer_quickly_share_one_connection(site: tuple[Site, dict[str, Any]]) -> None:
    server, probe = site
    assert statuses(probe, "/a", "/none", "/b", "/c") == [200, 404, 200, 200]
    assert (len(server.connections), server.asked) == (1, ["/a", "/none", "/b", "/c"])
    shown = http_fact({**probe, "paths": ["/a", "/none"]})
    assert [each["body"] for each in shown.values()] == ["", "no such page"]


def test_what_is_left_after_a_slow_answer_is_asked_side_by_side(site: tuple[Site, dict[str, Any]]) -> None:
    server, probe = site
    started = time.monotonic()
    assert statuses(probe, "/slow", "/a", "/b") == [200] * 3
    assert len(server.connections) == 3
    assert sorted(server.asked) == ["/a", "/b", "/slow"]
    assert time.monotonic() - started < 2


def test_a_server_that_closes_is_asked_anew_for_the_rest(site: tuple[Site, dict[str, Any]]) -> None:
    server, probe = site
    server.closes = {"/a"}
    assert statuses(probe, "/a", "/b", "/c") == [200, 200, 200]
    assert len(server.connections) == 3


def test_a_connection_that_ends_between_two_answers_tells_nothing_of_the_next_path(
    site: tuple[Site, dict[str, Any]],
) -> None:
    server, probe = site
    server.drops = ["/b"]
    assert statuses(probe, "/a", "/b", "/c") == [200, 200, 200]
    server.drops = ["/a"]
    fact = http_fact({**probe, "paths": ["/a", "/b"]})
    assert (fact["/a"]["status"], fact["/b"]["status"]) == (0, 200)
    assert "closed" in fact["/a"]["reason"]


def test_no_server_and_another_name_are_told_for_each_path(site: tuple[Site, dict[str, Any]]) -> None:
    server, probe = site
    wrong = http_fact({**probe, "domain": "staging.example.test", "paths": ["/a", "/b"]})
    assert {each["status"] for each in wrong.values()} == {0}
    assert all("SSLCertVerificationError" in each["reason"] for each in wrong.values())
    strange = http_fact({**probe, "authority": "", "paths": ["/a"]})
    assert strange["/a"]["status"] == 0
    server.shutdown()
    server.server_close()
    gone = http_fact({**probe, "paths": ["/a", "/b"]})
    assert all("ConnectionRefused" in each["reason"] for each in gone.values())
    assert http_fact({**probe, "paths": []}) == {}
