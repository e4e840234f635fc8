"""What can go wrong between a client and the API server, which faults are active, and what they hit."""

import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sandbox.relay import Head


class Fault(StrEnum):
    """What can go wrong."""

    REFUSED = "refused"  # nobody listens, and open connections are reset
    RESET = "reset"  # a request is not passed on, its connection is reset
    HUNG = "hung"  # a request is not passed on, and nothing comes
    SLOW = "slow"  # a request is passed on late
    LOST = "lost"  # a request is carried out, but its answer does not come
    UNANSWERED = "unanswered"  # a request is carried out, and then nothing comes
    UNKNOWN_TOKEN = "401"
    TOO_MANY = "429"
    BROKEN = "500"
    UNAVAILABLE = "503"
    CUT = "cut"  # a running watch ends
    SILENT = "silent"  # a running watch becomes half open: its connection stays, but nothing more comes


ANSWERS: Final = {
    Fault.UNKNOWN_TOKEN: ("Unauthorized", "Unauthorized"),
    Fault.TOO_MANY: ("TooManyRequests", "too many requests, please try again later"),
    Fault.BROKEN: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    Fault.UNAVAILABLE: ("ServiceUnavailable", "apiserver is shutting down"),
}

Hits = Counter[tuple[Fault, str]]


@dataclass(eq=False)
class Rule:
    """An active fault: which requests it hits, and how many more of them (None: until it is lifted).

    ``method`` may name several, as in ``POST|PUT``. The first ``spared`` requests that fit are hit neither by it nor by
    a later rule.
    """

    fault: Fault
    method: str
    path: re.Pattern[str]
    left: int | None
    seconds: float
    token: str = ""
    spared: int = 0
    lifted: threading.Event = field(default_factory=threading.Event)

    def fits(self, request: Head) -> bool:
        """Return whether the fault hits a request."""
        method, target, _ = request.words
        theirs = self.token in request.fields.get("authorization", "")
        return (
            self.left != 0
            and theirs
            and (not self.method or method in self.method.split("|"))
            and self.path.search(target) is not None
        )


class Faults:
    """The active rules, and what they hit; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._hits: Hits = Counter()

    def add(self, rule: Rule) -> None:
        """Add a rule, after the others."""
        with self._lock:
            self._rules.append(rule)

    def lift(self, fault: Fault | None) -> None:
        """Remove the rules of a fault, or all."""
        with self._lock:
            over = [rule for rule in self._rules if fault in (None, rule.fault)]
            self._rules = [rule for rule in self._rules if rule not in over]
        for rule in over:
            rule.lifted.set()

    def has(self, fault: Fault) -> bool:
        """Return whether a fault is active."""
        with self._lock:
            return any(rule.fault is fault for rule in self._rules)

    def hit(self, request: Head) -> Rule | None:
        """Return the first rule that hits a request, and count the hit."""
        with self._lock:
            rule = next((each for each in self._rules if each.fits(request)), None)
            if rule is not None and rule.spared:
                rule.spared -= 1
                return None
            if rule is not None:
                if rule.fault is not Fault.UNANSWERED:  # that counts once the request is carried out
                    self._hits[(rule.fault, request.asks_for)] += 1
                rule.left = None if rule.left is None else rule.left - 1
            return rule

    def count(self, fault: Fault, request: Head | None) -> None:
        """Count a hit on a connection, by its last request."""
        with self._lock:
            self._hits[(fault, request.asks_for if request else "nothing yet")] += 1

    def hits(self) -> Hits:
        """Return how often each fault hit what."""
        with self._lock:
            return Counter(self._hits)


def refusal(rule: Rule) -> bytes:
    """Return the answer of an API server that refuses a request."""
    code = int(rule.fault.value)
    reason, message = ANSWERS[rule.fault]
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
    body = json.dumps({**status, "metadata": {}, "message": message}).encode()
    retry = f"Retry-After: {rule.seconds:.0f}\r\n" if rule.fault is Fault.TOO_MANY else ""
    head = f"HTTP/1.1 {code} {reason}\r\nContent-Type: application/json\r\n{retry}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
