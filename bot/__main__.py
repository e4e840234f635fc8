"""Roll out InferencePools from Slack, and from here when Slack is gone."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from bot.cli import EXIT_CODES, Spelled, add_operations, add_verbs
from bot.config.settings import (
    ClusterSettings,
    ConfigError,
    TerminalSettings,
    check,
    policy_file,
    read_as,
    read_settings,
)
from bot.domain.errors import ClusterError, MetricsError
from bot.gates.registry import policy_keys
from bot.operations.registry import EXECUTORS
from bot.service.logs import Masked

app = typer.Typer(
    cls=Spelled,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=__doc__,
    epilog=EXIT_CODES,
)


@app.command()
def run() -> None:
    """Answer Slack and roll out, until SIGTERM or Ctrl-C."""
    from bot.service import bot, logs, shutdown  # what they import takes seconds that check-config does not need

    try:
        settings = read_settings(os.environ)
        logs.configure(settings.log, settings.secrets())
        bot.run(settings)
        shutdown.leave()
    except ConfigError as error:
        raise _explained(error.mistakes) from None


@app.command("check-config")
def check_config(
    policy: Annotated[
        Path | None, typer.Argument(help="A policy file; without it, the one in ROLLOUTBOT_CONFIG.")
    ] = None,
    only_policy: Annotated[
        bool, typer.Option("--policy-only", help="Check only the policy file, not the environment.")
    ] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Also ask the API server whether the bot has the rights it needs.")
    ] = False,
    redis: Annotated[bool, typer.Option("--redis", help="Also ask Redis whether it takes the bot.")] = False,
    slack: Annotated[bool, typer.Option("--slack", help="Also ask Slack whether it takes the tokens.")] = False,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Also ask Prometheus whether it has the gates' numbers.")
    ] = False,
) -> None:
    """Explain every mistake in the environment and the policy file, with its line."""
    file = policy or policy_file(os.environ)
    mistakes = check(None if only_policy else os.environ, file, policy_keys())
    if mistakes:
        raise _explained(mistakes)
    environment = [] if only_policy else ["The environment is good."]
    about_policy = f"The policy file `{file}` is good." if file else "No policy file is set: the defaults apply."
    typer.echo(" ".join([*environment, about_policy]))
    if not only_policy:
        typer.echo(_notes())
    if redis or slack:
        _check_services(redis=redis, slack=slack)
    if prometheus:
        _check_numbers(file)
    if cluster:
        _check_cluster(file)


def _notes() -> str:
    """Say whether anybody who may edit a route can forge what the bot has written there."""
    keys = len(read_as(ClusterSettings, os.environ).note_keys)
    if keys:
        return f"Notes on routes are signed, and {keys} key{'s verify' if keys > 1 else ' verifies'} them."
    return "Notes on routes are not signed: set `ROLLOUTBOT_NOTE_KEYS`, or whoever may edit a route can forge them."


def _check_services(*, redis: bool, slack: bool) -> None:
    """Say what Redis and Slack do not take, with exit code 3."""
    from bot.service.checkup import redis_faults, slack_faults

    try:
        faults = [
            *(redis_faults(read_as(TerminalSettings, os.environ)) if redis else ()),
            *(slack_faults(read_settings(os.environ)) if slack else ()),
        ]
    except ConfigError as error:
        raise _explained(error.mistakes) from None
    if faults:
        raise _explained(faults, code=3)
    asked = " and ".join(name for name, was_asked in (("Redis", redis), ("Slack", slack)) if was_asked)
    typer.echo(f"{asked} {'take' if redis and slack else 'takes'} the bot.")


def _check_numbers(file: Path | None) -> None:
    """Say what Prometheus has for the gates, with exit code 3 if it does not answer, or has nothing."""
    from bot.config.policy_file import read_policy
    from bot.service.checkup import numbers_of

    if file is None:
        raise _explained(["No policy file is set, so no Prometheus is named: set `ROLLOUTBOT_CONFIG`."], code=3)
    policy = read_policy(file, default_namespace=_home_namespace(), gates=policy_keys())
    try:
        typer.echo(numbers_of(policy.evidence, policy.namespaces, time.time()))
    except MetricsError as error:
        raise _explained([str(error)], code=3) from None


def _home_namespace() -> str:
    """Return the namespace that the bot watches if the policy names none: the kubeconfig's, or the pod's."""
    from k8s.connection import connect

    try:
        return connect().namespace
    except ClusterError:
        return "default"


def _check_cluster(file: Path | None) -> None:
    """Say what the cluster lacks, with exit code 1; 3 if it does not answer."""
    from bot.gates import quality, warm_up
    from bot.service.assembly import cluster_parts
    from bot.store.clock import SystemClock

    try:
        settings = read_as(ClusterSettings, os.environ).model_copy(update={"config": file})
        parts = cluster_parts(settings, SystemClock())
        makes_routes = any(map(parts.policy.waits_for, (warm_up.NAME, quality.NAME)))
        rights = parts.cluster.rights(makes_routes=makes_routes)
    except ConfigError as error:
        raise _explained(error.mistakes) from None
    except ClusterError as error:
        raise _explained([str(error)], code=3) from None
    if rights.missing:
        raise _explained(rights.missing, code=1)
    where = ", ".join(f"`{namespace}`" for namespace in rights.namespaces)
    typer.echo(f"{rights.account} has every right that the bot needs in {where}.")


add_verbs(app, EXECUTORS)
add_operations(app, EXECUTORS)


def _explained(mistakes: Iterable[str], code: int = 2) -> typer.Exit:
    for mistake in mistakes:
        typer.echo(Masked().mask(mistake), err=True)  # a token in the wrong place is a mistake that quotes it
    return typer.Exit(code)


if __name__ == "__main__":
    app()
