"""Programs as the worker runs them: as whom, and how a missing one is told."""

from __future__ import annotations

import os
import pwd

import pytest

from infra.transport.remote.processes import run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs programs as somebody else")


@pytest.mark.parametrize("name", ["nobody", "daemon", "backup"])
def test_a_program_of_another_user_has_that_ones_rights_and_nothing_of_ours(name: str) -> None:
    entry = pwd.getpwnam(name)
    script = "grep -E '^(Uid|Gid|Groups|CapPrm|CapEff):' /proc/self/status; echo home: $HOME $USER $LOGNAME"
    finished = run(["sh", "-c", script], user=name)

    told = {line.split(":")[0]: line.split(":")[1].split() for line in finished.stdout.splitlines()}
    assert told["Uid"] == [str(entry.pw_uid)] * 4
    assert told["Gid"] == [str(entry.pw_gid)] * 4
    assert sorted(map(int, told["Groups"])) == sorted(os.getgrouplist(name, entry.pw_gid))
    assert {int(told[each][0], 16) for each in ("CapPrm", "CapEff")} == {0}
    assert told["home"] == [entry.pw_dir, name, name]


@pytest.mark.parametrize("name", ["", "nobody"])
def test_a_program_that_is_not_there_is_told_by_name(name: str) -> None:
    finished = run(["never-was", "-x"], user=name)
    assert finished.exit_status == 127
    assert "never-was" in finished.printed


@pytest.mark.parametrize("name", ["", "nobody"])
def test_a_program_past_its_deadline_is_killed_with_all_it_started(name: str) -> None:
    finished = run(["sh", "-c", "echo begun; sleep 60 & wait"], user=name, timeout_s=0.3)
    assert finished.exit_status == 124
    assert finished.stdout == "begun\n"
