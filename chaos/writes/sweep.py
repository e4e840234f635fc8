"""Ends `deploy`, its cancellation and `clean` at each of their writes to the API server, Helm's among them.

The process is killed with Helm once the API server has taken the write, before anybody can know that, and another one
goes on from what Redis has. Then the same without a death, where the answer to one write is lost.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Final

from bot.domain.operation import Operation, OperationPhase
from bot.operations.deploy import GIVE_UP
from chaos.writes.fated import NEVER, Fated
from chaos.writes.inventory import Inventory, without_history
from chaos.writes.site import NEXT, Site, Sites
from sandbox.apiserver import api_server
from sandbox.dataplane.programs import programs
from sandbox.errors import SandboxError
from sandbox.fault_proxy import fault_proxy
from sandbox.faults import Fault
from sandbox.markdown import table
from sandbox.objects import picker_name
from sandbox.robot import robot
from sandbox.valkey import valkey
from sandbox.workplace import workplace
from sandbox.world import STABLE

FATES: Final[Mapping[Fault, str]] = {Fault.UNANSWERED: "killed after it", Fault.LOST: "its answer is lost"}
AT_ONCE: Final = 2
"""How many cases run side by side."""

INSTALLED, EXPLAINED = "installed", "failed, explained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How one operation ended; ``wrong`` says what must not be."""

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
        told = ", ".join(f"{sum(case.ended == how for case in self.cases)} {how}" for how in self.endings)
        wrong = sum(bool(case.wrong) for case in self.cases)
        return self.operation, str(len(self.cases)), FATES[self.fate], told, str(wrong)

    @property
    def endings(self) -> Sequence[str]:
        """Return how its cases ended."""
        return sorted({case.ended for case in self.cases})


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
            f"- `{row.operation}`, write {number}, {FATES[row.fate]}: {case.wrong}"
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
        kinds = [(name, fate) for name in PLAYS for fate in FATES]
        proxies = [stack.enter_context(fault_proxy(server)) for _ in kinds]
        sites = [Sites(server, kube, proxy, redis, programs(), place.folder) for proxy in proxies]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return WritesRun(list(pool.map(_row, sites, *zip(*kinds, strict=True))))


def _row(sites: Sites, operation: str, fate: Fault) -> Row:
    return Row(operation=operation, fate=fate, cases=list(_cases(sites, operation, fate)))


def _cases(sites: Sites, operation: str, fate: Fault) -> Iterator[Case]:
    """Play with a fate of the first write, of the second, and so on, until one run has no such write.

    That run has to end as if nothing could fail, so that no row ends early.
    """
    number = 0
    while True:
        fated = Fated(fate, spared=number)
        try:
            case = PLAYS[operation](sites, fated)
        except SandboxError as error:
            yield Case(ended="without end", wrong=str(error))
            return
        if not fated.met:
            if case.wrong or case.ended == EXPLAINED:
                yield Case(ended=case.ended, wrong=f"Nothing failed, and yet: {case.ended}. {case.wrong}")
            return
        yield case
        number += 1


def _deploy(sites: Sites, fated: Fated) -> Case:
    """Deploy; then take it back, so that nothing of a half-done deployment may be left."""
    site, before, mine = _deployment(sites)
    fated.rest = GIVE_UP
    end = fated.carry_out(site, mine)
    after = site.inventory()
    wrong = _changed(before, after)
    if end.phase is OperationPhase.RUNNING:
        ended, made = INSTALLED, {*after} - {*before}
        wrong += "" if {*without_history(made)} == MADE else f"{sorted(made)} was made. "
    else:
        ended, lost = EXPLAINED, fated.fate is Fault.LOST
        wrong += "" if lost and end.phase is OperationPhase.FAILED and end.why else f"It is {end.phase}: {end.why} "
    site.cancel(mine)
    back = Fated(fated.fate, spared=NEVER).carry_out(site, mine)
    return Case(ended=ended, wrong=(wrong + _not_taken_back(back, before, site)).strip())


def _cancel(sites: Sites, fated: Fated) -> Case:
    """Deploy, and take it back."""
    site, before, mine = _deployment(sites)
    begun = Fated(fated.fate, spared=NEVER).carry_out(site, mine)
    wrong = "" if begun.phase is OperationPhase.RUNNING else f"It was not installed: {begun.why} "
    site.cancel(mine)
    end = fated.carry_out(site, mine)
    return Case(ended=end.phase.value, wrong=(wrong + _not_taken_back(end, before, site)).strip())


def _clean(sites: Sites, fated: Fated) -> Case:
    """Finish a rollout, and delete the old pool with its picker and its model servers."""
    site = sites.new()
    site.roll_out()
    sites.install_old_pool(site)
    before = site.inventory()
    end = fated.carry_out(site, site.begin("clean", ""))
    after = site.inventory()
    gone = {*before} - {*after}
    named = {name for name in before if _is_of_old_pool(*name.split(" "))}
    kept = {name: said for name, said in before.items() if name not in gone and name in {*without_history(before)}}
    wrong = _changed(kept, after)
    wrong += "" if gone == named else f"Gone: {sorted(gone)}. "
    wrong += "" if end.phase is OperationPhase.DONE else f"It is {end.phase}: {end.why} "
    return Case(ended=end.phase.value, wrong=wrong.strip())


PLAYS: Final[dict[str, Callable[[Sites, Fated], Case]]] = {
    "deploy": _deploy,
    "deploy, cancelled": _cancel,
    "clean": _clean,
}

_EPP: Final = picker_name(NEXT)
MADE: Final = {
    *(f"{kind} {_EPP}" for kind in ("ServiceAccount", "ConfigMap", "Service", "Deployment")),
    *(f"{kind} {_EPP}-{part}" for kind in ("Role", "RoleBinding") for part in ("sa", "non-sa")),
    *(f"{kind} {NEXT}" for kind in ("InferencePool", "Deployment")),
}
"""What a deployment makes."""


def _deployment(sites: Sites) -> tuple[Site, Inventory, str]:
    """Return a site where a deployment has begun, what was there before, and the deployment's id."""
    site = sites.new()
    sites.install_old_pool(site)
    before = site.inventory()
    return site, before, site.begin("deploy", NEXT, **{"from": STABLE, "weight": "10"})


def _not_taken_back(operation: Operation, before: Inventory, site: Site) -> str:
    after = site.inventory()
    other = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if operation.phase is OperationPhase.CANCELLED and not other:
        return ""
    return f"Its cancellation is {operation.phase} ({operation.why}), and this is not as it was: {other}."


def _is_of_old_pool(kind: str, name: str) -> bool:
    """Say whether `clean` has to delete it. No controller runs here that would take the pods away."""
    return kind not in ("Pod", "Secret") and (name == STABLE or name.startswith(picker_name(STABLE)))


def _changed(before: Inventory, after: Inventory) -> str:
    """Say what was there before and is not the same now."""
    other = sorted(name for name, said in before.items() if after.get(name) != said)
    return f"{', '.join(other)} changed. " if other else ""
