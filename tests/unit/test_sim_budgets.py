"""From the settings of a SIM to its budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.channels.budgets import make_budget
from gateway.routing.budgets import Budget, Quota, RecipientCap
from gateway.routing.periods import ActiveHours, Period
from gateway.settings.config import load_settings

pytestmark = pytest.mark.unit


def budget_of(tmp_path: Path, text: str) -> Budget | None:
    config = tmp_path / "hongyan.toml"
    config.write_text(f'[[modems]]\nname = "sim-1"\nport = "/dev/ttyUSB0"\n{text}\n', encoding="utf-8")
    return make_budget(load_settings(config).modems[0])


def test_a_sim_without_limits_has_no_budget(tmp_path: Path):
    assert budget_of(tmp_path, 'rate = "20/min"\nbalance_code = "*100#"') is None


def test_every_limit_of_the_config_is_in_the_budget(tmp_path: Path):
    text = """
quota = "200/day"
quota_month = 3000
recipients_per_day = 50
recipients_per_month = 200
active_hours = "22:00-06:00"
reserve = 20
"""
    assert budget_of(tmp_path, text) == Budget(
        quotas=(
            Quota(limit=200, period=Period.DAY, reserve=20),
            Quota(limit=3000, period=Period.MONTH, reserve=20),
        ),
        caps=(
            RecipientCap(limit=50, period=Period.DAY),
            RecipientCap(limit=200, period=Period.MONTH),
        ),
        hours=ActiveHours(22 * 60, 6 * 60),
    )


@pytest.mark.parametrize(
    ("quota", "period"),
    [
        ("5/s", Period.SECOND),
        ("5/min", Period.MINUTE),
        ("5/h", Period.HOUR),
        ("5/hour", Period.HOUR),
        ("5/day", Period.DAY),
    ],
)
def test_a_quota_may_be_of_any_time_that_a_rate_can_be_written_in(tmp_path: Path, quota: str, period: Period):
    budget = budget_of(tmp_path, f'quota = "{quota}"')
    assert budget == Budget(quotas=(Quota(limit=5, period=period),))
