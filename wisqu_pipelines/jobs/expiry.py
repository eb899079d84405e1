"""The job that ends developers' test accounts whose time is over."""

from dagster import MetadataValue, Nothing, OpExecutionContext, Out, Output, job, op

from wisqu_pipelines.assets.tags import HOUR, MAX_RUNTIME
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource

POOL = "test_accounts"


@op(out={"gone": Out(Nothing)}, pool=POOL)
def expire_test_accounts(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
    """Delete what has expired, in every environment; one that does not answer does not keep the others waiting."""
    gone: dict[str, int] = {}
    warned = 0
    with told_as_outcome(context.instance, context.run_id):
        troubles: list[Exception] = []
        for environment in wisqu.services.settings.environments:
            try:
                removed = wisqu.services.test_accounts(environment).expire()
                warned += len(wisqu.services.warn_developers(environment))
            except Exception as error:
                context.log.warning("%s: %s", environment, error)
                troubles.append(error)
                continue
            gone[environment] = len(removed)
            for each in removed:
                what = (environment, each.email, each.rows, each.files, each.points)
                context.log.info("%s: %s is gone, with %d rows, %d files, %d vectors", *what)
        if troubles:
            raise troubles[0]
    counts = {**gone, "developers warned": warned}
    return Output(None, metadata={name: MetadataValue.int(count) for name, count in counts.items()})


@job(
    name="test_account_expiry",
    tags={MAX_RUNTIME: str(HOUR)},
    description="Delete the developers' test accounts whose time is over, with their sessions, rows, files and "
    "vectors, and tell the developers of those that end soon. The audit stays. Running it again changes nothing.",
)
def test_account_expiry() -> None:
    """What the hourly schedule runs."""
    expire_test_accounts()
