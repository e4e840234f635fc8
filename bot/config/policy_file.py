"""The policy file. It reports all mistakes at once, a line each, with its place: ``policy.yaml:7: plan.steps: …``."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidationInfo, create_model, field_validator
from pydantic_core import ErrorDetails

from bot.config.mistakes import ConfigError, Place
from bot.config.policy import DEFAULT_PLAN, Policy
from bot.config.policy_sections import (
    AccessSection,
    ApprovalsSection,
    CleanSection,
    CompareSection,
    DeploySection,
    EvidenceSection,
    Install,
    MisplacedError,
    Namespace,
    PlanSection,
    Slash,
    TellSection,
    TerminalSection,
    TrySection,
    WarmUpSection,
)
from bot.config.policy_values import (
    Section,
    a_list,
    different,
    one_or_more,
)
from bot.config.yaml_lines import Lines, read_yaml
from bot.domain.access import Access
from bot.domain.commands.tokens import shown
from bot.domain.comparison import FEWEST_VOTES, CompareRules
from bot.domain.deployment import DeployRules
from bot.domain.evidence import EvidenceRules
from bot.domain.removal import CleanRules
from bot.domain.slips import likely_meant
from bot.domain.telling import Tell
from bot.domain.trial import TrialRules
from bot.domain.warm_up import WarmUpRules

Gates = Mapping[str, type[Section]]
"""The keys below ``gates``, and what each may say."""


class PolicyFile(Section):
    """The whole file; a new section or key is one line here."""

    namespaces: Annotated[tuple[Namespace, ...], a_list("[default]"), one_or_more, different] = ()
    plan: PlanSection = PlanSection()
    approvals: ApprovalsSection = ApprovalsSection()
    access: AccessSection = AccessSection()
    tell: TellSection = TellSection()
    trial: TrySection = Field(TrySection(), alias="try")
    compare: CompareSection = CompareSection()
    warm_up: WarmUpSection = WarmUpSection()
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
    needs = {"_have_what_they_need": field_validator("gates")(_have_what_they_need)}
    return create_model("PolicyFileWithGates", __base__=PolicyFile, __validators__=needs, gates=(section, section()))


def _have_what_they_need(gates: Section, info: ValidationInfo) -> Section:
    """Refuse a gate that has no numbers to judge, or asks people and has nothing to ask."""
    evidence, compare = info.data.get("evidence"), info.data.get("compare")
    for name in filter(gates.model_fields_set.__contains__, type(gates).model_fields):
        of = getattr(gates, name)
        if of.needs_prometheus and evidence is not None and not evidence.prometheus:
            raise MisplacedError(("gates", name), "needs numbers: say where Prometheus is with `evidence.prometheus`")
        if of.needs_prompts and compare is not None and not compare.prompts:
            raise MisplacedError(
                ("gates", name), "needs prompts that both pools answer: write some at `compare.prompts`"
            )
        if of.needs_prompts and compare is not None and compare.voters * len(compare.prompts) < FEWEST_VOTES:
            few = f"can be sure of nothing with fewer than {FEWEST_VOTES} votes: name more prompts, or more `voters`"
            raise MisplacedError(("gates", name), few)
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
        compare=CompareRules(**dict(said.compare)),
        warm_up=WarmUpRules(**dict(said.warm_up)),
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
