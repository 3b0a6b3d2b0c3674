"""The workload's own statement of what a good deployment shows: `acceptance.yaml`, read strictly.

The file's vocabulary is explained at its top in `examples/tsh-erp/acceptance.yaml`. It belongs to the workload: nothing
in it says how the stack was deployed, and nothing here knows what the workload is called.
"""

from __future__ import annotations

__all__ = ["Check", "Contract", "Directory", "Expectation", "Request", "Service", "read_contract"]

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.errors import ConfigurationError
from infra.settings.document import read_document
from infra.settings.problems import describe

if TYPE_CHECKING:
    from pathlib import Path


class Model(BaseModel):
    """What all parts have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Expectation(Model):
    """What an answer has to be. Paths are dotted; a number is an index into a list."""

    status: Annotated[int, Field(ge=100, le=599)]
    keys: tuple[str, ...] = ()
    equals: dict[str, Any] = Field(default_factory=dict)
    length: dict[str, int] = Field(default_factory=dict)


class Request(Model):
    """One request through the public address."""

    name: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "GET"
    path: str
    query: dict[str, Any] = Field(default_factory=dict)
    body: Any = None
    auth: bool | str = True
    """True sends the login's token, false none, a text that very text."""
    expect: Expectation
    capture: dict[str, str] = Field(default_factory=dict)
    max_seconds: float | None = None


class Login(Request):
    """The request whose answer holds the token."""

    token: str


class Check(Model):
    """Requests that prove something together."""

    name: str
    steps: Annotated[tuple[Request, ...], Field(min_length=1)]


class Confinement(Model):
    """What a container's processes may do. Left out, it is nothing: no capability, a file system that only reads."""

    user: Annotated[str, Field(pattern=r"^[0-9]+:[0-9]+$")]
    """Numbers of user and group of each process; compose, image or entry point may have chosen them."""
    capabilities: tuple[str, ...] = ()
    read_only: bool = True
    processes: Annotated[int, Field(gt=0)]
    """The limit of processes."""


class Service(Model):
    """A container, by the name compose gives it, with its limits."""

    service: str
    container: str
    cpus: Annotated[float, Field(gt=0)]
    memory_mib: Annotated[int, Field(gt=0)]
    health: bool = True
    confined: Confinement | None = None
    """Without it only what is asked of every container is proved."""


class Database(Model):
    """Tables that have to be there, by name: exactly these of all that are like the pattern."""

    service: str
    like: str
    tables: Annotated[tuple[str, ...], Field(min_length=1)]


class Migration(Model):
    """How the schema's revision is asked for, and which one it has to be."""

    service: str
    current: Annotated[tuple[str, ...], Field(min_length=1)]
    revision: str


class Ports(Model):
    """Ports as seen from the controller, and those that only the droplet itself may reach."""

    open: tuple[int, ...]
    closed: tuple[int, ...] = ()
    loopback: tuple[int, ...] = ()


class Directory(Model):
    """A directory below the checkout."""

    path: str
    owner: int
    mode: str | None = None


class Contract(Model):
    """The whole statement."""

    version: Literal[1]
    application: str
    services: tuple[Service, ...]
    database: Database | None = None
    migration: Migration | None = None
    ports: Ports
    directories: tuple[Directory, ...] = ()
    health: tuple[Request, ...]
    login: Login | None = None
    endpoints: tuple[Request, ...] = ()
    checks: tuple[Check, ...] = ()

    def container_of(self, service: str) -> str:
        """Give the container of a service; KeyError when the contract has no such service."""
        return {each.service: each.container for each in self.services}[service]


def read_contract(path: Path) -> Contract:
    """Read a contract; raises ConfigurationError naming every key that is wrong, with its line."""
    document = read_document(path.name, path.read_bytes())
    if document.problems:
        raise ConfigurationError(document.problems)
    try:
        return Contract.model_validate_json(json.dumps(document.value))
    except ValidationError as error:
        raise ConfigurationError(describe(error, Contract, document.where)) from None
