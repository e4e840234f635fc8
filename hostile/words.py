"""What people type, and others read."""

import json
import random
import re
from functools import partial

from hostile.stand import Stand
from hostile.tried import Tried
from sandbox.process import wait_until

TOKENS = ("xoxb-12345-67890-abcdefghijkl", "xapp-1-A1-2-0123456789abcdef", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln")
HIDDEN = ("", "", "\u00ad", "\u200d", "\u2060", "\ufe0f", "\u3164")
ROUND = ("{}", "_{}_", "令{}", "SLACK_BOT_TOKEN_{}", "redis://u:{}@h", "'{}'")
MARKS = (
    "<!channel>",
    "<@U0BOB00001>",
    "```",
    "`",
    "*x*",
    "\u202e",
    "\u200b",
    "\x1b[31m",
    "<http://evil|ok>",
    "&lt;!here&gt;",
)


def words(stand: Stand, dice: random.Random, count: int) -> Tried:
    """Reasons with tokens, mentions, markup and characters that hide."""
    found = Tried()
    for number in range(count):
        told = len(stand.slack.messages)
        token, marks, place = dice.choice(TOKENS), "".join(dice.sample(MARKS, 4)), dice.randrange(1, 9)
        typed = dice.choice(ROUND).format(f"{token[:place]}{dice.choice(HIDDEN)}{token[place:]}")
        stand.say(f"pause w{number} {marks} {typed} {marks}")
        wait_until("the words in the thread", partial(_is_shown, stand, f"w{number} "), seconds=20)
        shown = json.dumps(stand.slack.messages[told:], ensure_ascii=False)
        parts = [part for part in re.split(r"[-.]", token) if len(part) > 4]
        seen = [part for part in (*parts, "<!channel>", "<!here>", "<http://evil|ok>", *HIDDEN[2:]) if part in shown]
        found.tried += 1
        if seen:
            found.through.append(f"shown: {seen}")
        else:
            found.refused += 1
        stand.go_on()
    return found


def _is_shown(stand: Stand, text: str) -> bool:
    return text in json.dumps(stand.slack.messages)
