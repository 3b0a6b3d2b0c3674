"""The passwords of a database's roles, kept in step with the env file: an image sets them on an empty volume only.

What the server stores is compared with what the env file says, on this host; the password itself is sent to nobody.
A change travels as the SCRAM verifier (RFC 5802) over the server's own socket, as psql sends one too, so that
neither the server's log nor its statistics ever hold the password.
"""

from __future__ import annotations

__all__ = ["database_password_act", "database_passwords_fact"]

import hashlib
import hmac
import os
from base64 import b64decode, b64encode

from infra.transport.remote.engine import Engine
from infra.transport.remote.postgres import Unanswered, literal, query
from infra.transport.remote.processes import Finished, run
from infra.transport.remote.report import ActFailure, parse_env
from infra.transport.remote.stack import listed_services

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.transport.remote.report import Reporter

_ITERATIONS = 4096
_STORED = "SELECT coalesce(rolpassword, 'none') FROM pg_catalog.pg_authid WHERE rolname = "
_QUIET = "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic';\n"


def database_passwords_fact(probe: dict[str, Any]) -> dict[str, str]:
    """Tell of each secret whether the server has it: matches, differs, absent (no server runs), or unknown."""
    values = _values(probe["env_file"])
    containers = listed_services(Engine(), probe["project"])
    return {role["secret"]: _state(role, containers, values) for role in probe["roles"]}


def database_password_act(act: dict[str, Any], report: Reporter) -> None:
    """Give a role the password that the env file has, unless it has it; ActFailure DATABASE_PASSWORD_FAILED."""
    role = act["role"]
    values = _values(act["env_file"])
    containers = listed_services(Engine(), act["project"])
    if _state(role, containers, values) == "matches":
        return
    report.say(f"change the password of {role['role']} in {role['service']}")
    container = containers.get(role["service"])
    if container is None or role["secret"] not in values:
        raise _failure(role, None, "no container" if container is None else f"{role['secret']} is not in the env file")
    verifier = _verifier(values[role["secret"]], os.urandom(16), _ITERATIONS)
    done = _ask(role, container["id"], f"{_QUIET}ALTER ROLE :\"role\" PASSWORD '{verifier}';\n")
    if done.exit_status != 0 or _state(role, containers, values) != "matches":
        raise _failure(role, done.exit_status, done.printed)


def _state(role: dict[str, Any], containers: dict[str, Any], values: dict[str, str]) -> str:
    container = containers.get(role["service"])
    if container is None or container["state"] != "running":
        return "absent"
    stored = _stored(role, container["id"])
    if stored is None or role["secret"] not in values:
        return "unknown"
    return "matches" if _holds(stored, role["role"], values[role["secret"]]) else "differs"


def _stored(role: dict[str, Any], container: str) -> str | None:
    """Return what the server keeps of a role's password, empty for no such role; None where it can't be asked."""
    try:
        pid: int = Engine().inspect(container)["State"]["Pid"]
        rows = query(pid, _superuser(role), role["name"], _STORED + literal(role["role"]))
    except (Unanswered, ValueError, KeyError):
        done = _ask(role, container, f"{_STORED}:'role';\n")
        return done.stdout.strip() if done.exit_status == 0 else None
    return rows[0][0] if rows else ""


def _superuser(role: dict[str, Any]) -> str:
    return role.get("superuser") or role["role"]


def _ask(role: dict[str, Any], container: str, script: str) -> Finished:
    """Run SQL inside the server's container, over its socket. The script goes by standard input."""
    argv = ["docker", "exec", "-i", container, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", f"role={role['role']}"]
    return run([*argv, "-U", _superuser(role), "-d", role["name"]], stdin=script, timeout_s=30.0)


def _holds(stored: str, role: str, password: str) -> bool:
    """Tell whether a stored verifier is the password's."""
    if stored.startswith("md5"):
        digest = hashlib.md5((password + role).encode(), usedforsecurity=False).hexdigest()
        return hmac.compare_digest(stored, f"md5{digest}")
    scheme, _, rest = stored.partition("$")
    how, _, _ = rest.partition("$")
    iterations, _, salt = how.partition(":")
    if scheme != "SCRAM-SHA-256" or not iterations.isdigit():
        return False
    return hmac.compare_digest(stored, _verifier(password, b64decode(salt), int(iterations)))


def _verifier(password: str, salt: bytes, iterations: int) -> str:
    """Return what PostgreSQL stores for a password (src/common/scram-common.c: scram_build_secret)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    keys = f"{b64encode(stored).decode()}:{b64encode(server).decode()}"
    return f"SCRAM-SHA-256${iterations}:{b64encode(salt).decode()}${keys}"


def _values(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123 (see report)
            return dict(parse_env(stream.read()))
    except OSError:
        return {}


def _failure(role: dict[str, Any], exit_status: int | None, evidence: str) -> ActFailure:
    command = f"ALTER ROLE {role['role']} PASSWORD …   # in {role['service']}"
    hint = f"docker compose exec {role['service']} psql -U {_superuser(role)} -d {role['name']}"
    return ActFailure("DATABASE_PASSWORD_FAILED", command, exit_status, evidence, hint)
