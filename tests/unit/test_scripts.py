"""The shell scripts: what a machine has to have for which of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
STUBS = """
greenroom_packages() { :; }
greenroom_venv() { :; }
greenroom_bytecode() { :; }
greenroom_docker() { echo docker; }
"""
DROPLETS = "config:\n  greenroom:domain: local.example.org\n  greenroom:protect: false\n"


@pytest.fixture
def bootstrap(tmp_path: Path) -> Callable[..., str]:
    """Run greenroom_bootstrap in a directory of its own, with nothing installed; gives what it asked for."""

    def run(*arguments: str) -> str:
        script = f'. {ROOT}/scripts/bootstrap\n{STUBS}\ngreenroom_bootstrap requirements.lock "$@"\n'
        argv = ["sh", "-euc", script, "sh", *arguments]
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    return run


@pytest.mark.parametrize(
    ("written", "needs"),
    [
        (DROPLETS, ""),
        (DROPLETS + "  greenroom:cloud: digitalocean\n", ""),
        (DROPLETS + "  # greenroom:cloud: local\n", ""),
        (DROPLETS + "  greenroom:cloud: local\n", "docker\n"),
        (DROPLETS + '  "greenroom:cloud": "local"   # here\n', "docker\n"),
        (DROPLETS + "  cloud: 'local'\n", "docker\n"),
    ],
)
def test_only_a_stack_on_the_local_cloud_needs_docker(
    bootstrap: Callable[..., str], tmp_path: Path, written: str, needs: str
) -> None:
    (tmp_path / "Pulumi.mine.yaml").write_text(written)
    assert bootstrap("mine") == needs


def test_what_is_about_no_single_stack_needs_docker(bootstrap: Callable[..., str]) -> None:
    assert bootstrap() == "docker\n"


@pytest.mark.parametrize("name", ["up", "down"])
def test_a_script_that_is_given_a_stack_asks_for_what_that_stack_needs(name: str) -> None:
    assert 'greenroom_bootstrap requirements.lock "$stack"\n' in (ROOT / "scripts" / name).read_text()


def test_the_committed_stacks_are_told_apart() -> None:
    script = f". {ROOT}/scripts/bootstrap\nfor each; do greenroom_is_local $each && echo $each; done; :"
    argv = ["sh", "-uc", script, "sh", "local", "staging"]
    assert subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "local\n"
