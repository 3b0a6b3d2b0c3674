"""What a prune would give back: figured from what is ours alone, so that a guard and the act see the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.transport.remote import evidence_system, prunable

if TYPE_CHECKING:
    from pathlib import Path

OURS = {"Labels": {"com.docker.compose.project": "erp"}, "ImageID": "in use"}
IMAGES = {"erp": [{"Id": "old", "Size": 450}, {"Id": "in use", "Size": 70}], "other": [{"Id": "theirs", "Size": 9000}]}
CACHE = [{"InUse": False, "Size": 30}, {"InUse": False, "Shared": True, "Size": 5}, {"InUse": True, "Size": 11}]


class Engine:
    """A Docker engine of which only what is listed is asked."""

    def __init__(self, containers: list[dict[str, Any]]) -> None:
        self.containers = containers

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        if path == "/images/json":
            (label,) = (query or {})["filters"]["label"]
            return IMAGES[label.rpartition("=")[2]]
        return self.containers if path == "/containers/json" else {"BuildCache": CACHE}


@pytest.mark.parametrize(
    ("others", "cache_bytes"),
    [
        ([], 30),
        ([{"Labels": {"com.docker.compose.project": "other"}, "ImageID": "theirs"}], 0),
        ([{"Labels": None, "ImageID": "theirs"}], 0),
    ],
    ids=["alone", "beside another project", "beside a container of nobody's"],
)
def test_a_neighbour_s_images_and_cache_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: list[dict[str, Any]], cache_bytes: int
) -> None:
    (tmp_path / "erp.yml").touch()
    (tmp_path / "key").touch()
    monkeypatch.setattr(prunable, "OVERRIDES", str(tmp_path))
    monkeypatch.setattr(evidence_system, "Engine", lambda **_options: Engine([OURS, *others]))

    found = evidence_system._prunable()

    assert found == {"error": "", "images_bytes": 450, "cache_bytes": cache_bytes}
