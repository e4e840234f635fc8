"""What 200 rollouts cost when nobody touches them: the bot with all its parts, as the leader, for 30 seconds.

The API server and Valkey count the requests. The floor is one watch of each resource that a rollout depends on: routes,
pools, pods, Services and EndpointSlices of the namespace, Gateways and GatewayClasses of the cluster. The bot asks the
server to end each watch after 30 seconds, and then starts it again.
"""

import time
from collections import Counter

import redis

from bench.figures import Finding, Row
from bench.population import Population
from bench.servers import PREFIX, Servers
from bot.config.settings import read_settings
from bot.service.bot import assemble
from bot.store.connection import connect
from sandbox.valkey import INSTALL

SETTLED, WINDOW = 5.0, 30.0
WATCHES = 7


def measure(servers: Servers, people: Population) -> Finding:
    """Let the bot lead, and count its requests."""
    client = connect(people.redis_url)
    namespace = people.world.namespace
    bot = assemble(
        read_settings(
            {
                "SLACK_BOT_TOKEN": "xoxb-bench",
                "SLACK_SIGNING_SECRET": "bench",
                "SLACK_API_URL": "http://127.0.0.1:9/api/",
                "REDIS_URL": people.redis_url,
                "ROLLOUTBOT_INSTALL": INSTALL,
                "KUBECONFIG": str(servers.api_server.kubeconfig(namespace=namespace)),
            }
        )
    )
    bot.watch()
    bot.leader.start()
    try:
        time.sleep(SETTLED)
        client.delete(f"{PREFIX}dirty")  # as if Slack showed every card up to date, with the pods that were counted
        requests, commands, cpu = servers.requests_served(), _commands(client), time.process_time()
        time.sleep(WINDOW)
        cpu = time.process_time() - cpu
        requests, commands = servers.requests_served() - requests, _commands(client) - commands
    finally:
        bot.leader.stop()
        bot.handlers.close()
        bot.cluster.close()
    return _finding(requests, commands, cpu, len(people.ids))


def _commands(client: "redis.Redis") -> "Counter[str]":
    return Counter({name: int(each["calls"]) for name, each in client.info("commandstats").items()})


def _finding(requests: "Counter[str]", commands: "Counter[str]", cpu: float, rollouts: int) -> Finding:
    total = requests.total()
    row = Row(
        what=f"API requests, {rollouts} idle rollouts, 30 s",
        floor=str(WATCHES),
        ours=str(total),
        ratios=[total / WATCHES],
        goal="1",
    )
    often = sorted(((number, name) for name, number in commands.items()), reverse=True)
    notes = [
        f"{total * 60 / WINDOW / rollouts:.3f} API requests for each idle rollout and minute:"
        f" {', '.join(f'{number} x {name}' for name, number in requests.items()) or 'none'}",
        f"{commands.total() / WINDOW:.1f} Redis commands a second, those inside scripts included: "
        + ", ".join(f"{name.removeprefix('cmdstat_')} {number / WINDOW:.1f}" for number, name in often[:8]),
        f"{cpu / WINDOW:.1%} of a core",
    ]
    return Finding(title="Idle", about=__doc__ or "", rows=[row], notes=notes)
