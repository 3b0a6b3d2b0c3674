"""systemd asked in D-Bus's protocol: what is sent, read by another implementation of it, and what comes back."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from jeepney import DBusAddress, Message, MessageType, new_error, new_method_return, new_signal
from jeepney.low_level import Parser

from infra.transport.remote import units
from infra.transport.remote.processes import Finished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOGIN = b"OK 0123456789abcdef0123456789abcdef\r\n"
SHOWN = """\
Id=docker.service
LoadState=masked
ActiveState=failed
UnitFileState=masked
StateChangeTimestamp=Tue 2026-11-24 15:30:06 UTC

Id=other.service
LoadState=not-found
ActiveState=inactive
UnitFileState=
StateChangeTimestamp=
"""
FROM_SHOWN = {
    "docker.service": {"load": "masked", "active": "failed", "enabled": "masked", "since": "2026-11-24T15:30:06Z"},
    "other.service": {"load": "not-found", "active": "inactive", "enabled": "", "since": None},
}
TOLD: dict[str, tuple[str, Any]] = {
    "LoadState": ("s", "loaded"),
    "ActiveState": ("s", "active"),
    "UnitFileState": ("s", "enabled"),
    "StateChangeTimestamp": ("t", 1_796_000_000_999_999),
}
FROM_TOLD = {"load": "loaded", "active": "active", "enabled": "enabled", "since": "2026-11-30T00:53:20Z"}
NAMES = ["docker.service", "other.service"]


def told(call: Message) -> list[Message]:
    """Answer a call as systemd does."""
    return [new_method_return(call, "v", (TOLD[call.body[1]],))]


@dataclass
class Systemd:
    """Stands at the other end of the socket: logs one client in and answers its calls with `answers`."""

    path: str
    answers: Callable[[Message], list[Message]] = told
    login: bytes = LOGIN
    heard: bytes = b""
    calls: list[Message] = field(default_factory=list[Message])

    def serve(self, listening: socket.socket) -> None:
        """Speak with each client until it leaves."""
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            with client, contextlib.suppress(ConnectionError):  # who has heard enough leaves
                self._speak(client)

    def _speak(self, client: socket.socket) -> None:
        parser, heard, serial = Parser(), b"", 100
        while b"BEGIN\r\n" not in heard:
            heard += client.recv(4096)
        self.heard, _, rest = heard.partition(b"BEGIN\r\n")
        client.sendall(self.login)
        parser.add_data(rest)
        while True:
            while call := parser.get_next_message():
                self.calls.append(call)
                for answer in self.answers(call):
                    serial += 1
                    client.sendall(answer.serialise(serial))
            received = client.recv(4096)
            if not received:
                return
            parser.add_data(received)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    there = Systemd(str(tmp_path / "private"))
    monkeypatch.setattr(units, "SOCKET", there.path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(there.path)
        listening.listen()
        serving = threading.Thread(target=there.serve, args=(listening,), daemon=True)
        serving.start()
        yield there
        listening.shutdown(socket.SHUT_RDWR)
    serving.join(5)
    assert not serving.is_alive()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Keep what was started in place of `systemctl`, which tells something else than the socket does."""
    argvs: list[list[str]] = []

    def run(argv: list[str]) -> Finished:
        argvs.append(argv)
        return Finished(0, SHOWN, "")

    monkeypatch.setattr(units, "run", run)
    return argvs


def ask(names: list[str] = NAMES) -> dict[str, dict[str, str | None]]:
    return units.units_fact({"kind": "units", "names": names})


def test_each_unit_is_told_of_without_a_program(systemd: Systemd, started: list[list[str]]) -> None:
    assert ask() == dict.fromkeys(NAMES, FROM_TOLD)
    assert started == []
    assert systemd.heard.startswith(b"\0AUTH EXTERNAL ")
    assert [call.body for call in systemd.calls[:4]] == [("org.freedesktop.systemd1.Unit", name) for name in TOLD]
    assert all(call.header.message_type is MessageType.method_call for call in systemd.calls)
    assert len({call.header.serial for call in systemd.calls}) == len(systemd.calls) == 8


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("docker.service", "docker_2eservice"),
        ("apt-daily.timer", "apt_2ddaily_2etimer"),
        ("user@1000.service", "user_401000_2eservice"),
        ("systemd-fsck@dev-disk-by\\x2did.service", "systemd_2dfsck_40dev_2ddisk_2dby_5cx2did_2eservice"),
    ],
)
def test_a_units_name_becomes_its_path(systemd: Systemd, started: list[list[str]], name: str, path: str) -> None:
    assert ask([name]) == {name: FROM_TOLD}
    paths = {fields for call in systemd.calls for fields in (call.header.fields.values())}
    assert f"/org/freedesktop/systemd1/unit/{path}" in paths
    assert started == []


def test_a_unit_that_never_changed_has_no_time(
    systemd: Systemd, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TOLD, "StateChangeTimestamp", ("t", 0))
    assert ask(["a.service"]) == {"a.service": {**FROM_TOLD, "since": None}}
    assert started == []
    assert systemd.calls


def test_signals_between_the_answers_and_answers_in_another_order_are_sorted_out(
    systemd: Systemd, started: list[list[str]]
) -> None:
    waiting: list[Message] = []
    signal = new_signal(DBusAddress("/a", interface="a.b"), "Said", "su", ("x", 7))

    def late(call: Message) -> list[Message]:
        waiting.extend(told(call))
        return [signal, *reversed(waiting), signal] if len(waiting) == 8 else [signal]

    systemd.answers = late
    assert ask() == dict.fromkeys(NAMES, FROM_TOLD)
    assert started == []


def refused(call: Message) -> list[Message]:
    return [new_error(call, "org.freedesktop.systemd1.NoSuchUnit", "s", ("Unit name is not valid.",))]


def of_another_type(call: Message) -> list[Message]:
    return [new_method_return(call, "v", (("b", True),))]


def to_nothing(call: Message) -> list[Message]:
    (answer,) = told(call)
    answer.header.fields = {
        key: 77 if value == call.header.serial else value for key, value in answer.header.fields.items()
    }
    return [answer]


def text_for_a_time(call: Message) -> list[Message]:
    return [new_method_return(call, "v", (("s", "yesterday"),))]


def number_for_a_state(call: Message) -> list[Message]:
    return [new_method_return(call, "v", (("t", 3),))]


@pytest.mark.parametrize("answers", [refused, of_another_type, to_nothing, text_for_a_time, number_for_a_state])
def test_where_an_answer_is_not_what_was_asked_for_systemctl_has_the_word(
    systemd: Systemd, started: list[list[str]], answers: Callable[[Message], list[Message]]
) -> None:
    systemd.answers = answers
    assert ask() == FROM_SHOWN
    assert [argv[:2] + argv[3:] for argv in started] == [["systemctl", "show", *NAMES]]
    assert systemd.calls


@pytest.mark.parametrize(
    "login",
    [
        b"REJECTED EXTERNAL\r\n",
        b"\r\n",
        LOGIN + b"B" + bytes(15),
        LOGIN + b"l\x02\0\x01" + b"\xff" * 12,
        LOGIN + b"l\x02\0\x01\0\0\0\0\1\0\0\0\4\0\0\0\x05\x01u\0",
    ],
    ids=["refused", "no answer", "big-endian", "too long", "cut within a field"],
)
def test_where_systemd_speaks_otherwise_systemctl_has_the_word(
    systemd: Systemd, started: list[list[str]], login: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "_TIMEOUT_S", 0.3)
    systemd.login = login
    systemd.answers = lambda _call: []
    assert ask() == FROM_SHOWN
    assert len(started) == 1


@pytest.mark.parametrize("there", ["nothing", "a file"])
def test_where_nobody_listens_systemctl_has_the_word(
    started: list[list[str]], there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "private"
    if there == "a file":
        path.write_text("")
    monkeypatch.setattr(units, "SOCKET", str(path))
    assert ask() == FROM_SHOWN
    assert len(started) == 1
