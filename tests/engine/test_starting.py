"""How a run's processes start: what is imported ahead, what is forked, and what the SDK may say."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from enginelab.plugin import provider_argv

from localcloud.engine.launcher import QuietEngine
from localcloud.engine.starting import is_module

if TYPE_CHECKING:
    from enginelab.bench import Bench
    from enginelab.embedded import Embedded


def lines(bench: Bench) -> list[str]:
    """Return what the program left in its file."""
    return (bench.root / "seen.txt").read_text().split()


def test_modules_named_for_it_are_imported_before_the_program_starts(embedded_bench: Bench) -> None:
    driver: Embedded = embedded_bench.driver  # type: ignore[assignment]  # the fixture's own
    embedded_bench.program('import sys, pathlib; pathlib.Path("seen.txt").write_text(str("colorsys" in sys.modules))')
    assert driver.engine(embedded_bench).up().succeeded
    assert lines(embedded_bench) == ["False"]
    assert driver.engine(embedded_bench, preload=("colorsys", "no_such_module")).up().succeeded
    assert lines(embedded_bench) == ["True"]


def test_a_provider_that_is_a_module_of_the_programs_interpreter_is_forked(embedded_bench: Bench) -> None:
    driver: Embedded = embedded_bench.driver  # type: ignore[assignment]  # the fixture's own
    module = embedded_bench.root / "asmodule.py"
    module.write_text(
        "import os, pathlib, sys, runpy\n"
        f"seen = pathlib.Path({str(embedded_bench.root / 'seen.txt')!r})\n"
        "seen.write_text('forked' if 'pulumi.runtime' in sys.modules else 'started')\n"
        f"sys.argv = {json.dumps(provider_argv(embedded_bench)[1:])} + sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    embedded_bench.program('Thing("a", x=1)')
    engine = driver.engine(embedded_bench, providers={"testprovider": [sys.executable, "-m", "asmodule"]})
    assert engine.up().succeeded
    assert lines(embedded_bench) == ["forked"]


@pytest.mark.parametrize(
    ("command", "forked"),
    [
        (["/venv/python", "-m", "mine"], True),
        (("/venv/python", "-m", "mine"), True),
        (["/other/python", "-m", "mine"], False),
        (["/venv/python", "-m", "mine", "--flag"], False),
        (["/venv/python", "script.py"], False),
        (["/plugins/pulumi-resource-mine"], False),
    ],
)
def test_only_a_bare_module_of_the_same_interpreter_can_be_forked(command: list[str], *, forked: bool) -> None:
    assert is_module(command, "/venv/python") is forked


def test_debug_lines_of_the_sdk_never_leave_the_program(embedded_bench: Bench) -> None:
    events: list[object] = []
    driver: Embedded = embedded_bench.driver  # type: ignore[assignment]  # the fixture's own
    embedded_bench.program('pulumi.log.debug("for nobody"); pulumi.log.info("for people"); pulumi.log.warn("watch")')
    assert driver.engine(embedded_bench, events.append).up().succeeded
    told = [event.message for event in events if hasattr(event, "severity")]  # type: ignore[attr-defined]  # as asked
    assert told == ["for people", "watch"]


class Listening:
    """Stands where the SDK's stub stands, and keeps what reaches it."""

    def __init__(self) -> None:
        self.logged: list[int] = []

    def Log(self, request: SimpleNamespace) -> None:  # noqa: N802 - the protocol's name
        self.logged.append(request.severity)

    def RequirePulumiVersion(self, request: str) -> str:  # noqa: N802 - as above
        return f"answered {request}"


def test_the_quiet_engine_passes_everything_else_on() -> None:
    engine = Listening()
    quiet = QuietEngine(engine)
    for severity in range(4):
        quiet.Log(SimpleNamespace(severity=severity))
    assert engine.logged == [1, 2, 3]
    assert quiet.RequirePulumiVersion("x") == "answered x"
