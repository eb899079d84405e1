"""How the project's errors end a run: with the same sentence as everywhere else, as refused or as failed."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterInstance, Failure

from wisqu_pipelines.errors import Refused, WisquError

OUTCOME_TAG = "wisqu/outcome"
"""The run's tag that says `refused` or `failed`."""


@contextmanager
def told_as_outcome(instance: DagsterInstance, run_id: str) -> Iterator[None]:
    """End the step with the error's sentence; a rule that said no is tagged apart from what broke, and is not retried.

    Raises:
        Failure: the block raised one of the project's errors.
    """
    try:
        yield
    except WisquError as error:
        outcome = "refused" if isinstance(error, Refused) else "failed"
        instance.add_run_tags(run_id, {OUTCOME_TAG: outcome})
        raise Failure(
            description=str(error),
            metadata={"outcome": outcome, "error": error.code},
            allow_retries=outcome == "failed",
        ) from error
