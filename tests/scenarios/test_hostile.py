"""A few hostile inputs of every kind; `make hostile` tries many."""

from hostile.attack import attack
from hostile.kinds import KINDS
from hostile.stand import stand


def test_of_a_few_hostile_inputs_of_every_kind_none_gets_through_and_a_roll_back_lands() -> None:
    with stand() as attacked:
        rows = [attack(attacked, name, kind, 6, seed=7) for name, (kind, _) in KINDS.items()]
        attacked.roll_back()
    assert [row.tried.through for row in rows] == [[]] * len(KINDS)
    assert [row.tried.tried for row in rows] == [6] * len(KINDS)
