"""Launching and watching runs through Dagster's own API, as its UI does."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError
from requests.exceptions import RequestException

from wisqu_pipelines.errors import StackFailed

LOCATION = "wisqu_pipelines"
"""The code location's name in workspace.yaml."""
POLL_SECONDS = 0.5
FINISHED = {"SUCCESS", "FAILURE", "CANCELED"}
_RUNS = """
query Runs($filter: RunsFilter!) {
  runsOrError(filter: $filter, limit: 1) { ... on Runs { results { runId status tags { key value } } } }
}
"""


class DagsterRuns:
    """The runs of one Dagster instance."""

    def __init__(self, port: int) -> None:
        """Talk to the webserver on that port of this machine."""
        self._client = DagsterGraphQLClient("127.0.0.1", port_number=port)

    def launch(self, job: str, config: Mapping[str, Any]) -> str:
        """Launch a job with a run config, as its launchpad would; returns the run's id.

        Raises:
            StackFailed: Dagster refuses or does not answer.
        """
        try:
            return self._client.submit_job_execution(
                job, repository_location_name=LOCATION, run_config=dict(config), tags={"wisqu/demo": "true"}
            )
        except (DagsterGraphQLClientError, RequestException) as error:
            raise StackFailed(act=f"launch the Dagster job {job}", cause=str(error)) from error

    def succeed(self, run_id: str, timeout: float = 120.0) -> dict[str, str]:
        """Wait for the run's good end; returns its tags.

        Raises:
            StackFailed: it ended otherwise, or not in time.
        """
        act = f"see the run {run_id} succeed"
        status = self._until(lambda: self._finished(run_id), act, timeout)
        if status != "SUCCESS":
            raise StackFailed(act=act, cause=f"it ended as {status}; its page in the Dagster UI says why")
        return {tag["key"]: tag["value"] for tag in self._runs({"runIds": [run_id]})[0]["tags"]}

    def wait_for_run_of(self, job: str, tags: Mapping[str, str], timeout: float = 120.0) -> str:
        """The id of the run of a job with these tags that somebody else launches: a sensor.

        Raises:
            StackFailed: there is none in time.
        """
        wanted = {"pipelineName": job, "tags": [{"key": key, "value": value} for key, value in tags.items()]}
        return self._until(lambda: self._find(wanted), f"see the sensor launch {job}", timeout)

    def _finished(self, run_id: str) -> str | None:
        status = self._client.get_run_status(run_id).value
        return status if status in FINISHED else None

    def _find(self, wanted: Mapping[str, Any]) -> str | None:
        found = self._runs(wanted)
        return str(found[0]["runId"]) if found else None

    def _runs(self, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        answer = self._client._execute(_RUNS, {"filter": wanted})  # noqa: SLF001  (its one door for other queries)
        return answer["runsOrError"].get("results") or []

    def _until(self, look: Callable[[], str | None], act: str, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                if (found := look()) is not None:
                    return found
            except (DagsterGraphQLClientError, RequestException) as error:
                raise StackFailed(act=act, cause=str(error)) from error
            time.sleep(POLL_SECONDS)
        raise StackFailed(act=act, cause=f"it took more than {timeout:.0f} s")
