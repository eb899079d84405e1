"""Arguments and options that several commands share, and how a command reaches the services."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from wisqu_pipelines import settings
from wisqu_pipelines.cli import credentials
from wisqu_pipelines.errors import NotLoggedIn, printable
from wisqu_pipelines.identity import demo_people, people

if TYPE_CHECKING:
    from wisqu_pipelines.bootstrap import Services

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Person = Annotated[
    str | None,
    typer.Option(
        "--as",
        "--user-id",
        metavar="PERSON",
        envvar="WISQU_AS",
        help="Which demo person of the embedded stack does it.",
    ),
]
Reason = Annotated[str | None, typer.Option("--reason", help="What for; kept in the audit.")]


def parse_promotion_id(text: str) -> UUID:
    """A promotion's id, as a person wrote it.

    Raises:
        typer.BadParameter: it is none.
    """
    return parse_id(text, "'wisqu promote list' shows the promotions with theirs")


def _parse_item_id(text: str) -> UUID:
    return parse_id(text, "'wisqu promote items MODEL' shows the items with theirs")


def _parse_freeze_id(text: str) -> UUID:
    return parse_id(text, "'wisqu freeze list' shows the freezes with theirs")


def parse_id(text: str, shown_by: str) -> UUID:
    """An id, as a person wrote it.

    Args:
        text: What was written.
        shown_by: Where ids of that kind are to be seen, as the end of a sentence.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(f"'{printable(text)}' is no id; {shown_by}.") from None


ItemId = Annotated[
    UUID,
    typer.Argument(metavar="ITEM_ID", parser=_parse_item_id, help="The row's id in the environment that it is in."),
]
SomeItems = Annotated[list[UUID], typer.Argument(metavar="ITEM_ID", parser=_parse_item_id)]
ItemIds = Annotated[
    list[UUID] | None,
    typer.Option("--item-ids", metavar="ID", parser=_parse_item_id, help="Only this item; give it again for more."),
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="stored_files, rag_documents, user_storage_quotas.")]
PromotionId = Annotated[
    UUID, typer.Argument(metavar="PROMOTION_ID", parser=parse_promotion_id, help="As 'wisqu promote preview' told it.")
]
EarlierPromotion = Annotated[
    UUID | None,
    typer.Option(
        "--against", metavar="PROMOTION_ID", parser=parse_promotion_id, help="Say how it differs from an earlier plan."
    ),
]
FreezeId = Annotated[
    UUID, typer.Argument(metavar="FREEZE_ID", parser=_parse_freeze_id, help="As 'wisqu freeze list' shows it.")
]


@contextmanager
def services() -> Iterator["Services"]:
    """The services, by the settings of this process."""
    from wisqu_pipelines.bootstrap import open_services  # noqa: PLC0415 - seconds to import, and --help does without

    with open_services(settings.load()) as opened:
        yield opened


def person_id(opened: "Services", person: str | None) -> UUID | None:
    """Who does it: whoever is logged in here, or one of the embedded stack's demo people that `--as` names.

    Returns:
        Their id; None on the embedded stack, where it may be left open.

    Raises:
        NotLoggedIn: nobody is logged in on stores of one's own, `--as` names somebody who is no demo person, or what
            is kept of a login cannot be used.
        UnknownPerson: there is no such active person.
    """
    embedded = opened.settings.stack.embedded
    if person is None:
        if embedded and not credentials.is_kept(opened):
            return None
        return credentials.identity(opened).user_id
    with opened.control.begin() as session:
        found = people.find(session, person)
    if not (embedded and demo_people.is_one(found)):
        message = (
            "--as is for the demo people of the embedded stack, who have no passwords; everybody else acts with a "
            "login: 'wisqu login EMAIL'."
        )
        raise NotLoggedIn(message=message)
    return found.id


def required_person(opened: "Services", person: str | None) -> UUID:
    """The same, for a command that decides something and cannot leave it open.

    Raises:
        NotLoggedIn, UnknownPerson: as above; or nobody is logged in and `--as` names nobody.
    """
    found = person_id(opened, person)
    if found is None:
        message = "Nobody is logged in here; do so with 'wisqu login EMAIL', or act as a demo person: --as PERSON."
        raise NotLoggedIn(message=message)
    return found
