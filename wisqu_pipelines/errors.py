"""Every error this project raises on purpose: one root, two outcomes, one sentence each.

*Refused* means a rule said no and nothing was changed; *failed* means something broke. The two differ in exit code,
and in the outcome Dagster records. A class's docstring is its message: the same sentence reaches a service's caller,
the CLI and a Dagster run. Text that came from outside is made printable before it is put into a message.
"""

import inspect
import string
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

SHOWN_CHARACTERS = 120
"""Longest piece of foreign text that a message repeats, in characters."""
COMPOSED = {"message", "reason", "cause", "changes", "findings", "found", "wanted", "allowed", "outcome"}
"""Details that are sentences of our own, with foreign text already cut inside them."""
COMPOSED_CHARACTERS = 2_000


def printable(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """Make foreign text safe to show: escape control, format and bidirectional characters, and cut it at `limit`."""
    shown = "".join(_shown(character) for character in text[:limit])
    return shown if len(text) <= limit else f"{shown}… ({len(text)} characters)"


def _shown(character: str) -> str:
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} and character != "\u200c"
    return character.encode("unicode_escape").decode("ascii") if hidden else character


class _Message(string.Formatter):
    """Formats a class's docstring with printable values only."""

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        value = super().get_value(key, args, kwargs)
        limit = COMPOSED_CHARACTERS if key in COMPOSED else SHOWN_CHARACTERS
        if isinstance(value, str):
            return printable(value, limit)
        if isinstance(value, list | tuple | set | frozenset):
            return ", ".join(printable(str(each)) for each in value)
        return value


class WisquError(Exception):
    """{message}"""

    exit_code: ClassVar[int] = 1

    def __init__(self, **details: Any) -> None:
        """Fill the class's docstring with `details`, which stay readable on the error."""
        self.details = details
        template = inspect.cleandoc(type(self).__doc__ or "").replace("\n", " ")
        super().__init__(_Message().format(template, **details))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.details)

    @property
    def code(self) -> str:
        """The error's stable name, for `--json` output and metadata: the class's name."""
        return type(self).__name__


def _rebuild(kind: type[WisquError], details: dict[str, Any]) -> WisquError:
    return kind(**details)


class Refused(WisquError):
    """{message}"""

    exit_code = 2


class Failed(WisquError):
    """{message}"""

    exit_code = 1


# Settings and environments


class BadSettings(Refused):
    """The settings are not usable: {message}"""


class UnknownEnvironment(Refused):
    """There is no environment '{name}'; the configured ones are {known}."""


class PathRefused(Refused):
    """Nothing is promoted from {source} to {target}; the allowed paths are {allowed}."""


class WrongStore(Refused):
    """The {store} in the settings of '{environment}' is not its own: {found}. Check the settings of that store; nothing
    was read or changed.
    """


class StoreNotSetUp(Refused):
    """The {store} of '{environment}' carries no marker yet. Run 'wisqu env init {environment}' if it is new; if it is
    not, its address in the settings is wrong.
    """


class StoreOverwrites(Refused):
    """The {store} of '{environment}' overwrites an object although it is told not to (If-None-Match: *). Nothing may be
    overwritten here: take an S3 server that heeds conditions on writes, and a bucket without versioning.
    """


class SchemaDiffers(Refused):
    """The {database} stands at {found} of its schema, and this version of wisqu_pipelines works with {wanted}. If it is
    older, 'wisqu env init' with the owners' accounts upgrades it; if it is newer, it takes a newer version.
    """


class CannotAdopt(Refused):
    """The table {table}, which is older than the first migration, cannot be taken over: {reason}."""


# Stores


class StoreUnavailable(Failed):
    """The {store} does not answer ({operation}): {cause}. Nothing is lost; try again when it is back."""


class StoreDenied(Failed):
    """The {store} refused these credentials ({operation}): {cause}."""


class StoreFailed(Failed):
    """The {store} failed ({operation}): {cause}."""


class ObjectExists(Failed):
    """There is an object '{key}' in bucket '{bucket}' already, and objects are never overwritten."""


class ObjectMissing(Failed):
    """There is no object '{key}' in bucket '{bucket}'."""


class BucketMissing(ObjectMissing):
    """There is no bucket '{bucket}'."""


class ObjectChanged(Failed):
    """The object '{key}' in bucket '{bucket}' is not the version that was asked for."""


class CollectionMissing(Failed):
    """There is no vector collection '{collection}'."""


class CollectionMismatch(Refused):
    """The vector collection '{collection}' has {found}, and {wanted} is needed."""


# Catalog


class UnknownType(Refused):
    """There is no item type '{name}'; the known ones are {known}."""


class CiRefused(Refused):
    """CI's result is not taken: {reason}."""


class CiResultNotFound(Refused):
    """There is no result of CI with the delivery id {delivery_id}."""


class UnknownTarget(Refused):
    """There is no notification target '{name}'; the settings have: {known}."""


class UnknownMetric(Refused):
    """There is no metric '{name}'; the known ones are {known}."""


class ItemNotFound(Refused):
    """There is no {item_id} among the {type} of {environment}."""


class ItemRefused(Refused):
    """The {type} {item_id} in {environment} cannot be {act}: {reason}."""


class BadInput(Refused):
    """{what} is not usable: {reason}."""


# The command line


class OutputFailed(Failed):
    """Standard output cannot be written: {cause}. What the command had done by then stays done; look before you ask
    again.
    """


# A server's API, as the command line calls it


class ServerRefused(Refused):
    """{message}"""


class ServerFailed(Failed):
    """{message}"""


class ServerUnavailable(Failed):
    """The server {server} does not answer: {cause}. What was asked may have been done; look before you ask again."""


class ServerUnreachable(ServerUnavailable):
    """The server {server} cannot be reached: {cause}. Nothing was asked of it."""


class NotThroughServer(Refused):
    """This works on the stores themselves, and you are logged in at {server}. Run it where the stores are, or set
    WISQU_SERVER to nothing for this command.
    """


# Identity


class UnknownPerson(Refused):
    """There is no active person '{person}'."""


class TokenRefused(Refused):
    """The token is not valid: {reason}."""


class TokenMissing(Refused):
    """No token was sent. Send the access token of POST /v1/login in the header 'Authorization: Bearer TOKEN'."""


class LoginFailed(Refused):
    """The e-mail address or the password is wrong, or the account is closed."""


class PasswordRefused(Refused):
    """That is not your present password, so it was not changed."""


class ExternalLoginFailed(Refused):
    """The login through {provider} failed: {reason}."""


class NoSuchProvider(Refused):
    """No other identity provider is configured here: people log in with their passwords."""


class LoginThrottled(Refused):
    """There were too many attempts to log in. The next one counts in {seconds} s."""


class NotLoggedIn(Refused):
    """{message}"""


class PersonExists(Refused):
    """There is a person with the address '{email}' already."""


class HoldNotFound(Refused):
    """There is no hold {hold_id} in {environment}; 'wisqu hold list {environment}' shows those that there are."""


class HoldOver(Refused):
    """The hold {hold_id} in {environment} was released already."""


class SweepNotFound(Refused):
    """There is no sweep {sweep_id} in {environment}; 'wisqu cleanup list' shows those that there are."""


class SweepRefused(Refused):
    """The sweep {sweep_id} cannot be {act}: {reason}."""


class ErasureNotFound(Refused):
    """There is no erasure {erasure_id}; 'wisqu erasure list' shows those that there are."""


class ErasureRefused(Refused):
    """{what} cannot be {act}: {reason}."""


class RestoreNotFound(Refused):
    """There is no restore {restore_id}; 'wisqu audit restores' shows those that there are."""


class RestoreRefused(Refused):
    """A restore of {database} cannot be {act}: {reason}."""


class CapReached(Refused):
    """The sweep of {environment} would hide more than its cap allows, so nothing was hidden: {reason}. If that is
    meant, say so with --force and a reason.
    """


class GrantNotFound(Refused):
    """There is no request for access {grant_id}; 'wisqu access list' shows those that there are."""


class GrantRefused(Refused):
    """The request for access {grant_id} cannot be {act}: {reason}."""


class NotPermitted(Refused):
    """{person} may not {act} in {environment}: {reason}."""


# Entering an environment


class EntryRefused(Refused):
    """{person} is not let in, with a valid token: {reason}."""


class FeedStale(Failed):
    """What the identity service says of '{environment}' is not known, or older than {seconds} s: {reason}. Nobody is
    let in, as their access may have been taken from them meanwhile.
    """


# Test accounts


class AccountNotFound(Refused):
    """There is no test account {account_id} of yours in {environment}; 'wisqu accounts list {environment}' shows those
    that there are.
    """


class TooManyAccounts(Refused):
    """{person} has {most} live test accounts in {environment}, and that is the most: delete one first."""


# Promotion


class PromotionNotFound(Refused):
    """There is no promotion {promotion_id}; 'wisqu promote list' shows those that there are."""


class PromotionRefused(Refused):
    """The promotion {promotion_id} cannot be {act}: {reason}."""


class PromotionCancelled(Refused):
    """The promotion {promotion_id} was cancelled by {person} before it happened: {reason}. Nothing became visible in
    {environment}, and it will not be executed any more.
    """


class PathClosed(Refused):
    """{message}"""


class PathFrozen(PathClosed):
    """The promotion {promotion_id} is not executed now: {path} is frozen until {until} ({reason}; freeze {freeze_id}).
    It waits. To let it go before that, two people say so with 'wisqu freeze override {promotion_id} --as PERSON
    --reason WHY'.{said} A rollback is never frozen.
    """


class PathHeld(PathClosed):
    """The promotion {promotion_id} is not executed now: {path} is held since the promotion {holding_id} did not pass
    its verification ({reason}). It waits. When that is looked at, 'wisqu freeze release "{path}" --as PERSON --reason
    WHY' opens the path. A rollback is never held.
    """


class FreezeNotFound(Refused):
    """There is no freeze {freeze_id}; 'wisqu freeze list' shows those that there are."""


class FreezeRefused(Refused):
    """The freeze {freeze_id} cannot be {act}: {reason}."""


class ClaimLost(Refused):
    """This run no longer holds the promotion {promotion_id}: the run {run_id} has taken it over. It stopped and changed
    nothing more.
    """


class PlanStale(Refused):
    """The plan of promotion {promotion_id} no longer describes what stands there, so it was not executed:
    {changes}. Make a new preview and have it approved.
    """


class PromotionFailed(Failed):
    """The promotion {promotion_id} failed while it was to {step}: {cause}. Nothing became visible in {environment}."""


class ItemFailed(Failed):
    """The {type} '{label}' ({item_id}) could not be {act}: {reason}."""


class VerificationFailed(Failed):
    """The promotion {promotion_id} did not pass its verification in {environment}, and {outcome}: {findings}. Nothing
    more goes along its path until a person releases it.
    """


class RollbackRefused(Refused):
    """The promotion {promotion_id} cannot be rolled back: {reason}."""


# Detection


class RuleNotFound(Refused):
    """There is no pattern, exception or proposal '{rule_id}' in force; 'wisqu detect patterns', 'wisqu detect
    exceptions' and 'wisqu detect proposals' show those that there are.
    """


# Storage audit


class ClocksDisagree(Refused):
    """The clocks of this machine and of the database {database} are {seconds} s apart; beyond {limit} s nothing is
    removed, as nobody can tell how old anything is. Set the clocks.
    """


# Embedded stack


class StackFailed(Failed):
    """The embedded stack could not {act}: {cause}."""


class StackAlreadyUp(Refused):
    """The embedded stack in {directory} is up already (process {process}); 'wisqu down' ends it."""


# API


class PreconditionFailed(Refused):
    """The {what} was changed since it was read: read it again, and send its new ETag as If-Match."""


class TooLarge(Refused):
    """The request is too large: {reason}."""
