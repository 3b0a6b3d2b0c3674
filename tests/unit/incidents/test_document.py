"""The incident document: what is written is what is read; holds to its schema, hides secrets, is never half there."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incident_samples import INCIDENTS, JSON, SAMPLES, at, half_way, lock_file, placeholders

from infra.healing import document as document_module
from infra.healing import incident as incident_module
from infra.healing import model
from infra.healing import plain as plain_module
from infra.healing.document import DamagedIncidentError, document_of, incident_of, read, write
from infra.healing.metrics import metrics_of
from infra.healing.plain import ShapeError, to_plain
from infra.healing.wording import fill, title_of, visible
from infra.redaction import MASK, Redactor

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs/schemas/incident-1.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
NO_SECRETS = Redactor()


@given(INCIDENTS)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_what_is_read(incident: incident_module.Incident) -> None:
    document = json.loads(json.dumps(document_of(incident, NO_SECRETS), ensure_ascii=False))
    assert incident_of(document) == incident


@given(INCIDENTS)
@settings(max_examples=100, deadline=None)
def test_every_incident_holds_to_the_schema(incident: incident_module.Incident) -> None:
    VALIDATOR.validate(document_of(incident, NO_SECRETS))


def test_the_schema_is_itself_well_formed() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("definition", "kind", "added"),
    [
        ("incident", incident_module.Incident, {"schema", "metrics"}),
        ("moment", incident_module.Moment, set()),
        ("failure", model.Failure, set()),
        ("cause", model.Cause, set()),
        ("match", model.Match, {"fingerprint", "title", "next_steps"}),
        ("proof", model.Proof, set()),
        ("act", model.Act, set()),
        ("outcome", model.Outcome, set()),
        ("attempt", model.Attempt, set()),
    ],
)
def test_the_schema_names_exactly_the_fields_that_there_are(definition: str, kind: Any, added: set[str]) -> None:
    fields = {field.name for field in dataclasses.fields(kind)} - {"look"}
    described = SCHEMA["$defs"][definition]
    assert set(described["properties"]) == fields | added == set(described["required"])


def test_the_schema_knows_the_words_that_the_model_knows() -> None:
    definitions = SCHEMA["$defs"]
    assert definitions["stage"]["enum"] == list(model.STAGES)
    assert definitions["act"]["properties"]["verb"]["enum"] == [each.value for each in model.Verb]
    assert definitions["cause"]["properties"]["verdict"]["enum"] == [each.value for each in model.Verdict]
    assert definitions["cause"]["properties"]["severity"]["enum"] == list(get_args(model.Severity))
    assert definitions["cause"]["properties"]["role"]["enum"] == list(get_args(model.Role))
    assert definitions["incident"]["properties"]["ending"]["enum"] == list(get_args(incident_module.Ending))


@pytest.mark.parametrize("spoil", [{"ending": "fine"}, {"statements": -1}, {"more": 1}, {"attempts": [{}]}])
def test_the_schema_refuses_what_is_none_of_it(spoil: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({**document_of(lock_file()), **spoil})


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    secret = "correct-horse-battery"
    failure = model.Failure("build", "BUILD_FAILED", evidence=f"password {secret}!")
    incident = dataclasses.replace(
        lock_file(), first=failure, facts={secret: secret, "deep": [{"x": f'"{secret}"'}], "number": 20251115101502}
    )
    text = json.dumps(document_of(incident, Redactor([secret, "20251115101502"])))
    assert secret not in text
    assert "20251115101502" not in text
    assert text.count(MASK) == 5


@given(JSON, st.text(min_size=8, max_size=20))
def test_masking_keeps_a_document_a_document(value: Any, secret: str) -> None:
    json.loads(json.dumps(Redactor([secret]).mask_all(value)))


def test_a_written_incident_is_its_owners_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    directory = write(lock_file(), tmp_path / "incidents")
    assert [each.name for each in directory.iterdir()] == ["incident.json"]
    assert (directory / "incident.json").stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    assert read(directory) == read(directory / "incident.json") == lock_file()
    later = dataclasses.replace(lock_file(), ending="escalated")
    assert read(write(later, tmp_path / "incidents")) == later


def test_a_write_that_fails_leaves_the_old_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = write(lock_file(), tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(dataclasses.replace(lock_file(), ending="escalated"), tmp_path)
    assert read(directory) == lock_file()


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda d: d.update(schema="greenroom/incident/2"), "schema: expected greenroom/incident/1"),
        (lambda d: d.pop("stack"), "stack: expected a value, and there is none"),
        (lambda d: d.update(id="../../etc"), "id: expected letters, digits"),
        (lambda d: d.update(ending="fine"), "ending: expected one of healthy, healed"),
        (lambda d: d.update(statements="81"), "statements: expected a whole number"),
        (lambda d: d.update(dry_run=1), "dry_run: expected true or false"),
        (lambda d: d.update(attempts={}), "attempts: expected a list"),
        (lambda d: d["attempts"][0].update(match=3), r"attempts\[0\].match: expected an object"),
        (
            lambda d: d["attempts"][0]["plan"][0].update(verb="rm"),
            r"attempts\[0\].plan\[0\].verb: expected one of conv",
        ),
        (lambda d: d["attempts"][0]["match"]["cause"].update(rows=[1]), r"match.cause.rows\[0\]: expected a text"),
        (lambda d: d["timeline"][2].update(seconds=None), r"timeline\[2\].seconds: expected a number"),
    ],
)
def test_a_damaged_document_is_told_with_its_path_and_the_place(tmp_path: Path, spoil: Any, where: str) -> None:
    document = document_of(lock_file())
    spoil(document)
    path = tmp_path / "incident.json"
    path.write_text(json.dumps(document))
    with pytest.raises(DamagedIncidentError, match=where) as caught:
        read(tmp_path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000, b'{"schema": NaN}'])
def test_what_is_no_document_is_told_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "incident.json").write_bytes(content)
    with pytest.raises(DamagedIncidentError):
        read(tmp_path)


def test_a_document_of_another_size_or_depth_than_any_written_here_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write(lock_file(), tmp_path)
    monkeypatch.setattr(document_module, "LIMIT_BYTES", 1000)
    with pytest.raises(DamagedIncidentError, match="larger than 1000 bytes"):
        read(directory)
    monkeypatch.setattr(plain_module, "_DEPTH", 3)
    with pytest.raises(ShapeError, match="at most 3 levels"):
        incident_of(document_of(lock_file()))


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "x" * 65, "a\nb"])
def test_an_id_that_is_no_directorys_name_is_never_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ShapeError, match="id: expected letters"):
        write(dataclasses.replace(lock_file(), id=name), tmp_path / "incidents")
    assert not list(tmp_path.iterdir())


def test_an_absent_document_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(DamagedIncidentError, match="No such file"):
        read(tmp_path)


def test_an_older_document_takes_the_defaults_and_a_newer_ones_keys_are_passed_over() -> None:
    document = document_of(lock_file())
    for name in ("artifacts", "dry_run", "facts"):
        del document[name]
    read_back = incident_of({**document, "added_later": 1})
    assert (read_back.artifacts, read_back.dry_run, read_back.facts) == ((), False, {})


def test_a_cause_that_was_read_finds_nothing_any_more() -> None:
    match = incident_of(document_of(lock_file())).attempts[0].match
    assert match is not None
    assert list(match.cause.look(model.Situation(None))) == []  # type: ignore[arg-type] - it looks at nothing


def test_values_that_json_has_no_word_for_become_text() -> None:
    assert to_plain({1: (float("nan"), Path("a"), {model.Verb.WAIT})}) == {"1": ["nan", "a", ["wait"]]}
    json.dumps(to_plain("half a pair: \ud83d"), ensure_ascii=False).encode()


def test_a_hostile_detail_stays_a_value() -> None:
    match = lock_file().attempts[0].match
    assert match is not None
    hostile = dataclasses.replace(match, subject="{file}", details={"file": "{subject.__class__}", "x": "{0}"})
    assert title_of(hostile) == "{file} is built by `npm ci`, and the repository has no {subject.__class__}"
    assert fill("{nobody} {list} {0} {}", {"list": ["a", 1]}) == "{nobody} a, 1 {0} {}"


def test_nothing_hides_in_visible_text() -> None:
    assert visible("\x1b[31mred\x1b[0m\r\n\tx") == "red\n\tx"
    assert visible("\x1b[2Jgone\x07\r") == "\\x1b[2Jgone\\x07\\x0d"
    assert visible("a\u202eb\u2066c\u200b\ue000\U000e0001") == "a\\u202eb\\u2066c\\u200b\\ue000\\U000e0001"
    assert visible("Größe ✓ 測試 مرحبا") == "Größe ✓ 測試 مرحبا"


@given(st.text())
def test_visible_text_holds_no_control_character_and_is_stable(text: str) -> None:
    shown = visible(text)
    assert all(character in "\n\t" or character.isprintable() or character.isspace() for character in shown)
    assert visible(shown) == shown


def test_the_figures_of_a_heal() -> None:
    figures = metrics_of(lock_file())
    assert (figures.detection_s, figures.repair_s, figures.duration_s) == (2.1, 46.7, 46.7)
    assert (figures.tries, figures.acts, figures.failed_acts) == (1, 2, 0)
    assert (figures.issues, figures.healed, figures.success_rate) == (1, 1, 1.0)


def test_an_escalation_has_no_repair_time() -> None:
    figures = metrics_of(placeholders())
    assert (figures.repair_s, figures.duration_s, figures.success_rate) == (None, 1.6, 0.0)


def test_two_of_three_healed_are_two_thirds() -> None:
    figures = metrics_of(half_way())
    assert (figures.issues, figures.healed) == (3, 2)
    assert figures.success_rate == pytest.approx(0.6667)


def test_a_fault_that_took_three_tries_counts_once() -> None:
    first = lock_file().attempts[0]
    tries = (dataclasses.replace(first, healed=False), dataclasses.replace(first, number=2, healed=False), first)
    figures = metrics_of(dataclasses.replace(lock_file(), attempts=tries))
    assert (figures.tries, figures.issues, figures.healed) == (3, 1, 1)


def test_a_dry_run_repairs_nothing() -> None:
    assert metrics_of(dataclasses.replace(lock_file(), dry_run=True)).repair_s is None


@pytest.mark.parametrize("began", ["", "yesterday", at(1000), lock_file().detected])
def test_a_detection_time_that_no_clock_tells_is_none(began: str) -> None:
    assert metrics_of(dataclasses.replace(lock_file(), began=began)).detection_s is None


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_hold_to_the_schema(name: str) -> None:
    VALIDATOR.validate(document_of(SAMPLES[name]()))
