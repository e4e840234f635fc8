"""One run: start everything, let people work while the planned faults strike, then wait for calm."""

import random
import threading
import time
from contextlib import ExitStack

from chaos.cast import Cast, cast
from chaos.deliveries import Deliveries
from chaos.evidence import Evidence, gather
from chaos.faults import Faults
from chaos.people import Team
from chaos.schedule import Schedule
from chaos.settle import Calm, calm_down
from chaos.site_requests import SiteRequests
from sandbox.apiserver import ApiServer, api_server
from sandbox.workplace import workplace


def play(plan: Schedule, server: ApiServer | None = None) -> Evidence:
    """Run a plan and return what it left behind."""
    with ExitStack() as stack:
        place = stack.enter_context(workplace(prefix="chaos"))
        running = server or stack.enter_context(api_server(place))
        actors = stack.enter_context(cast(place, running, plan))
        return gather(actors, _perform(actors, plan))


def _perform(actors: Cast, plan: Schedule) -> Calm:
    deliveries = Deliveries(actors.slack, actors.bots, actors.ledger, plan)
    stopping = threading.Event()
    actors.ledger.begun = time.time()
    until = actors.ledger.begun + plan.seconds
    threads = []
    for site in actors.sites:
        dice = random.Random(f"{plan.seed}-{site.number}")
        team = Team(actors, site, dice, SiteRequests(actors, deliveries, site, dice), stopping)
        threads.append(threading.Thread(target=team.work, args=(until,), name=f"team {site.number}"))
    for thread in threads:
        thread.start()
    try:
        Faults(actors, stopping).run(plan)
        deliveries.is_calm = True
        for thread in threads:
            thread.join()
        deliveries.close()
        return calm_down(actors, deliveries, plan.seed)
    finally:
        stopping.set()
