"""Arguments and options that several commands share, and how a command reaches the services."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from wisqu_pipelines import settings
from wisqu_pipelines.identity import people

if TYPE_CHECKING:
    from wisqu_pipelines.bootstrap import Services

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Person = Annotated[
    str | None,
    typer.Option("--as", "--user-id", metavar="PERSON", envvar="WISQU_AS", help="Who does it: e-mail address or id."),
]
Reason = Annotated[str | None, typer.Option("--reason", help="What for; kept in the audit.")]
ItemIds = Annotated[
    list[UUID] | None, typer.Option("--item-ids", metavar="ID", help="Only this item; give it again for more.")
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="stored_files, rag_documents, user_storage_quotas.")]
PromotionId = Annotated[UUID, typer.Argument(metavar="PROMOTION_ID", help="As 'wisqu promote preview' told it.")]


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
