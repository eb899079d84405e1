"""Arguments and options that several commands share, and how a command reaches the services."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias, Union
from uuid import UUID

import typer

from wisqu_pipelines import settings
from wisqu_pipelines.cli import credentials
from wisqu_pipelines.cli.remote.services import RemoteServices
from wisqu_pipelines.errors import NotLoggedIn, NotThroughServer, TokenRefused, printable
from wisqu_pipelines.identity import demo_people, people

if TYPE_CHECKING:
    from wisqu_pipelines.bootstrap import Services
    from wisqu_pipelines.identity.service import Identity

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables and sentences.")]
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


EnvironmentName = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="The environment's name, such as stage.")]
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The person's e-mail address.")]
ItemId = Annotated[
    UUID,
    typer.Argument(metavar="ITEM_ID", parser=_parse_item_id, help="The row's id in the environment that it is in."),
]
SomeItems = Annotated[
    list[UUID],
    typer.Argument(metavar="ITEM_ID", parser=_parse_item_id, help="As 'wisqu promote items MODEL' shows them."),
]
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


_LOGIN = "everybody else acts with a login: 'wisqu login EMAIL'"
Doors: TypeAlias = Union["Services", RemoteServices]
"""What commands call that work on the stores themselves as well as through a server."""


@contextmanager
def services() -> Iterator["Services"]:
    """The services, by the settings of this process, for commands that work on the stores themselves.

    Raises:
        NotThroughServer: whoever runs this is logged in at a server.
    """
    if (address := credentials.server()) is not None:
        raise NotThroughServer(server=address)
    with _local() as opened:
        yield opened


@contextmanager
def _local() -> Iterator["Services"]:
    from wisqu_pipelines.bootstrap import open_services  # noqa: PLC0415 - seconds to import, and --help does without

    with open_services(settings.load()) as opened:
        yield opened


@contextmanager
def doors(address: str | None = None, *, is_local: bool = False) -> Iterator[Doors]:
    """The services: those behind a server's API where somebody is logged in at one, or where one is named."""
    address = None if is_local else address or credentials.server()
    if address is None:
        with _local() as opened:
            yield opened
        return
    from wisqu_pipelines.cli.remote.server import Server  # noqa: PLC0415 - only who needs it waits for it

    with closing(Server(address)) as server:
        yield RemoteServices(server)


def promotion_page(opened: Doors, promotion: UUID) -> str:
    """The page on which people decide on a promotion."""
    address = opened.server.address if isinstance(opened, RemoteServices) else opened.settings.api_url
    return settings.decision_url(address, "promotions", promotion)


def person_id(opened: Doors, person: str | None) -> UUID | None:
    """Who does it: whoever is logged in here, or one of the embedded stack's demo people that `--as` names.

    Returns:
        Their id; None on the embedded stack, where it may be left open.

    Raises:
        NotLoggedIn: nobody is logged in on stores of one's own, `--as` names somebody who is no demo person or is given
            at a server, or what is kept of a login cannot be used.
        UnknownPerson: there is no such active person.
    """
    if isinstance(opened, RemoteServices):
        if person is not None:
            raise NotLoggedIn(message=f"--as is for the demo people of the embedded stack; at a server {_LOGIN}.")
        return opened.who.user_id
    embedded = opened.settings.stack.embedded
    if person is None:
        if embedded and not credentials.is_kept(opened.settings.identity.issuer):
            return None
        return identity(opened).user_id
    with opened.control.begin() as session:
        found = people.find(session, person)
    if not (embedded and demo_people.is_one(found)):
        message = f"--as is for the demo people of the embedded stack, who have no passwords; {_LOGIN}."
        raise NotLoggedIn(message=message)
    return found.id


def required_person(opened: Doors, person: str | None) -> UUID:
    """The same, for a command that decides something and cannot leave it open.

    Raises:
        NotLoggedIn, UnknownPerson: as above; or nobody is logged in and `--as` names nobody.
    """
    found = person_id(opened, person)
    if found is None:
        message = "Nobody is logged in here; do so with 'wisqu login EMAIL', or act as a demo person: --as PERSON."
        raise NotLoggedIn(message=message)
    return found


def identity(opened: Doors) -> "Identity":
    """Who is logged in here.

    Raises:
        NotLoggedIn: nobody is, or not any more.
    """
    if isinstance(opened, RemoteServices):
        return opened.who
    issuer = opened.settings.identity.issuer
    try:
        kept = credentials.usable(issuer, opened.clock.now(), opened.identity.refresh)
        return opened.identity.authenticate(kept.access_token)
    except TokenRefused as error:
        message = f"The login at {issuer} is over ({error.details['reason']}); {credentials.AGAIN}."
        raise NotLoggedIn(message=message) from None
