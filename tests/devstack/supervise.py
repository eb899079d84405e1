"""A supervisor of the stores alone, as a program: `wisqu up --no-dagster` without what it sets up in the stores."""

import random
from dataclasses import replace

from wisqu_pipelines.devstack import declaration, ports
from wisqu_pipelines.devstack.supervisor import Supervisor
from wisqu_pipelines.errors import WisquError

if __name__ == "__main__":
    # Each wishes for ports of its own: the usual ones would be taken by another stack while this one is down.
    chance = random.SystemRandom()
    declared = replace(declaration.read(), dagster_port=chance.choice(ports.RANGE), api_port=chance.choice(ports.RANGE))
    supervisor = Supervisor(
        declared, with_dagster=False, durable=False, announce=lambda message: print(message, flush=True)
    )
    try:
        supervisor.run(lambda: None)
    except WisquError as error:
        raise SystemExit(f"failed: {error}") from error
