"""`verify`: how statements come out, what is written of them, and that no secret is in it."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from infra.errors import GreenroomError
from infra.ops.survey import containers, system
from infra.ops.verify import SECURITY, Suite, Target, Verification, verify
from infra.transport import Endpoint

if TYPE_CHECKING:
    from pathlib import Path

STATEMENTS = """
import pytest

@pytest.fixture(autouse=True)
def named(request):
    more = [("group", "g"), ("statement", request.node.name), ("check", "c-1"), ("remedy", "do")]
    request.node.user_properties += more

def test_holds(): pass
def test_fails(): assert False, "it is canary-password-1"
def test_is_none_here(): pytest.skip("no such thing: dpkg says so")
@pytest.mark.xfail(reason="waived until 2030-01-01: why", raises=AssertionError)
def test_is_excused(): assert False, "it is open"
@pytest.mark.xfail(reason="waived until 2030-01-01: why", raises=AssertionError)
def test_is_excused_in_vain(): pass
@pytest.mark.xfail(reason="waived until 2030-01-01: why", raises=AssertionError)
def test_breaks(): raise KeyError("x")
"""


def prove(tmp_path: Path, text: str, suite: Suite = SECURITY) -> Verification:
    folder = tmp_path / "suites" / suite.folder
    folder.mkdir(parents=True)
    (tmp_path / "suites" / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -q\n")
    (folder / f"test_{uuid.uuid4().hex}.py").write_text(text)  # pytest takes a module's name for the module
    target = Target(
        stack="local",
        domain="a.test",
        address="127.0.0.1",
        ca_certificate="",
        endpoint=Endpoint(
            host="127.0.0.1", port=22, user="root", host_key="k", private_key="canary-key-22", machine="1"
        ),
        user="deploy",
        directory="/home/deploy/app",
        env_file=".env",
        contract=tmp_path / "acceptance.yaml",
        release={"commit": "abcdef0123"},
        admin_email="a@a.test",
        admin_password="canary-password-1",
    )
    return verify(target, suite, root=tmp_path / "suites", evidence=tmp_path / "evidence")


def test_every_way_to_come_out_is_told_apart(tmp_path: Path) -> None:
    rows = {row.name.removeprefix("test_"): row for row in prove(tmp_path, STATEMENTS).rows}

    assert {name: row.status for name, row in rows.items()} == {
        "holds": "passed",
        "fails": "failed",
        "is_none_here": "not-applicable",
        "is_excused": "waived",
        "is_excused_in_vain": "passed",
        "breaks": "failed",
    }
    assert rows["is_none_here"].reason == "no such thing: dpkg says so"
    assert rows["is_excused"].reason == "waived until 2030-01-01: why; it is open"
    assert rows["is_excused_in_vain"].reason == "holds; its waiver is not needed (waived until 2030-01-01: why)"
    assert {(row.check, row.remedy, row.group) for row in rows.values()} == {("c-1", "do", "g")}


def test_the_document_counts_them_and_is_what_is_kept(tmp_path: Path) -> None:
    proof = prove(tmp_path, STATEMENTS)
    document = proof.document()
    counted = {name: document[name] for name in ("schema", "total", "failed", "waived", "not_applicable")}

    assert counted == {"schema": "greenroom/security/1", "total": 6, "failed": 2, "waived": 1, "not_applicable": 1}
    assert document["summary"].startswith("2 of 6 failed, 1 waived, 1 not applicable, ")
    kept = json.loads((tmp_path / "evidence" / "security.json").read_text())
    assert kept["rows"][0] == document["rows"][0]
    assert [row["passed"] for row in document["rows"]] == [row["status"] != "failed" for row in document["rows"]]


def test_no_secret_is_in_what_is_kept(tmp_path: Path) -> None:
    proof = prove(tmp_path, STATEMENTS)
    texts = [path.read_text() for path in (tmp_path / "evidence").iterdir()]
    assert len(texts) == 2
    assert not [text for text in [*texts, repr(proof), json.dumps(proof.document())] if "canary" in text]


def test_a_suite_without_a_statement_is_an_error_and_no_proof(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError, match="could not run"):
        prove(tmp_path, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[Journal]\n#Storage=auto\nStorage=volatile\n\n[Journal]\nStorage = persistent\n", {"Storage": "persistent"}),
        ("", {}),
    ],
)
def test_the_last_of_concatenated_settings_counts(text: str, told: dict[str, str]) -> None:
    assert system._ini(text) == told


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("", "empty"),
        ("!", "locked"),
        ("*", "locked"),
        ("!$y$x", "locked"),
        ("$y$j9T$a$b", "y"),
        ("$1$a$b", "1"),
        ("ab", "unknown"),
    ],
)
def test_of_a_password_only_its_kind_is_told(field: str, kind: str) -> None:
    assert system._kind(field) == kind


def test_units_are_told_by_file_and_by_state() -> None:
    listed = "ssh.service loaded active running OpenBSD Secure Shell\nlost.service not-found inactive dead lost\n"
    files = "ssh.service enabled enabled\nrsync.service disabled enabled\n"
    assert system._units(listed, files) == {
        "ssh.service": {"enabled": "enabled", "active": "active"},
        "rsync.service": {"enabled": "disabled", "active": "inactive"},
        "lost.service": {"enabled": "", "active": "inactive"},
    }


def test_registries_without_tls_are_told_except_on_loopback() -> None:
    info: dict[str, Any] = {
        **dict.fromkeys(("ServerVersion", "Driver", "LoggingDriver", "CgroupDriver"), ""),
        "RegistryConfig": {
            "IndexConfigs": {"docker.io": {"Secure": True}, "r.test:5000": {"Secure": False}},
            "InsecureRegistryCIDRs": ["127.0.0.0/8", "10.0.0.0/8"],
        },
    }
    assert containers._engine(info)["insecure"] == ["10.0.0.0/8", "r.test:5000"]
