"""`wisqu detect …`: what looks like test data and why, what people say of it, and what they teach."""

from typing import Annotated, Any
from uuid import UUID

import typer

from wisqu_pipelines.cli.options import AsJson, Person, Reason, parse_id, required_person, services
from wisqu_pipelines.cli.output import OUT, cell, print_done, print_json, table
from wisqu_pipelines.detection.evidence import Evidence, FieldKind, Verdict
from wisqu_pipelines.detection.teaching import Rule
from wisqu_pipelines.figures import counted

app = typer.Typer(help="Find test data, decide on it, and teach what it looks like.", no_args_is_help=True)

Env = Annotated[str | None, typer.Option("--env", help="Whose thresholds. By default the first configured.")]
EnvArgument = Annotated[str, typer.Argument(metavar="ENV", help="The environment.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]
SHOWN = 25


def _rule_id(text: str) -> UUID:
    return parse_id(text, "'wisqu detect patterns' and 'wisqu detect exceptions' show the rules with theirs")


def _item_id(text: str) -> UUID:
    return parse_id(text, "'wisqu detect review ENV' shows the items with theirs")


RuleId = Annotated[
    UUID,
    typer.Argument(
        metavar="RULE_ID", parser=_rule_id, help="As 'wisqu detect patterns' and 'wisqu detect exceptions' show it."
    ),
]
Item = Annotated[UUID | None, typer.Argument(metavar="ITEM_ID", parser=_item_id, help="Decide on this one.")]


@app.command()
def text(
    words: Annotated[str, typer.Argument(metavar="TEXT", help="What to judge; - reads it from standard input.")],
    kind: Annotated[
        FieldKind | None, typer.Option(help="What kind of text it is. By default what it looks like.")
    ] = None,
    env: Env = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a text looks like test data, and what speaks for and against it."""
    if words == "-":
        words = typer.get_text_stream("stdin").read()
    with services() as opened:
        name = env or next(iter(opened.environments))
        verdict = opened.detection(name).judge().judge(words, kind)
        limits = opened.settings.environment(name).test_data
    if as_json:
        print_json(_told(verdict))
        return
    OUT.print(f"[bold]{verdict.decision}[/] with a score of {verdict.score:.2f}", highlight=False)
    OUT.print(
        f"In {name} a person is asked from {limits.review:g} on, and test data is marked from {limits.mark:g} on."
    )
    _show(verdict.evidence)


@app.command()
def review(
    env: EnvArgument,
    item_id: Item = None,
    test: Annotated[bool, typer.Option("--test", help="It is test data.")] = False,
    real: Annotated[bool, typer.Option("--real", help="It is not.")] = False,
    person: Person = None,
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = SHOWN,
    as_json: AsJson = False,
) -> None:
    """List what waits for a person, or (with an id and --test or --real) say what an item is."""
    if item_id is not None:
        if test == real:
            raise typer.BadParameter("say what it is: --test or --real")
        with services() as opened:
            who = required_person(opened, person)
            opened.detection(env).decide(item_id, is_test_data=test, person=who, reason=reason)
        if as_json:
            print_done("decided", environment=env, item_id=item_id, is_test_data=test)
            return
        OUT.print(f"{item_id} in {env} is {'test data' if test else 'real'} now; no scan says anything else of it.")
        return
    if test or real:
        raise typer.BadParameter("name the item: wisqu detect review ENV ITEM_ID --test")
    with services() as opened:
        waiting, total = opened.detection(env).waiting(limit)
    if as_json:
        print_json({"total": total, "items": waiting})
        return
    rows = [[each.item_id, each.item_type, each.label, f"{each.score:.2f}", each.reason] for each in waiting]
    OUT.print(table(f"Waiting in {env}", ("!item", "type", "label", "#score", "why"), rows))
    if total > len(waiting):
        OUT.print(f"… and {total - len(waiting)} more; --limit shows more of them")
    if waiting:
        OUT.print(f"To decide: wisqu detect review {env} ITEM_ID --test (or --real) --as PERSON")


@app.command()
def patterns(
    add: Annotated[str | None, typer.Option("--add", metavar="PATTERN", help="RE2, over normalised text.")] = None,
    reason: Reason = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """List the organisation's own patterns, or add one."""
    with services() as opened:
        if add is not None:
            rule = opened.teaching.add_pattern(add, required_person(opened, person), reason or "")
            _show_added(rule, as_json=as_json)
            return
        _list("Patterns", opened.teaching.patterns(), as_json=as_json)


@app.command()
def exceptions(
    add: Annotated[str | None, typer.Option("--add", metavar="TEXT", help="A text that is real here.")] = None,
    pattern: Annotated[bool, typer.Option("--pattern", help="TEXT is a pattern (RE2), not a whole text.")] = False,
    reason: Reason = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """List what is real here whatever it looks like, or add to it."""
    with services() as opened:
        if add is not None:
            who = required_person(opened, person)
            rule = opened.teaching.add_exception(add, who, reason or "", is_pattern=pattern)
            _show_added(rule, as_json=as_json)
            return
        _list("Exceptions", opened.teaching.exceptions(), as_json=as_json)


@app.command()
def remove(rule_id: RuleId, reason: Why, person: Person = None, as_json: AsJson = False) -> None:
    """Take a pattern or an exception away."""
    with services() as opened:
        opened.teaching.remove(rule_id, required_person(opened, person), reason)
    if as_json:
        print_done("removed", rule_id=rule_id)
        return
    OUT.print(f"{rule_id} is removed.")


@app.command()
def proposals(
    accept: Annotated[str | None, typer.Option("--accept", metavar="PATTERN", help="Make it a pattern.")] = None,
    refuse: Annotated[str | None, typer.Option("--refuse", metavar="PATTERN", help="Never propose it again.")] = None,
    reason: Reason = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """List the patterns that people's marks suggest, or decide on one."""
    if accept is not None and refuse is not None:
        raise typer.BadParameter("--accept or --refuse, not both")
    with services() as opened:
        pattern = accept if accept is not None else refuse
        if pattern is not None:
            who = required_person(opened, person)
            opened.teaching.decide(pattern, who, reason or "", is_accepted=accept is not None)
            if as_json:
                print_done("accepted" if accept is not None else "refused", pattern=pattern)
                return
            OUT.print(f"{'Accepted' if accept is not None else 'Refused'}: {pattern}", markup=False)
            return
        found = opened.teaching.proposals()
    if as_json:
        print_json(found)
    else:
        rows = [[each.pattern, each.sentence, ", ".join(each.examples)] for each in found]
        OUT.print(table("Proposals", ("!pattern", "why", "examples"), rows))


@app.command()
def learn(person: Person = None, as_json: AsJson = False) -> None:
    """Learn from people's marks. What was learnt counts only if it loses no precision on the marks held out."""
    with services() as opened:
        lesson = opened.lessons.learn(required_person(opened, person))
    if as_json:
        print_json(lesson)
        return
    OUT.print(lesson.sentence, markup=False)
    if lesson.proposed:
        OUT.print(f"Newly proposed: {counted(lesson.proposed, 'pattern')}. To decide: wisqu detect proposals")


@app.command()
def models(
    use: Annotated[str | None, typer.Option("--use", metavar="VERSION", help="Let this one have a say.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Let none have a say.")] = False,
    reason: Reason = None,
    person: Person = None,
    as_json: AsJson = False,
) -> None:
    """List what was learnt until now, go back to an earlier version, or switch it off."""
    with services() as opened:
        if use is not None or off:
            opened.lessons.use(None if off else use, required_person(opened, person), reason or "")
            if as_json:
                print_done("switched off" if off else "used", version=None if off else use)
                return
            OUT.print("No model has a say now." if off else f"{use} has a say now.", markup=False)
            return
        found = opened.lessons.models()
    if as_json:
        print_json(found)
        return
    rows = [
        [each.version, "yes" if each.is_used else "", f"{each.trained_at:%Y-%m-%d %H:%M}", each.sentence]
        for each in found
    ]
    OUT.print(table("Models", ("!version", "used", "trained (UTC)", "evaluation"), rows))


def _show_added(rule: UUID, *, as_json: bool) -> None:
    if as_json:
        print_done("added", rule_id=rule)
        return
    OUT.print(f"Added as {rule}. The next scans read everything again with it.")


def _list(title: str, rules: list[Rule], *, as_json: bool) -> None:
    if as_json:
        print_json(rules)
        return
    rows = [
        [each.rule_id, each.phrase, "pattern" if each.is_pattern else "text", each.reason, each.given_by]
        for each in rules
    ]
    OUT.print(table(title, ("!id", "what", "is a", "reason", "given by"), rows))


def _show(evidence: tuple[Evidence, ...]) -> None:
    if evidence:
        rows: list[list[Any]] = [
            [f"{each.weight:+.2f}", f"{each.group}/{each.recogniser}", each.field, cell(each.found), each.explanation]
            for each in sorted(evidence, key=lambda each: -abs(each.weight))
        ]
        OUT.print(table("What speaks for it (+) and against it (-)", ("#weight", "what", "in", "found", "why"), rows))


def _told(verdict: Verdict) -> dict[str, Any]:
    return {
        "decision": verdict.decision,
        "score": verdict.score,
        "reason": verdict.reason,
        "evidence": verdict.evidence,
    }
