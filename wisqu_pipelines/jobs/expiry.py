"""The job that ends developers' test accounts whose time is over."""

from dagster import Field, MetadataValue, Nothing, OpExecutionContext, Out, Output, job, op

from wisqu_pipelines.assets.tags import HOUR, MAX_RUNTIME
from wisqu_pipelines.figures import counted
from wisqu_pipelines.resources.outcomes import told_as_outcome
from wisqu_pipelines.resources.wisqu import WisquResource

POOL = "test_accounts"


@op(
    config_schema={"dry_run": Field(bool, default_value=True, description="Only say which would be deleted.")},
    out={"gone": Out(Nothing)},
    pool=POOL,
)
def expire_test_accounts(context: OpExecutionContext, wisqu: WisquResource) -> Output[None]:
    """Delete what has expired, in every environment; one that does not answer does not keep the others waiting. A dry
    run deletes nothing, and warns nobody.
    """
    dry_run: bool = context.op_config["dry_run"]
    gone: dict[str, int] = {}
    warned = 0
    with told_as_outcome(context.instance, context.run_id):
        troubles: list[Exception] = []
        for environment in wisqu.services.settings.environments:
            try:
                if dry_run:
                    over = wisqu.services.test_accounts(environment).over()
                    gone[environment] = len(over)
                    for each in over:
                        context.log.info("%s: %s would go", environment, each.email)
                    continue
                removed = wisqu.services.test_accounts(environment).expire()
                warned += len(wisqu.services.warn_developers(environment))
            except Exception as error:
                context.log.warning("%s: %s", environment, error)
                troubles.append(error)
                continue
            gone[environment] = len(removed)
            for account in removed:
                had = (("row", account.rows), ("file", account.files), ("vector", account.points))
                what = ", ".join(counted(count, each) for each, count in had)
                context.log.info("%s: %s is gone, with %s", environment, account.email, what)
        if troubles:
            raise troubles[0]
    counts = {**gone, "developers warned": warned}
    told = {name: MetadataValue.int(count) for name, count in counts.items()}
    return Output(None, metadata={**told, "dry run": MetadataValue.bool(dry_run)})


@job(
    name="test_account_expiry",
    config={"ops": {"expire_test_accounts": {"config": {"dry_run": True}}}},
    tags={MAX_RUNTIME: str(HOUR)},
    description="Delete the developers' test accounts whose time is over, with their sessions, rows, files and "
    "vectors, and tell the developers of those that end soon. The audit stays. It begins as a dry run: set dry_run to "
    "false to delete.",
)
def test_account_expiry() -> None:
    """What the hourly schedule runs."""
    expire_test_accounts()
