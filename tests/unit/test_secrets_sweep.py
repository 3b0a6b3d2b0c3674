"""The canary sweep proves itself: a leak in each form is found, in the middle of noise, and noise alone is not."""

from __future__ import annotations

import base64
import gzip
import html
import json
import random
import shlex
import subprocess
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from canarysweep import Sweep, canaries, forms_of

from infra.commands.environment import quote

if TYPE_CHECKING:
    from collections.abc import Callable

LEAKS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "base64": lambda value: base64.b64encode(value.encode()),
    "base64 of a line that holds it": lambda value: base64.b64encode(f"password: {value}\n".encode()),
    "base64 shifted once": lambda value: base64.b64encode(b"x" + value.encode() + b"yz"),
    "base64 shifted twice": lambda value: base64.b64encode(b"xy" + value.encode() + b"z"),
    "base64url": lambda value: base64.urlsafe_b64encode(f"a{value}".encode()),
    "hex": lambda value: value.encode().hex().encode(),
    "upper hex": lambda value: value.encode().hex().upper().encode(),
    "URL-quoted": lambda value: urllib.parse.quote(value, safe="").encode(),
    "every byte URL-quoted": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()).encode(),
    "JSON-escaped": lambda value: json.dumps({"a": value}).encode(),
    "shell-quoted": lambda value: f"export A={shlex.quote(value)}".encode(),
    "compose-quoted": lambda value: quote(value).encode(),
    "HTML-escaped": lambda value: html.escape(value).encode(),
    "reversed": lambda value: value[::-1].encode(),
    "UTF-16": lambda value: value.encode("utf-16"),
    "UTF-16 big-endian": lambda value: value.encode("utf-16-be"),
    "gzip": lambda value: gzip.compress(f"log line {value}\n".encode() * 3),
    "gzip in base64": lambda value: base64.b64encode(gzip.compress(f"log line {value}\n".encode())),
    "a slice": lambda value: value[3:14].encode(),
    "the last eleven characters": lambda value: value[-11:].encode(),
}
NOISE = random.Random(3).randbytes(200_000)  # noqa: S311 (the same in every run)


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    return Sweep(canaries(100, seed=5))


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_leak_in_each_form_is_found_and_named(sweep: Sweep, leak: Callable[[str], bytes]) -> None:
    for name in ("CANARY_000", "CANARY_042", "CANARY_099"):
        content = NOISE + b"\n" + leak(sweep.secrets[name]) + b"\n" + NOISE
        assert {hit.canary for hit in sweep.look("here", content)} == {name}


def test_noise_holds_no_canary(sweep: Sweep) -> None:
    assert sweep.look("noise", NOISE * 5) == []
    own = [path for path in Path(__file__).parents[2].glob("infra/**/*.py") if path.is_file()]
    assert sweep.look_at_files("the code", own) == []


def test_a_place_elsewhere_is_searched_by_its_own_grep(sweep: Sweep, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"a {sweep.secrets['CANARY_007']} b\n")
    (tmp_path / "clean").write_text("nothing\n")
    argv = ["grep", "-raoFf", "-", str(tmp_path)]
    done = subprocess.run(argv, input=sweep.patterns, capture_output=True, check=True)
    [hit] = sweep.read_grep("there", done.stdout)
    assert (hit.place, hit.canary, hit.form) == (f"there: {tmp_path}/log", "CANARY_007", "plain")


def test_every_canary_has_forms_of_its_own() -> None:
    values = canaries(100, seed=5)
    assert len(set(values.values())) == 100
    assert len({form for value in values.values() for form in forms_of(value)}) == sum(
        len(forms_of(value)) for value in values.values()
    )
