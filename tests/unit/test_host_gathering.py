"""Facts in one round trip: how many requests a refresh takes, and that no answer is stale or another's."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from infra.commands.acts import remember
from infra.errors import UnreachableError
from infra.host.gathering import Gathering, mark_of, remembered
from infra.transport.remote import gather as far
from infra.transport.remote import units
from infra.transport.remote.main import perform
from infra.transport.remote.processes import Finished
from infra.transport.remote.report import Redactor, Reporter

if TYPE_CHECKING:
    from pathlib import Path

HOST = "970001 root@192.0.2.1:22 ssh-ed25519 A"
KEY = "00" * 32


class Near:
    """The far end in this process: what a worker would do with each request, and how many there were."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.cut = False
        self._lock = threading.Lock()

    def call(self, *, probes: dict[str, Any], acts: tuple[Any, ...] = (), **_: Any) -> dict[str, Any]:
        with self._lock:
            self.requests.append(probes)
        if self.cut:
            raise UnreachableError(
                phase="x", host="h", command="c", exit_status=None, evidence="", code="LINK_LOST", hint=""
            )
        return perform(json.loads(json.dumps({"probes": probes, "acts": acts})), Reporter(1, Redactor([])))

    def remember(self, questions: dict[str, dict[str, Any]], drop: tuple[str, ...] = ()) -> None:
        sets: dict[str, Any] = {}
        for subject, probes in questions.items():
            sets |= remembered(subject, probes)
        far.remember_act(remember(sets, drop=drop).wire, Reporter(1, Redactor([])))


@pytest.fixture
def near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Near:
    monkeypatch.setattr(far, "PLACE", str(tmp_path / "probes"))
    return Near()


def questions(place: Path, count: int = 30) -> dict[str, dict[str, Any]]:
    """Make as many files, and what resources would ask about each."""
    for number in range(count):
        (place / f"f{number}").write_text(str(number))
    return {
        f"r{number}": {"file": {"kind": "file", "path": str(place / f"f{number}"), "content": True}}
        for number in range(count)
    }


def refresh(gathering: Gathering, near: Near, asked: dict[str, dict[str, Any]], *, at_once: int = 4) -> dict[str, Any]:
    def read(subject: str) -> dict[str, Any]:
        worker: Any = lambda: near  # noqa: E731 - stands for the opening of a connection
        return gathering.ask(HOST, asked[subject], worker=worker, subject=subject, phase="p", timeout_s=5)

    with ThreadPoolExecutor(at_once) as pool:
        return dict(zip(asked, pool.map(read, asked), strict=True))


def contents(facts: dict[str, Any]) -> list[str]:
    return [facts[name]["file"]["content"] for name in facts]


@pytest.mark.parametrize("at_once", [1, 4, 8, 30])
def test_thirty_resources_are_read_by_one_request(near: Near, tmp_path: Path, at_once: int) -> None:
    asked = questions(tmp_path)
    near.remember(asked)

    facts = refresh(Gathering(), near, asked, at_once=at_once)

    assert contents(facts) == [str(number) for number in range(30)]
    assert len(near.requests) == 1


def test_a_keyed_question_is_not_kept_and_asks_for_itself(near: Near, tmp_path: Path) -> None:
    asked = questions(tmp_path)
    asked["env"] = {"file": {"kind": "file", "path": str(tmp_path / "f1"), "key": KEY}}
    near.remember(asked)

    refresh(Gathering(), near, asked)

    assert len(near.requests) == 2
    assert KEY not in "".join(path.read_text() for path in (tmp_path / "probes").iterdir())


def test_what_nobody_left_is_asked_in_company(near: Near, tmp_path: Path) -> None:
    asked = questions(tmp_path)

    facts = refresh(Gathering(), near, asked, at_once=8)

    assert contents(facts) == [str(number) for number in range(30)]
    assert len(near.requests) <= 30


def test_a_second_look_asks_the_host_again(near: Near, tmp_path: Path) -> None:
    asked, gathering = questions(tmp_path), Gathering()
    near.remember(asked)
    refresh(gathering, near, asked)
    (tmp_path / "f7").write_text("changed")

    assert contents(refresh(gathering, near, asked))[7] == "changed"
    assert len(near.requests) == 2


def test_nothing_gathered_before_a_change_is_used_after_it(near: Near, tmp_path: Path) -> None:
    asked, gathering = questions(tmp_path, 3), Gathering()
    near.remember(asked)
    first = {"r0": asked["r0"]}
    refresh(gathering, near, first)
    (tmp_path / "f1").write_text("changed")
    gathering.forget(HOST)

    assert contents(refresh(gathering, near, {"r1": asked["r1"]})) == ["changed"]


def test_an_old_answer_is_not_given_out(near: Near, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, gathering = questions(tmp_path, 3), Gathering()
    near.remember(asked)
    refresh(gathering, near, {"r0": asked["r0"]})
    (tmp_path / "f1").write_text("changed")
    monkeypatch.setattr("infra.host.gathering.MAX_AGE_S", 0.0)

    assert contents(refresh(gathering, near, {"r1": asked["r1"]})) == ["changed"]


def test_an_answer_belongs_to_exactly_these_questions(near: Near, tmp_path: Path) -> None:
    asked = questions(tmp_path, 2)
    near.remember(asked)
    asked["r1"] = {"file": {**asked["r1"]["file"], "path": str(tmp_path / "f0")}}

    assert contents(refresh(Gathering(), near, asked)) == ["0", "0"]


def test_one_host_s_answers_are_not_another_s(near: Near, tmp_path: Path) -> None:
    asked, gathering, other = questions(tmp_path, 2), Gathering(), Near()
    near.remember(asked)
    refresh(gathering, near, {"r0": asked["r0"]})

    gathering.ask("other", asked["r1"], worker=lambda: other, subject="r1", phase="p", timeout_s=5)  # type: ignore[arg-type, return-value]  # a stand-in

    assert len(other.requests) == 1


def test_a_question_that_fails_spoils_no_other_and_is_told_by_itself(near: Near, tmp_path: Path) -> None:
    asked = questions(tmp_path, 3)
    near.remember({**asked, "bad": {"file": {"kind": "file", "path": "\0"}}})
    assert contents(refresh(Gathering(), near, asked)) == ["0", "1", "2"]

    with pytest.raises(ValueError, match="null byte"):
        refresh(Gathering(), near, {"bad": {"file": {"kind": "file", "path": "\0"}}})


def test_a_cut_link_fails_every_read_and_the_next_refresh_asks_for_all_again(near: Near, tmp_path: Path) -> None:
    asked, gathering = questions(tmp_path), Gathering()
    near.remember(asked)
    near.cut = True
    with pytest.raises(UnreachableError):
        refresh(gathering, near, asked)
    near.cut, near.requests = False, []

    assert contents(refresh(gathering, near, asked)) == [str(number) for number in range(30)]
    assert len(near.requests) == 1


def test_whole_numbers_have_one_spelling() -> None:
    assert mark_of("s", {"q": {"port": 22.0, "list": [1.0]}}) == mark_of("s", {"q": {"port": 22, "list": [1]}})
    assert mark_of("s", {"q": {"port": 22.5}}) != mark_of("s", {"q": {"port": 22}})
    assert mark_of("s", {}) != mark_of("t", {})


def test_what_is_left_on_the_host_is_root_s_alone_and_goes_with_its_resource(near: Near, tmp_path: Path) -> None:
    asked = questions(tmp_path, 2)
    near.remember(asked)
    place = tmp_path / "probes"
    assert oct(place.stat().st_mode)[-3:] == "700"
    assert {oct(path.stat().st_mode)[-3:] for path in place.iterdir()} == {"600"}

    near.remember({}, drop=(mark_of("r0", asked["r0"]), "never there"))
    assert [path.name for path in place.iterdir()] == [mark_of("r1", asked["r1"])]


def test_a_damaged_or_foreign_file_among_the_questions_is_passed_over(near: Near, tmp_path: Path) -> None:
    asked = questions(tmp_path, 2)
    near.remember(asked)
    for name, text in {"a": "{", "b": "[]", "c": '{"x": {"kind": 3}}', "d": '{"x": {"kind": "not known"}}'}.items():
        (tmp_path / "probes" / name).write_text(text)

    assert contents(refresh(Gathering(), near, asked)) == ["0", "1"]
    assert len(near.requests) == 1


def test_no_more_questions_are_kept_than_the_limit(near: Near, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far, "_MOST", 3)
    for name, probes in questions(tmp_path, 5).items():
        near.remember({name: probes})
    assert len(list((tmp_path / "probes").iterdir())) == 3


def test_units_of_several_resources_are_asked_as_one(
    near: Near, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def systemctl(argv: list[str]) -> Finished:
        started.append(argv)
        blocks = (f"Id={name}\nLoadState=loaded\nActiveState={name[0]}\nUnitFileState=enabled" for name in argv[3:])
        return Finished(0, "\n\n".join(blocks), "")

    monkeypatch.setattr(units, "SOCKET", str(tmp_path / "nobody listens"))
    monkeypatch.setattr(units, "run", systemctl)
    sets = {
        mark: {"units": {"kind": "units", "names": names}} for mark, names in (("1", ["b", "a"]), ("2", ["a", "c"]))
    }
    answers = near.call(probes={"all": {"kind": "gathered", "sets": sets, "everything": False}})["all"]

    told = {
        mark: {name: each["active"] for name, each in answer["facts"]["units"].items()}
        for mark, answer in answers.items()
    }
    assert told == {"1": {"a": "a", "b": "b"}, "2": {"a": "a", "c": "c"}}
    assert [argv[3:] for argv in started] == [["a", "b", "c"]]
