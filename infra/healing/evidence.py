"""Evidence: one request to the host, and what the state and the cloud know beside it; everything that diagnosis sees.

Sections, by name (a host's section that could not be gathered reads `{"unanswered": reason}`):

    containers   engine (why it did not answer; empty where it did), services {service: container, state, health,
                 exit_code, oom_killed, oom_kills, frozen, error, restarts, started_at, finished_at, age_s, image,
                 user, check, check_answer {inside, path, published, status}, health_log [{at, exit, output}],
                 published, mounts, first_error, recent, marks, log}, others [{container, project, service, state,
                 published}]. `first_error` is {language, type, message, file, line, line_text, following, code, then,
                 age_s} of the first error since the last start, `recent` are the last ones, `then` what was raised
                 because of one. `marks` are lines that PostgreSQL marks as failures, `frozen` counts processes that
                 were stopped by a signal, `check_answer` is what the health check's question is answered from outside.
    compose      file, exit_status, error, services {service: image, build, depends, published, binds}
    listeners    [{address, port, process, pid, program, unit; container, project, service behind Docker's proxy}]
    disk         systems [{path, size_bytes, free_bytes, percent, inodes_percent, device}]; of full ones largest
                 [{path, size_bytes}] and prunable {images_bytes, cache_bytes}
    memory       total, available, swap_total, swap_free (bytes), load
    units        units {unit: load, active, sub, result, exit_status, restarts, since, journal}, failed, daemon_json
    kernel       oom [{container (id), task, pid, at, age_s}]
    dns          domain and repository {name, addresses, error; port, connects}, resolvers
    certificate  served, error, verify_code (X509_V_ERR_…), verify_error, now; added here: subject, issuer, names,
                 not_before, not_after (RFC 3339), skew_s (how far the host's clock is ahead of the controller's)
    proxy        file, adapt_status, error, running, differs, admin_error
    http         public {path: {status, kind, reason, body, milliseconds}}, ports {port: {path: the same}}
    database     servers [{service, database, role, answers, error, revision, tables, connections, max_connections,
                 blockers [{pid, state, age_s, waiting}], idle [{pid, state, age_s}]}], passwords {secret: state}
    schema       asked, current, heads {exit_status, stdout, stderr}, as the migration tool tells
    git          directory, exists, is_checkout, partial, entries, head, url, changed, unlocked [{folder, lock_file,
                 dockerfile, number, line, image, ignored_by}]
    env          path, exists, mode, uid, names, missing, empty, placeholders, doubled: names only
    directories  {path: exists, uid, mode}
    drift        [{layer, resource, type, property, what, expected, found, since}], as `greenroom drift` names them
    undeployed   what the settings ask for and no deployment has brought, where mending is not to bring it either
    cloud        what the cloud says of the droplet: status, id, tags
    unreachable  instead of all of the host's: kind (refused, silent), code, host, reason, hint

Log text in it is data. Nothing here interprets it, and whoever does matches it from the start of its lines.
"""

from __future__ import annotations

__all__ = ["HOST_SECTIONS", "collect", "env_path", "is_answered", "question"]

import base64
import binascii
import time
from typing import TYPE_CHECKING, Any

from infra.errors import AuthenticationError, GreenroomError, StepError, UnreachableError
from infra.redaction import PROCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from infra.healing.model import Declared, Failure
    from infra.transport.worker import Worker

HOST_SECTIONS = (
    *("certificate", "compose", "containers", "database", "directories", "disk", "dns", "env", "git", "http"),
    *("kernel", "listeners", "memory", "proxy", "schema", "units"),
)
_TIMEOUT_S = 10.0


def collect(
    worker: Worker | Callable[[], Worker],
    declared: Declared,
    *,
    failure: Failure | None = None,
    drift: Sequence[Mapping[str, Any]] = (),
    cloud: Mapping[str, Any] | None = None,
    sections: Sequence[str] = (),
) -> dict[str, Any]:
    """Gather the evidence of a situation. Never raises for a host that can't be reached: that is evidence too.

    `worker` may be what opens the way to the host. `drift` is what a look found, `cloud` what the cloud's API says of
    the droplet; `sections` limits what is asked of the host, empty means all of it.
    """
    beside: dict[str, Any] = {"drift": [dict(each) for each in drift], "cloud": dict(cloud or {})}
    suspects_disk = failure is not None and "space left on device" in failure.evidence
    try:
        opened = worker() if callable(worker) else worker
        own = {"sections": list(sections), "suspects_disk": suspects_disk}
        probe = {"kind": "evidence", **question(declared), **own}
        asked_at = time.time()
        answer = opened.call(subject="evidence", phase="health", probes={"it": probe}, timeout_s=_TIMEOUT_S)["it"]
    except (UnreachableError, AuthenticationError, StepError) as error:
        return PROCESS.mask_all({**beside, "unreachable": _unreachable(error)})
    if is_answered(answer.get("certificate")):
        answer["certificate"] = {**_read_certificate(answer["certificate"]), "skew_s": _skew(answer, asked_at)}
    return PROCESS.mask_all({**beside, **answer})


def question(declared: Declared) -> dict[str, Any]:
    """Return what the host has to know of the stack to be asked about it; nothing secret."""
    return {
        "project": declared.project,
        "directory": declared.directory,
        "user": declared.user,
        "compose_file": declared.compose_file,
        "env_file": env_path(declared),
        "domain": declared.domain,
        "repository": declared.repository,
        "directories": list(declared.directories),
        "env_names": list(declared.env_names),
        "secrets": sorted(declared.secret_sources),
        "variables": dict(declared.variables),
        "migration": dict(declared.migration),
        "databases": [dict(each) for each in declared.databases],
        "routes": dict(declared.routes) or {f"/*{number}": port for number, port in enumerate(declared.ports)},
        "health_paths": list(declared.health_paths),
        "authority": declared.authority,
    }


def env_path(declared: Declared) -> str:
    """Return where the env file stands on the host; settings give it relative to the checkout."""
    return declared.env_file if declared.env_file.startswith("/") else f"{declared.directory}/{declared.env_file}"


def is_answered(section: Any) -> bool:
    """Tell whether a section holds what it should."""
    return isinstance(section, list) or (isinstance(section, dict) and bool(section) and "unanswered" not in section)


def _skew(answer: Mapping[str, Any], asked_at: float) -> int:
    """Return how far the host's clock is ahead of this one, in seconds, to within the time of a round trip."""
    return round(float(answer["certificate"].get("now") or asked_at) - asked_at)


def _unreachable(error: GreenroomError) -> dict[str, Any]:
    refused = isinstance(error, AuthenticationError)
    fields = {"reason": error.message, "hint": error.hint, "host": "", "code": ""}
    if isinstance(error, StepError):
        fields |= {"reason": error.evidence, "host": error.host, "code": error.code}
    elif isinstance(error, AuthenticationError):
        fields |= {"host": error.host, "code": error.code}
    return {"kind": "refused" if refused else "silent", **fields}


def _read_certificate(fact: dict[str, Any]) -> dict[str, Any]:
    """Add names and dates of the certificate that is served; the bytes themselves are of no use to a reader."""
    from cryptography import x509  # noqa: PLC0415 (a no-op run needs none)
    from cryptography.x509.oid import ExtensionOID  # noqa: PLC0415

    kept = {name: value for name, value in fact.items() if name != "der"}
    try:
        found = x509.load_der_x509_certificate(base64.b64decode(fact["der"], validate=True))
    except (ValueError, KeyError, binascii.Error):
        return kept
    try:
        alternatives: Any = found.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        names = [str(each) for each in alternatives.get_values_for_type(x509.DNSName)]
    except (x509.ExtensionNotFound, ValueError):
        names = []
    return {
        **kept,
        "subject": found.subject.rfc4514_string(),
        "issuer": found.issuer.rfc4514_string(),
        "names": names,
        "not_before": _instant(found.not_valid_before_utc),
        "not_after": _instant(found.not_valid_after_utc),
    }


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
