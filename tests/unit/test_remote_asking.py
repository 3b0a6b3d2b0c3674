"""HTTP as a look speaks it: against Python's own server over a socket file, and against peers that answer badly."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.transport.remote.asking import Conversation, Unintelligible, quoted, unix_socket
from infra.transport.remote.engine import Engine, EngineRefusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Peer(BaseHTTPRequestHandler):
    """Answers `/BYTES` with so many bytes, keeps the connection where that is asked, and notes what was asked."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(f"{self.request_version} {self.command} {self.path} {self.headers.get('Host')}")
        self.close_connection = True
        size = int(self.path.strip("/") or 0)
        self.send_response(size if size in (204, 404) else 200)
        if size not in (7, 204):
            self.send_header("Content-Length", str(size))
        if self.headers.get("Connection") == "keep-alive" and size != 7:
            self.send_header("Connection", "keep-alive")
            self.close_connection = False
        self.end_headers()
        self.wfile.write(b"x" * (size if size != 204 else 0))

    do_POST = do_GET  # noqa: N815 (the base class looks for these names)

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""

    def address_string(self) -> str:
        return "socket"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    path, Peer.seen = str(tmp_path / "s"), []
    with socketserver.ThreadingUnixStreamServer(path, Peer) as serving:
        serving.daemon_threads = True
        thread = threading.Thread(target=serving.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield path
        serving.shutdown()
        thread.join(5)


@contextlib.contextmanager
def answering(path: Path, *answers: bytes) -> Iterator[str]:
    """Answer each connection with given bytes and close it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield str(path)
    thread.join(5)
    listener.close()


def test_one_connection_carries_request_after_request(server: str) -> None:
    with Conversation(unix_socket(server, 5.0), "name") as peer:
        answers = [peer.ask("GET", f"/{size}", keep_alive=True) for size in (3, 0, 404, 204, 100_000)]
    assert [(each.status, len(each.body), each.may_go_on) for each in answers] == [
        (200, 3, True),
        (200, 0, True),
        (404, 404, True),
        (204, 0, True),
        (200, 100_000, True),
    ]
    assert Peer.seen == [f"HTTP/1.0 GET /{size} name" for size in (3, 0, 404, 204, 100_000)]


def test_a_body_without_a_length_ends_with_the_connection(server: str) -> None:
    with Conversation(unix_socket(server, 5.0), "") as peer:
        answer = peer.ask("GET", "/7", keep_alive=True)
    assert (answer.body, answer.may_go_on) == (b"x" * 7, False)


def test_what_was_read_in_part_is_not_gone_on_with(server: str) -> None:
    with Conversation(unix_socket(server, 5.0), "") as peer:
        answer = peer.ask("GET", "/5000", limit_bytes=10, keep_alive=True)
    assert (answer.body, answer.may_go_on) == (b"x" * 10, False)


def test_a_server_is_not_asked_to_keep_the_connection_unless_wanted(server: str) -> None:
    with Conversation(unix_socket(server, 5.0), "") as peer:
        assert not peer.ask("POST", "/3").may_go_on


@pytest.mark.parametrize(
    ("bytes_", "told"),
    [
        (b"", "the connection was closed"),
        (b"HTTP/1.0 200", "ended within its head"),
        (b"HTTP/1.0 200 OK\r\nA: b\r\n", "closed"),
        (b"SSH-2.0-OpenSSH\r\n", "no answer in HTTP"),
        (b"HTTP/1.0 abc OK\r\n\r\n", "no answer in HTTP"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nshort", "broke off after 5 of 9 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "in pieces"),
        (b"HTTP/1.0 200 OK\r\n" + b"A: b\r\n" * 300, "headers"),
        (b"HTTP/1.0 200 " + b"a" * (1 << 17), "ended within its head"),
    ],
)
def test_what_is_no_whole_answer_is_told_as_that(tmp_path: Path, bytes_: bytes, told: str) -> None:
    with (
        answering(tmp_path / "s", bytes_) as path,
        Conversation(unix_socket(path, 5.0), "") as peer,
        pytest.raises(Unintelligible, match=told),
    ):
        peer.ask("GET", "/")


def test_silence_ends_at_the_timeout(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with Conversation(unix_socket(str(tmp_path / "s"), 0.1), "") as peer, pytest.raises(TimeoutError):
            peer.ask("GET", "/")


def test_nobody_behind_the_socket_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unix_socket(str(tmp_path / "none"), 1.0)


def test_an_engine_that_stops_in_the_middle_is_one_that_does_not_answer(tmp_path: Path) -> None:
    broken = b'HTTP/1.0 200 OK\r\n\r\n[{"Id": "1"'
    with answering(tmp_path / "s", broken) as path, pytest.raises(EngineRefusal) as refusal:
        Engine(path).get("/containers/json")
    assert refusal.value.status == 0
    with pytest.raises(EngineRefusal) as refusal:
        Engine(str(tmp_path / "none")).get("/info")
    assert refusal.value.status == 0


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_is_quoted_as_the_standard_library_does(text: str) -> None:
    assert quoted(text) == urllib.parse.quote(text, safe="")
    assert quoted(text, "/:@") == urllib.parse.quote(text, safe="/:@")
