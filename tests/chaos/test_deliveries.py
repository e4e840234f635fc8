"""How requests reach the bots of a chaos run."""

import random
from pathlib import Path

from chaos.deliveries import Deliveries
from chaos.ledger import Asked, Ledger
from chaos.schedule import Kind, short
from sandbox.bot_process import BotProcess
from sandbox.process import Server, free_ports
from sandbox.strict_slack import StrictSlack, strict_slack
from tests.builders import BOB

UNLUCKY = 6
"""A seed with which neither of the first two deliveries comes twice by chance."""


def a_request(slack: StrictSlack) -> Asked:
    delivery = slack.command("pause", user=BOB)
    return Asked(verb="pause", rollout="", by=BOB, delivery=delivery, token="", at=0.0, id=delivery.trigger)


def test_the_first_delivery_of_a_run_always_comes_twice(tmp_path: Path) -> None:
    nobody, ledger, dice = f"127.0.0.1:{free_ports(1)[0]}", Ledger(), random.Random(UNLUCKY)
    with strict_slack() as slack:
        post = Deliveries(slack, [BotProcess(Server("bot", [], tmp_path), nobody, nobody)], ledger, short(1, seconds=1))
        requests = [a_request(slack) for _ in range(2)]
        for request in requests:
            post.deliver(request, "llm-route", dice)
        post.close()
    assert [len(request.delivery.attempts) for request in requests] == [2, 1]
    assert ledger.hits[Kind.TWICE] == {"pause": 1}
