"""What people type to name one of several rollouts."""

import pytest

from bot.domain.commands.request import Where
from bot.domain.rollout import Phase, Pool, Rollout
from bot.domain.sentences.which_one import listed, naming
from tests.builders import CANARY, DRIFT, a_rollout


def on(route: str, namespace: str = "default", number: int = 1, **changes: object) -> Rollout:
    return a_rollout(id=f"r-{number:08x}", route=route, namespace=namespace, **changes)


ONE = on("one")


@pytest.mark.parametrize(
    ("others", "typed"),
    [
        ([], CANARY),
        ([on("one", number=2, canary=Pool("default", "other-new"))], CANARY),
        ([on("two", number=2)], f"{CANARY} route=one"),
        ([on("one", "models", number=2)], f"{CANARY} route=one namespace=default"),
        ([on("one", number=2)], "r-00000001"),
        ([on("one", "models", number=2), on("two", number=3)], f"{CANARY} route=one namespace=default"),
    ],
)
def test_as_few_words_as_tell_it_from_the_others(others: list[Rollout], typed: str) -> None:
    assert naming(ONE, [ONE, *others]) == typed


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        (Where(), True),
        (Where(route="one"), True),
        (Where(route="one", namespace="default"), True),
        (Where(namespace="default"), True),
        (Where(namespace="pools"), False),
        (Where(route="two"), False),
        (Where(route="one", namespace="models"), False),
    ],
)
def test_a_place_is_a_route_and_its_namespace_not_the_pools(where: Where, fits: bool) -> None:
    assert where.fits(on("one", canary=Pool("pools", CANARY))) is fits


def test_a_sentence_lists_ten_with_weight_route_and_id_and_counts_the_others() -> None:
    many = [on(f"route-{number}", number=number) for number in range(12)]
    first = f"`{CANARY} route=route-0` (10 % on `default/route-0`, r-00000000), "
    assert listed(many).startswith(first)
    assert listed(many).endswith(f"`{CANARY} route=route-9` (10 % on `default/route-9`, r-00000009), and 2 more")


@pytest.mark.parametrize("rollout", [on("one", phase=Phase.ENDED), on("one", phase=Phase.PAUSED, drift=DRIFT)])
def test_no_weight_is_listed_that_may_be_somebody_elses(rollout: Rollout) -> None:
    assert listed([rollout]) == f"`{CANARY}` (on `default/one`, r-00000001)"
