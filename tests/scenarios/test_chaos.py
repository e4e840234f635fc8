"""Everything fails at once, for some seconds; `make chaos` is the long version, with every kind of fault."""

from chaos.run import play
from chaos.schedule import short
from chaos.verdict import judge
from sandbox.apiserver import ApiServer
from sandbox.workplace import Workplace


def test_in_a_short_chaos_every_promise_is_kept_and_every_fault_hits_something(
    place: Workplace, api_server: ApiServer
) -> None:
    plan, folder = short(7, seconds=9), place.folder / "chaos"

    verdict = judge(play(plan, api_server), plan, folder)

    timelines = [file.read_text() for file in folder.glob("*")]
    assert [*verdict.broken, *verdict.unshown, *verdict.idle] == [], "\n\n".join([verdict.tables, *timelines])
