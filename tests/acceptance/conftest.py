"""What the statements are made about: the stack's contract, its host over the pinned connection, its public face.

`greenroom verify` hands the stack in; run by pytest alone, the suite asks the stack's state for itself (`--stack`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.ops.contract import read_contract
from infra.ops.proof import SUBJECT, Subject

if TYPE_CHECKING:
    from testinfra.host import Host


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack", default="local", help="the stack to ask when no one hands one in")


def pytest_configure(config: pytest.Config) -> None:
    plugins = config.pluginmanager.get_plugins()
    target = next((each.greenroom_target for each in plugins if hasattr(each, "greenroom_target")), None)
    if target is None:
        from infra.cli.proof import target_of  # noqa: PLC0415 - only without a caller
        from infra.cli.session import Session  # noqa: PLC0415 - as above

        target = target_of(Session(config.getoption("--stack"), as_json=False, assume_yes=False))
    config.stash[SUBJECT] = Subject(target, read_contract(Path(target.contract)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one statement of each entry of the contract."""
    contract = metafunc.config.stash[SUBJECT].contract
    entries: dict[str, list[tuple[str, Any]]] = {
        "service": [(each.container, each) for each in contract.services],
        "open_port": [(str(each), each) for each in contract.ports.open],
        "closed_port": [(str(each), each) for each in contract.ports.closed],
        "loopback_port": [(str(each), each) for each in contract.ports.loopback],
        "directory": [(each.path, each) for each in contract.directories],
        "health": [(each.name, each) for each in contract.health],
        "endpoint": [(each.name, each) for each in contract.endpoints],
        "check": [(each.name, each) for each in contract.checks],
    }
    for name, values in entries.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, [value for _, value in values], ids=[label for label, _ in values])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each statement and its group for the table; an entry that the contract leaves empty makes no statement."""
    items[:] = [item for item in items if getattr(getattr(item, "callspec", None), "id", "") != "NOTSET"]
    for item in items:
        group = getattr(item, "module").GROUP  # noqa: B009 - pytest's items don't declare it
        words = getattr(item, "originalname", item.name).removeprefix("test_").replace("_s_", "'s ").replace("_", " ")
        label = getattr(getattr(item, "callspec", None), "id", "")
        item.user_properties += [("group", group), ("statement", f"{label}: {words}" if label else words)]


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Subject:
    return request.config.stash[SUBJECT]


@pytest.fixture(scope="session")
def host(stack: Subject) -> Host:
    return stack.host
