"""One stack under proof: what the statements ask of it, asked once, and how answers are held against the contract."""

from __future__ import annotations

__all__ = ["SUBJECT", "Subject"]

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from infra.ops.backend import host_over
from infra.ops.public import Answer, PublicClient
from infra.ops.variables import Scope, at_path
from infra.redaction import PROCESS
from infra.transport.pool import pool

if TYPE_CHECKING:
    from testinfra.host import Host

    from infra.ops.contract import Contract, Request
    from infra.ops.verify import Target

PATIENCE_S = 15.0
OPEN_WITHIN_S = 5.0
CLOSED_AFTER_S = 1.0


@dataclass
class Subject:
    """The stack as the suite sees it."""

    target: Target
    contract: Contract

    @cached_property
    def host(self) -> Host:
        """The host, as testinfra knows it, over the pinned connection."""
        return host_over(pool.link(self.target.endpoint, patience_s=PATIENCE_S))

    @cached_property
    def public(self) -> PublicClient:
        """The public name at the public address."""
        return PublicClient(self.target.domain, self.target.address, self.target.ca_certificate)

    @cached_property
    def scope(self) -> Scope:
        """The variables of the contract's requests."""
        return Scope({"admin_email": self.target.admin_email, "admin_password": self.target.admin_password})

    @cached_property
    def containers(self) -> dict[str, Any]:
        """Every container of the contract, inspected in one call."""
        names = " ".join(each.container for each in self.contract.services)
        answer = self.host.run(f"docker container inspect {names}")
        found = json.loads(answer.stdout or "[]")
        return {each["Name"].lstrip("/"): each for each in found}

    @cached_property
    def answering(self) -> dict[int, bool]:
        """Which of the contract's ports accept a connection at the public address, all tried side by side."""
        ports = sorted({*self.contract.ports.open, *self.contract.ports.closed})
        with ThreadPoolExecutor(max(1, len(ports))) as pool_of_threads:
            return dict(zip(ports, pool_of_threads.map(self._answers, ports), strict=True))

    def _answers(self, port: int) -> bool:
        patience_s = OPEN_WITHIN_S if port in self.contract.ports.open else CLOSED_AFTER_S
        try:
            socket.create_connection((self.target.address, port), timeout=patience_s).close()
        except OSError:
            return False
        return True

    @cached_property
    def token(self) -> str:
        """The login's token; its request is a statement of its own."""
        login = self.contract.login
        if login is None:
            raise LookupError("the contract has no login")
        answer = self.ask(login)
        token = str(at_path(answer.json(), login.token))
        PROCESS.add([token])
        return token

    def ask(self, request: Request) -> Answer:
        """Send a request, hold the answer against what is expected, keep what it captures."""
        token = self.token if request.auth is True else request.auth or ""
        answer = self.public.request(
            request.method,
            self.scope.expand(request.path),
            query=self.scope.expand(request.query),
            body=self.scope.expand(request.body),
            token=self.scope.expand(token),
        )
        self._hold(request, answer)
        for name, path in request.capture.items():
            self.scope.given[name] = at_path(answer.json(), path)
        return answer

    def _hold(self, request: Request, answer: Answer) -> None:
        expect = request.expect
        where = f"{request.method} {self.scope.expand(request.path)}"
        said = f"{where} answered {answer.status}: {answer.excerpt()}"
        expected(answer.status == expect.status, f"{said}; expected {expect.status}")
        document = answer.json() if expect.keys or expect.equals or expect.length else None
        for path in expect.keys:
            found(document, path, where)
        for path, wanted in self.scope.expand(expect.equals).items():
            value = found(document, path, where)
            expected(value == wanted, f"{where}: {path} is {value!r}; expected {wanted!r}")
        for path, length in expect.length.items():
            entries = len(found(document, path, where))
            expected(entries == length, f"{where}: {path} has {entries} entries; expected {length}")
        if request.max_seconds is not None:
            slow = f"{where} took {answer.seconds:.2f} s; expected at most {request.max_seconds}"
            expected(answer.seconds <= request.max_seconds, slow)


SUBJECT = pytest.StashKey[Subject]()
"""Where a suite's configuration keeps the stack that it is about."""


def expected(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as the statement it is
    """Fail the statement with its own words."""
    if not holds:
        raise AssertionError(otherwise)


def found(document: Any, path: str, where: str) -> Any:
    """Give the value at a path, or fail the statement naming the part that is not there."""
    try:
        return at_path(document, path)
    except LookupError as error:
        raise AssertionError(f"{where}: {error}") from None
