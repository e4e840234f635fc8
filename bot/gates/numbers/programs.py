"""A pool's programs as Prometheus shows them: model servers and the picker, each with the series that mean something.

A counter that begins again (a program was restarted) counts from zero. One that appears while its program was scraped
before begins at zero: a server shows no errors until the first.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.engine.metrics_port import Series
from bot.engine.route_port import PoolMembers
from bot.gates.numbers.names import PREFERRED, REPLICA, REQUESTS, SERVERS, Count, Level, Meaning, Time
from bot.gates.numbers.tally import EVER, Buckets, Streams

_NAME = "__name__"
_PATH = ("handler", "exported_endpoint", "endpoint")
"""Labels that may say what was asked: Prometheus' operator has an `endpoint` of its own, and renames SGLang's."""
_STATUS = ("status", "status_code")
_GENERATES = frozenset({"/v1/completions", "/v1/chat/completions", "/v1/responses", "/v1/messages"})
_BY_STATUS = {"2": Count.GOOD, "3": Count.GOOD, "4": Count.TURNED_AWAY, "5": Count.BROKEN}

Target = tuple[str, str]
"""What is scraped: a job and an instance. A pod, or a picker's Service, may have several."""


@dataclass(slots=True)
class Program:
    """What one pod or one picker shows. ``scraped``: when each target was scraped last, at each time of the span."""

    scraped: dict[Target, Mapping[float, float]] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)

    def saw(self, start: float, end: float) -> bool:
        return any(start in times and end in times for times in self.scraped.values())

    def of(self, names: Mapping[str, Meaning]) -> Mapping[Meaning, list[Series]]:
        """Return its series by what they mean; where two names mean the same, those of one name."""
        named: dict[Meaning, dict[str, list[Series]]] = defaultdict(lambda: defaultdict(list))
        for each in self.series:
            name = each.labels[_NAME]
            if (meaning := names.get(name)) is not None:
                named[meaning][name].append(each)
        return {meaning: found[min(found, key=_rank)] for meaning, found in named.items()}

    def growth(self, found: Iterable[Series], start: float, end: float) -> float:
        """Add up by how much counters grew. What was not scraped at both times is not known."""
        return sum(
            _growth(each, start, end)
            for each in found
            if (times := self.scraped.get(_target(each))) is not None and start in times and end in times
        )


@dataclass(frozen=True, slots=True)
class Programs:
    """The model servers of a pool, its picker, and the names of the pods that are ready."""

    servers: "Sequence[Server]"
    picker: Program
    ready: frozenset[str]

    @property
    def shown_names(self) -> frozenset[str]:
        """Return what its servers call what they show at all times: other engines, and other versions, say other."""
        return frozenset(name for server in self.servers for name in server.shows)


def programs_of(series: Sequence[Series], pool: PoolMembers) -> Programs:
    """Sort the series of a pool; its picker is known by its job or by its Service."""
    by_pod = _by("pod", series)
    servers = [Server(pod, _program(by_pod.get(pod, ()))) for pod in pool.pods]
    pickers = [_by(label, series).get(pool.picker, ()) if pool.picker else () for label in ("job", "service")]
    by_job, by_service = map(_program, pickers)
    ready = frozenset(each.partition("/")[0] for each in pool.ready)
    return Programs(servers, by_job if by_job.scraped else by_service, ready)


def _by(label: str, series: Iterable[Series]) -> Mapping[str, list[Series]]:
    found: dict[str, list[Series]] = defaultdict(list)
    for each in series:
        if label in each.labels:
            found[each.labels[label]].append(each)
    return found


def _program(series: Iterable[Series]) -> Program:
    """Sort a program's series. Of several replicas of Prometheus that scrape a target, that with most scrapes counts.

    A sharded Prometheus scrapes some targets of a pod with one replica, and some with another.
    """
    scrapes: dict[Target, dict[tuple[str, ...], int]] = defaultdict(lambda: defaultdict(int))
    for each in series:
        if _NAME not in each.labels:
            scrapes[_target(each)][_replica(each)] += len(each.values)
    chosen = {target: max(of, key=lambda each: (of[each], each)) for target, of in scrapes.items()}
    program = Program()
    for each in series:
        if _replica(each) != chosen.get(_target(each)):
            continue
        if _NAME in each.labels:
            program.series.append(each)
        else:
            program.scraped[_target(each)] = each.values
    return program


def _replica(series: Series) -> tuple[str, ...]:
    return tuple(series.labels.get(label, "") for label in REPLICA)


def _target(series: Series) -> Target:
    return series.labels.get("job", ""), series.labels.get("instance", "")


class Server:
    """A model server's series, sorted once for all the stretches. Of several jobs that scrape it, one counts."""

    def __init__(self, name: str, program: Program) -> None:
        scrapes: dict[str, int] = defaultdict(int)
        for (job, _), times in program.scraped.items():
            scrapes[job] += len(times)
        job = max(sorted(scrapes), key=lambda each: scrapes[each], default="")
        targets = {target: times for target, times in program.scraped.items() if target[0] == job}
        one = Program(targets, [each for each in program.series if each.labels.get("job", "") == job])
        by_meaning = one.of(SERVERS)
        self.name, self.saw, self.growth = name, one.saw, one.growth
        self.is_known, self.scraped = bool(program.scraped), [*targets.values()]
        self.counters: dict[Count, list[Series]] = defaultdict(list)
        for meaning, found in by_meaning.items():
            if isinstance(meaning, Count):
                self.counters[meaning] = found
        for each in one.series:
            if each.labels[_NAME] in REQUESTS and (status := _status(each)) is not None:
                self.counters[status].append(each)
        self.generated = [each for each in self.counters.get(Count.GOOD, ()) if _path(each) in _GENERATES]
        self.histograms = {
            meaning: _by_bound(found) for meaning, found in by_meaning.items() if isinstance(meaning, Time)
        }
        self.levels = {meaning: _whole(found) for meaning, found in by_meaning.items() if isinstance(meaning, Level)}
        shown = [*self.levels.values(), *(by_meaning[time] for time in self.histograms)]
        self.shows = frozenset(found[0].labels[_NAME] for found in shown)

    def was_scraped(self, start: float, end: float) -> bool:
        """Say whether it was scraped between the ends of a stretch."""
        return any(times[start] < times[end] for times in self.scraped if start in times and end in times)

    def times(self, start: float, end: float) -> Mapping[Time, Buckets]:
        """Return the histograms of a stretch."""
        return {
            time: {bound: self.growth(found, start, end) for bound, found in bounds.items()}
            for time, bounds in self.histograms.items()
        }

    def level(self, level: Level, at: float) -> float:
        """Return a level at one end of a stretch: of several engines the sum, and of their caches the mean."""
        values = [each.values[at] for each in self.levels.get(level, ()) if at in each.values]
        return sum(values) / (len(values) or 1) if level is Level.CACHE else sum(values)

    def engines(self, at: float) -> int:
        """Return how many engines take its requests at one end of a stretch, each with a queue."""
        return max(1, sum(at in each.values for each in self.levels.get(Level.WAITING, ())))

    def streams(self, times: Mapping[Time, Buckets], start: float, end: float) -> Streams | None:
        """Return the answers of a stretch; None if the server does not show how many run, begin and end."""
        first, whole = (times.get(time, {}).get(EVER) for time in (Time.FIRST_TOKEN, Time.WHOLE))
        if Level.RUNNING not in self.levels or first is None or whole is None:
            return None
        return Streams(
            unended=first - whole,
            before=self.level(Level.RUNNING, start),
            after=self.level(Level.RUNNING, end),
            answers=self.growth(self.generated, start, end) if self.generated else None,
            began=first,
            waiting=(self.level(Level.WAITING, start), self.level(Level.WAITING, end)),
        )


def _status(series: Series) -> Count | None:
    """Say how a request was answered; None if it was none for the model."""
    path = _path(series)
    is_asked = series.labels.get("method", "POST") == "POST" and path.startswith("/v1/")
    if not is_asked or path.endswith("_lora_adapter"):
        return None
    return _BY_STATUS.get(_first(series, _STATUS)[:1])


def _path(series: Series) -> str:
    return _first(series, _PATH)


def _first(series: Series, labels: Sequence[str]) -> str:
    return next((series.labels[label] for label in labels if label in series.labels), "")


def _whole(found: list[Series]) -> list[Series]:
    """Leave out the parts of a level by priority, where the whole is shown beside them (SGLang)."""
    return [each for each in found if not each.labels.get("priority")] or found


def _by_bound(found: Iterable[Series]) -> Mapping[float, list[Series]]:
    bounds: dict[float, list[Series]] = defaultdict(list)
    for each in found:
        bounds[float(each.labels["le"])].append(each)
    return bounds


def _growth(series: Series, start: float, end: float) -> float:
    before, after = series.values.get(start, 0.0), series.values.get(end, 0.0)
    return after - before if after >= before else after


def _rank(name: str) -> tuple[int, str]:
    """Order names that mean the same: the preferred ones first."""
    return next((rank for rank, each in enumerate(PREFERRED) if name.endswith(each)), len(PREFERRED)), name
