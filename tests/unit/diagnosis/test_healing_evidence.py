"""Evidence as it is gathered: bounded, masked twice, never kept waiting; the first error of a log; certificates."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from situations import DECLARED, failure

from infra.errors import AuthenticationError, UnreachableError
from infra.healing.evidence import HOST_SECTIONS, collect, question
from infra.redaction import PROCESS
from infra.transport.remote import evidence as remote
from infra.transport.remote.tracebacks import errors_in, first_error, marked_lines, unwrapped

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = """INFO:     Started server process [1]
Process SpawnProcess-1:
Traceback (most recent call last):
  File "/usr/lib/python3.11/multiprocessing/process.py", line 314, in _bootstrap
    self.run()
  File "/app/erp/main.py", line 9, in <module>
    import socketio
ModuleNotFoundError: No module named 'socketio'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/erp/other.py", line 1, in <module>
RuntimeError: cannot start
"""
PYDANTIC = """Traceback (most recent call last):
  File "/app/erp/settings.py", line 31, in load
    return Settings()
           ^^^^^^^^^^
pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings
secret_key
  Field required [type=missing, input_value={'x': '1'}, input_type=dict]
    For further information visit https://errors.pydantic.dev/2.9/v/missing
"""
GROUP = """ERROR:    Exception in ASGI application
  + Exception Group Traceback (most recent call last):
  |   File "/usr/lib/python3/starlette/_utils.py", line 77, in collapse_excgroups
  |     yield
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/erp/app.py", line 77, in __call__
    |     await self.app(scope)
    | AttributeError: 'dict' object has no attribute 'id'
    +------------------------------------
"""
SYNTAX = """  File "/app/app.py", line 4
    from __future__ import annotations
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
SyntaxError: from __future__ imports must occur at the beginning of the file
"""
NODE = """node:internal/modules/cjs/loader:1080
  throw err;
  ^

Error: Cannot find module '/app/server.mjs'
    at Module._resolveFilename (node:internal/modules/cjs/loader:1077:15)
    at Module._load (node:internal/modules/cjs/loader:922:27) {
  code: 'MODULE_NOT_FOUND',
  requireStack: []
}
"""
NODE_OWN = """file:///app/server.mjs:12
throw new TypeError("no port");
      ^

TypeError: no port
    at listen (file:///app/server.mjs:12:7)
    at ModuleJob.run (node:internal/modules/esm/module_job:195:25)
"""
ERRORS = {
    "Python, the first of two": (PYTHON, "ModuleNotFoundError", "No module named 'socketio'", "/app/erp/main.py", 9),
    "Python, a library's own lines": (
        PYDANTIC,
        "pydantic_core._pydantic_core.ValidationError",
        "1 validation error for Settings",
        "/app/erp/settings.py",
        31,
    ),
    "Python, in a group": (GROUP, "AttributeError", "'dict' object has no attribute 'id'", "/app/erp/app.py", 77),
    "Python, a script that can't be read": (
        SYNTAX,
        "SyntaxError",
        "from __future__ imports must occur at the beginning of the file",
        "/app/app.py",
        4,
    ),
    "Node, a module": (
        NODE,
        "Error",
        "Cannot find module '/app/server.mjs'",
        "node:internal/modules/cjs/loader",
        1077,
    ),
    "Node, of its own": (NODE_OWN, "TypeError", "no port", "/app/server.mjs", 12),
}


@pytest.mark.parametrize(("log", "kind", "message", "file", "line"), ERRORS.values(), ids=ERRORS.keys())
def test_the_first_error_of_a_log_is_told_by_its_fields(
    log: str, kind: str, message: str, file: str, line: int
) -> None:
    found = first_error(f"some line before\n{log}and one after")
    assert found is not None
    assert (found["type"], found["message"], found["file"], found["line"]) == (kind, message, file, line)


def test_what_a_library_says_below_its_error_is_kept() -> None:
    found = first_error(PYDANTIC)
    assert found is not None
    assert found["following"][:2] == [
        "secret_key",
        "  Field required [type=missing, input_value={'x': '1'}, input_type=dict]",
    ]


def test_what_was_raised_because_of_it_is_kept_behind_it() -> None:
    found = first_error(PYTHON)
    assert found is not None
    assert [(each["type"], each["message"]) for each in found["then"]] == [("RuntimeError", "cannot start")]


def test_all_errors_of_a_log_are_told_in_their_order() -> None:
    found = errors_in(f"{PYTHON}x\n{NODE_OWN}y\n{GROUP}")
    assert [each["type"] for each in found] == ["ModuleNotFoundError", "TypeError", "AttributeError"]


def test_nodes_code_is_a_field() -> None:
    assert (first_error(NODE) or {})["code"] == "MODULE_NOT_FOUND"


WRAPPED = {
    "Python's logging": {"level": "ERROR", "message": "unhandled", "exception": PYTHON},
    "ECS": {"message": "unhandled", "error": {"type": "ModuleNotFoundError", "stack_trace": PYTHON}},
    "pino": {"level": 50, "msg": "no module", "err": {"type": "Error", "message": "x", "stack": PYTHON}},
}
BARE = {
    "no JSON": "{broken " + json.dumps(PYTHON),
    "what a visitor sent": json.dumps({"message": PYTHON, "user_agent": PYTHON}),
    "a field of another kind": json.dumps({"exception": {"text": PYTHON}, "error": [PYTHON], "stack": 3}),
    "nested without end": '{"a\\n":' * 2000,
}


@pytest.mark.parametrize("line", WRAPPED.values(), ids=WRAPPED.keys())
def test_an_error_that_a_logger_puts_into_json_is_told_by_its_fields(line: dict[str, Any]) -> None:
    found = first_error("\n".join(unwrapped(json.dumps(line))))
    assert found == first_error(PYTHON)
    assert found is not None


@pytest.mark.parametrize("line", BARE.values(), ids=BARE.keys())
def test_no_other_line_is_opened(line: str) -> None:
    assert unwrapped(line) == [line]
    assert first_error(line) is None


NO_ERRORS = {
    "access lines": "GET /error 200\nERROR: something\nError: handled\nINFO ok",
    "a traceback that was cut": 'Traceback (most recent call last):\n  File "/app/x.py", line 1, in x',
    "words about one": "the docs say: Traceback (most recent call last): and then ValueError: x",
}


@pytest.mark.parametrize("log", NO_ERRORS.values(), ids=NO_ERRORS.keys())
def test_what_is_no_error_is_none(log: str) -> None:
    assert first_error(log) is None


def test_what_the_database_marks_is_kept_once() -> None:
    line = "2026-11-24 18:00:00.123 UTC [9] FATAL:  sorry, too many clients already"
    log = f"{line}\n{line}\nLOG:  ready\nan app said FATAL:  x\nPANIC:  could not write"
    assert marked_lines(log) == [line, "PANIC:  could not write"]


# ---- the host's side


def _probe(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    env = tmp_path / ".env"
    env.write_text('TOKEN="hunter2hunter2"\nPLAIN="visible"\n')
    return {**question(DECLARED), "env_file": str(env), "secrets": ["TOKEN"], "suspects_disk": False, **changes}


def test_a_section_that_hangs_is_a_fact_and_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "DEADLINE_S", 0.3)
    monkeypatch.setattr(remote, "SECTIONS", {"dns": lambda _: time.sleep(5), "memory": lambda _: {"total": 1}})
    began = time.monotonic()
    found = remote.evidence_fact(_probe(tmp_path))
    assert time.monotonic() - began < 1.0
    assert found["dns"] == {"unanswered": "no answer in 0 s"}
    assert found["memory"] == {"total": 1}


def test_a_section_that_fails_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "SECTIONS", {"git": lambda _: {}["x"], "memory": lambda _: {"total": 1}})
    found = remote.evidence_fact(_probe(tmp_path))
    assert found["git"] == {"unanswered": "KeyError: 'x'"}
    assert found["memory"] == {"total": 1}


def test_secrets_and_what_a_terminal_obeys_do_not_leave_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ["pw=hunter2hunter2", "\x1b[2Jpostgresql://u:unknown@db/x\x1b]0;title\x07", "visible"]
    monkeypatch.setattr(remote, "SECTIONS", {"containers": lambda _: {"services": {"app": {"log": said}}}})
    found = remote.evidence_fact(_probe(tmp_path))
    assert found["containers"]["services"]["app"]["log"] == ["pw=[secret]", "postgresql://[secret]@db/x", "visible"]


def test_what_containers_were_started_with_is_masked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "held_values", lambda _: ["the-value-of-before"])
    monkeypatch.setattr(remote, "SECTIONS", {"memory": lambda _: {"log": ["key the-value-of-before"]}})
    found = remote.evidence_fact(_probe(tmp_path))
    assert found["memory"]["log"] == ["key [secret]"]


def test_a_secret_at_the_edge_of_a_long_line_is_masked_before_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {"text": "x" * 1993 + "hunter2hunter2" + "y" * 4000, "log": ["x" * 394 + "hunter2hunter2" + "y" * 4000]}
    monkeypatch.setattr(remote, "SECTIONS", {"memory": lambda _: lines})
    text = json.dumps(remote.evidence_fact(_probe(tmp_path)))
    assert "hunter" not in text
    assert len(text) < 3000


def test_evidence_is_bounded_whatever_the_host_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = {f"s{number}": {"state": "running", "log": ["z" * 1999] * 60} for number in range(20)}
    huge = {"services": {f"s{number}": {"mounts": ["m" * 1999] * 60} for number in range(20)}}
    monkeypatch.setattr(remote, "SECTIONS", {"containers": lambda _: {"services": services}, "compose": lambda _: huge})
    found = remote.evidence_fact(_probe(tmp_path))
    assert len(json.dumps(found)) <= remote.LIMIT_BYTES
    assert found["containers"]["services"]["s1"] == {"state": "running"}
    assert "too much" in found["compose"]["unanswered"]


def test_the_env_file_is_told_by_names_alone(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text('A="one-secret"\nB=""\nC="<CHANGE_ME_C>"\nA="again"\n# D="x"\n')
    probe = _probe(tmp_path, env_file=str(env), env_names=["A", "B", "E"], sections=["env"])
    env.write_text('A="one-secret"\nB=""\nC="<CHANGE_ME_C>"\nA="again"\n# D="x"\n')
    found = remote.evidence_fact(probe)["env"]
    names = {name: found[name] for name in ("names", "missing", "empty", "placeholders", "doubled")}
    assert names == {
        "names": ["A", "B", "C"],
        "missing": ["E"],
        "empty": ["B"],
        "placeholders": ["C"],
        "doubled": ["A"],
    }
    assert "one-secret" not in json.dumps(found)


# ---- the controller's side


class Host:
    """Answers one request as a worker would, or fails."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer
        self.asked: dict[str, Any] = {}

    def call(self, **request: Any) -> dict[str, Any]:
        self.asked = request["probes"]["it"]
        if isinstance(self._answer, Exception):
            raise self._answer
        return {"it": self._answer}


def test_what_this_process_knows_is_masked_too() -> None:
    PROCESS.add(["s3cr3t-of-the-state"])
    found = collect(Host({"git": {"url": "https://x/s3cr3t-of-the-state"}}), DECLARED)  # pyright: ignore[reportArgumentType]
    assert found["git"] == {"url": "https://x/[secret]"}


def test_the_question_holds_no_secret_and_all_the_host_needs() -> None:
    host = Host({})
    collect(host, DECLARED, failure=failure("IMAGE_BUILD_FAILED", "no space left on device"))  # pyright: ignore[reportArgumentType]
    assert host.asked["suspects_disk"] is True
    assert host.asked["env_file"] == f"{DECLARED.directory}/.env.staging"
    assert host.asked["secrets"] == ["POSTGRES_PASSWORD", "RESEND_API_KEY", "SECRET_KEY"]


def test_every_section_has_a_gatherer() -> None:
    assert sorted(HOST_SECTIONS) == sorted(remote.SECTIONS)


def _lost(code: str) -> UnreachableError:
    return UnreachableError(
        phase="connect", host="h:22", command="connect", exit_status=None, evidence="timed out", code=code, hint="nc"
    )


def test_a_host_that_does_not_answer_is_evidence() -> None:
    found = collect(Host(_lost("HOST_UNREACHABLE")), DECLARED, cloud={"status": "off"})  # pyright: ignore[reportArgumentType]
    assert found["unreachable"]["kind"] == "silent"
    assert found["unreachable"]["code"] == "HOST_UNREACHABLE"
    assert found["cloud"] == {"status": "off"}


def test_a_host_that_refuses_is_told_apart_while_the_way_is_opened() -> None:
    def refused() -> Any:
        raise AuthenticationError("h:22: the login key was refused; nothing was sent", hint="ssh-keyscan")

    found = collect(refused, DECLARED)
    assert found["unreachable"]["kind"] == "refused"


def _certificate(names: list[str], *, days: int) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proxy")])
    now = datetime(2026, 11, 24, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = (
        builder.serial_number(7).not_valid_before(now - timedelta(days=30)).not_valid_after(now + timedelta(days=days))
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        )
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return base64.b64encode(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize("names", [["staging.erp.tsh.sale", "x.test"], []])
def test_the_served_certificate_is_read_into_names_and_dates(names: list[str]) -> None:
    served = {"served": True, "der": _certificate(names, days=-1), "now": time.time() + 600, "verify_code": 10}
    found = collect(Host({"certificate": served}), DECLARED)["certificate"]  # pyright: ignore[reportArgumentType]
    assert found["names"] == names
    assert found["not_after"] == "2026-11-23T00:00:00Z"
    assert 590 <= found["skew_s"] <= 610
    assert "der" not in found


def test_a_certificate_that_is_none_is_left_as_it_is() -> None:
    found = collect(Host({"certificate": {"served": True, "der": "bm9uZQ==", "now": 1}}), DECLARED)["certificate"]  # pyright: ignore[reportArgumentType]
    assert "names" not in found
