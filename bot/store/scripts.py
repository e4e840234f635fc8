"""The Lua scripts of lua/: each is one all-or-nothing change of what the bot remembers. Redis 6.2 commands only.

Every key begins with the prefix in KEYS[1]. A script that is sent twice after a lost reply does its work once.
A first line ``-- needs: epoch, mark`` puts the functions of lua/shared/epoch.lua and mark.lua in front.
"""

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import redis

if TYPE_CHECKING:
    from redis.commands.core import Script

_LUA: Final = files("bot.store") / "lua"
_NEEDS: Final = re.compile(r"-- needs: (.*)\n")


def script(client: "redis.Redis", name: str) -> "Script":
    """Return a script as a function that sends it."""
    return client.register_script(source(name))


def source(name: str) -> str:
    """Return the text of a script, with the functions that it needs."""
    text = (_LUA / f"{name}.lua").read_text(encoding="utf-8")
    needed = _NEEDS.match(text)
    shared = [_LUA / "shared" / f"{each}.lua" for each in needed[1].split(", ")] if needed else []
    return "".join([*(file.read_text(encoding="utf-8") for file in shared), text])
