"""Arguments and options that several commands share, and how a command reaches the services."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from wisqu_pipelines import settings
from wisqu_pipelines.errors import printable
from wisqu_pipelines.identity import people

if TYPE_CHECKING:
    from wisqu_pipelines.bootstrap import Services

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Person = Annotated[
    str | None,
    typer.Option("--as", "--user-id", metavar="PERSON", envvar="WISQU_AS", help="Who does it: e-mail address or id."),
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
    """The id of the person that `--as` names.

    Raises:
        UnknownPerson: there is no such active person.
    """
    if person is None:
        return None
    with opened.control.begin() as session:
        return people.find(session, person).id


def required_person(opened: "Services", person: str | None) -> UUID:
    """The id of the person that `--as` names; a command that decides something cannot do without.

    Raises:
        typer.BadParameter: there is none.
        UnknownPerson: there is no such active person.
    """
    found = person_id(opened, person)
    if found is None:
        raise typer.BadParameter("say who does it: --as PERSON, or WISQU_AS in the environment")
    return found
