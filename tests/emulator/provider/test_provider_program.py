"""A real program of the SDK on the embedded engine with this provider: made, unchanged, drifted, mended, taken over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from providerlab import OWN, TOKEN, Cloud, official
from samples import public_key

from localcloud.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.engine.events import Result

PROGRAM = Path(__file__).with_name("program")
PASSPHRASE = "a passphrase for tests"


class Stack:
    """The program's stack in a folder of its own."""

    def __init__(self, root: Path, cloud: Cloud) -> None:
        self.root = root
        self.cloud = cloud
        self.backend = root.parent / "state"
        self.backend.mkdir()
        self.home = root.parent / "home"
        shutil.copytree(PROGRAM, root)
        self.key = public_key()
        self.configure(10)

    def configure(self, size_gib: int) -> None:
        settings = {"config": {"site:publicKey": self.key, "site:sizeGib": size_gib}}
        (self.root / "Pulumi.dev.yaml").write_text(json.dumps(settings))

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            "DIGITALOCEAN_TOKEN": TOKEN,
            "DIGITALOCEAN_API_URL": self.cloud.url,
            "PULUMI_HOME": str(self.home),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def engine(self) -> Engine:
        return Engine(
            self.root,
            "dev",
            backend=self.backend,
            passphrase=PASSPHRASE,
            providers={"digitalocean": OWN},
            environment=self.environment,
            on_event=lambda _event: None,
        )

    def state(self) -> str:
        return (self.backend / ".pulumi" / "stacks" / "site" / "dev.json").read_text()


def works(result: Result) -> dict[str, int]:
    assert result.succeeded, result.diagnostics
    return {name: count for name, count in result.changes.items() if name != "same"}


@pytest.fixture(scope="module")
def stack(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("program") / "site", cloud)
    preview = made.engine().preview()
    assert works(preview) == {"create": 12}
    assert works(made.engine().up()) == {"create": 12}
    yield made
    assert works(made.engine().destroy()) == {"delete": 12}
    for path, key in (("/droplets", "droplets"), ("/volumes", "volumes"), ("/firewalls", "firewalls")):
        assert cloud.count(path, key) == 0


@pytest.mark.timeout(180)
class TestAProgram:
    def test_is_the_same_the_second_time_and_asks_the_cloud_for_nothing(self, stack: Stack, cloud: Cloud) -> None:
        before = len(cloud.machines.calls)
        assert works(stack.engine().up()) == {}
        assert works(stack.engine().preview()) == {}
        assert len(cloud.machines.calls) == before

    def test_reads_back_without_drift(self, stack: Stack) -> None:
        assert works(stack.engine().refresh()) == {}
        assert works(stack.engine().up()) == {}

    def test_mends_what_was_changed_by_hand(self, stack: Stack, cloud: Cloud) -> None:
        firewall = cloud.hand("GET", "/firewalls")["firewalls"][0]
        firewall["inbound_rules"].append({"protocol": "tcp", "ports": "5432", "sources": {"addresses": ["0.0.0.0/0"]}})
        names = ("name", "inbound_rules", "outbound_rules", "droplet_ids", "tags")
        cloud.hand("PUT", f"/firewalls/{firewall['id']}", {name: firewall[name] for name in names})
        refreshed = stack.engine().refresh()
        assert works(refreshed) == {"update": 1}
        assert [step.name for step in refreshed.steps if step.op == "update"] == ["wall"]
        assert works(stack.engine().up()) == {"update": 1}
        rules = cloud.hand("GET", "/firewalls")["firewalls"][0]["inbound_rules"]
        assert sorted(rule["ports"] for rule in rules) == ["22", "443", "80"]

    def test_changes_just_what_its_settings_change(self, stack: Stack, cloud: Cloud) -> None:
        stack.configure(20)
        assert works(stack.engine().preview()) == {"update": 1}
        assert works(stack.engine().up()) == {"update": 1}
        assert cloud.hand("GET", "/volumes")["volumes"][0]["size_gigabytes"] == 20
        assert works(stack.engine().up()) == {}

    def test_keeps_no_secret_in_its_state(self, stack: Stack) -> None:
        state = stack.state()
        assert "canary-user-data" not in state
        assert TOKEN not in state

    def test_can_be_taken_over_by_the_official_tools(self, stack: Stack, tmp_path: Path) -> None:
        binary = official()
        command = shutil.which("pulumi")
        if binary is None or command is None:
            pytest.skip("the official pulumi command or its digitalocean plugin is not installed")
        root = shutil.copytree(stack.root, tmp_path / "site")  # the command writes into its stack file
        environment = {
            **stack.environment,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PULUMI_HOME": os.environ["PULUMI_HOME"],
            "PULUMI_BACKEND_URL": f"file://{stack.backend}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "VIRTUAL_ENV": str(Path(sys.executable).parent.parent),
        }
        argv = [command, "preview", "--stack", "dev", "--expect-no-changes", "--non-interactive", "--diff"]
        done = subprocess.run(argv, cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
