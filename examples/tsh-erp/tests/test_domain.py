from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from erp.domain import commission, geo, periods, ranking, suspicion, targets
from tshkit.database import as_utc

WEDNESDAY = datetime(2025, 11, 12, 10)  # noqa: DTZ001 the database's times have no zone


class TestCommission:
    @pytest.mark.parametrize(
        ("sales", "due"), [(1000, "22.50"), (200_000, "4500.00"), (0.01, "0.00"), ("33.33", "0.75"), (1, "0.02")]
    )
    def test_is_two_and_a_quarter_percent_rounded_to_cents(self, sales: float, due: str) -> None:
        assert commission.commission(Decimal(str(sales))) == Decimal(due)

    @pytest.mark.parametrize(
        ("claimed", "fine"), [("21.375", True), ("21.374", False), ("23.625", True), ("23.63", False)]
    )
    def test_a_claim_may_be_five_percent_off(self, claimed: str, fine: bool) -> None:
        assert commission.claim_is_acceptable(Decimal(claimed), 1000) is fine

    def test_a_payout_is_expected_a_week_later(self) -> None:
        assert commission.payout_date(date(2025, 12, 28)) == date(2026, 1, 4)

    @pytest.mark.parametrize(
        ("sales", "name", "missing"),
        [
            ("0", "bronze", "10000"),
            ("9999.99", "bronze", "0.01"),
            ("10000", "silver", "15000"),
            ("50000", "platinum", None),
        ],
    )
    def test_tiers_begin_at_their_minimum(self, sales: str, name: str, missing: str | None) -> None:
        tier, gap = commission.tier_of(Decimal(sales))
        assert (tier.name, gap) == (name, None if missing is None else Decimal(missing))
        assert tier.commission_rate == Decimal("2.25")

    def test_net_payout_is_the_commission_less_tax(self) -> None:
        result = commission.calculate(Decimal("1234.56"))
        assert result.net_payout == result.commission_amount - result.tax_amount == Decimal("27.78")


class TestDistance:
    def test_a_degree_of_latitude_is_111_kilometres(self) -> None:
        assert geo.distance_m(33, 44, 34, 44) == pytest.approx(111_195, abs=1)

    def test_baghdad_to_basra_is_449_kilometres(self) -> None:
        assert geo.distance_m(33.3152, 44.3661, 30.5085, 47.7804) / 1000 == pytest.approx(449, abs=1)

    def test_opposite_points_are_half_the_globe_apart(self) -> None:
        assert geo.distance_m(0, 0, 0, 180) == pytest.approx(3.14159265 * geo.EARTH_RADIUS_M)

    def test_a_way_is_as_long_as_its_steps(self) -> None:
        way = [geo.Fix(33 + step / 100, 44, WEDNESDAY + timedelta(minutes=step)) for step in range(4)]
        assert geo.way_length_km(way) == pytest.approx(3 * 1.11195, abs=0.001)
        assert geo.duration_hours(way) == pytest.approx(0.05)

    def test_no_point_and_one_point_make_no_way(self) -> None:
        assert geo.way_length_km([]) == geo.duration_hours([]) == 0
        assert geo.way_length_km([geo.Fix(33, 44, WEDNESDAY)]) == 0


class TestSuspicion:
    FINE: ClassVar[dict[str, Any]] = {
        "amount_usd": 100,
        "gross_sales": 1000,
        "claimed_commission": 22.5,
        "has_position": True,
        "at": WEDNESDAY,
    }

    def test_an_ordinary_transfer_is_not_suspicious(self) -> None:
        assert suspicion.reasons(**self.FINE) == []

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"claimed_commission": 30}, "commission"),
            ({"has_position": False}, "GPS"),
            ({"amount_usd": 5000.01}, "5000"),
            ({"at": WEDNESDAY + timedelta(days=3)}, "Saturday"),
            ({"at": WEDNESDAY + timedelta(days=4)}, "Sunday"),
        ],
    )
    def test_each_rule_gives_its_reason(self, change: dict[str, object], word: str) -> None:
        (reason,) = suspicion.reasons(**(self.FINE | change))
        assert word in reason

    def test_exactly_the_large_amount_is_not_yet_large(self) -> None:
        assert suspicion.reasons(**(self.FINE | {"amount_usd": 5000})) == []


class TestPeriods:
    @pytest.mark.parametrize(
        ("name", "day", "start", "end"),
        [
            ("today", "2025-11-12", "2025-11-12", "2025-11-12"),
            ("week", "2025-11-16", "2025-11-10", "2025-11-16"),
            ("month", "2024-02-10", "2024-02-01", "2024-02-29"),
            ("quarter", "2025-12-31", "2025-10-01", "2025-12-31"),
            ("year", "2025-05-05", "2025-01-01", "2025-12-31"),
        ],
    )
    def test_holds_the_day(self, name: periods.Name, day: str, start: str, end: str) -> None:
        found = periods.period(name, date.fromisoformat(day))
        assert found == (date.fromisoformat(start), date.fromisoformat(end))

    def test_months_back_cross_the_year(self) -> None:
        found = periods.months_back(date(2026, 2, 14), 4)
        assert [f"{month.start:%Y-%m}" for month in found] == ["2025-11", "2025-12", "2026-01", "2026-02"]

    def test_a_target_ends_with_its_period(self) -> None:
        assert periods.target_period("quarterly", date(2025, 11, 12)).end == date(2025, 12, 31)


class TestRanking:
    def test_sales_decide_then_orders_then_the_older_account(self) -> None:
        standings = [
            ranking.Standing(4, "d", Decimal(10), 1),
            ranking.Standing(3, "c", Decimal(10), 2),
            ranking.Standing(2, "b", Decimal(10), 1),
            ranking.Standing(1, "a", Decimal(99), 1),
        ]
        places = ranking.rank(standings)
        assert [place.standing.salesperson_id for place in places] == [1, 3, 2, 4]
        assert [place.rank for place in places] == [1, 2, 3, 4]
        assert [place.badge for place in places] == ["top_performer", "runner_up", "third_place", None]


class TestTargets:
    HALF = targets.Achieved(Decimal(0), Decimal(500), 20, 3)

    def test_goals_that_were_set_count_the_same(self) -> None:
        progress = targets.progress(targets.Goals(revenue_usd=Decimal(1000), orders=10), self.HALF)
        assert (progress.revenue, progress.orders, progress.customers) == (50, 200, 0)
        assert progress.overall == 75
        assert not progress.is_complete

    def test_nothing_set_is_nothing_reached(self) -> None:
        assert targets.progress(targets.Goals(), self.HALF).overall == 0

    def test_all_goals_reached_is_complete(self) -> None:
        assert targets.progress(targets.Goals(orders=20, customers=3), self.HALF).is_complete

    def test_a_percentage_never_outgrows_its_column(self) -> None:
        assert targets.progress(
            targets.Goals(orders=1), targets.Achieved(Decimal(0), Decimal(0), 50, 0)
        ).orders == Decimal("999.99")


def test_times_of_clients_become_utc() -> None:
    assert as_utc(datetime.fromisoformat("2025-11-12T13:00:00+03:00")) == WEDNESDAY
    assert as_utc(WEDNESDAY.replace(tzinfo=UTC)) == WEDNESDAY
    assert as_utc(WEDNESDAY) == WEDNESDAY
