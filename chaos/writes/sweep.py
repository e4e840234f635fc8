"""Ends `deploy`, its cancellation and `clean` at each of their writes to the API server, Helm's among them.

Between two writes nothing changes but what the process remembers, so a death before each write, and a death of the
next process after the last one, is a death at every line. The process is killed with Helm while the API server has not
taken the write; another one goes on. Then the same with no death, where the answer to one write is lost.
"""

import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.process import BaseProcess
from typing import Final

from bot.domain.operation import Operation, OperationPhase
from bot.operations.deploy import GIVE_UP
from chaos.writes.inventory import Inventory
from chaos.writes.site import NEXT, Site, Sites
from chaos.writes.worker import PROCESSES, is_through, work
from sandbox.apiserver import api_server
from sandbox.dataplane.programs import programs
from sandbox.errors import SandboxError
from sandbox.fault_proxy import fault_proxy
from sandbox.faults import Fault
from sandbox.markdown import table
from sandbox.objects import picker_name
from sandbox.process import wait_until
from sandbox.robot import robot
from sandbox.valkey import valkey
from sandbox.workplace import workplace
from sandbox.world import STABLE

WRITES: Final = "POST|PUT|PATCH|DELETE"
ONE_AFTER_THE_OTHER: Final = 6
"""So many processes may be needed for one operation."""

AT_ONCE: Final = 2
"""How many cases run side by side."""

PATIENCE: Final = 90.0
"""Seconds within which a process ends or reaches a write."""

NEVER: Final = 10**6
"""More writes than any operation needs."""

MADE: Final = 10
"""So many objects a deployment makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How one operation ended where one write met a fate; ``wrong`` says what must not be."""

    ended: str
    wrong: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All cases of one operation and one fate: one for each write."""

    operation: str
    fate: Fault
    cases: Sequence[Case]

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        fate = "killed before it" if self.fate is Fault.HUNG else "its answer is lost"
        ended = sorted({case.ended for case in self.cases})
        told = ", ".join(f"{sum(case.ended == how for case in self.cases)} {how}" for how in ended)
        return self.operation, str(len(self.cases)), fate, told, str(sum(bool(case.wrong) for case in self.cases))


@dataclass(frozen=True, slots=True)
class WritesRun:
    """What became of all cases."""

    rows: Sequence[Row]

    @property
    def is_good(self) -> bool:
        """Return whether nothing went wrong, and whether there was anything that could."""
        return all(row.cases and not any(case.wrong for case in row.cases) for row in self.rows)

    @property
    def section(self) -> str:
        """Return the run's part of docs/reliability.md."""
        head = ("operation", "writes", "what happens to one", "how the operation ends", "wrong")
        wrong = [
            f"- `{row.operation}`, write {number}: {case.wrong}"
            for row in self.rows
            for number, case in enumerate(row.cases, start=1)
            if case.wrong
        ]
        how = "each operation ends well" if self.is_good else "FAILED"
        said = f"Each write of `deploy` and `clean`, Helm's too, fails once: {how}."
        return "\n\n".join(["## Every write", said, table(head, [row.cells for row in self.rows]), *wrong])


def play_writes() -> WritesRun:
    """Run all cases."""
    with ExitStack() as stack:
        place = stack.enter_context(workplace(prefix="writes"))
        server = stack.enter_context(api_server(place))
        kube = stack.enter_context(closing(server.client()))
        stack.enter_context(robot(kube))
        redis = stack.enter_context(valkey(place))
        kinds = [(name, fate) for name in PLAYS for fate in (Fault.HUNG, Fault.LOST)]
        proxies = [stack.enter_context(fault_proxy(server)) for _ in kinds]
        sites = [Sites(server, kube, proxy, redis, programs(), place.folder) for proxy in proxies]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return WritesRun(list(pool.map(_row, sites, *zip(*kinds, strict=True))))


def _row(sites: Sites, operation: str, fate: Fault) -> Row:
    """Play with a fate of the first write, of the second, and so on, until there are no more."""
    cases = list[Case]()
    while (case := PLAYS[operation](sites, Fated(fate, len(cases)))) is not None:
        cases.append(case)
    return Row(operation=operation, fate=fate, cases=cases)


@dataclass
class Fated:
    """Carries an operation out where one write, after the ``spared`` ones, is not passed on, or not answered.

    ``rest`` passes before the next process goes on.
    """

    fate: Fault
    spared: int
    rest: timedelta = timedelta(0)
    met: bool = False

    def carry_out(self, site: Site, operation: str) -> Operation:
        """Let one process after the other work until the operation has no more effect."""
        path = f"/namespaces/{site.namespace}/"
        before = site.proxy.hits.total()
        site.proxy.inject(self.fate, method=WRITES, path=path, times=1, spared=self.spared)
        try:
            for _ in range(ONE_AFTER_THE_OTHER):
                self._process(site, operation, lambda: site.proxy.hits.total() > before)
                if is_through(found := site.operation(operation)):
                    return found
                site.clock.jump(self.rest)
        finally:
            self.met = site.proxy.hits.total() > before
            site.proxy.lift()
        raise SandboxError(f"{operation} does not end: {found}")

    def _process(self, site: Site, operation: str, is_hit: Callable[[], bool]) -> None:
        """Let a process work until it ends, or kill it and Helm at the write."""
        process = PROCESSES.Process(target=work, args=(site.environment, site.clock, operation))
        process.start()
        was_hit = is_hit()
        if self.fate is Fault.HUNG and not was_hit:
            wait_until("a write, or the end", lambda: is_hit() or not process.is_alive(), seconds=PATIENCE)
            if is_hit():
                os.killpg(_leader(process), signal.SIGKILL)
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            raise SandboxError(f"A process hangs in {operation}.")


def _leader(process: BaseProcess) -> int:
    assert process.pid is not None
    return process.pid


Play = Callable[[Sites, Fated], Case | None]


def _deploy(sites: Sites, fated: Fated) -> Case | None:
    """Deploy; then take it back, so that nothing of a half-done deployment may be left."""
    site = sites.new()
    sites.install_old_pool(site)
    before = site.inventory()
    mine = site.begin("deploy", NEXT, **{"from": STABLE, "weight": "10"})
    fated.rest = GIVE_UP
    end = fated.carry_out(site, mine)
    after = site.inventory()
    wrong = _changed(before, after)
    if end.phase is OperationPhase.RUNNING and len(after) - len(before) != MADE:
        wrong += f"{sorted({*after} - {*before})} is there. "
    ended = "installed" if end.phase is OperationPhase.RUNNING else f"{end.phase}, explained and taken back"
    if end.phase is OperationPhase.FAILED and not end.why:
        wrong += "Nobody says why it failed. "
    site.cancel(mine)
    back = Fated(fated.fate, spared=NEVER).carry_out(site, mine)
    if (back.phase, site.inventory()) != (OperationPhase.CANCELLED, before):
        wrong += f"Its cancellation left {sorted({*site.inventory()} - {*before})}. "
    return Case(ended=ended, wrong=wrong.strip()) if fated.met else None


def _cancel(sites: Sites, fated: Fated) -> Case | None:
    """Deploy, and take it back."""
    site = sites.new()
    sites.install_old_pool(site)
    before = site.inventory()
    mine = site.begin("deploy", NEXT, **{"from": STABLE, "weight": "10"})
    Fated(fated.fate, spared=NEVER).carry_out(site, mine)
    site.cancel(mine)
    end = fated.carry_out(site, mine)
    wrong = "" if site.inventory() == before else f"{sorted({*site.inventory()} ^ {*before})} is left or gone."
    return Case(ended=end.phase.value, wrong=wrong) if fated.met else None


def _clean(sites: Sites, fated: Fated) -> Case | None:
    """Finish a rollout, and delete the old pool with its picker and its model servers."""
    site = sites.new()
    site.roll_out()
    sites.install_old_pool(site)
    before = site.inventory()
    mine = site.begin("clean", "")
    end = fated.carry_out(site, mine)
    after = site.inventory()
    gone = {*before} - {*after}
    named = {name for name in before if _is_of_old_pool(*name.split(" "))}
    wrong = _changed({name: said for name, said in before.items() if name not in gone}, after)
    if gone != named:
        wrong += f"Gone: {sorted(gone)}. "
    if end.phase is not OperationPhase.DONE:
        wrong += f"It is {end.phase}: {end.why} "
    return Case(ended=end.phase.value, wrong=wrong.strip()) if fated.met else None


PLAYS: Final[dict[str, Play]] = {"deploy": _deploy, "deploy, cancelled": _cancel, "clean": _clean}


def _is_of_old_pool(kind: str, name: str) -> bool:
    """Say whether `clean` has to delete it. No controller runs here that would take the pods away."""
    return kind != "Pod" and (name == STABLE or name.startswith(picker_name(STABLE)))


def _changed(before: Inventory, after: Inventory) -> str:
    """Say what was there before and is not the same now."""
    other = sorted(name for name, said in before.items() if after.get(name) != said)
    return f"{', '.join(other)} changed. " if other else ""
