"""What people at one site do: start a rollout, watch its card, type, press buttons, and end it."""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.decisions.drift import lacks_to_adopt, lacks_to_restore
from bot.domain.decisions.start import rollout_id
from bot.domain.rollout import Phase, Rollout
from bot.domain.verbs.registry import verbs
from chaos.cast import CROWD, Cast
from chaos.site_requests import SiteRequests
from chaos.world import Site
from sandbox.strict_slack.workspace import block_id

PEOPLE = tuple(CROWD)
Moods = Mapping[str | None, int]

PATIENT: Moods = {None: 6, "approve": 4, "resume": 2, "why": 1, "check": 1}
PUSHING: Moods = {"advance": 4, "promote": 2, "approve": 4, "resume": 4, "finish": 2, "status": 1}
NERVOUS: Moods = {"pause": 3, "resume": 4, "reject": 4, "approve": 4, "why": 1, "rollback": 1}
BRAKING: Moods = {None: 4, "approve": 3, "reject": 1, "advance": 1, "rollback": 2, "status": 1}
LEAVING: Moods = {None: 4, "approve": 3, "pause": 1, "end": 2}
WILD: Moods = dict.fromkeys({verb.name for verb in verbs()} - {"start", "help"}, 1)
MOODS = (PATIENT, PATIENT, PUSHING, PUSHING, NERVOUS, BRAKING, LEAVING, WILD)

ENDS: Moods = {"rollback": 2, "approve": 3, "promote": 2, "finish": 3, "end": 1}
MISTAKES = 0.15


@dataclass(slots=True)
class Team:
    """The people at one site. Their dice come from the seed, so the seed decides what they want."""

    cast: Cast
    site: Site
    dice: random.Random
    requests: SiteRequests
    stopping: threading.Event

    def work(self, until: float) -> None:
        """Take one rollout after another from start to end."""
        self._rest(0, 4)
        while self._wants_more(until) and not self.stopping.is_set():
            mood = self.dice.choice(MOODS)
            rollout = self._start()
            if self._is_there(rollout):
                self._live(rollout, mood, until)
            self._rest(0.2, 1.5)

    def _wants_more(self, until: float) -> bool:
        """Go on for a while if too few rollouts reached a route, as on a slow machine or where Redis lost many."""
        enough = self.cast.tape.rollouts() >= self.cast.plan.rollouts
        return time.time() < (until if enough else until + self.cast.plan.overtime)

    # --- one rollout

    def _start(self) -> str:
        """Start the pool that has less traffic, with all kinds of options."""
        newest = self.cast.tape.newest(self.site.key)
        canary = self.site.new
        if newest is not None:
            refs = newest.document["spec"]["rules"][0].get("backendRefs", [])
            shares = {ref["name"]: ref.get("weight", 1) for ref in refs}
            canary = min((self.site.new, self.site.old), key=lambda pool: (shares.get(pool, -1), pool == self.site.old))
        weight = self.dice.choice((1, 5, 10, 10, 20, 50, 100))
        steps = self.dice.choice(("", f"steps={weight},60,100", f"steps={weight},30,60,79,100"))
        marks = self.dice.choice(("", "", "approve=50", "approve=all"))
        mirror = self.dice.choice(("", "", "", "mirror=10"))
        slow = 2 if self.cast.plan.judges else 0  # gates need seconds of the same weights to judge
        pace = f"every={self.dice.choice((1, 1, 2)) + slow}s bake={self.dice.choice((1, 2)) + slow}s"
        words = (
            f"{canary} {weight} route={self.site.route} namespace={self.site.namespace} {steps if weight < 60 else ''}"
        )
        asked = self.requests.types("start", f"{words} {marks} {mirror} {pace}", "", self._anybody())
        return rollout_id(asked.id)

    def _is_there(self, rollout: str) -> bool:
        """Wait for the rollout; if another one has the route, end that one."""
        deadline = time.time() + 8
        while time.time() < deadline and not self.stopping.is_set():
            note = self.cast.tape.note(self.site.key)
            if (note is not None and note.id == rollout) or self._card(rollout) is not None:
                return True
            self._rest(0.2, 0.5)
        note = self.cast.tape.running(self.site.key)
        if note is not None and note.id != rollout:
            self._type(self.dice.choice(("rollback", "end")), note.id)
        return False

    def _live(self, rollout: str, mood: Moods, until: float) -> None:
        """Act by the mood until the rollout is over or has lasted too long."""
        patience = min(time.time() + self.dice.uniform(8, 25), until)
        given_up = min(patience + 25, until + self.cast.plan.overtime)
        while not self.stopping.is_set() and time.time() < given_up:
            self._rest(0.3, 1.6)
            note = self.cast.tape.running(self.site.key)
            if note is None or note.id != rollout:
                self._afterwards(rollout)
                return
            self._act(self._choose(note, mood, is_late=time.time() > patience), note)

    def _choose(self, note: Rollout, mood: Moods, *, is_late: bool) -> str | None:
        """Choose what to do: usually something that fits, sometimes a mistake."""
        if note.drifted and not is_late:
            return self._on_drift(note)
        wishes = Counter(ENDS) if is_late else Counter(mood)
        if self.dice.random() > MISTAKES:
            fits = {verb.name for verb in verbs() if verb.fits(note)} | {None, "status", "check"}
            wishes = Counter({verb: weight for verb, weight in wishes.items() if verb in fits})
        return self.dice.choices([*wishes], [*wishes.values()])[0] if wishes else None

    def _on_drift(self, note: Rollout) -> str | None:
        """Choose from what the card offers after somebody else changed the weights."""
        offered = ["rollback", None]
        offered += [] if lacks_to_adopt(note) else ["adopt"] * 6
        offered += [] if lacks_to_restore(note) else ["restore"] * 2
        return self.dice.choice(offered)

    def _afterwards(self, rollout: str) -> None:
        """Sometimes somebody rolls it back after all, or presses a button of a finished rollout."""
        note = self.cast.tape.note(self.site.key)
        if note is not None and note.id == rollout and note.phase is Phase.FINISHED and self.dice.random() < 0.7:
            self._type("keep", rollout)
            self._rest(0.3, 1.6)
        if self.dice.random() < 0.3:
            self._type("rollback", rollout)
        elif self.dice.random() < 0.2:
            self._type(self.dice.choice(("pause", "advance", "end", "why")), rollout)

    # --- one thing

    def _act(self, verb: str | None, note: Rollout) -> None:
        """Press the button, if the card has it, or type."""
        if verb is None:
            return
        card = self._card(note.id)
        if (
            card is not None
            and self.dice.random() < 0.6
            and self.requests.presses(card, verb, note.id, self._somebody(verb, note))
        ):
            return
        self._type(verb, note.id, note)

    def _type(self, verb: str, rollout: str, note: Rollout | None = None) -> None:
        if verb == "check":
            words = f"{self.site.new} 10 route={self.site.route} namespace={self.site.namespace}"
            self.requests.types(verb, words, rollout, self._anybody())
            return
        name = rollout
        if note is not None and note.canary.name == self.site.new and self.dice.random() < 0.5:
            name = self.site.new
        self.requests.types(verb, name, rollout, self._somebody(verb, note))

    def _somebody(self, verb: str, note: Rollout | None) -> str:
        """Choose who acts: the starter approves only by mistake."""
        if verb == "approve" and note is not None and self.dice.random() < 0.9:
            return self.dice.choice([one for one in PEOPLE if one != note.started_by])
        return self._anybody()

    def _anybody(self) -> str:
        return self.dice.choice(PEOPLE)

    # --- what they see

    def _card(self, rollout: str) -> Mapping[str, Any] | None:
        cards = self.cast.slack.cards(self.site.channel)
        mine = [card for card in cards if block_id(card).startswith(f"card:{rollout}:")]
        return mine[-1] if mine else None

    def _rest(self, low: float, high: float) -> None:
        self.stopping.wait(self.dice.uniform(low, high))
