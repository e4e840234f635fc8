"""Roll out InferencePools from Slack, and from here when Slack is gone."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from bot.cli import EXIT_CODES, add_operations, add_verbs
from bot.config.settings import ConfigError, check, policy_file, read_settings
from bot.operations.registry import EXECUTORS
from bot.service.logs import Masked

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__, epilog=EXIT_CODES
)


@app.command()
def run() -> None:
    """GateAnswer Slack and roll out, until SIGTERM or Ctrl-C."""
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
    policy: Annotated[Path | None, typer.Argument(help="A policy file; else the one in ROLLOUTBOT_CONFIG.")] = None,
    only_policy: Annotated[
        bool, typer.Option("--policy-only", help="Leave the rest of the environment alone.")
    ] = False,
) -> None:
    """Explain every mistake in the environment and the policy file, with its line."""
    file = policy or policy_file(os.environ)
    mistakes = check(None if only_policy else os.environ, file)
    if mistakes:
        raise _explained(mistakes)
    environment = [] if only_policy else ["The environment is good."]
    about_policy = f"The policy file `{file}` is good." if file else "No policy file is named: the defaults hold."
    typer.echo(" ".join([*environment, about_policy]))


add_verbs(app)
add_operations(app, EXECUTORS)


def _explained(mistakes: Iterable[str]) -> typer.Exit:
    for mistake in mistakes:
        typer.echo(Masked().mask(mistake), err=True)  # a token in the wrong place is a mistake that quotes it
    return typer.Exit(2)


if __name__ == "__main__":
    app()
