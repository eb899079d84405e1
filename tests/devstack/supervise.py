"""A supervisor of the stores alone, as a program: `wisqu up --no-dagster` without what it sets up in the stores."""

from wisqu_pipelines.devstack import declaration
from wisqu_pipelines.devstack.supervisor import Supervisor
from wisqu_pipelines.errors import WisquError

if __name__ == "__main__":
    supervisor = Supervisor(
        declaration.read(), with_dagster=False, durable=False, announce=lambda message: print(message, flush=True)
    )
    try:
        supervisor.run(lambda: None)
    except WisquError as error:
        raise SystemExit(f"failed: {error}") from error
