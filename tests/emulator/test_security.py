"""The security statements on a droplet: all hold where all is well, and each fails when what it states is broken."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hostlab import Lab, booted_lab
from security_breaks import BREAKS, LATER
from security_facts import AS_IT_IS, FACTS
from security_good import GOOD, PACKAGE

from infra.host.resource import endpoint_of
from infra.ops.report import write_page
from infra.ops.survey import survey
from infra.ops.verify import SECURITY, Exemption, Row, Target, Verification, verify
from infra.transport.link import Link

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.transport.endpoint import Endpoint, Outcome

pytestmark = [
    pytest.mark.docker,
    pytest.mark.droplet,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("security"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no Docker engine on this machine"),
]
ROOT = Path(__file__).parents[2]
CONTRACT = """version: 1
application: calm
services:
  - {service: calm, container: calm, cpus: 0.5, memory_mib: 128, confined: {user: "999:1000", processes: 64}}
ports: {open: [22]}
health: []
"""
LIMIT_S = 15.0
TODAY = datetime.now(UTC).date()


class CountingLink(Link):
    """Notes how long each command took."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self.round_trips: list[float] = []

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Outcome:
        outcome = super().run(argv, stdin=stdin, timeout_s=timeout_s)
        self.round_trips.append(outcome.seconds)
        return outcome


class Place:
    """A droplet under proof."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab, self.directory = lab, directory
        image = lab.shell(GOOD).split()[-1]
        contract = directory / "acceptance.yaml"
        contract.write_text(CONTRACT)
        self.link = CountingLink(endpoint_of(lab.first))
        self.target = Target(
            stack="lab",
            domain="staging.calm.test",
            address=str(lab.first["host"]),
            ca_certificate="",
            endpoint=endpoint_of(lab.first),
            user="deploy",
            directory="/home/deploy",
            env_file=".env",
            contract=contract,
            release={"commit": "c" * 40, "images": {"redis:7-alpine": image}},
            admin_email="",
            admin_password="",
        )
        self.told = self._told()
        self.facts, self.round_trips = survey(self.link), list(self.link.round_trips)
        self.before = self.prove(self.facts)

    def _told(self) -> dict[str, Any]:
        """What a survey tells while there is something that it must not tell."""
        self.lab.shell(
            "useradd -M -p '$y$j9T$canary$canary' canary; docker run -d --name told -e TOLD=canary_value "
            "--entrypoint sleep redis:7-alpine 1000"
        )
        facts = survey(self.link)
        self.lab.shell("userdel canary; docker rm -f told")
        self.link.round_trips.clear()
        return facts

    def prove(self, facts: dict[str, Any], *waivers: Exemption) -> Verification:
        target = replace(self.target, facts=facts, waivers=waivers)
        return verify(target, SECURITY, root=ROOT / "tests/acceptance", evidence=self.directory)

    def broken(self, scripts: list[tuple[str, str]]) -> Verification:
        for _, script in scripts:
            self.lab.shell(PACKAGE + script)
        return self.prove(survey(self.link))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("security")
    with booted_lab(directory) as lab:
        place = Place(lab, directory)
        yield place
        place.link.close()


def rows_of(proof: Verification, name: str) -> list[Row]:
    """The rows that an entry of the table names."""
    check, _, words = name.partition("|")
    return [row for row in proof.rows if row.check == check and words.replace("~", " ") in row.name]


def statuses(proof: Verification, name: str) -> set[str]:
    return {row.status for row in rows_of(proof, name)}


def names(entries: list[tuple[str, Any]]) -> list[str]:
    return [name for group, _ in entries for name in group.split()]


def test_on_a_droplet_where_all_is_well_all_holds(place: Place) -> None:
    failed = {row.check: f"{row.name}: {row.reason}" for row in place.before.failed}
    assert {check: failed[check] for check in failed if check not in names(AS_IT_IS)} == {}
    assert len({row.check for row in place.before.rows if row.status == "passed"}) > 200


def test_the_survey_takes_two_round_trips_and_the_proof_a_moment(place: Place) -> None:
    assert len(place.round_trips) == 2
    assert max(place.round_trips) + place.before.seconds < LIMIT_S


def test_no_password_hash_and_no_value_of_a_variable_leaves_the_host(place: Place) -> None:
    text = str(place.told)
    assert "'password': 'y'" in text
    assert "'told'" in text
    assert "j9T" not in text
    assert "canary_value" not in text


@pytest.mark.parametrize(("name", "change"), FACTS, ids=[name.split()[0] for name, _ in FACTS])
def test_what_this_droplet_cannot_be_fails_by_its_facts(place: Place, name: str, change: Any) -> None:
    proof = place.prove(change(place.facts))
    for each in name.split():
        assert "failed" not in statuses(place.before, each), each
        assert "failed" in statuses(proof, each), each


@pytest.mark.parametrize(("name", "change"), AS_IT_IS, ids=[name for name, _ in AS_IT_IS])
def test_what_this_droplet_always_is_would_hold_by_other_facts(place: Place, name: str, change: Any) -> None:
    assert statuses(place.before, name) == {"failed"}
    assert statuses(place.prove(change(place.facts)), name) == {"passed"}


def waiver(check: str = "docker-2.9", service: str = "", until: date = TODAY) -> Exemption:
    return Exemption(check, service, "the volumes keep their owners", until)


def test_a_waived_statement_is_shown_apart_with_its_reason(place: Place) -> None:
    proof = place.prove(place.facts, waiver())
    (row,) = rows_of(proof, "docker-2.9")
    assert (row.status, row.until, row.passed) == ("waived", TODAY.isoformat(), True)
    assert row.reason.startswith(f"waived until {TODAY}: the volumes keep their owners; the engine runs with")
    assert proof.document()["waived"] == 1
    assert "1 waived" in proof.summary


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (waiver(until=TODAY - timedelta(days=1)), "it expired on"),
        (waiver(check="docker-2.99"), "there is no check docker-2.99"),
        (waiver(service="nobody"), "there is no service nobody"),
    ],
    ids=["expired", "unknown check", "unknown service"],
)
def test_a_waiver_that_does_not_stand_fails_and_excuses_nothing(place: Place, given: Exemption, words: str) -> None:
    proof = place.prove(place.facts, given)
    assert statuses(proof, "docker-2.9") == {"failed"}
    (row,) = [row for row in proof.failed if row.group == "waivers"]
    assert words in row.reason


def test_a_waiver_of_what_holds_is_said_to_be_needless(place: Place) -> None:
    (row,) = rows_of(place.prove(place.facts, waiver(check="docker-2.2")), "docker-2.2")
    assert row.status == "passed"
    assert "its waiver is not needed" in row.reason


def test_the_report_is_one_page_that_needs_nothing_else(place: Place) -> None:
    document = place.prove(place.facts).document()
    document["rows"][0]["name"] = "<script>alert(1)</script>"
    text = write_page(document, place.directory / "security.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert not [word for word in ("http://", "https://", "src=", "@import", "url(") if word in text]
    for row in document["rows"][1:]:
        assert row["check"] in text
    assert (place.directory / "security.xml").read_text().count("<testcase") == len(document["rows"])


def test_each_statement_fails_when_what_it_states_is_broken(place: Place) -> None:
    for entries in (BREAKS, LATER):
        after = place.broken(entries)
        for each in names(entries):
            before, now = statuses(place.before, each), statuses(after, each)
            assert "failed" not in before, f"{each} did not hold to begin with"
            assert "failed" in now, f"{each} does not notice: {now or 'no such statement'}"


def test_every_check_is_in_the_table(place: Place) -> None:
    broken = {name.partition("|")[0] for entries in (BREAKS, LATER, FACTS, AS_IT_IS) for name in names(entries)}
    assert {row.check for row in place.before.rows} - broken == set()
