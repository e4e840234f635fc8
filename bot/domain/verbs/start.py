"""`start`: move traffic to a new pool, step by step. What it decides is in bot/domain/decisions/start.py."""

from datetime import timedelta

from bot.domain.access import AccessList
from bot.domain.commands.request import START as NAME
from bot.domain.verbs.declaration import Kind, Verb

START = Verb(
    name=NAME,
    kind=Kind.START,
    help="move traffic to a new pool, step by step; the first weight in percent",
    usage="POOL WEIGHT",
    options=(
        "[from=POOL route=NAME namespace=NAME rule=NAME mirror=10 steps=10,25,50,100 every=10m bake=30m "
        'approve=50,100|all|none reason="…"]'
    ),
    own_keys=("weight", "from", "route", "namespace", "rule", "mirror", "steps", "every", "bake", "approve"),
    instead_of=("begin", "create", "deploy", "new"),
    access=AccessList.START,
    late_after=timedelta(seconds=60),
)
