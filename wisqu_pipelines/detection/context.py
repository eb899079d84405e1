"""What surrounds a row's texts: above all the account that it belongs to. It strengthens evidence, and makes none."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wisqu_pipelines.detection.evidence import Evidence, FieldKind
from wisqu_pipelines.detection.recogniser import CERTAIN, STRONG

GROUP = "context"
MINUTES_AFTER = timedelta(minutes=10)
"""How soon after its account an item must have been made for that to be company."""
EMPTY_FIELDS = 3
"""So many empty fields are company."""
ENOUGH = 0.15
"""The least score of a row's own texts that company adds to."""


@dataclass(frozen=True, slots=True)
class RowFacts:
    """A row as it is judged: its texts, and what is known around them."""

    item_type: str
    texts: Mapping[str, str | None]
    """By field."""
    kinds: Mapping[str, FieldKind]
    """By field; a field without one is judged by its shape."""
    row_created_at: datetime | None = None
    account_created_at: datetime | None = None
    """When the account was made that the row belongs to."""
    account_email: str | None = None
    is_test_account: bool = False
    """Whether the row is, or belongs to, an account that a developer made for tests."""
    owner_is_test_data: bool = False
    empty_fields: int = field(default=0)
    """How many of the row's fields that people fill are empty."""


def company(facts: RowFacts, score: float, judge_email: Callable[[str], float]) -> Iterator[Evidence]:
    """What the surroundings of a row add to the score of its texts.

    Args:
        facts: The row.
        score: What its texts come to.
        judge_email: The score of an e-mail address.
    """
    if facts.is_test_account and facts.item_type == "users":
        yield _evidence("test_account", "account", CERTAIN, "a developer made this account for tests")
        return
    has_words = any(facts.texts.values())
    if has_words and score < ENOUGH:
        return
    whole = not has_words  # a row without words has nothing else to go by
    if facts.is_test_account:
        yield _evidence("of_a_test_account", "account", STRONG if whole else 0.8, "it belongs to a test account")
    elif facts.owner_is_test_data:
        yield _evidence("of_test_data", "account", STRONG if whole else 0.6, "its account is marked as test data")
    elif facts.account_email and judge_email(facts.account_email) >= STRONG:
        words = "its account has the e-mail address of a tester"
        yield _evidence("of_a_tester", "account", STRONG if whole else 0.6, words, facts.account_email)
    if whole:
        return
    if facts.row_created_at and facts.account_created_at:
        after = facts.row_created_at - facts.account_created_at
        if timedelta(0) <= after <= MINUTES_AFTER:
            words = f"it was made within {MINUTES_AFTER.seconds // 60} minutes of its account"
            yield _evidence("with_the_account", "created_at", 0.3, words)
    if facts.empty_fields >= EMPTY_FIELDS:
        yield _evidence("empty_fields", "row", 0.2, f"{facts.empty_fields} of its fields are empty")


def _evidence(name: str, field_name: str, weight: float, explanation: str, found: str = "") -> Evidence:
    return Evidence(name, GROUP, field_name, weight, found, explanation)
