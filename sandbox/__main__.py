"""``python -m sandbox``: start a sandbox, or look at one and disturb it from another terminal."""

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sandbox.breaking import WAYS
from sandbox.errors import ApiError, SandboxError
from sandbox.install import say
from sandbox.kube import Kube, Object, path_of
from sandbox.signals import stop_on_signals
from sandbox.world import World

NO_SANDBOX = "No sandbox is running here; start one with `make demo`."


def main(arguments: Sequence[str]) -> int:
    """Run one command. An error that a person can act on is printed as one sentence."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.run
    try:
        command(options)
    except (SandboxError, ApiError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Everything has ended.")  # Ctrl-C is the normal way to end it
    return 0


def up(options: argparse.Namespace) -> None:
    """Run a sandbox until somebody stops it."""
    # Imported here, because `route` and `env` do not need it.
    from sandbox.running import running

    stop_on_signals()
    say("Starting etcd, kube-apiserver, Valkey and Slack ...")
    with running(options.name, mode=options.mode, request_url=options.request_url) as sandbox:
        print(f"Slack      {sandbox.slack_url}")
        print(f"Kubernetes {sandbox.api_server.url}   kubectl --kubeconfig {sandbox.kubeconfig} get httproutes")
        print(f"Valkey     {sandbox.redis_url}")
        print(f"\nSandbox `{sandbox.name}` runs until Ctrl-C. In another terminal:\n", flush=True)
        print('eval "$(python -m sandbox env)"', flush=True)
        while True:  # not signal.pause(): it would miss a signal that comes just before it
            time.sleep(1)


def demo(options: argparse.Namespace) -> None:
    """Run a sandbox with the bot in it until somebody stops it."""
    from sandbox.demo import demo as run_demo

    run_demo(options.name)


def pictures(options: argparse.Namespace) -> None:
    """Take the pictures of the docs."""
    from sandbox.pictures import pictures as take_pictures

    take_pictures()


def env(options: argparse.Namespace) -> None:
    """Print the variables that point a bot at the sandbox, for a shell to read."""
    for name, value in _state(options.name)["environment"].items():
        print(f"export {name}={shlex.quote(value)}")


def route(options: argparse.Namespace) -> None:
    """Print the weights of a route."""
    found = _kube(options.name).get(
        path_of("gateway.networking.k8s.io/v1", "HTTPRoute", options.namespace, options.route)
    )
    for line in _weights(options.route, found):
        print(line)


def traffic(options: argparse.Namespace) -> None:
    """Print who answered the users' requests of the last seconds."""
    from sandbox.load.ledger import read
    from sandbox.load.table import table

    ledger = _state(options.name).get("ledger")
    if ledger is None:
        raise SandboxError("This sandbox has no traffic; `make demo` has, where its programs can be built.")
    since = time.time() - options.seconds
    print(table([record for record in read(Path(ledger)) if record.at >= since]), end="")


def edit(options: argparse.Namespace) -> None:
    """Edit the weights of a route as somebody else."""
    from sandbox.meddling import edit as edit_weights

    edit_weights(World(_kube(options.name), options.namespace, options.route), options.weights)
    route(options)


def break_it(options: argparse.Namespace) -> None:
    """Break the new pool or the route in one way."""
    from sandbox.breaking import break_world

    broken = break_world(_world(options.name), options.way)
    print(f"Now {broken}; `.venv/bin/python -m sandbox mend` mends it.")


def mend(options: argparse.Namespace) -> None:
    """Take back everything that `break` did."""
    from sandbox.breaking import mend as mend_world
    from sandbox.misbehaving import behave_well

    world = _world(options.name)
    mend_world(world)
    behave_well(world)
    print("Everything is well again.")


def canary(options: argparse.Namespace) -> None:
    """Make the new pool serve worse than the old one, or as well."""
    from sandbox.misbehaving import change, worse
    from sandbox.world import CANARY

    behaviour = worse(
        fails=options.fail_rate,
        cuts=options.cut_rate,
        first_token=options.ttft,
        token=options.decode,
        slots=options.slots,
    )
    change(_world(options.name), CANARY, behaviour)
    print("The new pool behaves so now; `.venv/bin/python -m sandbox canary` makes it as good as the old one.")


def gateway(options: argparse.Namespace) -> None:
    """Make the gateway misbehave, or work well again."""
    from sandbox.misbehaving import misbehave

    misbehave(_world(options.name), options.fault)
    print("The gateway works well." if options.fault == "well" else f"Now the gateway does this: {options.fault}.")


def flush(options: argparse.Namespace) -> None:
    """Empty Valkey."""
    from sandbox.meddling import flush as flush_valkey

    flush_valkey(_state(options.name))
    print("Valkey is empty.")


def stop(options: argparse.Namespace) -> None:
    """Freeze a server."""
    from sandbox.meddling import stop as stop_server

    stop_server(_state(options.name), options.server)
    print(f"{options.server} hangs now; `.venv/bin/python -m sandbox start {options.server}` lets it go on.")


def start(options: argparse.Namespace) -> None:
    """Let a frozen server go on."""
    from sandbox.meddling import start as start_server

    start_server(_state(options.name), options.server)
    print(f"{options.server} goes on.")


def build(options: argparse.Namespace) -> None:
    """Build and install what a sandbox needs, without starting anything."""
    from sandbox.binaries import binaries, crds
    from sandbox.dataplane.programs import programs
    from sandbox.slack import slack_binary

    found = binaries()
    crds()
    more = programs()
    for file in (found.etcd, found.kube_apiserver, slack_binary(), more.picker, more.helm, more.prometheus, more.envoy):
        print(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("--name", help="the name of the sandbox (default: the newest one; for `up`, a new name)")
    everything = commands.add_parser("up", parents=[named], help="start everything and run until Ctrl-C")
    everything.add_argument("--mode", choices=("socket", "http"), default="socket", help="how Slack reaches the bot")
    everything.add_argument("--request-url", default="", help="where Slack sends requests in mode http")
    everything.set_defaults(run=up)
    commands.add_parser("pictures", help="take the pictures of the docs; needs Chromium").set_defaults(run=pictures)
    commands.add_parser("demo", parents=[named], help="start everything and the bot").set_defaults(run=demo)
    commands.add_parser("env", parents=[named], help="print the variables for a bot").set_defaults(run=env)
    show = commands.add_parser("route", parents=[named], help="print the weights of the route")
    show.add_argument("route", nargs="?", default="llm-route")
    show.add_argument("--namespace", default="default")
    show.set_defaults(run=route)
    seen = commands.add_parser("traffic", parents=[named], help="print who answered the users' requests lately")
    seen.add_argument("--seconds", type=float, default=30.0, help="how far back to look")
    seen.set_defaults(run=traffic)
    _add_meddling(commands, named)
    commands.add_parser("build", help="build and install all that a sandbox needs").set_defaults(run=build)
    return parser


def _add_meddling(commands: Any, named: argparse.ArgumentParser) -> None:
    weigh = commands.add_parser("edit", parents=[named], help="edit the route's weights as somebody else: edit 60 40")
    weigh.add_argument("weights", nargs="+", type=int, metavar="WEIGHT")
    weigh.add_argument("--route", default="llm-route")
    weigh.add_argument("--namespace", default="default")
    weigh.set_defaults(run=edit)
    broken = commands.add_parser("break", parents=[named], help="break the new pool or the route, for `check` to see")
    ways = "; ".join(f"{way}: {told}" for way, (_, told) in WAYS.items())
    broken.add_argument("way", choices=sorted(WAYS), help=ways)
    broken.set_defaults(run=break_it)
    commands.add_parser(
        "mend", parents=[named], help="take back what `break`, `canary` and `gateway` did"
    ).set_defaults(run=mend)
    _add_misbehaving(commands, named)
    empty = commands.add_parser("flush", parents=[named], help="empty Valkey")
    empty.set_defaults(run=flush)
    for name, run, told in (("stop", stop, "make a server hang"), ("start", start, "let it go on")):
        one = commands.add_parser(name, parents=[named], help=told)
        one.add_argument("server", choices=("slack", "valkey"))
        one.set_defaults(run=run)


def _add_misbehaving(commands: Any, named: argparse.ArgumentParser) -> None:
    bad = commands.add_parser(
        "canary", parents=[named], help="make the new pool serve worse than the old one, or as well"
    )
    bad.add_argument("--fail-rate", type=_share, default=0.0, help="answer this share of the requests with 500: 0.1")
    bad.add_argument("--cut-rate", type=_share, default=0.0, help="cut this share of the streams: 0.2")
    bad.add_argument("--ttft", type=_times, default=1.0, help="take so many times as long to the first token: 3x")
    bad.add_argument("--decode", type=_times, default=1.0, help="take so many times as long for each token: 3x")
    bad.add_argument("--slots", type=int, help="let only so many requests run at once in a model server: 1")
    bad.set_defaults(run=canary)
    gate = commands.add_parser("gateway", parents=[named], help="make the gateway misbehave, or work well again")
    gate.add_argument("fault", choices=("well", "ignores-weights", "one-picker"))
    gate.set_defaults(run=gateway)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share from 0 to 1")
    return share


def _times(text: str) -> float:
    times = float(text.removesuffix("x"))
    if not 0 < times <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is no number of times like 3x")
    return times


def _state(name: str | None) -> dict[str, Any]:
    """Return the published state of the named sandbox, or of the newest one."""
    from sandbox.workplace import live

    states = [state for state in live() if name in (None, state["name"])]
    if not states:
        raise SandboxError(NO_SANDBOX if name is None else f"No sandbox named `{name}` is running here.")
    return states[0]


def _kube(name: str | None) -> Kube:
    server = _state(name)["api_server"]
    return Kube(server["url"], server["token"], Path(server["ca"]))


def _world(name: str | None) -> World:
    """Return the world of a sandbox, whose pods run or are played."""
    from sandbox.dataplane.live_world import LiveWorld

    kind = LiveWorld if "gateway" in _state(name) else World
    return kind(_kube(name), "default")


def _weights(name: str, found: Object) -> list[str]:
    """Return one line for each rule: the route, then each backend with its weight."""
    lines = []
    for rule in found["spec"]["rules"]:
        refs = [f"{ref['name']} {ref['weight']}" for ref in rule.get("backendRefs", [])]
        lines.append("  ".join([name, *refs]))
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
