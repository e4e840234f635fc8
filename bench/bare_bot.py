"""The least that a bot which steps rollouts has to do: the floor of the outages, run by ``python -m bench.bare_bot``.

It uses the libraries alone. Every ten seconds it writes one record to Redis, one route's weights and one card for each
rollout, and it listens to Slack over Socket Mode. It watches nothing, keeps no lease and checks nothing.
"""

import itertools
import json
import sys
import time
from typing import Any

import redis
from kubernetes import client, config
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from sandbox.slack import APP_TOKEN, BOT_TOKEN, INFERENCE

GROUP, VERSION, PLURAL = "gateway.networking.k8s.io", "v1", "httproutes"


def main(api_url: str, redis_url: str, kubeconfig: str, namespace: str, every: str) -> None:
    """Change every route of a namespace that splits its traffic, and its card, again and again."""
    slack = WebClient(BOT_TOKEN, base_url=api_url)
    SocketModeHandler(App(client=slack), APP_TOKEN).connect()  # type: ignore[no-untyped-call]
    routes: Any = client.CustomObjectsApi(config.new_client_from_config(kubeconfig))  # type: ignore[no-untyped-call]
    store = redis.Redis.from_url(redis_url)
    listed = routes.list_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL)["items"]
    listed = [route for route in listed if len(route["spec"]["rules"][0]["backendRefs"]) == 2]
    cards = [slack.chat_postMessage(channel=INFERENCE, text="0 %")["ts"] for _ in listed]
    print("Ready", flush=True)
    for weight in itertools.cycle(range(100)):
        begun = time.monotonic()
        for route, card in zip(listed, cards, strict=True):
            name, rules = route["metadata"]["name"], route["spec"]["rules"]
            store.set(f"bare:{name}", json.dumps({"weight": weight}))
            for ref, share in zip(rules[0]["backendRefs"], (100 - weight, weight), strict=True):
                ref["weight"] = share
            routes.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name, {"spec": {"rules": rules}})
            slack.chat_update(channel=INFERENCE, ts=str(card), text=f"{weight} %")
        time.sleep(max(0.0, begun + float(every) - time.monotonic()))


if __name__ == "__main__":
    main(*sys.argv[1:])
