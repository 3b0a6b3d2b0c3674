"""Forty changes by hand on a booted droplet, each found, named in its layer, and mended; and no alarm without one.

The default run makes them in groups that do not hide each other. With GREENROOM_DRIFT_MATRIX=full each is made,
found and mended alone, and the quiet host is asked 200 times.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from driftlab import APP, BY_HAND, ByHand, do, look
from hostlab import Lab, Wish, booted_lab, counted_requests

from infra.host.migrations import MigrationsProvider
from infra.transport.pool import close_all

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.droplet, pytest.mark.docker, pytest.mark.timeout(600)]

IS_FULL = os.environ.get("GREENROOM_DRIFT_MATRIX") == "full"
QUIET_CHECKS = 200 if IS_FULL else 10
GROUPS = [
    [
        *("env: mode", "env: value changed", "env: variable added", "env: variable removed", "image: retagged"),
        *("checkout: a file edited", "checkout: untracked", "container: another memory limit", "container: paused"),
        *("container: a stranger in the project", "user: another shell", "user: another key", "proxy: edited"),
        *("mount: read-only", "sshd: the one-time key is back", "unit: caddy disabled"),
        "host: another key of digests",
    ],
    [
        *("env: owner", "checkout: a file removed", "checkout: another commit", "container: made anew by hand"),
        *("schema: another revision", "user: home open to all", "unit: docker disabled", "unit: caddy stopped"),
        *("mount: a directory removed", "host: the digests' key open to all", "root: another key"),
        "user: another file of keys",
    ],
]
BY_NAME = {each.name: each for each in BY_HAND}


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Wish]]:
    with booted_lab(tmp_path_factory.mktemp("driftlab")) as lab:
        wish = Wish(lab.commit())
        lab.run(wish)
        yield lab, wish


@pytest.fixture
def lab(settled: tuple[Lab, Wish]) -> Lab:
    return settled[0]


@pytest.fixture
def wish(settled: tuple[Lab, Wish]) -> Iterator[Wish]:
    lab, wish = settled
    yield wish
    lab.refresh()
    lab.run(wish)


def expect_found(lab: Lab, changes: list[ByHand]) -> None:
    """Look until the slowest change shows; each has to be there, in its layer, under its resource."""
    deadline = time.monotonic() + max(each.slow_s for each in changes)
    findings = look(lab)
    while time.monotonic() < deadline and not all(any(each.what in one.what for one in findings) for each in changes):
        time.sleep(1)
        findings = look(lab)
    for change in changes:
        matching = [one for one in findings if one.resource == change.resource and change.what in one.what]
        assert matching, f"{change.name}: {[(each.resource, each.what) for each in findings]}"
        assert {one.layer for one in matching} == {"host"}
        assert all(one.expected != one.found for one in matching), matching
        assert all(bool(one.since) >= change.dated for one in matching), matching


def test_there_are_forty(lab: Lab) -> None:
    del lab
    assert len({each.name for each in BY_HAND}) == len(BY_HAND) >= 40


def test_a_quiet_host_raises_no_alarm_and_is_asked_twice(lab: Lab, wish: Wish) -> None:
    del wish
    for _ in range(QUIET_CHECKS):
        with counted_requests() as asked:
            found = look(lab)
        assert not found, [each.document() for each in found]
        assert len(asked) <= 3, asked


@pytest.mark.skipif(IS_FULL, reason="each is made alone")
@pytest.mark.parametrize("names", GROUPS, ids=["first", "second"])
def test_changes_by_hand_are_named_and_mended(lab: Lab, wish: Wish, names: list[str]) -> None:
    changes = [BY_NAME[name] for name in names]
    for change in changes:
        do(lab, wish, change)

    expect_found(lab, changes)
    lab.run(wish)
    assert look(lab) == []


@pytest.mark.skipif(not IS_FULL, reason="GREENROOM_DRIFT_MATRIX=full makes each change alone")
@pytest.mark.parametrize("change", BY_HAND, ids=lambda each: each.name)
def test_each_change_alone_is_named_and_mended(lab: Lab, wish: Wish, change: ByHand) -> None:
    do(lab, wish, change)

    expect_found(lab, [change])
    lab.run(wish)
    close_all()
    assert look(lab) == []


@pytest.mark.parametrize("key", ["host: the digests' key open to all", "host: another key of digests"])
def test_a_new_key_and_a_migration_are_one_run(lab: Lab, wish: Wish, key: str) -> None:
    """Migrations make anew what they depend on, under the new key; the stack's record has to follow in the same run."""
    for name in (key, "schema: another revision"):
        do(lab, wish, BY_NAME[name])

    expect_found(lab, [BY_NAME[key]])
    lab.run(wish)
    assert (lab.operations["migrations"], lab.operations["stack"]) == ("update", "update")
    assert look(lab) == []
    lab.run(wish)
    assert set(lab.operations.values()) == {"same"}


def test_a_variable_is_named_and_its_value_is_told_nowhere(lab: Lab, wish: Wish) -> None:
    lab.shell("sed -i 's/^GREETING=.*/GREETING=\"canary-by-hand\"/' .env.staging")

    (finding,) = look(lab)
    assert finding.what.endswith("changed GREETING")
    told = f"{finding} {lab.state['env file']} {lab.shell('cat /var/lib/greenroom/probes/*')}"
    assert "canary-by-hand" not in told.replace(str(lab.state["env file"]["connection"]), "")
    del wish


def test_a_schema_that_can_t_be_asked_for_is_told_with_what_was_printed_and_no_secret(lab: Lab, wish: Wish) -> None:
    del wish
    asks = {"current": ["sh", "-c", 'echo "no $INTERPOLATED here" >&2; exit 3']}
    (finding,) = (MigrationsProvider().read("m", {**lab.state["migrations"], **asks}).outs or {})["findings"]
    assert finding["found"] == "exit status 3: no [secret] here"

    lab.shell(f"docker stop -t 1 {APP}")
    assert [each.found for each in look(lab) if each.resource == "migrations"] == ["service app is exited"]


def test_no_key_of_a_digest_is_left_on_the_host(lab: Lab, wish: Wish) -> None:
    del wish
    assert lab.state["env file"]["key"] not in lab.shell("cat /var/lib/greenroom/probes/*")
    assert lab.shell("stat -c '%a %U' /var/lib/greenroom/probes /var/lib/greenroom/probes/* | sort -u") == (
        "600 root\n700 root\n"
    )
