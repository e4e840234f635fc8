"""``python -m sandbox.load``: users of a gateway, until SIGTERM; then the last answers are waited for."""

import argparse
import asyncio
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from sandbox.load.ledger import Record, line_of
from sandbox.load.users import Users


def main(arguments: Sequence[str]) -> None:
    """Write the ledger to a file, line by line."""
    options = _parser().parse_args(arguments)
    with options.ledger.open("a", buffering=1) as file:
        asyncio.run(_run(options, file))


async def _run(options: argparse.Namespace, file: TextIO) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    def record(one: Record) -> None:
        file.write(line_of(one))

    users = Users(
        url=options.url,
        model=options.model,
        adapter=options.adapter,
        record=record,
        chance=random.Random(options.seed),
        host=options.host,
        only=options.only,
    )
    await users.ask_at(options.rate, options.streams, stopping)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandbox.load", description=__doc__)
    parser.add_argument("--url", required=True, help="where the gateway answers")
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=10.0, help="requests a second")
    parser.add_argument("--streams", type=int, default=0, help="long streams at any time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--host", default="", help="the host name that they ask for")
    parser.add_argument("--only", default="", help="the one kind of requests that they send")
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter", required=True)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
