"""A few hostile inputs of every kind; `make hostile` tries many."""

from hostile.attack import attack
from hostile.kinds import KINDS
from hostile.stand import stand


def test_of_a_few_hostile_inputs_of_every_kind_none_gets_through_and_a_roll_back_lands() -> None:
    with stand() as attacked:
        counts = [max(2, count // 100) for _, count in KINDS.values()]
        rows = [
            attack(attacked, name, kind, count, seed=7)
            for count, (name, (kind, _)) in zip(counts, KINDS.items(), strict=True)
        ]
        assert attacked.roll_back()
    assert [row.tried.through for row in rows] == [[]] * len(KINDS)
    assert [row.tried.tried for row in rows] == counts
