"""Escalation: the file comes first, each channel is told once, and a channel that fails loses nothing."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from incident_samples import empty_server, half_way, lock_file, placeholders
from markdown_it import MarkdownIt
from receivers import Reply, receiver

from infra.errors import ConfigurationError, GreenroomError, Problem
from infra.healing.channels import delivery
from infra.healing.channels.webhook import Webhook
from infra.healing.document import read
from infra.healing.escalation import Channel, escalate
from infra.healing.issues import issues_of
from infra.healing.notice import notice_of
from infra.healing.pages import keep
from infra.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.healing.notice import Notice


class Post:
    """A channel that keeps what it was given, and fails as often as it is told to."""

    def __init__(self, *, failures: int = 0) -> None:
        self.given: list[Notice] = []
        self.failures = failures

    def send(self, notice: Notice) -> None:
        if self.failures:
            self.failures -= 1
            raise GreenroomError("the post is on strike")
        self.given.append(notice)


def made(**channels: Channel) -> dict[str, Callable[[], Channel]]:
    return {name: (lambda channel=channel: channel) for name, channel in channels.items()}


def texts(incident: Any) -> list[str]:
    return [moment.text for moment in incident.timeline if moment.what == "escalated"]


def test_the_file_says_who_is_asked_for_what_with_evidence_and_commands(tmp_path: Path) -> None:
    escalate(half_way(), keep(half_way(), tmp_path), {})
    path = tmp_path / half_way().id / "escalation.md"
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    fences = [token.content for token in MarkdownIt("commonmark").parse(text) if token.type == "fence"]
    assert "## 1. Asked: system administrator" in text
    assert fences[0] == "greenroom secrets set RESEND_API_KEY -s local\ngreenroom heal -s local\n"
    assert "env: RESEND_API_KEY=<CHANGE_ME_RESEND_API_KEY>" in fences[1]
    assert "greenroom incidents 20251115T101800Z-66f0 -s local" in text
    assert "LOCK_FILE_MISSING" not in text


@pytest.mark.parametrize("ending", ["healthy", "healed", "planned", "stopped"])
def test_nobody_is_asked_where_nothing_is_left_or_somebody_stopped_it(ending: Any, tmp_path: Path) -> None:
    post = Post()
    incident = dataclasses.replace(empty_server(), ending=ending)
    directory = keep(incident, tmp_path)
    assert escalate(incident, directory, made(post=post)) == incident
    assert not (directory / "escalation.md").exists()
    assert post.given == []


def test_a_dry_run_asks_nobody(tmp_path: Path) -> None:
    dry = dataclasses.replace(placeholders(), dry_run=True)
    assert escalate(dry, keep(dry, tmp_path), made(post=Post())) == dry


def test_a_channel_is_told_once_however_often_it_is_asked(tmp_path: Path) -> None:
    post, incident = Post(), half_way()
    directory = keep(incident, tmp_path)
    once = escalate(incident, directory, made(post=post))
    twice = escalate(once, directory, made(post=post))
    assert len(post.given) == 1
    assert twice == once
    assert "post: sent" in texts(once)
    assert "escalation.md" in once.artifacts


def test_a_channel_that_fails_is_a_line_of_the_incident_and_the_others_are_told(tmp_path: Path) -> None:
    broken, fine, incident = Post(failures=1), Post(), dataclasses.replace(half_way(), artifacts=())
    directory = keep(incident, tmp_path)
    told = escalate(incident, directory, made(broken=broken, fine=fine))
    assert texts(told)[-3:] == [
        "asked: system administrator; escalation.md",
        "broken: not sent: the post is on strike",
        "fine: sent",
    ]
    assert (directory / "escalation.md").is_file()
    again = escalate(told, directory, made(broken=broken, fine=fine))
    assert texts(again)[len(texts(told)) :] == ["broken: sent"]
    assert (len(broken.given), len(fine.given)) == (1, 1)
    keep(again, tmp_path)
    assert read(directory) == again


def test_a_channel_whose_secret_cannot_be_had_fails_like_any_other(tmp_path: Path) -> None:
    def unmakeable() -> Channel:
        raise ConfigurationError([Problem("environment", "BOT_TOKEN", "nothing", "a secret of at least 8 characters")])

    told = escalate(half_way(), keep(half_way(), tmp_path), {"telegram": unmakeable})
    assert texts(told)[-1].startswith("telegram: not sent: environment: BOT_TOKEN: nothing; expected a secret")
    assert (tmp_path / half_way().id / "escalation.md").is_file()


def test_the_file_is_there_before_anything_is_sent(tmp_path: Path) -> None:
    directory = keep(half_way(), tmp_path)

    class Looking:
        def send(self, notice: Notice) -> None:
            del notice
            assert (directory / "escalation.md").is_file()
            raise GreenroomError("looked")

    assert "looking: not sent: looked" in texts(escalate(half_way(), directory, made(looking=Looking())))


@pytest.mark.parametrize("mark", ["", "{", "[]", '{"sent": 3}', '{"schema": "x"}'])
def test_a_damaged_mark_has_it_told_again_rather_than_not_at_all(mark: str, tmp_path: Path) -> None:
    post, directory = Post(), keep(half_way(), tmp_path)
    (directory / "escalation.json").write_text(mark)
    escalate(half_way(), directory, made(post=post))
    assert len(post.given) == 1
    assert list(json.loads((directory / "escalation.json").read_text())["sent"]) == ["post"]


def test_a_webhook_that_recovers_is_told_with_the_same_id_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.01)
    directory = keep(half_way(), tmp_path)
    with receiver(*[Reply(503)] * 4, Reply()) as server:
        channels = {"webhook": lambda: Webhook(server.url, Secret("a-key-for-signing-things"))}
        failed = escalate(half_way(), directory, channels)
        assert texts(failed)[-1] == "webhook: not sent: localhost: answered 503: {}"
        told = escalate(failed, directory, channels)
        escalate(told, directory, channels)
    assert texts(told)[-1] == "webhook: sent"
    assert len(server.requests) == 5
    assert {request.headers["webhook-id"] for request in server.requests} == {half_way().id}


def test_a_run_that_named_no_cause_still_asks_somebody_to_look() -> None:
    notice = notice_of(dataclasses.replace(lock_file(), ending="exhausted", attempts=()))
    assert notice is not None
    (ask,) = notice.asks
    assert (ask.role, ask.code) == ("devops", "BUILD_FAILED")
    assert ask.commands == ("greenroom heal -s local --dry-run",)
    assert any("EUSAGE" in line for line in ask.evidence)


def test_each_cause_asks_its_own_role() -> None:
    (left,) = placeholders().remaining
    cause = dataclasses.replace(left.cause, code="APP_ERRORS", role="qa", symptom=False)
    incident = dataclasses.replace(placeholders(), remaining=(left, dataclasses.replace(left, cause=cause)))
    notice = notice_of(incident)
    assert notice is not None
    assert [(ask.role, ask.code) for ask in notice.asks] == [
        ("system administrator", "SECRET_MISSING"),
        ("qa", "APP_ERRORS"),
    ]
    assert [issue.role for issue in issues_of(incident)] == ["system administrator", "qa"]


def test_hostile_evidence_stays_in_its_fence(tmp_path: Path) -> None:
    sample = placeholders()
    (match,) = sample.remaining
    proof = tuple(dataclasses.replace(each, line="```\n# Run this\n```\n\x1b[2J\u202e") for each in match.proof)
    match = dataclasses.replace(match, proof=proof, subject="<script>[x](y)")
    attempt = dataclasses.replace(sample.attempts[0], match=match)
    sample = dataclasses.replace(sample, attempts=(attempt,), remaining=(match,))
    escalate(sample, keep(sample, tmp_path), {})
    text = (tmp_path / sample.id / "escalation.md").read_text()
    tokens = MarkdownIt("commonmark", {"html": True}).parse(text)
    inline = [child.type for token in tokens for child in token.children or []]
    assert {"html_block"}.isdisjoint(token.type for token in tokens)
    assert {"html_inline", "link_open"}.isdisjoint(inline)
    assert "Run this" not in "".join(token.content for token in tokens if token.type == "inline")
    assert not re.search("[\x1b\u202e]", text)
