"""How a run's processes start: what is imported ahead, what is forked, and what the SDK may say."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from enginelab.plugin import provider_argv

from localcloud.engine.events import Diagnostic
from localcloud.engine.launcher import LOOK_S, QuietEngine
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


MANY = """
    import asyncio, atexit, pathlib, time

    began, listed = time.monotonic(), []
    wait = asyncio.wait

    async def counted(tasks, **named):
        tasks = list(tasks)
        listed.append(len(tasks))
        return await wait(tasks, **named)

    asyncio.wait = counted
    atexit.register(lambda: pathlib.Path("seen.txt").write_text(
        f"{max(listed)} {sum(listed)} {time.monotonic() - began}"
    ))
    for number in range(40):
        Thing(f"t{number}", **dict.fromkeys("abcdefgh", number))
"""


def test_a_program_that_waits_does_not_list_all_that_is_under_way_for_each_that_ends(embedded_bench: Bench) -> None:
    embedded_bench.good(MANY)
    largest, listed, seconds = (float(number) for number in lines(embedded_bench))
    assert largest > 40, "every resource was under way"
    assert listed <= largest * (2 + seconds / LOOK_S), "the SDK's own wait lists eighteen times as many in 0.3 s"


def test_an_output_that_fails_is_told_while_others_are_still_made(embedded_bench: Bench) -> None:
    embedded_bench.script({"call": "Create", "name": "slow", "delay_s": 3.0})
    events: list[Any] = []
    driver: Embedded = embedded_bench.driver  # type: ignore[assignment]  # the fixture's own
    embedded_bench.program(
        """
        Thing("slow", x=1)
        quick = Thing("quick", x=1)
        quick.stamp.apply(lambda stamp: 1 / 0)
        """
    )
    result = driver.engine(embedded_bench, events.append).up()
    (failure,) = [event for event in events if isinstance(event, Diagnostic) and "ZeroDivisionError" in event.message]
    assert failure.at < 2.0 < result.seconds
    assert embedded_bench.state.things == ["quick", "slow"], "what was under way has been finished and kept"
