"""The home tab: what rolls out now, and how to begin."""

from bot.domain.prose import Channel, Code, Prose, say
from bot.domain.rollout import Entry
from bot.domain.sentences.where_it_stands import headword
from handlers.blocks import header, section
from handlers.cards import route
from handlers.views.view import Drawn, HomeTab, Opening

MOST = 20


def _draw(opening: Opening) -> Drawn:
    entries = opening.rollouts.entries()
    lines = [_line(entry) for entry in entries[:MOST]] or [say("No rollout is under way.")]
    more = [say("… and {} more.", len(entries) - MOST)] if len(entries) > MOST else []
    told = [section(f"home:{at}", line) for at, line in enumerate([*lines, *more])]
    return {"blocks": [header("home:title", "Rollouts"), *told, section("home:begin", _begin(opening))]}


def _line(entry: Entry) -> Prose:
    rollout = entry.rollout
    where = Channel(rollout.channel) if rollout.channel.strip() else say("no channel")
    return say("`{}`  {}  ·  {}  ·  {}", rollout.canary.name, headword(entry), route(rollout), where)


def _begin(opening: Opening) -> Prose:
    start, help_ = Code(f"{opening.command} start POOL WEIGHT"), Code(f"{opening.command} help")
    return say("To begin one, type {} in a channel that I am in. {} lists everything.", start, help_)


RUNNING = HomeTab(callback_id="running", draw=_draw)
