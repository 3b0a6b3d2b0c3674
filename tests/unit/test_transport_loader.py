"""The far end's code: kept by the host under its digest, believed only where nobody else could have written it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from infra.host.keys import new_key_pair
from infra.transport.code import Code, code
from infra.transport.link import Link
from infra.transport.remote import verbs
from infra.transport.session import _COMMAND
from infra.transport.testing import relay, ssh_server
from infra.transport.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUESTION = {"id": 1, "probes": {"says": {"kind": "command", "argv": ["echo", "the answer"]}}}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the worker's records are root's")


class Host:
    """A place of its own where code is kept, and conversations there."""

    def __init__(self, root: Path) -> None:
        self.root, self.kept = root / "greenroom", root / "greenroom" / "worker"

    def code(self, extra: str = "") -> Code:
        """Return the worker's code, of a version of its own with `extra`."""
        known = code()
        modules = json.loads(known.modules)
        modules["infra.transport.remote.main"] += extra
        return Code(known.loader.replace('"/run/greenroom"', repr(str(self.root))), json.dumps(modules).encode())

    def talk(self, *lines: bytes, extra: str = "", wants: int = 0) -> list[dict[str, Any]]:
        """Hold a conversation that says the lines, after the first; return its events, at least those it wants."""
        argv = ["sh", "-c", _COMMAND.replace("python3", sys.executable)]
        content = b"".join([self.code(extra).first, *lines])
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            process.stdin.write(content)
            process.stdin.flush()
            events = [json.loads(process.stdout.readline()) for _ in range(wants)]
            process.stdin.close()
            events += [json.loads(line) for line in process.stdout]
            self.said = process.stderr.read().decode()
        return events

    def files(self) -> list[Path]:
        return sorted(self.kept.iterdir()) if self.kept.exists() else []


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def names(events: list[dict[str, Any]]) -> list[str]:
    return [each["event"] for each in events]


def test_the_first_conversation_asks_for_the_code_and_the_next_has_it(host: Host) -> None:
    assert names(host.talk(host.code().rest)) == ["code", "hello"]
    assert names(host.talk()) == ["hello"]
    (file,) = host.files()
    assert [each.stat().st_mode & 0o777 for each in (host.root, host.kept, file)] == [0o700, 0o700, 0o600]


def test_requests_that_were_sent_before_the_code_are_answered(host: Host) -> None:
    question = json.dumps(QUESTION).encode() + b"\n"
    events = host.talk(question, host.code().rest, wants=3)

    assert names(events) == ["code", "hello", "done"]
    assert events[2]["result"]["says"]["stdout"] == "the answer\n"


def loosen_file(host: Host) -> None:
    host.files()[0].chmod(0o620)


def loosen_directory(host: Host) -> None:
    host.kept.chmod(0o770)


def loosen_root(host: Host) -> None:
    host.root.chmod(0o707)


def give_away(host: Host) -> None:
    os.chown(host.files()[0], 65534, 65534)


def give_directory_away(host: Host) -> None:
    os.chown(host.kept, 65534, 65534)


def link(host: Host) -> None:
    (file,) = host.files()
    file.rename(host.root / "elsewhere")
    file.symlink_to(host.root / "elsewhere")


def spoil(host: Host) -> None:
    host.files()[0].write_bytes(b"\x7f nonsense")


def cut_short(host: Host) -> None:
    (file,) = host.files()
    file.write_bytes(file.read_bytes()[:1000])


@pytest.mark.parametrize(
    "touch",
    [loosen_file, loosen_directory, loosen_root, give_away, give_directory_away, link, spoil, cut_short],
)
def test_code_that_somebody_else_could_have_written_is_asked_for_anew(
    host: Host, touch: Callable[[Host], None]
) -> None:
    host.talk(host.code().rest)
    touch(host)

    assert names(host.talk(host.code().rest)) == ["code", "hello"]


@pytest.mark.parametrize("line", [b"", b"bm9uc2Vuc2U=\n", None])
def test_code_of_another_digest_is_neither_run_nor_kept(host: Host, line: bytes | None) -> None:
    other = host.code('\nprint(\'{"event": "taken over"}\')\n').rest

    assert names(host.talk(other if line is None else line)) == ["code"]
    assert host.files() == []
    assert host.said.strip().splitlines()[-1]


def test_another_version_has_a_file_of_its_own_and_old_ones_go(host: Host) -> None:
    for number in range(6):
        extra = f"\n# {number}\n"
        assert names(host.talk(host.code(extra).rest, extra=extra)) == ["code", "hello"]

    digest = hashlib.sha256(host.code("\n# 5\n").modules).hexdigest()
    assert len(host.files()) == 4
    assert any(each.name.startswith(digest) for each in host.files())


def test_a_look_sends_little_once_the_code_is_kept() -> None:
    with ssh_server(host_key=(key := new_key_pair()), login=(login := new_key_pair())) as (_, endpoint):
        del key, login
        for _ in range(2):
            with relay(endpoint) as (wire, through):
                far = Worker(Link(through))
                assert far.call(subject="s", phase="p", probes=QUESTION["probes"])["says"]["stdout"] == "the answer\n"
                sent = len(wire.passages[0].up)
                far.link.close()
    assert sent < 16_000


def test_whatever_can_be_asked_or_done_has_its_function() -> None:
    for kind, module in verbs.FACTS.items():
        assert callable(getattr(verbs._module(module), f"{kind}_fact"))
    for do, module in verbs.ACTS.items():
        assert callable(getattr(verbs._module(module), f"{do}_act"))
