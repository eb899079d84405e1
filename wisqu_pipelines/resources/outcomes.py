"""How the project's errors end a run: with the same sentence as everywhere else, as refused or as failed."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterEventType, DagsterInstance, Failure

from wisqu_pipelines.errors import Refused, WisquError

OUTCOME_TAG = "wisqu/outcome"
"""The run's tag that says `refused` or `failed`."""
NONE_YET, DONE = "none yet", "done"
"""What it says of a run that was launched again after one that was refused or failed: it comes with that one's tags."""


@contextmanager
def told_as_outcome(instance: DagsterInstance, run_id: str) -> Iterator[None]:
    """End the step with the error's sentence; a rule that said no is tagged apart from what broke, and is not retried.

    Raises:
        Failure: the block raised one of the project's errors.
    """
    is_again = _has_anothers(instance, run_id)
    if is_again:
        instance.add_run_tags(run_id, {OUTCOME_TAG: NONE_YET})
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
    if is_again:
        instance.add_run_tags(run_id, {OUTCOME_TAG: DONE})


def _has_anothers(instance: DagsterInstance, run_id: str) -> bool:
    """Whether the run carries an outcome that none of its own steps has come to."""
    run = instance.get_run_by_id(run_id)
    if run is None or OUTCOME_TAG not in run.tags:
        return False
    return not instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE)
