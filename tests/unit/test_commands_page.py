"""docs/commands.md has every verb, every option and every document, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from infra.cli.app import VERBS, greenroom

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### greenroom ([a-z ]+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
EVERYWHERE = {"-s", "--stack", "--json", "-y", "--yes"}
SCHEMA = re.compile(r"greenroom/([a-z]+)/1")


def leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Give the verbs that do something, groups' own included."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    for below in command.list_commands(click.Context(command)):
        found = command.get_command(click.Context(command), below)
        assert found is not None
        yield from leaves(found, f"{name} {below}".strip())


COMMANDS = dict(leaves(greenroom, ""))


def test_the_page_has_each_verb_once_and_no_other() -> None:
    assert sorted(SECTIONS) == sorted(COMMANDS)
    assert {name.split()[0] for name in COMMANDS} == set(VERBS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_verb_s_options_are_those_of_the_page(name: str) -> None:
    options = [each for each in COMMANDS[name].params if isinstance(each, click.Option) and not each.hidden]
    given = {form for each in options for form in (*each.opts, *each.secondary_opts)}
    written = {form for line in re.findall(r"^- (`.*?):", SECTIONS[name], re.MULTILINE) for form in _forms(line)}
    assert written - EVERYWHERE == given - EVERYWHERE
    for argument in (each for each in COMMANDS[name].params if isinstance(each, click.Argument)):
        metavar = argument.metavar or (argument.name or "").upper()
        assert all(word in SECTIONS[name] for word in re.findall(r"\w+", metavar))


def test_what_every_verb_takes_is_told_once() -> None:
    table = PAGE[: PAGE.index("## Deploying")]
    assert all(f"`{form}" in table for form in EVERYWHERE)
    assert "GREENROOM_STACK" in table


def test_every_document_that_the_program_names_is_on_the_page() -> None:
    named = {name for file in (ROOT / "infra").rglob("*.py") for name in SCHEMA.findall(file.read_text())}
    assert named | {"preview", "up", "refresh", "destroy"} == set(SCHEMA.findall(PAGE))


def test_every_exit_code_of_the_design_is_on_the_page() -> None:
    codes = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "4", "6", "7", "8", "20", "21", "22"]


def _forms(line: str) -> list[str]:
    return re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line)
