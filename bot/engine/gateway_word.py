"""What gateways say about a route: who accepts it, what speaks against it, and what of that is new with our write."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain


class Bars(StrEnum):
    """What an objection bars."""

    ROUTE = "route"  # the whole route, or a rule of ours: the gateway does not take our weights
    PART = "part"  # a part of the route that is not known to be ours
    PROGRAM = "program"  # nothing is wrong with the route, but the data plane does not have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Something that a gateway's status says against a route, as a sentence.

    ``key`` is the same for the same objection at another generation. Of what bars the program of one generation, it
    is another one at the next.
    """

    key: str
    said: str
    bars: Bars


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentWord:
    """What one parent says: ``accepts`` is a proof, for the generation that was asked about."""

    accepts: bool
    objections: tuple[Objection, ...] = ()

    def is_out(self, known: Collection[str]) -> bool:
        """Say whether the parent refused the route before, and so is not asked whether it accepts."""
        return any(each.key in known and each.bars is not Bars.PROGRAM for each in self.objections)


class GatewaySays(StrEnum):
    """What the parents of a route say together about a generation."""

    NOTHING = "nothing"
    ACCEPTED = "accepted"
    PARTLY = "partly"  # not the whole route, but our part may be well
    REJECTED = "rejected"


_ANSWERS = ((Bars.ROUTE, GatewaySays.REJECTED), (Bars.PART, GatewaySays.PARTLY), (Bars.PROGRAM, GatewaySays.NOTHING))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayWord:
    """What every parent of a route says, and what controllers say whose Gateway it is not (``notes``, sentences)."""

    parents: tuple[ParentWord, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def objections(self) -> tuple[Objection, ...]:
        """Return everything that any parent says against the route."""
        return tuple(chain.from_iterable(parent.objections for parent in self.parents))

    def says(self, known: Collection[str]) -> GatewaySays:
        """Return the answer, if the objections that are ``known`` (keys) do not count: they are older than our write.

        One new refusal is a refusal; one silence is silence; without a parent that may accept, all is silence.
        """
        bars = {each.bars for each in self._news(known)}
        for bar, answer in _ANSWERS:
            if bar in bars:
                return answer
        asked = [parent for parent in self.parents if not parent.is_out(known)]
        return GatewaySays.ACCEPTED if asked and all(parent.accepts for parent in asked) else GatewaySays.NOTHING

    def why(self, known: Collection[str], *bars: Bars) -> str:
        """Return the new objections of some kinds as sentences; empty if there is none."""
        return " ".join(dict.fromkeys(each.said for each in self._news(known) if each.bars in bars))

    def _news(self, known: Collection[str]) -> Iterator[Objection]:
        return (each for each in self.objections if each.key not in known)
