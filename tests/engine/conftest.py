"""Every test that asks for a `bench` runs on the embedded engine, and on the official CLI too where there is one."""

from __future__ import annotations

import functools
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from enginelab.bench import Bench
from enginelab.embedded import Embedded
from enginelab.official import Official, is_available

if TYPE_CHECKING:
    from collections.abc import Iterator

    from enginelab.bench import Driver


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "driver" in metafunc.fixturenames:
        engines = ["embedded", "official"] if is_available() else ["embedded"]
        metafunc.parametrize("driver", engines, indirect=True)


@pytest.fixture(scope="session", autouse=True)
def _derive_each_key_once() -> Iterator[None]:
    """Remember derived keys: a million rounds for each of some hundred runs would be half of the suite's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "pbkdf2_hmac", functools.lru_cache(maxsize=64)(hashlib.pbkdf2_hmac))
        yield


@pytest.fixture
def driver(request: pytest.FixtureRequest) -> Driver:
    return Official() if request.param == "official" else Embedded()


@pytest.fixture
def bench(tmp_path: Path, driver: Driver) -> Iterator[Bench]:
    bench = Bench(tmp_path / "lab", driver)
    yield bench
    bench.close()


@pytest.fixture
def embedded_bench(tmp_path: Path) -> Iterator[Bench]:
    """Give a laboratory for what only the embedded engine is asked."""
    bench = Bench(tmp_path / "lab", Embedded())
    yield bench
    bench.close()
