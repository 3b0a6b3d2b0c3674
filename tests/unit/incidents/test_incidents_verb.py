"""`greenroom incidents`: the list, one report, the ledger; near names, damaged files, broken settings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from incident_samples import SAMPLES, half_way, lock_file, placeholders
from receivers import Reply, receiver

from infra.cli.app import VERBS, run
from infra.healing.channels import delivery
from infra.healing.document import incident_of, read
from infra.healing.pages import keep, markdown_of

ROOT = Path(__file__).parents[3]
DAMAGED = "20250101T000000Z-dead"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a home of its own; gives the directory of the stack's incidents."""
    for name in ("Pulumi.yaml", "Pulumi.local.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "local" / "incidents"


@pytest.fixture
def filled(place: Path) -> Path:
    for sample in SAMPLES.values():
        keep(sample(), place)
    return place


def damage(place: Path) -> Path:
    (place / DAMAGED).mkdir(parents=True)
    path = place / DAMAGED / "incident.json"
    path.write_text('{"schema": "greenroom/incident/1", "id":')
    return path


def test_the_verb_is_in_the_help() -> None:
    assert VERBS["incidents"][0] == "infra.cli.incidents"


def test_incidents_are_listed_the_newest_first(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del filled
    assert run(["incidents"]) == 0
    said = capsys.readouterr()
    header, *lines = said.out.splitlines()
    assert header.split() == ["INCIDENT", "NOTICED", "BY", "ENDED", "DETECTED", "REPAIRED", "ISSUES"]
    ids = [line.split()[0] for line in lines]
    assert ids == sorted((sample().id for sample in SAMPLES.values()), reverse=True)
    assert "LOCK_FILE_MISSING healed, CHECKOUT_MISSING healed, SECRET_MISSING escalated" in lines[0]
    assert "local: 4 incidents" in said.err


def test_a_stack_without_incidents_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incidents"]) == 0
    assert "local: 0 incidents" in capsys.readouterr().err
    assert run(["incidents", "latest"]) == 2
    assert "local has no incident" in capsys.readouterr().err
    assert not place.parent.exists(), "looking makes no directory"


def test_the_list_as_one_document(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = damage(filled)
    assert run(["incidents", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "greenroom/incidents/1"
    assert [each["ending"] for each in document["incidents"]] == ["escalated", "escalated", "healed", "healed"]
    assert document["incidents"][0]["issues"][2] == {"code": "SECRET_MISSING", "result": "escalated"}
    assert str(path) in document["damaged"][0]


@pytest.mark.parametrize("name", ["latest", "20251115T101800Z-66f0", "20251115T101800", "20251115T1018"])
def test_one_incident_is_found_by_its_id_a_beginning_of_it_or_as_the_latest(
    filled: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del filled
    assert run(["incidents", name]) == 0
    assert capsys.readouterr().out.split() == markdown_of(half_way()).split()
    assert run(["incidents", name, "--markdown"]) == 0
    assert capsys.readouterr().out.split() == markdown_of(half_way()).split()


def test_one_incident_as_its_document(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del filled
    assert run(["incidents", placeholders().id, "--json"]) == 0
    assert incident_of(json.loads(capsys.readouterr().out)) == placeholders()


def test_one_incident_as_a_page(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = filled / lock_file().id / "incident.html"
    page.unlink()
    assert run(["incidents", lock_file().id, "--html"]) == 0
    assert capsys.readouterr().out.strip() == str(page)
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("20251115T101503Z-3f9b", "20251115T101503Z-3f9a"),
        ("nothing-like-it", "20251115T101800Z-66f0"),
        ("2025", "20251115T101800Z-66f0"),
        ("../../etc/passwd", "20251115T101800Z-66f0"),
        ("", "20251115T101800Z-66f0"),
    ],
)
def test_an_unknown_id_exits_2_with_a_near_one(
    filled: Path, name: str, near: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del filled
    assert run(["incidents", "--", name]) == 2
    assert f"next: greenroom incidents {near} -s local" in capsys.readouterr().err


def test_a_damaged_incident_is_told_with_its_path_and_hides_no_other(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = damage(filled)
    assert run(["incidents"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 5
    assert f"error: {path}: damaged: " in said.err
    assert run(["incidents", DAMAGED]) == 1
    assert f"error: {path}: damaged: " in capsys.readouterr().err


def test_the_ledger_as_lines_and_as_a_page(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = damage(filled)
    assert run(["incidents", "--ledger"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0].split() == ["CAUSE", "MET", "HEALED", "ESCALATED", "MEDIAN", "REPAIR"]
    assert "local: 2 of 4 incidents healed" in said.err
    assert f"report: {filled / 'ledger.html'}" in said.err
    assert str(path) in said.err
    assert str(path) in (filled / "ledger.html").read_text()


def test_the_ledger_as_its_document(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del filled
    assert run(["incidents", "--ledger", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    schema = json.loads((ROOT / "docs/schemas/ledger-1.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["incidents"] == 4


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["--ledger", "latest"], "--ledger: with latest"),
        (["--html"], "--html: without an incident"),
        (["--markdown", "--ledger"], "--markdown: without an incident"),
        (["latest", "--html", "--json"], "--html: with --json"),
        (["--escalate"], "--escalate: without an incident"),
        (["latest", "--escalate", "--json"], "--escalate: with --json"),
    ],
)
def test_options_that_contradict_each_other_exit_2(
    filled: Path, arguments: list[str], key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del filled
    assert run(["incidents", *arguments]) == 2
    assert key in capsys.readouterr().err


def test_incidents_are_read_though_the_settings_are_broken(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (filled.parents[2] / "Pulumi.local.yaml").write_text("config: [")
    assert run(["incidents"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_a_stack_that_there_is_not_exits_6_and_a_bad_name_2(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incidents", "-s", "nowhere"]) == 6
    assert run(["incidents", "-s", "../local"]) == 2
    assert not place.parents[1].exists()
    capsys.readouterr()


def test_what_a_channel_did_not_take_is_sent_again_when_asked_for(
    filled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = filled.parents[2]
    (project / "examples").symlink_to(ROOT / "examples")
    monkeypatch.setenv("ESCALATION_KEY", "a-long-signing-key-of-the-test")
    monkeypatch.setenv("GREENROOM_ENGINE", "embedded")
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.01)
    with receiver(Reply(403), Reply()) as server:
        declared = "    ESCALATION_KEY: {source: environment}\n    ADMIN_PASSWORD:"
        healing = (
            f"\n  greenroom:healing:\n    escalation:\n      webhook: {{url: {server.url}, secret: ESCALATION_KEY}}\n"
        )
        stack = project / "Pulumi.local.yaml"
        text = re.sub(r"  greenroom:healing:.*\n(?:    .*\n)*", "", stack.read_text())
        stack.write_text(text.replace("    ADMIN_PASSWORD:", declared, 1) + healing)
        codes = [run(["incidents", half_way().id, "--escalate"]) for _ in range(3)]
    assert codes == [1, 0, 0]
    assert len(server.requests) == 2
    said = capsys.readouterr().err
    assert "webhook: not sent: localhost: answered 403: {}" in said
    assert "webhook: sent" in said
    assert f"nobody is left to be told of {half_way().id}" in said
    texts = [moment.text for moment in read(filled / half_way().id).timeline]
    assert texts[-2:] == ["webhook: not sent: localhost: answered 403: {}", "webhook: sent"]
