"""Pagination as laws and as links that can be followed; rate limits over a clock that is moved by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.digitalocean.limits import RateLimiter
from localcloud.digitalocean.paging import links, window
from localcloud.digitalocean.testing import FrozenClock, RecordingMachines, cloud_server

if TYPE_CHECKING:
    from pathlib import Path

    from apilab import Api

totals, sizes = st.integers(0, 500), st.integers(1, 200)


@given(totals, sizes)
def test_following_next_shows_everything_once(total: int, size: int) -> None:
    items, seen, number = list(range(total)), list[int](), 1
    while True:
        seen += window(items, number, size)
        following = links(total, number, size, str).get("pages", {}).get("next")
        if following is None:
            break
        assert int(following) == number + 1
        number += 1
    assert seen == items


@given(totals, sizes, st.integers(1, 600))
def test_links_are_only_those_that_mean_something(total: int, size: int, number: int) -> None:
    pages = links(total, number, size, str).get("pages", {})
    last = max(-(-total // size), 1)
    assert (pages.get("first"), "prev" in pages) == (("1", True) if number > 1 else (None, False))
    assert ("next" in pages) == ("last" in pages) == (number < last)
    if number == last == 1:
        assert links(total, number, size, str) == {}
    if number > last:
        assert window(list(range(total)), number, size) == []
        assert int(pages["prev"]) == last


@given(totals, sizes, st.integers(1, 600))
def test_prev_and_next_are_each_others_inverse(total: int, size: int, number: int) -> None:
    following = links(total, number, size, str).get("pages", {}).get("next")
    if following:
        assert links(total, int(following), size, str)["pages"]["prev"] == str(number)


def test_links_are_absolute_and_keep_the_filters(api: Api) -> None:
    for number in range(5):
        api.post("/v2/tags", {"name": f"t{number}"})
    answer = api.get("/v2/tags?per_page=2&page=2")
    pages = answer["links"]["pages"]
    assert set(pages) == {"first", "prev", "next", "last"}
    assert answer["meta"]["total"] == 5
    url = urlsplit(pages["next"])
    assert f"{url.scheme}://{url.netloc}" == api.url
    assert parse_qs(url.query) == {"page": ["3"], "per_page": ["2"]}
    seen: list[str] = []
    following: str | None = "/v2/tags?per_page=2"
    while following:
        answer = api.get(following.removeprefix(api.url))
        seen += [tag["name"] for tag in answer["tags"]]
        following = answer["links"].get("pages", {}).get("next")
    assert seen == [f"t{number}" for number in range(5)]
    filtered = api.get("/v2/images?type=distribution&per_page=1")["links"]["pages"]["next"]
    assert parse_qs(urlsplit(filtered).query)["type"] == ["distribution"]


@pytest.mark.parametrize(
    ("query", "shown"), [("", 20), ("?per_page=200", 25), ("?per_page=1000", 25), ("?per_page=0", 1), ("?page=0", 20)]
)
def test_page_sizes_are_kept_in_bounds(api: Api, query: str, shown: int) -> None:
    assert len(api.get(f"/v2/sizes{query}")["sizes"]) == shown


def test_a_page_past_the_end_is_empty_with_the_true_total(api: Api) -> None:
    answer = api.get("/v2/sizes?page=9")
    assert (answer["sizes"], answer["meta"]["total"]) == ([], 25)


# Rate limits


def spend(limiter: RateLimiter, count: int, path: str = "/v2/droplets", who: str = "t") -> list[bool]:
    return [not limiter.admit(who, "GET", path).refused for _ in range(count)]


def test_the_burst_limit_slides(clock: FrozenClock) -> None:
    limiter = RateLimiter(clock)
    assert all(spend(limiter, 250))
    verdict = limiter.admit("t", "GET", "/v2/droplets")
    assert (verdict.refused, verdict.remaining, verdict.retry_after_s) == (True, 0, 60)
    assert all(spend(limiter, 1, who="another"))
    clock.advance(59)
    assert limiter.admit("t", "GET", "/v2/droplets").retry_after_s == 1
    clock.advance(1)
    assert all(spend(limiter, 250))


def test_the_hourly_limit_says_when_it_ends_and_not_how_long_to_wait(clock: FrozenClock) -> None:
    limiter = RateLimiter(clock)
    for _ in range(20):
        assert all(spend(limiter, 250))
        clock.advance(60)
    verdict = limiter.admit("t", "GET", "/v2/droplets")
    assert (verdict.refused, verdict.retry_after_s) == (True, None)
    assert verdict.reset == int(clock.seconds) - 20 * 60 + 3600


def test_the_list_of_keys_has_a_limit_of_its_own(clock: FrozenClock) -> None:
    limiter = RateLimiter(clock)
    assert spend(limiter, 11, "/v2/account/keys") == [True] * 10 + [False]
    assert all(spend(limiter, 20, "/v2/account/keys/1"))
    assert not limiter.admit("t", "POST", "/v2/account/keys").refused


@given(st.lists(st.integers(0, 90), max_size=300))
def test_no_minute_ever_sees_more_than_allowed(waits: list[int]) -> None:
    clock = FrozenClock()
    limiter, admitted = RateLimiter(clock), list[float]()
    for wait in waits:
        clock.advance(wait / 100)
        if not limiter.admit("t", "GET", "/v2/account/keys").refused:
            admitted.append(clock.seconds)
    for start in admitted:
        assert sum(start <= at < start + 60 for at in admitted) <= 10


def test_limits_that_are_off_still_count(clock: FrozenClock) -> None:
    limiter = RateLimiter(clock, enforce=False)
    assert all(spend(limiter, 400))
    assert limiter.admit("t", "GET", "/v2/droplets").remaining == 5000 - 401


def test_a_refused_request_is_told_when_to_come_back_and_does_nothing(
    home: Path, machines: RecordingMachines, clock: FrozenClock
) -> None:
    with cloud_server(home, machines, clock=clock, enforce_limits=True) as server:
        url, headers = server.urls["http"], {"authorization": "Bearer t"}
        with httpx.Client(base_url=url, headers=headers) as client:
            answers: list[Any] = [client.get("/v2/account/keys") for _ in range(11)]
            assert answers[9].status_code == 200
            refused = answers[10]
            assert (refused.status_code, refused.json()["id"]) == (429, "too_many_requests")
            assert (refused.headers["retry-after"], refused.headers["ratelimit-remaining"]) == ("60", "0")
            clock.advance(60)
            assert client.get("/v2/account/keys").status_code == 200
