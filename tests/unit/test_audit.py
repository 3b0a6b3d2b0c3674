"""The audit log: what is written is found again, and whatever is done to it afterwards is noticed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.ops import audit as audit_module
from infra.ops.audit import HEAD, LOG, Audit, Head, Trouble, head_of
from infra.redaction import MASK, Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

PASSPHRASE = "correct horse battery staple"
VERBS = ("up", "plan", "converge", "heal", "secrets rotate", "destroy")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Derive keys in no time: the cost of a guess is not what is tested, and it is paid a thousand times here."""
    monkeypatch.setitem(audit_module.SCRYPT, "n", 2)


def log_of(directory: Path, entries: int = 12, **options: Any) -> Audit:
    audit = Audit(directory, PASSPHRASE, redactor=options.pop("redactor", Redactor()), **options)
    for number in range(entries):
        audit.append(
            VERBS[number % len(VERBS)],
            f"stack-{number % 3}",
            arguments={"number": number, "names": ["a", "b"]},
            why="it was asked for",
            before="stopped",
            after=f"running é {number}",
            outcome="succeeded" if number % 4 else "failed",
            incident="20261124T180000Z-abcd",
        )
    return audit


def test_what_was_appended_is_read_again_in_its_order_and_holds(tmp_path: Path) -> None:
    audit = log_of(tmp_path)
    entries = audit.entries()
    assert [each.seq for each in entries] == list(range(1, 14)), "the first one is the log's own, with the salt"
    assert entries[0].verb == "start"
    assert entries[5].after == "running é 4"
    assert audit.verify() == []
    assert Audit(tmp_path, PASSPHRASE).verify(audit.head()) == []


def test_a_log_that_was_never_written_holds(tmp_path: Path) -> None:
    assert Audit(tmp_path, PASSPHRASE).verify() == []


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    log_of(tmp_path, 1)
    for name in (LOG, HEAD):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_without_the_passphrase_nothing_holds_and_nothing_can_be_forged(tmp_path: Path) -> None:
    log_of(tmp_path, 3)
    stranger = Audit(tmp_path, "another passphrase")
    assert any(each.tampered for each in stranger.verify())
    stranger.append("up", "stack-0")
    troubles = Audit(tmp_path, PASSPHRASE).verify()
    assert any("its MAC does not hold" in each.what for each in troubles)


def test_secrets_are_masked_before_anything_is_written(tmp_path: Path) -> None:
    secret = "s3cret-and-long-enough"
    audit = Audit(tmp_path, PASSPHRASE, redactor=Redactor([secret]))
    told = {"url": f"postgresql://app:{secret}@db", "deep": [{secret: secret}]}
    audit.append("up", secret, arguments=told, why=secret)
    text = (tmp_path / LOG).read_text()
    assert secret not in text
    assert MASK in text
    assert audit.verify() == []


# ---- whatever is done to it is noticed


def edited(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """Change one byte of one line to another that JSON can hold."""
    number = chance.randrange(len(lines))
    line = bytearray(lines[number])
    place = chance.randrange(len(line))
    line[place] = chance.choice([byte for byte in b'abc019 "{}:,\\x' if byte != line[place]])
    return [*lines[:number], bytes(line), *lines[number + 1 :]]


def reworded(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """Change one value of one entry and keep everything else in order, as somebody who knows the format would."""
    number = chance.randrange(len(lines))
    entry = json.loads(lines[number])
    name = chance.choice([each for each in entry if each != "arguments"])
    entry[name] = entry[name] + 1 if isinstance(entry[name], int) else f"{entry[name]}x"
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    return [*lines[:number], text.encode(), *lines[number + 1 :]]


def dropped(lines: list[bytes], chance: random.Random) -> list[bytes]:
    number = chance.randrange(len(lines))
    return [*lines[:number], *lines[number + 1 :]]


def swapped(lines: list[bytes], chance: random.Random) -> list[bytes]:
    one, other = chance.sample(range(len(lines)), 2)
    changed = list(lines)
    changed[one], changed[other] = changed[other], changed[one]
    return changed


def doubled(lines: list[bytes], chance: random.Random) -> list[bytes]:
    number, place = chance.randrange(len(lines)), chance.randrange(len(lines) + 1)
    return [*lines[:place], lines[number], *lines[place:]]


def cut(lines: list[bytes], chance: random.Random) -> list[bytes]:
    return lines[: chance.randrange(len(lines))]


def padded(lines: list[bytes], chance: random.Random) -> list[bytes]:
    place = chance.randrange(len(lines) + 1)
    return [*lines[:place], chance.choice([b"", b" ", b"{}", b"[]", b"null", b"\xff\xfe"]), *lines[place:]]


WAYS: list[Callable[[list[bytes], random.Random], list[bytes]]] = [
    *(edited, reworded, dropped, swapped, doubled, cut, padded),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("audit")
    before = audit_module.SCRYPT["n"]
    audit_module.SCRYPT["n"] = 2
    log_of(directory, 20)
    audit_module.SCRYPT["n"] = before
    return directory


def test_a_thousand_changes_of_a_thousand_are_noticed(written: Path, tmp_path: Path) -> None:
    lines = (written / LOG).read_bytes().splitlines()
    (tmp_path / HEAD).write_bytes((written / HEAD).read_bytes())
    chance = random.Random(20261124)  # noqa: S311 - which change comes next is no secret
    unnoticed: list[str] = []
    for number in range(1000):
        way = WAYS[number % len(WAYS)]
        changed = way(lines, chance)
        assert changed != lines, way.__name__
        (tmp_path / LOG).write_bytes(b"".join(line + b"\n" for line in changed))
        if not any(each.tampered for each in Audit(tmp_path, PASSPHRASE).verify()):
            unnoticed.append(f"{number}: {way.__name__}")
    assert unnoticed == []


@given(st.integers(0, 10**6), st.integers(0, 255))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_other_byte_anywhere_is_noticed(written: Path, tmp_path: Path, place: int, byte: int) -> None:
    content = bytearray((written / LOG).read_bytes())
    place %= len(content) - 1  # without the last line's end: that is a torn line, see below
    if content[place] == byte:
        byte = (byte + 1) % 256
    content[place] = byte
    (tmp_path / LOG).write_bytes(bytes(content))
    (tmp_path / HEAD).write_bytes((written / HEAD).read_bytes())
    assert any(each.tampered for each in Audit(tmp_path, PASSPHRASE).verify())


@given(st.integers(0, 10**6), st.integers(0, 255))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_other_byte_in_the_head_is_noticed(written: Path, tmp_path: Path, place: int, byte: int) -> None:
    content = bytearray((written / HEAD).read_bytes())
    place %= len(content)
    if content[place] == byte:
        byte = (byte + 1) % 256
    content[place] = byte
    (tmp_path / LOG).write_bytes((written / LOG).read_bytes())
    (tmp_path / HEAD).write_bytes(bytes(content))
    assert any(each.tampered for each in Audit(tmp_path, PASSPHRASE).verify())


def test_a_head_that_was_removed_is_noticed(tmp_path: Path) -> None:
    audit = log_of(tmp_path, 3)
    (tmp_path / HEAD).unlink()
    assert [each.what for each in audit.verify()] == ["the head is missing or is none"]


def test_log_and_head_of_an_earlier_day_are_noticed_by_the_droplets_head(tmp_path: Path) -> None:
    audit = log_of(tmp_path, 3)
    old = [(tmp_path / name).read_bytes() for name in (LOG, HEAD)]
    audit.append("destroy", "stack")
    mirror = head_of(audit.head().text)  # type: ignore[union-attr] - there is one
    for name, content in zip((LOG, HEAD), old, strict=True):
        (tmp_path / name).write_bytes(content)
    assert audit.verify() == [], "here alone nobody can tell"
    assert [each.line for each in audit.verify(mirror)] == [4]


def test_a_log_that_was_removed_whole_is_noticed_by_the_droplets_head(tmp_path: Path) -> None:
    mirror = log_of(tmp_path, 3).head()
    for name in (LOG, HEAD):
        (tmp_path / name).unlink()
    assert Audit(tmp_path, PASSPHRASE).verify(mirror) == [Trouble(0, "the droplet's head counts 4; there is no log")]


def test_a_log_that_was_begun_anew_is_noticed_by_the_droplets_head(tmp_path: Path) -> None:
    mirror = log_of(tmp_path, 3).head()
    for name in (LOG, HEAD):
        (tmp_path / name).unlink()
    audit = log_of(tmp_path, 9)
    assert audit.verify() == []
    assert any(each.tampered for each in audit.verify(mirror))


def test_a_droplets_head_that_lags_behind_is_no_trouble(tmp_path: Path) -> None:
    audit = log_of(tmp_path, 3)
    mirror = audit.head()
    audit.append("up", "stack")
    assert audit.verify(mirror) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"count": 1}', '{"count":"1","last":"a","mac":"b"}\n'])
def test_what_is_no_head_is_none(text: str) -> None:
    assert head_of(text) is None


# ---- power and processes end at any time


@pytest.mark.parametrize("kept", range(1, 300, 23))
def test_a_log_that_was_cut_short_at_its_very_beginning_goes_on(tmp_path: Path, kept: int) -> None:
    audit = log_of(tmp_path, 1)
    first = (tmp_path / LOG).read_bytes().splitlines(keepends=True)[0]
    (tmp_path / HEAD).unlink()
    (tmp_path / LOG).write_bytes(first[:kept])
    assert not [each for each in audit.verify() if each.tampered]
    audit.append("up", "stack")
    assert audit.verify() == []


def test_a_log_without_a_head_after_its_first_entry_is_only_just_begun(tmp_path: Path) -> None:
    audit = log_of(tmp_path, 1)
    first = (tmp_path / LOG).read_bytes().splitlines(keepends=True)[0]
    (tmp_path / HEAD).unlink()
    (tmp_path / LOG).write_bytes(first)
    assert [each.tampered for each in audit.verify()] == [False]
    audit.append("up", "stack")
    assert audit.verify() == []


def test_a_line_without_its_end_is_told_as_torn_and_put_right_by_the_next_entry(tmp_path: Path) -> None:
    audit = log_of(tmp_path, 3)
    with (tmp_path / LOG).open("ab") as file:
        file.write(b'{"actor":"root@host","after":"half a l')
    (trouble,) = audit.verify()
    assert not trouble.tampered
    assert "torn" in trouble.what
    audit.append("up", "stack")
    assert audit.verify() == []
    assert [each.verb for each in audit.entries()][-2:] == ["recover", "up"]


def test_an_entry_that_was_cut_in_its_middle_afterwards_is_no_torn_line(tmp_path: Path) -> None:
    audit = log_of(tmp_path, 3)
    content = (tmp_path / LOG).read_bytes()
    (tmp_path / LOG).write_bytes(content[:-20])
    assert any(each.tampered for each in audit.verify()), "the head counts an entry that is not there"


def test_an_entry_whose_head_was_never_written_is_good(tmp_path: Path) -> None:
    audit = log_of(tmp_path, 3)
    head = (tmp_path / HEAD).read_bytes()
    audit.append("up", "stack")
    (tmp_path / HEAD).write_bytes(head)
    assert audit.verify() == []
    audit.append("up", "stack")
    assert audit.verify() == []


def test_a_writer_that_is_killed_at_any_moment_leaves_a_log_that_holds(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from infra.ops import audit\n"
        "audit.SCRYPT['n'] = 2\n"
        f"log = audit.Audit(pathlib.Path(sys.argv[1]), {PASSPHRASE!r})\n"
        "print('ready', flush=True)\n"
        "while True: log.append('up', 'stack', arguments={'padding': 'x' * 5000})\n"
    )
    chance = random.Random(7)  # noqa: S311 - as above
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.0, 0.15))
            os.kill(writer.pid, signal.SIGKILL)
        assert not [each for each in Audit(tmp_path, PASSPHRASE).verify() if each.tampered]
    audit = Audit(tmp_path, PASSPHRASE)
    audit.append("up", "stack")
    assert audit.verify() == []


def test_a_log_whose_beginner_was_killed_before_its_head_is_counted_before_it_goes_on(tmp_path: Path) -> None:
    log_of(tmp_path, 1)
    first = (tmp_path / LOG).read_bytes().splitlines(keepends=True)[0]
    (tmp_path / LOG).write_bytes(first)
    (tmp_path / HEAD).unlink()
    audit = Audit(tmp_path, PASSPHRASE)
    assert [each.tampered for each in audit.verify()] == [False]
    counted: list[Head | None] = []
    audit._add = lambda *_given, **_told: counted.append(audit.head()) or {}
    with pytest.raises(TypeError):
        audit.append("up", "stack")
    assert [each.count for each in counted if each] == [1], "a second kill would have left two entries and no head"


def test_writers_side_by_side_make_one_chain(tmp_path: Path) -> None:
    def write(number: int) -> None:
        log = Audit(tmp_path, PASSPHRASE)
        for _ in range(5):
            log.append("up", f"stack-{number}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    audit = Audit(tmp_path, PASSPHRASE)
    assert audit.verify() == []
    assert len(audit.entries()) == 31


def test_a_damaged_log_goes_on_and_stays_noticed(tmp_path: Path) -> None:
    audit = log_of(tmp_path, 3)
    lines = (tmp_path / LOG).read_bytes().splitlines()
    (tmp_path / LOG).write_bytes(b"\n".join([*lines[:-1], b"garbage"]) + b"\n")
    audit.append("up", "stack")
    assert any(each.tampered for each in audit.verify())


def test_deriving_the_key_costs_a_guess_some_time() -> None:
    """The parameters in the code, not the test's."""
    source = Path(audit_module.__file__).read_text(encoding="utf-8")
    assert '"n": 2**14, "r": 8, "p": 1' in source


def test_a_head_is_written_as_it_is_read() -> None:
    head = Head(3, "a" * 64, "b" * 64)
    assert head_of(head.text) == head
