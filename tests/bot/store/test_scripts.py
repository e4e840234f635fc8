import re
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest
import redis
from hatchling.builders.wheel import WheelBuilder

from bot.store.scripts import source

ROOT = Path(__file__).parents[3]
LUA = ROOT / "bot/store/lua"
NAMES = sorted(path.stem for path in LUA.glob("*.lua"))


def test_a_script_has_what_its_first_line_needs_in_front_and_nothing_else() -> None:
    epoch, claim = ((LUA / name).read_text() for name in ("shared/epoch.lua", "claim.lua"))
    assert source("claim") == epoch + claim
    assert source("clean") == (LUA / "clean.lua").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_redis_takes_every_script(name: str, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert re.fullmatch("[0-9a-f]{40}", str(client.script_load(source(name))))


@pytest.mark.parametrize("name", NAMES)
def test_every_script_says_what_it_does_and_what_its_keys_and_arguments_are(name: str) -> None:
    lines = [line for line in (LUA / f"{name}.lua").read_text().splitlines() if not line.startswith("-- needs:")]
    about = list(lines[: next(at for at, line in enumerate(lines) if not line.startswith("--"))])
    assert re.match("-- [A-Z]", about[0])
    assert [line[:7] for line in about if re.match(r"-- (KEYS|ARGV)", line)][:2] == ["-- KEYS", "-- ARGV"]


@pytest.mark.parametrize("name", NAMES)
def test_every_script_takes_as_many_shared_functions_as_it_calls(name: str) -> None:
    shared = {path.stem: re.findall(r"^local function (\w+)", path.read_text(), re.M) for path in LUA.glob("shared/*")}
    text = (LUA / f"{name}.lua").read_text()
    called = {file for file, functions in shared.items() if any(f"{each}(" in text for each in functions)}
    needed = re.match(r"-- needs: (.*)\n", text)
    assert set(needed[1].split(", ") if needed else []) == called


def test_an_installed_bot_has_every_script(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".lua")}
    assert packed == {str(path.relative_to(ROOT)) for path in LUA.rglob("*.lua")}
    assert all((files("bot.store") / "lua" / f"{name}.lua").is_file() for name in NAMES)
