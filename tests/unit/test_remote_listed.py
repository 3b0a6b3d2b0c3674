"""What one question to the engine tells of a project's services."""

from __future__ import annotations

from typing import Any

import pytest

from infra.transport.remote.engine import Engine, EngineRefusal
from infra.transport.remote.stack import listed_services


class Listing(Engine):
    """An engine that lists given containers, or refuses."""

    def __init__(self, *listed: dict[str, Any], refusal: EngineRefusal | None = None) -> None:
        super().__init__("/nowhere")
        self._listed, self._refusal = listed, refusal

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        assert (path, query) == (
            "/containers/json",
            {
                "all": "true",
                "filters": {"label": ["com.docker.compose.project=hello", "com.docker.compose.oneoff=False"]},
            },
        )
        if self._refusal:
            raise self._refusal
        return list(self._listed)


def one(number: int, service: str, **more: Any) -> dict[str, Any]:
    labels = {"com.docker.compose.service": service, "greenroom.config": f"c{number}"} if service else {}
    return {
        "Id": str(number),
        "Created": number,
        "State": "running",
        "ImageID": f"sha256:{number}",
        "Labels": labels,
    } | more


def test_the_newest_container_of_a_service_stands_for_it() -> None:
    found = listed_services(Listing(one(3, "app"), one(2, "db", State="exited"), one(1, "app"), one(4, "")), "hello")
    assert found == {
        "app": {"id": "3", "state": "running", "image_id": "sha256:3", "config": "c3"},
        "db": {"id": "2", "state": "exited", "image_id": "sha256:2", "config": "c2"},
        "4": {"id": "4", "state": "running", "image_id": "sha256:4", "config": ""},
    }


def test_an_engine_that_does_not_run_has_none_and_one_that_refuses_is_told() -> None:
    assert listed_services(Listing(refusal=EngineRefusal(0, "no socket")), "hello") == {}
    with pytest.raises(EngineRefusal, match="500"):
        listed_services(Listing(refusal=EngineRefusal(500, "broken")), "hello")
