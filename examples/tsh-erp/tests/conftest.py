"""Real neighbours for the tests: a PostgreSQL cluster, a Redis, and the ERP as a process of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from stack import (
    Caller,
    Service,
    alembic,
    answers,
    erp_environment,
    free_port,
    new_database,
    running,
    serving,
    wait_until,
)


def _postgres_tools() -> Path | None:
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else (candidates[-1] if candidates else None)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server that these tests have to themselves, without a database name."""
    tools = _postgres_tools()
    if tools is None:
        pytest.skip("No PostgreSQL server is installed (apt-get install postgresql)")
    # PostgreSQL refuses to run as root.
    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    with TemporaryDirectory(prefix="tsh-pg-") as directory, ExitStack() as stack:
        home = Path(directory)
        if as_user:
            os.chown(home, 65534, 65534)
        data, port = home / "data", free_port()
        quiet = {"stdout": subprocess.DEVNULL, "cwd": home}
        initdb = [*as_user, str(tools / "initdb"), "-D", str(data), "-U", "tsh", "-A", "trust", "--no-sync"]
        subprocess.run([*initdb, "-E", "UTF8", "--locale", "C.UTF-8"], check=True, **quiet)
        argv = [*as_user, str(tools / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(home)]
        log = stack.enter_context((home / "log").open("wb"))
        stack.enter_context(running([*argv, "-c", "fsync=off"], lambda: answers(port), stderr=log, **quiet))
        yield f"postgresql://tsh@127.0.0.1:{port}"


@pytest.fixture
def empty_database(server: str) -> str:
    """A new database without any table."""
    return new_database(server)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("No Redis server is installed (apt-get install redis-server)")
    port = free_port()
    argv = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with TemporaryDirectory(prefix="tsh-redis-") as home, ExitStack() as stack:
        stack.enter_context(running(argv, lambda: answers(port), stdout=subprocess.DEVNULL, cwd=home))
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def database_url(server: str) -> str:
    url = new_database(server)
    alembic(url, "upgrade", "head")
    return url


@pytest.fixture(scope="session")
def erp(database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    environment = erp_environment(database_url, redis_url, tmp_path_factory.mktemp("uploads"))
    with serving("erp.app:create_app", environment) as service:
        wait_until(service.ready, "Readiness of the ERP")
        yield service


@pytest.fixture(scope="session")
def admin(erp: Service) -> Caller:
    return erp.log_in()


@pytest.fixture
def salesperson(erp: Service, admin: Caller) -> Caller:
    """Somebody new who sells."""
    email, password = f"{uuid4().hex[:10]}@example.org", "sells-in-the-field"
    admin("POST", "/api/users", status=201, body={"name": "Salesperson", "email": email, "password": password})
    return erp.log_in(email, password)
