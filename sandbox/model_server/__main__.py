"""``python -m sandbox.model_server``: one model server, with the arguments that vLLM or SGLang takes."""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from aiohttp import web

from sandbox.model_server.api import ModelServer
from sandbox.model_server.behaviour import Behaviour
from sandbox.model_server.metrics import FRAMEWORKS

DRAIN_SECONDS = 60.0


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM, then let the requests that run come to their end."""
    options, _ = _parser().parse_known_args(arguments)
    time.sleep(options.load_seconds)
    served = options.served_model_name or options.model
    adapters = [module.partition("=")[0] for module in options.lora_modules]
    pod = os.environ.get("POD_NAME", "")
    server = ModelServer(served, adapters, FRAMEWORKS[options.framework], Behaviour(), pod=pod)
    web.run_app(
        server.app(),
        host=options.host,
        port=options.port,
        shutdown_timeout=DRAIN_SECONDS,
        access_log=None,
        handler_cancellation=True,
        print=None,
        reuse_address=True,
    )


def _parser() -> argparse.ArgumentParser:
    """Return a parser of the few arguments that matter here. There are many more, which are passed over."""
    parser = argparse.ArgumentParser(prog="sandbox.model_server", allow_abbrev=False)
    parser.add_argument("--framework", choices=sorted(FRAMEWORKS), default="vllm")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--model", "--model-path", required=True)
    parser.add_argument("--served-model-name")
    parser.add_argument("--lora-modules", "--lora-paths", nargs="*", default=[], help="NAME=PATH ...")
    parser.add_argument("--load-seconds", type=float, default=0.0, help="how long the model takes to load")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
