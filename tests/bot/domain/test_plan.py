"""Plans: which weights, which marks, how durations are typed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.policy import DEFAULT_PLAN
from bot.domain.errors import UsageError
from bot.domain.plan import ALL_STEPS, Plan, Wishes, make_plan, parse_duration, show_duration


@pytest.mark.parametrize(
    ("weight", "asked", "steps"),
    [
        (10, None, (10, 25, 50, 100)),
        (1, None, (1, 10, 25, 50, 100)),
        (30, None, (30, 50, 100)),
        (100, None, (100,)),
        (10, (10, 50), (10, 50, 100)),
        (10, (20, 100), (10, 20, 100)),
        (10, (10,), (10, 100)),
    ],
)
def test_the_steps_begin_at_the_first_weight_and_end_at_100(
    weight: int, asked: tuple[int, ...] | None, steps: tuple[int, ...]
) -> None:
    assert make_plan(weight, Wishes(steps=asked), DEFAULT_PLAN, only_stricter=False).steps == steps


def test_a_mirror_is_a_step_before_the_first_weight() -> None:
    plan = make_plan(10, Wishes(mirror=20), DEFAULT_PLAN, only_stricter=True)
    assert (plan.mirror, plan.steps) == (20, (0, 10, 25, 50, 100))
    assert not plan.needs_approval(0, 0)


def test_steps_below_the_first_weight_are_refused() -> None:
    with pytest.raises(UsageError) as refusal:
        make_plan(20, Wishes(steps=(10, 50)), DEFAULT_PLAN, only_stricter=False)
    assert str(refusal.value) == (
        "`steps` begins at 10, below the first weight 20. Begin with 20, as in `steps=20,50,100`."
    )


def test_the_words_go_before_the_defaults() -> None:
    wishes = Wishes(interval=timedelta(minutes=1), bake=timedelta(hours=3))
    assert make_plan(10, wishes, DEFAULT_PLAN, only_stricter=True) == replace(
        DEFAULT_PLAN, interval=timedelta(minutes=1), bake=timedelta(hours=3)
    )


@pytest.mark.parametrize(
    ("asked", "only_stricter", "marks"),
    [
        (None, False, (50, 100)),
        (None, True, (50, 100)),
        ((25,), False, (25,)),
        ((25,), True, (25, 50, 100)),
        ((), False, ()),
        (ALL_STEPS, False, (10, 25, 50, 100)),
        (ALL_STEPS, True, (10, 25, 50, 100)),
    ],
)
def test_approve_sets_marks_or_with_a_policy_file_adds_them(
    asked: tuple[int, ...] | None, only_stricter: bool, marks: tuple[int, ...]
) -> None:
    plan = make_plan(10, Wishes(approve_at=asked), DEFAULT_PLAN, only_stricter=only_stricter)
    assert plan.approve_at == marks


def test_approve_none_does_not_lift_the_marks_of_a_policy_file() -> None:
    with pytest.raises(UsageError) as refusal:
        make_plan(10, Wishes(approve_at=()), DEFAULT_PLAN, only_stricter=True)
    assert str(refusal.value) == (
        "`approve=none` would lift approvals that the policy file asks for. "
        "Leave it out, or name more marks, as in `approve=all`."
    )


def test_approve_none_is_fine_where_the_policy_file_marks_nothing() -> None:
    plan = make_plan(10, Wishes(approve_at=()), replace(DEFAULT_PLAN, approve_at=()), only_stricter=True)
    assert plan.approve_at == ()


@pytest.mark.parametrize(
    ("before", "after", "needs"),
    [
        (0, 10, False),
        (0, 50, True),
        (25, 50, True),
        (25, 60, True),
        (50, 75, False),
        (50, 100, True),
        (100, 100, False),
    ],
)
def test_a_step_that_reaches_or_crosses_a_mark_needs_approval(before: int, after: int, needs: bool) -> None:
    assert DEFAULT_PLAN.needs_approval(before, after) is needs
    assert not replace(DEFAULT_PLAN, approvals=0).needs_approval(before, after)


@given(st.integers(1, 100), st.lists(st.integers(1, 100), min_size=1, unique=True).map(sorted))
def test_every_plan_rises_to_100(weight: int, later: list[int]) -> None:
    defaults = replace(DEFAULT_PLAN, steps=tuple(later))
    plan: Plan = make_plan(weight, Wishes(), defaults, only_stricter=False)
    assert (plan.steps[0], plan.steps[-1]) == (weight, 100)
    assert list(plan.steps) == sorted(set(plan.steps))


@pytest.mark.parametrize(
    ("text", "duration", "shown"),
    [
        ("1s", timedelta(seconds=1), "1s"),
        ("90s", timedelta(seconds=90), "90s"),
        ("10m", timedelta(minutes=10), "10m"),
        ("60M", timedelta(hours=1), "1h"),
        (" 2h ", timedelta(hours=2), "2h"),
        ("24h", timedelta(days=1), "1d"),
        ("30d", timedelta(days=30), "30d"),
    ],
)
def test_durations_are_read_and_written_the_way_people_type_them(text: str, duration: timedelta, shown: str) -> None:
    assert parse_duration(text, "every") == duration
    assert show_duration(duration) == shown


@pytest.mark.parametrize("text", ["", "10", "m", "1.5h", "-5m", "10 m", "٣m", "10min", "1h30m", "9999999999s"])
def test_a_text_that_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_duration(text, "every")
    assert str(refusal.value) == (f"`every={text}` is not a duration. Write it like `every=90s`, `10m`, `2h` or `1d`.")


@pytest.mark.parametrize("text", ["0s", "31d", "999999999d"])
def test_a_duration_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_duration(text, "bake")
    assert str(refusal.value) == f"`bake={text}` is out of range. Choose between `1s` and `30d`."


@given(st.integers(1, 30 * 86400).map(lambda seconds: timedelta(seconds=seconds)))
def test_a_duration_survives_being_written_and_read(duration: timedelta) -> None:
    assert parse_duration(show_duration(duration), "every") == duration
