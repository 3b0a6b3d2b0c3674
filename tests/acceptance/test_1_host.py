"""The droplet itself: user, directory, modes, Docker, the release on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host

    from infra.ops.contract import Directory
    from infra.ops.proof import Subject

GROUP = "host"


def test_the_workload_has_its_user_in_group_docker(stack: Subject, host: Host) -> None:
    user = host.user(stack.target.user)
    assert user.exists, f"there is no user {stack.target.user}"
    assert "docker" in user.groups, f"{stack.target.user} is in {user.groups}"


def test_the_directory_belongs_to_the_user(stack: Subject, host: Host) -> None:
    directory = host.file(stack.target.directory)
    assert directory.is_directory, f"{stack.target.directory} is no directory"
    assert directory.user == stack.target.user, f"it belongs to {directory.user}"


def test_only_its_owner_reads_the_env_file(stack: Subject, host: Host) -> None:
    env_file = host.file(f"{stack.target.directory}/{stack.target.env_file}")
    assert env_file.is_file, "there is no env file"
    assert env_file.mode == 0o600, f"its mode is {env_file.mode:04o}"
    assert env_file.user == stack.target.user, f"it belongs to {env_file.user}"


def test_is_there_for_its_containers(stack: Subject, host: Host, directory: Directory) -> None:
    found = host.file(f"{stack.target.directory}/{directory.path}")
    assert found.is_directory, f"{directory.path} is no directory"
    assert found.uid == directory.owner, f"it belongs to user {found.uid}; expected {directory.owner}"
    if directory.mode:
        assert found.mode == int(directory.mode, 8), f"its mode is {found.mode:04o}; expected {directory.mode}"


def test_docker_runs_and_starts_at_boot(host: Host) -> None:
    service = host.service("docker")
    assert service.is_running, "docker does not run"
    assert service.is_enabled, "docker does not start at boot"


def test_the_checkout_is_the_release_s_commit(stack: Subject, host: Host) -> None:
    at = f"git --no-optional-locks -c safe.directory={stack.target.directory} -C {stack.target.directory}"
    found = host.check_output(f"{at} rev-parse HEAD")
    assert found == stack.target.release["commit"], f"the checkout is at {found}"
    modified = host.check_output(f"{at} status --porcelain --untracked-files=no")
    assert not modified, f"files differ from the commit: {modified}"
