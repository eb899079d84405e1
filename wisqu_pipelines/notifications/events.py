"""What people are told of, and in which words when the settings have no others."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from string import Template
from types import MappingProxyType

from wisqu_pipelines.errors import BadSettings
from wisqu_pipelines.settings import NotificationSettings


class Event(StrEnum):
    """Why a message is written."""

    RUN_FAILED = "run_failed"
    RUN_REFUSED = "run_refused"
    APPROVAL_WANTED = "approval_wanted"
    SWEEP_WANTED = "sweep_wanted"
    ERASURE_WANTED = "erasure_wanted"
    ACCOUNT_ENDS = "account_ends"
    AUDIT_BROKEN = "audit_broken"
    STALE = "stale"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Words:
    """A title and a body. `$name` stands for what the event says under that name."""

    title: str
    body: str

    def filled(self, values: Mapping[str, str]) -> "Words":
        """The words with their values."""
        return Words(Template(self.title).substitute(values), Template(self.body).substitute(values))


DEFAULT: Mapping[Event, Words] = MappingProxyType(
    {
        Event.RUN_FAILED: Words("$job failed", "$error\n\nThe run: $link"),
        Event.RUN_REFUSED: Words("$job was refused", "$error\n\nThe run: $link"),
        Event.APPROVAL_WANTED: Words(
            "A promotion waits for a yes into $target",
            "$person asks to promote $path: $reason\n\nItems: $items\n"
            "$link\nwisqu promote plan $promotion\nwisqu approvals grant $promotion",
        ),
        Event.SWEEP_WANTED: Words(
            "A sweep waits for a yes in $environment",
            "$person asks to hide rows in $environment, and to purge them when their grace time is over: $reason"
            "\n\nRows: $rows\n$link\nwisqu cleanup approve $id",
        ),
        Event.ERASURE_WANTED: Words(
            "An erasure waits for a yes in $environment",
            "$person asks to erase one person's data from $environment, which nothing gives back: $reason"
            "\n\n$link\nwisqu erasure approve $id",
        ),
        Event.ACCOUNT_ENDS: Words(
            "$account ends at $ends",
            "The test account $account in $environment is deleted at $ends, with everything that belongs to it.",
        ),
        Event.AUDIT_BROKEN: Words("The audit of $where does not hold", "$what\n\nwisqu audit verify $where"),
        Event.STALE: Words("$asset is old", "$asset was last read at $since, and ought to be read every $every."),
        Event.TEST: Words("A test", "This target works. $person sent this with 'wisqu notifications test'."),
    }
)
"""The names that they use are all that there are for the event."""


def words(settings: NotificationSettings) -> Mapping[Event, Words]:
    """The words for every event: the settings' own before the usual ones.

    Raises:
        BadSettings: the settings have words for no event, or name what an event does not say.
    """
    for known in (settings.templates, *(target.events for target in settings.targets.values())):
        for name in known:
            if name not in set(Event):
                raise BadSettings(message=f"notifications: there is no event {name}, only {', '.join(Event)}")
    chosen = dict(DEFAULT)
    for name, template in settings.templates.items():
        event = Event(name)
        usual, own = DEFAULT[event], Words(template.title, template.body)
        if unknown := _names(own) - _names(usual):
            known_names = ", ".join(sorted(_names(usual)))
            raise BadSettings(
                message=f"notifications: the template of {event} names {', '.join(sorted(unknown))}; "
                f"there are {known_names}"
            )
        chosen[event] = own
    return chosen


def _names(words: Words) -> set[str]:
    for text in (words.title, words.body):
        if not Template(text).is_valid():
            raise BadSettings(message=f"notifications: {text!r} is no template: a $ that stands for itself is $$")
    return {*Template(words.title).get_identifiers(), *Template(words.body).get_identifiers()}
