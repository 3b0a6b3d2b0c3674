"""Many resources' facts in one answer, and the questions that converged resources leave here for the next look."""

from __future__ import annotations

__all__ = ["PLACE", "gathered_fact", "remember_act"]

import json
import os

from infra.transport.remote import verbs
from infra.transport.remote.files import replace_file
from infra.transport.remote.threads import side_by_side

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.transport.remote.report import Reporter

PLACE = "/var/lib/greenroom/probes"
_MOST = 500
"""How many resources' questions are kept; of more, the oldest go."""
_AT_ONCE = 16
_AT_HAND = ("ages", "defs", "file", "first_boot", "kernel", "user")
"""Questions of these kinds wait for nobody: a thread for each, all at one lock, costs more than the answers."""
_UNITS = "units"
"""Questions of this kind are asked as one: each would start a `systemctl` of its own."""


def gathered_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Answer the given sets of questions, and every remembered one where `everything` is asked for.

    Returns `{mark: {"facts": {name: fact}}}`, or `{mark: {"error": text}}` for a set that could not be answered: one
    that fails spoils no other. A question that stands in several sets is asked once.
    """
    sets: dict[str, dict[str, Any]] = {**(_remembered() if probe["everything"] else {}), **probe["sets"]}
    questions = {_canonical(each): each for probes in sets.values() for each in probes.values()}
    units = sorted({name for each in questions.values() if each["kind"] == _UNITS for name in each["names"]})
    if units:
        questions[_UNITS] = {"kind": _UNITS, "names": units}
    asked = {text: each for text, each in questions.items() if each["kind"] != _UNITS or text == _UNITS}
    answers = {text: _answer(each) for text, each in asked.items() if each["kind"] in _AT_HAND}
    slow = {text: each for text, each in asked.items() if text not in answers}
    verbs.load_for(each["kind"] for each in slow.values())
    answers |= zip(slow, side_by_side(_answer, list(slow.values()), at_once=_AT_ONCE), strict=True)
    for text, each in questions.items():
        if text not in answers:
            answers[text] = _share(each["names"], *answers[_UNITS])
    return {mark: _set(probes, answers) for mark, probes in sets.items()}


def remember_act(act: dict[str, Any], report: Reporter) -> None:
    """Keep sets of questions by their marks, and drop those that nobody asks any more."""
    del report
    os.makedirs(PLACE, mode=0o700, exist_ok=True)  # noqa: PTH103
    os.chmod(PLACE, 0o700)  # noqa: PTH101
    for mark in act["drop"]:
        if os.path.lexists(_path(mark)):
            os.unlink(_path(mark))  # noqa: PTH108
    for mark, probes in act["sets"].items():
        replace_file(_path(mark), json.dumps(probes).encode(), 0, 0, 0o600)
    for path in _kept()[_MOST:]:
        os.unlink(path)  # noqa: PTH108


def _answer(probe: dict[str, Any]) -> tuple[dict[str, Any], str]:
    try:
        return verbs.fact(probe), ""
    except Exception as error:  # noqa: BLE001 (told to the controller, which then asks for this one alone)
        return {}, f"{type(error).__name__}: {error}"


def _share(names: list[str], told: dict[str, Any], error: str) -> tuple[dict[str, Any], str]:
    return {name: told[name] for name in names if name in told}, error


def _set(probes: dict[str, Any], answers: dict[str, tuple[dict[str, Any], str]]) -> dict[str, Any]:
    told = {name: answers[_canonical(each)] for name, each in probes.items()}
    errors = [error for _, error in told.values() if error]
    return {"error": errors[0]} if errors else {"facts": {name: fact for name, (fact, _) in told.items()}}


def _remembered() -> dict[str, dict[str, Any]]:
    """Read what is kept; a file that is no such set (written by an older or a newer Greenroom) is passed over."""
    found: dict[str, dict[str, Any]] = {}
    for path in _kept()[:_MOST]:
        try:
            with open(path, encoding="utf-8") as stream:  # noqa: PTH123
                probes = json.load(stream)
            if all(isinstance(each["kind"], str) for each in probes.values()):
                found[os.path.basename(path)] = probes  # noqa: PTH119
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return found


def _kept() -> list[str]:
    """Return the kept files, newest first."""
    try:
        entries = sorted(os.scandir(PLACE), key=lambda entry: entry.stat().st_mtime, reverse=True)
    except OSError:
        return []
    return [entry.path for entry in entries if not entry.name.startswith(".")]


def _path(mark: str) -> str:
    return f"{PLACE}/{mark}"


def _canonical(probe: dict[str, Any]) -> str:
    return json.dumps(probe, sort_keys=True)
