from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# pytest's importlib mode does not put a test's folder on the path; the laboratory modules live here.
sys.path.insert(0, str(Path(__file__).parent))

from apilab import Api

from localcloud.digitalocean.testing import FrozenClock, RecordingMachines, cloud_server
from localcloud.digitalocean.tls import Certificates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostlab import Lab, Wish

    from localcloud.digitalocean.server import CloudServer


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.ensure(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def machines() -> RecordingMachines:
    return RecordingMachines()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def home(tmp_path: Path, certificates: Certificates) -> Path:
    for file in (certificates.authority, certificates.certificate, certificates.key):
        shutil.copy(file, tmp_path / file.name)
    return tmp_path


@pytest.fixture(scope="session")
def closing() -> Iterator[ThreadPoolExecutor]:
    """Ends what a test used while the next one runs: a server takes a fifth of a second to close."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def server(
    home: Path, machines: RecordingMachines, clock: FrozenClock, closing: ThreadPoolExecutor
) -> Iterator[CloudServer]:
    with ExitStack() as stack:
        yield stack.enter_context(cloud_server(home, machines, clock=clock))
        closing.submit(stack.pop_all().close)


@pytest.fixture
def api(server: CloudServer, machines: RecordingMachines) -> Iterator[Api]:
    client = Api(server.urls["http"], machines)
    yield client
    client.close()


@pytest.fixture(scope="module")
def converged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Wish]]:
    """A droplet of a file's own, with the chain of host resources run once on it, and what that run wanted."""
    from hostlab import Wish, booted_lab  # noqa: PLC0415 (only tests of hosts pay for the resources)

    with booted_lab(tmp_path_factory.mktemp("hostlab")) as lab:
        wish = Wish(lab.commit())
        assert set(lab.run(wish).values()) == {"create"}
        yield lab, wish


@pytest.fixture
def lab(converged: tuple[Lab, Wish]) -> Lab:
    return converged[0]


@pytest.fixture
def wish(converged: tuple[Lab, Wish]) -> Iterator[Wish]:
    """What a test may change and run; afterwards the host is as it was first wanted."""
    from hostlab import Wish  # noqa: PLC0415

    lab, first = converged
    yield Wish(first.commit)
    lab.refresh()
    lab.run(first)
