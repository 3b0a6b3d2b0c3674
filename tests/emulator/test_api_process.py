"""The server as a process of its own: started once, found by everyone, outliving its starter, stopped by identity."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from localcloud import cloud
from localcloud.processes import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    cloud.stop(tmp_path)


def begin(place: Path) -> cloud.CloudInfo:
    return cloud.start(place, lambda _: None, machines="none", rate_limit="off")


def test_a_cloud_is_started_once_and_answers(place: Path) -> None:
    assert cloud.status(place) is None
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: begin(place), range(4)))
    assert len(set(found)) == 1
    info = found[0]
    environment = info.environment
    headers = {"authorization": f"Bearer {environment['DIGITALOCEAN_TOKEN']}"}
    url = environment["DIGITALOCEAN_API_URL"]
    assert httpx.get(f"{url}/v2/account", headers=headers).json()["account"]["status"] == "active"
    assert httpx.get(info.git).status_code == 404
    status = cloud.status(place)
    assert status is not None
    assert (status.info, status.droplets, status.unserved) == (info, [], {})
    assert cloud.stop(place) is True
    assert not info.process.is_running
    assert cloud.status(place) is None
    assert cloud.stop(place) is False


def test_a_cloud_outlives_its_starter_and_keeps_its_state(place: Path) -> None:
    script = f"""if True:
        from pathlib import Path
        from localcloud import cloud
        cloud.start(Path({str(place)!r}), print, machines="none")
    """
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert said.splitlines()[0] == "cloud: starting the server"
    info = begin(place)
    assert os.getsid(info.process.pid) == info.process.pid
    headers = {"authorization": "Bearer x"}
    httpx.post(f"{info.http}/v2/tags", json={"name": "kept"}, headers=headers)
    cloud.stop(place)
    again = begin(place)
    assert again.process != info.process
    assert httpx.get(f"{again.http}/v2/tags/kept", headers=headers).status_code == 200
    log = (place / "cloud" / "server.log").read_text()
    assert "POST /v2/tags -> 201" in log
    assert "Bearer" not in log


def test_a_killed_cloud_is_started_again(place: Path) -> None:
    info = begin(place)
    os.kill(info.process.pid, 9)
    while info.process.is_running:
        pass
    assert cloud.status(place) is None
    assert begin(place).process.is_running


def test_a_number_that_was_recycled_is_not_the_cloud(place: Path) -> None:
    own = ProcessIdentity.of(os.getpid())
    assert own is not None
    info = begin(place)
    path = place / "cloud" / "cloud.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "pid": own.pid}))
    assert cloud.find(place) is None
    assert cloud.stop(place) is False
    path.write_text(json.dumps(record))
    assert cloud.find(place) == info


def test_two_servers_never_share_a_home(place: Path) -> None:
    begin(place)
    command = [sys.executable, "-m", "localcloud.digitalocean", "--home", str(place), "--machines", "none"]
    second = subprocess.run(command, check=False, capture_output=True, text=True)
    assert second.returncode == 1
    assert "another server holds" in second.stderr


def test_taken_ports_are_no_obstacle(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    try:
        assert begin(place).http != begin(other).http
    finally:
        cloud.stop(other)


def test_a_server_that_does_not_come_up_says_why(place: Path) -> None:
    (place / "cloud").mkdir()
    (place / "cloud" / "state.sqlite").write_text("this is no database, whatever its name says; it is long enough")
    with pytest.raises(cloud.CloudError, match="file is not a database") as failure:
        begin(place)
    assert str(failure.value).endswith("server.log")


def test_a_cloud_that_hangs_is_an_error_with_a_hint(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = begin(place)
    path = place / "cloud" / "cloud.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "http": "http://127.0.0.1:9"}))
    monkeypatch.setattr(cloud, "ANSWER_TIMEOUT_S", 0.5)
    with pytest.raises(cloud.CloudError, match="does not answer"):
        cloud.status(place)
    path.write_text(json.dumps(record))
    assert cloud.find(place) == info
