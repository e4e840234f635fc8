"""Where the bot keeps what it knows: the record on the route, and the rows in Redis."""

import random
import time
from dataclasses import replace

from chaos.forger import FORGED_ID, forge
from hostile.stand import HELD, MADE_UP, NOTES, PREFIX, Stand
from hostile.tried import Tried
from k8s.document import ANNOTATION, annotation_of
from sandbox.process import wait_until

JUNK = ('{"v":1}', "<b>&", "é🚀", "[" * 20_000, '{"v":1,"rollout":{"id":1}}', '{"v":2}', "null", "\x7f", "{" * 9)
FIXED = ("plan", "started_by", "channel", "reason", "stable", "canary", "rules")


def notes(stand: Stand, dice: random.Random, count: int) -> Tried:
    """Records on the route that the bot never wrote: altered, invented, with other names and weights, and junk."""
    found, first = Tried(), stand.record()
    elsewhere = NOTES.write(replace(first, route="elsewhere", route_uid="uid-elsewhere"))
    for _ in range(count):
        text = annotation_of(stand.world.http_route()) or ""
        place = {"namespace": first.namespace, "route": first.route, "route_uid": first.route_uid}
        forged, what = forge(text, [elsewhere], place, dice)
        if "rolls back" in what or dice.random() < 0.3:  # an unsigned roll back is carried out, as it may only lower
            forged, what = dice.choice(JUNK), "junk"
        stand.world.set_annotations({ANNOTATION: forged})
        wait_until("a signed note again", lambda: stand.note() == stand.record(), seconds=45)
        found.tried += 1
        now = stand.record()
        changed = [name for name in FIXED if getattr(now, name) != getattr(first, name)]
        moved = stand.world.weights() != HELD
        invented = bool(stand.client.exists(f"{PREFIX}r:{FORGED_ID}"))
        if changed or moved or invented:
            found.through.append(f"{what}: {', '.join(changed) or 'weights' if moved else 'a rollout nobody started'}")
        else:
            found.refused += 1
        stand.go_on()
    return found


FIELDS = ("record", "applied", "pending", "acceptance", "due", "step_due", "trouble", "readiness", "findings")


def rows(stand: Stand, dice: random.Random, count: int) -> Tried:
    """Rows in Redis that the bot cannot have written: requests, records, what Slack shows, events."""
    found, client = Tried(), stand.client
    good = str(client.hget(f"{PREFIX}r:{stand.record().id}", "record"))
    for number in range(count):
        text: str = dice.choice(
            (*JUNK, good[: dice.randrange(len(good))], good.replace('"step":0', '"step":99'), "nan", "-1")
        )
        made = f"{MADE_UP}{number:04x}"
        if dice.random() < 0.5:
            client.hset(f"{PREFIX}inbox", made, text)
            client.zadd(f"{PREFIX}inbox:at", {made: time.time() - 60})
        else:
            client.hset(
                f"{PREFIX}r:{made}", mapping={"record": good, dice.choice(FIELDS): text, "decision": "d", "mark": "1"}
            )
            client.set(f"{PREFIX}shown:{made}", dice.choice(JUNK))
            client.rpush(f"{PREFIX}events:{made}", dice.choice(JUNK))
            for index in ("active", "dirty", "canary:other", "due"):
                client.zadd(f"{PREFIX}{index}", {made: 1})
        found.tried += 1
    wait_until("the inbox set aside", lambda: not client.zrangebyscore(f"{PREFIX}inbox:at", 0, time.time()), seconds=30)
    time.sleep(5)  # several rounds of the timer and of the board
    said = stand.say("status")
    if stand.world.weights() != HELD or not any("10 %" in sentence for sentence in said):
        found.through.append(f"`status` says {said}")
    found.refused = found.tried if not found.through else 0
    return found
