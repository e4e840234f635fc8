"""Try every kind and print the table; with ``--write`` it also replaces the one in SECURITY.md."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from hostile.attack import Row, attack
from hostile.kinds import KINDS
from hostile.stand import stand
from sandbox.folders import CHECKOUT
from sandbox.markdown import table

PAGE = CHECKOUT / "SECURITY.md"
BEGIN, END = "<!-- written by `python -m hostile --write` -->\n", "<!-- end -->"
HEAD = (
    "what was tried",
    "times",
    "refused",
    "taken, without effect",
    "got through",
    "CPU",
    "memory",
    "slowest /healthz",
)


def main() -> None:
    parser = ArgumentParser(prog="python -m hostile", description="Try hostile input of every kind on a running bot.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="also write the table into SECURITY.md")
    chosen = parser.parse_args()
    with stand() as attacked:
        rows = [attack(attacked, name, kind, count, chosen.seed) for name, (kind, count) in KINDS.items()]
        landed = attacked.roll_back()
    print(_table(rows))
    through = [f"{row.kind}: {what}" for row in rows for what in row.tried.through]
    through += [] if landed else ["the roll back at the end did not land"]
    print("\n".join(through) or "Nothing got through, and the roll back at the end landed.")
    if chosen.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{_table(rows)}\n\n{END}{rest.partition(END)[2]}")
    sys.exit(1 if through else 0)


def _table(rows: Sequence[Row]) -> str:
    return table(HEAD, [row.cells() for row in rows])


if __name__ == "__main__":
    main()
