"""The policy file. It reports all mistakes at once, a line each, with its place: ``policy.yaml:7: plan.steps: …``."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError, ValidationInfo, create_model, field_validator, model_validator
from pydantic_core import ErrorDetails

from bot.config.mistakes import ConfigError, Place
from bot.config.policy import DEFAULT_PLAN, INSTALL, NO_INSTALL, Policy
from bot.config.policy_values import (
    Duration,
    Flag,
    Percent,
    Section,
    a_list,
    a_mapping,
    different,
    one_or_more,
    one_word_of,
    rising,
    text,
    whole_number,
)
from bot.config.yaml_lines import Lines, read_yaml
from bot.domain.access import Access
from bot.domain.commands.tokens import shown
from bot.domain.deployment import DeployRules
from bot.domain.evidence import EvidenceRules, Idle
from bot.domain.removal import CleanRules
from bot.domain.slips import likely_meant
from bot.domain.telling import Audience, Tell
from bot.domain.trial import TrialRules

_NO_USER: Final = (
    "is not the id of a Slack user; copy it from the person's profile (Copy member ID), it looks like `U012AB3CD`"
)
Namespace = Annotated[
    str, text(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "is not a namespace's name; see `kubectl get namespaces`")
]
User = Annotated[str, text(r"[UW][A-Z0-9]{4,20}", _NO_USER)]
Users = Annotated[tuple[User, ...], a_list("[U012AB3CD]"), different]
UnixUser = Annotated[str, text(r"[A-Za-z_][A-Za-z0-9_.@-]{0,31}", "is not the name of a Unix user; see `id -un`")]
Slash = Annotated[
    str,
    text(
        r"/[a-z0-9][a-z0-9_-]{0,30}",
        "is not a slash command; write it like `/rollout`, in lower case, at most 32 characters",
    ),
]

_HEADER: Final = (
    r"(?i)(?!(?:host|content-length|content-type|transfer-encoding|connection|x-rollout-try)$)[a-z0-9-]{1,100}"
)
HeaderName = Annotated[str, text(_HEADER, "is not the name of a header that you may set; write it like `x-team`")]
HeaderValue = Annotated[str, text(r"[ -~]{1,1000}", "is not the value of a header")]
ChartName = Annotated[str, text(r"[a-zA-Z0-9][\w.-]{0,200}", "is not the name of a chart")]
Chart = Annotated[
    str,
    text(r"(?!-)[\w./:@+-]{1,500}", "is not where a chart is; write it like `oci://registry.example.com/charts/NAME`"),
]
ValueKey = Annotated[
    str,
    text(
        r"[\w\\/-]+(\.[\w\\/-]+)*(\.\*)?",
        "is not a value's key; write it like `inferenceExtension.image.tag` or `a.b.*`",
    ),
]
Install = Annotated[str, text(INSTALL.pattern, NO_INSTALL)]

Heard = Annotated[Audience, one_word_of(Audience)]
USUAL: Final = Tell()
TRIAL: Final = TrialRules()
NUMBERS: Final = EvidenceRules()

Gates = Mapping[str, type[Section]]
"""The keys below ``gates``, and what each may say."""


class PlanSection(Section):
    """The names are those of ``Plan``; the aliases are the keys in the file."""

    steps: Annotated[tuple[Percent, ...], a_list("[10, 25, 50, 100]"), one_or_more, rising] = ()
    interval: Duration = Field(DEFAULT_PLAN.interval, alias="every")
    bake: Duration = DEFAULT_PLAN.bake


class ApprovalsSection(Section):
    """The names are those of ``Plan``."""

    approve_at: Annotated[tuple[Percent, ...], a_list("[50, 100]"), rising] = Field((), alias="at")
    approvals: Annotated[int, whole_number(20)] = Field(1, alias="needed")
    requester_may_approve: Flag = False


class AccessSection(Section):
    """The names are those of ``Access``."""

    start: Users = ()
    run: Users = ()
    approve: Users = ()
    rollback: Users = ()


class TellSection(Section):
    """The names are those of ``Tell``."""

    approvals: Heard = USUAL.approvals
    stops: Heard = USUAL.stops
    trouble: Heard = USUAL.trouble
    brakes: Heard = USUAL.brakes
    reminders: Heard = USUAL.reminders
    done: Heard = USUAL.done
    steps: Heard = USUAL.steps


class TrySection(Section):
    """The names are those of ``TrialRules``."""

    path: Annotated[str, text(r"/[!\"$-;=@-~]{0,500}", "is not a path; write it like `/v1/completions`")] = TRIAL.path
    model: Annotated[str, text(r"[\w./:@+ -]{1,200}", "is not the name of a model; see `GET /v1/models`")] = ""
    prompt: Annotated[str, text(r"(?s).{1,2000}", "is not a prompt of at most 2,000 characters")] = TRIAL.prompt
    tokens: Annotated[int, whole_number(1000)] = TRIAL.tokens
    headers: Annotated[dict[HeaderName, HeaderValue], a_mapping("{x-team: search}")] = {}  # noqa: RUF012
    requests: Annotated[int, whole_number(1000)] = TRIAL.requests
    most: Annotated[int, whole_number(1000)] = TRIAL.most
    rate: Annotated[int, whole_number(100)] = TRIAL.rate
    timeout: Duration = TRIAL.timeout
    after_steps: Flag = False


class DeploySection(Section):
    """The names are those of ``DeployRules``; the alias is the key in the file."""

    charts: Annotated[
        dict[ChartName, Chart], a_mapping("{inferencepool: oci://registry.example.com/charts/inferencepool}")
    ] = {}  # noqa: RUF012
    settable: Annotated[tuple[ValueKey, ...], a_list("[inferenceExtension.image.tag]"), different] = Field(
        (), alias="keys"
    )
    approval: Flag = True
    model_servers: Annotated[
        str, text(r"[-a-z0-9.]{0,200}\{pool\}[-a-z0-9.]{0,200}", "needs the pool's name in it, like `{pool}-servers`")
    ] = ""


class CleanSection(Section):
    """The names are those of ``CleanRules``."""

    allowed: Flag = False
    model_servers: Flag = False
    drained_for: Duration = CleanRules().drained_for
    keep_for: Duration | None = None


class EvidenceSection(Section):
    """The names are those of ``EvidenceRules``."""

    prometheus: Annotated[
        str,
        text(
            r"https?://[\w.:\[\]-]{1,250}(/[\w./~-]{0,250})?",
            "is not where a Prometheus is; write it like `http://prometheus.monitoring:9090`",
        ),
    ] = ""
    token_file: Annotated[str, text(r"/.{1,500}", "is not the path of a file; begin it with `/`")] = ""
    ca_file: Annotated[str, text(r"/.{1,500}", "is not the path of a file; begin it with `/`")] = ""
    window: Duration = NUMBERS.window
    settle: Duration = NUMBERS.settle
    forgives: Duration = NUMBERS.forgives
    requests: Annotated[int, whole_number(100000)] = NUMBERS.requests
    idle: Annotated[Idle, one_word_of(Idle)] = NUMBERS.idle

    @model_validator(mode="after")
    def _can_last(self) -> "EvidenceSection":
        if self.forgives >= self.window / 2:
            raise MisplacedError(("forgives",), "must be less than half of `window`: nothing would ever last longer")
        return self


class TerminalSection(Section):
    """What only terminals need."""

    users: Annotated[dict[UnixUser, User], a_mapping("{alice: U012AB3CD}")] = {}  # noqa: RUF012 (pydantic copies it)


class PolicyFile(Section):
    """The whole file; a new section or key is one line here."""

    namespaces: Annotated[tuple[Namespace, ...], a_list("[default]"), one_or_more, different] = ()
    plan: PlanSection = PlanSection()
    approvals: ApprovalsSection = ApprovalsSection()
    access: AccessSection = AccessSection()
    tell: TellSection = TellSection()
    trial: TrySection = Field(TrySection(), alias="try")
    deploy: DeploySection = DeploySection()
    clean: CleanSection = CleanSection()
    evidence: EvidenceSection = EvidenceSection()
    command: Slash = "/rollout"
    install: Install = ""
    terminal: TerminalSection = TerminalSection()

    @field_validator("access")
    @classmethod
    def _are_enough(cls, access: AccessSection, info: ValidationInfo) -> AccessSection:
        needed, approvers = info.data.get("approvals", ApprovalsSection()), len(access.approve)
        if access.approve and "approvals" in needed.model_fields_set and approvers < needed.approvals:
            few = f"asks for {needed.approvals} approvals, but access.approve names only {approvers} users"
            raise MisplacedError(("approvals", "needed"), few)
        return access


class MisplacedError(ValueError):
    """A mistake that is found in one place and shown in another."""

    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


def read_policy(path: Path, *, default_namespace: str, gates: Gates = MappingProxyType({})) -> Policy:
    """Read a policy file, with a section ``gates`` if there are any. Raises ConfigError with every mistake."""
    document, lines = read_yaml(path)
    model = _with_gates(gates) if gates else PolicyFile
    found = [(line, (place, "is there twice; leave one of them out")) for place, line in lines.twice]
    try:
        said = model.model_validate(document)
    except ValidationError as error:
        found += [_mistake(model, each, lines) for each in error.errors(include_url=False)]
    if found:
        in_order = sorted(found, key=lambda mistake: mistake[0])
        raise ConfigError([_sentence(path, line, *mistake) for line, mistake in in_order])
    return _policy(said, default_namespace)


def _with_gates(gates: Gates) -> type[PolicyFile]:
    """Return a file with one more section, which has a key for each gate."""
    keys: dict[str, Any] = {name: (model, None) for name, model in gates.items()}
    section = create_model("GatesSection", __base__=Section, **keys)
    needs = {"_have_numbers": field_validator("gates")(_have_numbers)}
    return create_model("PolicyFileWithGates", __base__=PolicyFile, __validators__=needs, gates=(section, section()))


def _have_numbers(gates: Section, info: ValidationInfo) -> Section:
    """Refuse a gate that has no numbers to judge."""
    evidence = info.data.get("evidence")
    if evidence is not None and not evidence.prometheus:
        for name in filter(gates.model_fields_set.__contains__, type(gates).model_fields):
            if getattr(gates, name).needs_prometheus:
                raise MisplacedError(
                    ("gates", name), "needs numbers: say where Prometheus is with `evidence.prometheus`"
                )
    return gates


def _policy(said: PolicyFile, default_namespace: str) -> Policy:
    plan = replace(
        DEFAULT_PLAN, **said.plan.model_dump(exclude_unset=True), **said.approvals.model_dump(exclude_unset=True)
    )
    plan = replace(plan, keep=said.clean.keep_for if said.clean.allowed else None)
    gates = getattr(said, "gates", None)
    return Policy(
        namespaces=said.namespaces or (default_namespace,),
        plan=plan if 100 in plan.steps else replace(plan, steps=(*plan.steps, 100)),
        access=Access(**{name: frozenset(users) for name, users in said.access}),
        tell=Tell(**dict(said.tell)),
        trial=TrialRules(**dict(said.trial)),
        deploy=DeployRules(**dict(said.deploy)),
        clean=CleanRules(**dict(said.clean)),
        evidence=EvidenceRules(**dict(said.evidence)),
        command=said.command,
        install=said.install,
        unix_users=said.terminal.users,
        gates={name: getattr(gates, name) for name in gates.model_fields_set} if gates else {},
        from_file=True,
    )


# --- mistakes


def _mistake(model: type[Section], error: ErrorDetails, lines: Lines) -> tuple[int, tuple[Place, str]]:
    """Return the line of a mistake, where it is, and what is wrong there."""
    place = error["loc"]
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, MisplacedError):
        return lines.values[cause.place], (cause.place, str(cause))
    if error["type"] == "extra_forbidden":
        return lines.keys[place], (place[:-1], _unknown(_section(model, place[:-1]), str(place[-1])))
    if error["type"] == "missing":
        return lines.values[place[:-1]], (place[:-1], f"`{place[-1]}` is missing; add it")
    if place[-1:] == ("[key]",):
        return lines.keys[place[:-1]], (place[:-2], str(cause))
    return lines.values[place], (place, str(cause or f"is not valid: {error['msg']}"))


def _section(model: type[Section], place: Place) -> type[Section]:
    for key in place:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        annotation: Any = fields[str(key)].annotation
        model = annotation
    return model


def _unknown(section: type[Section], name: str) -> str:
    near = likely_meant(name, (field.alias or key for key, field in section.model_fields.items()))
    hint = f"did you mean `{near[0]}`?" if near else f"the keys here are {section.known()}"
    return f"{shown(name) if name else 'an empty text'} is not a key; {hint}"


def _sentence(path: Path, line: int, place: Place, wrong: str) -> str:
    keys = ".".join(key for key in place if isinstance(key, str))
    return f"{path}:{line}: {keys + ': ' if keys else ''}{wrong}{'' if wrong.endswith('?') else '.'}"
