"""The note on a route: what we write into its annotation, who may have written what we read there, and what it counts.

A key of the install signs the record with HMAC-SHA256. The record names its route, so a note counts on that route
alone. What is not signed can say one thing only: somebody rolled back. Without a key nothing is signed, and every note
counts.

A terminal without the key may roll back too. It leaves the signed record as it is, and writes beside it who rolled
back, when and why.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from bot.domain.access import UNIX
from bot.domain.bounds import LONGEST_NAME, is_sound
from bot.domain.commands.values import cut_reason
from bot.domain.decisions.by_route import Observed, applied_by, differs
from bot.domain.decisions.moves import Moment, roll_back
from bot.domain.masking import masked
from bot.domain.prose import one_line
from bot.domain.rollout import HAS_WAY_BACK, SLOTLESS, Entry, Phase, Rollout
from bot.engine.encoding import (
    REMEMBERED,
    is_usual,
    note_document,
    note_text,
    read_document,
    read_record,
)
from bot.engine.route_port import Note, Proof, RouteCopy

MOST_DECISIONS: Final = 1_000_000
"""A larger revision or turn in a note counts as this one, so that there is room to count on."""

SOMEBODY: Final = f"{UNIX}somebody"
"""Who rolled back on the route without our signature."""

LONGEST_WORDS: Final = 300
"""So many characters are taken of what somebody without our signature gives as a reason."""

READ: Final = 10 * LONGEST_WORDS
"""Characters of it that are read."""

_MAC: Final = re.compile(r"[0-9a-f]{64}")
_PURPOSE: Final = b"rolloutbot note 1:"
"""What every signed text begins with, so that a signature is good for nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """What a terminal without the key writes beside a signed record."""

    decision: str
    at: datetime
    by: str
    why: str


_ROLLED_BACK: Final = TypeAdapter(RolledBack)


@dataclass(frozen=True, slots=True)
class Notes:
    """Writes and reads notes. The first of ``keys`` signs, each of them verifies; without keys nothing is signed."""

    keys: tuple[bytes, ...] = ()

    def write(self, rollout: Rollout, over: str | None = None) -> str:
        """Return the text of a note that replaces the text ``over``."""
        document = note_document(rollout)
        if self.keys:
            return note_text({**document, "mac": _mac(self.keys[0], document["rollout"])})
        return note_text({**document, **_beside(over, rollout)})

    def write_short(self, rollout: Rollout, over: str | None) -> str:
        """Return a note with no more than another process needs: it is shorter than a whole one of the same rollout."""
        bare = replace(rollout, by="", why="", reason="")
        document = json.loads(self.write(bare, over))
        return note_text({key: document[key] for key in ("v", "rollout", "mac", "rolled_back") if key in document})

    def read(self, text: str) -> Note | None:
        """Read a note; None if it is none of ours, or has a version that this program does not know."""
        return _read_once(self, text) if is_usual(text) else self._read(text)

    def _read(self, text: str) -> Note | None:
        document = read_document(text)
        rollout = read_record(document.get("rollout")) if document else None
        if document is None or rollout is None:
            return None
        rollout = _with_room(rollout)
        try:
            return Note(self._after(rollout, document.get("rolled_back")), self._proof(document))
        except RecursionError:  # what can just be read may still be nested too deeply to be written
            return None

    def _proof(self, document: Mapping[str, Any]) -> Proof:
        if not self.keys:
            return Proof.UNPROTECTED
        mac = str(document.get("mac")).encode(errors="replace")
        macs = [_mac(key, document["rollout"]).encode() for key in self.keys]
        return Proof.SIGNED if any(hmac.compare_digest(mac, each) for each in macs) else Proof.UNSIGNED

    def _after(self, rollout: Rollout, said: object) -> Rollout:
        """Return the record as a terminal without the key rolled it back, if one did; who did it, nobody can verify."""
        try:
            back = _ROLLED_BACK.validate_python(said)
        except ValidationError:
            return rollout
        if rollout.phase not in HAS_WAY_BACK or back.decision == rollout.decision:
            return rollout
        moment = Moment(now=back.at, decision=back.decision, by=SOMEBODY if self.keys else back.by)
        why = say_unsigned(back.by, back.why) if self.keys else cut_reason(back.why[:READ])[0]
        after = roll_back(Entry(rollout=rollout, applied=applied_by(rollout, 0)), why, moment).after
        return after if is_sound(after) else rollout


NO_KEYS: Final = Notes()
"""Of a process that has no key."""


@lru_cache(REMEMBERED)
def _read_once(notes: Notes, text: str) -> Note | None:
    """Read a note that the watch has shown us: a click on its route finds it read and verified."""
    return notes._read(text)


def _with_room(rollout: Rollout) -> Rollout:
    """Return a record that can be counted on from."""
    if max(rollout.revision, rollout.turn) <= MOST_DECISIONS:
        return rollout
    return replace(rollout, revision=min(rollout.revision, MOST_DECISIONS), turn=min(rollout.turn, MOST_DECISIONS))


def _mac(key: bytes, record: object) -> str:
    """Sign a record as its values are, however somebody indents it or orders its keys."""
    text = json.dumps(record, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, _PURPOSE + text.encode(), hashlib.sha256).hexdigest()


def _beside(over: str | None, rollout: Rollout) -> dict[str, Any]:
    """Return the signed record that a roll back leaves in place, and the roll back; nothing if there is none."""
    old = read_document(over) if over else None
    record = read_record(old.get("rollout")) if old else None
    if old is None or record is None or rollout.phase is not Phase.ROLLED_BACK:
        return {}
    if not _MAC.fullmatch(str(old.get("mac"))) or (record.id, record.route_uid) != (rollout.id, rollout.route_uid):
        return {}
    if old["rollout"] != note_document(record)["rollout"]:  # with more in it than a record, it may be of any length
        return {}
    back = RolledBack(decision=rollout.decision, at=rollout.decided_at, by=rollout.by, why=rollout.why)
    return {"rollout": old["rollout"], "mac": old["mac"], "rolled_back": _ROLLED_BACK.dump_python(back, mode="json")}


def say_unsigned(by: str, why: str) -> str:
    """Say what somebody without the key wrote on the route, as short as a person's words should be."""
    who = masked(one_line(by[:LONGEST_NAME].removeprefix(UNIX)))
    said = masked(one_line(why[:READ])).strip()[:LONGEST_WORDS]
    told = f"on the route{f' in the name of {who}' if who else ''}; the bot has not signed it"
    return f"{said} (written {told})" if said else f"Written {told}"


def note_on(copy: RouteCopy) -> Note | None:
    """Return the note of a route, whoever wrote it, unless it was copied from another route."""
    note = copy.note
    if note is None:
        return None
    named = (note.rollout.namespace, note.rollout.route, note.rollout.route_uid)
    return note if named == (copy.namespace, copy.name, copy.uid) else None


def own_note(copy: RouteCopy) -> Rollout | None:
    """Return the record in the note of a route, if the note counts."""
    note = note_on(copy)
    return note.rollout if note is not None and note.proof is not Proof.UNSIGNED else None


def is_unsigned(copy: RouteCopy) -> bool:
    """Say whether there is a note that none of our keys has signed."""
    return copy.note is not None and copy.note.proof is Proof.UNSIGNED


def note_for(copy: RouteCopy, rollout: Rollout) -> Rollout | None:
    """Return what the note of a route means for a record that we have.

    Without our signature it counts if it says nothing that the record does not say, and if it rolls back. Of such a
    roll back we take nothing else: the record stays ours.
    """
    note = note_on(copy)
    if note is None or (note.rollout.decision == rollout.decision and note.rollout.phase is not rollout.phase):
        return None  # nobody decides twice under one id
    if note.proof is not Proof.UNSIGNED:
        return note.rollout
    if note.rollout == rollout:
        return rollout
    is_back = note.rollout.id == rollout.id and note.rollout.phase is Phase.ROLLED_BACK
    may_go_back = rollout.phase in HAS_WAY_BACK and rollout.phase is not Phase.ROLLED_BACK
    return _rolled_back(rollout, note.rollout) if is_back and may_go_back else None


def _rolled_back(rollout: Rollout, note: Rollout) -> Rollout:
    moment = Moment(now=note.decided_at, decision=note.decision, by=SOMEBODY)
    why = say_unsigned(note.by, note.why)
    return roll_back(Entry(rollout=rollout, applied=applied_by(rollout, 0)), why, moment).after


def strays(copy: RouteCopy, rollout: Rollout, observed: Observed) -> bool:
    """Say whether a route differs from what an applied record left, so that apply has to judge it.

    Over somebody else's note that we cannot verify, a paused rollout does not write its own again and again: another
    install may do the same.
    """
    is_doubtful = is_unsigned(copy) and rollout.phase not in SLOTLESS
    if is_doubtful and rollout.hands_off and copy.note is not None and copy.note.rollout.id != rollout.id:
        return False
    return is_doubtful or differs(rollout, note_for(copy, rollout), observed)
