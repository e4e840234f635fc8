"""The gates that there are, in the order in which their reasons are told."""

from typing import Final

from bot.gates import pools_ready
from bot.gates.gate import Gate

GATES: Final[tuple[Gate, ...]] = (pools_ready.GATE,)
