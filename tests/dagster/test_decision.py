"""Which promotions the sensor starts."""

from uuid import UUID, uuid4

from wisqu_pipelines.sensors.decision import MAX_ATTEMPTS, SECONDS_BEFORE_RETRY, Decided, EarlierRun, decide

LONG_AGO = SECONDS_BEFORE_RETRY * MAX_ATTEMPTS + 1


def decided(promotion_id: UUID, *runs: EarlierRun) -> Decided:
    return decide("promotion_execute", [promotion_id], {promotion_id: runs} if runs else {})


def test_what_waits_is_started_once() -> None:
    one, two = uuid4(), uuid4()
    attempts = decide("promotion_execute", [one, two], {}).attempts
    assert [attempt.id for attempt in attempts] == [one, two]
    assert attempts[0].run_key == f"promotion_execute:{one}:0"
    assert attempts == decide("promotion_execute", [one, two], {}).attempts


def test_nothing_is_started_while_a_run_is_under_way() -> None:
    promotion_id = uuid4()
    result = decided(promotion_id, EarlierRun(LONG_AGO), EarlierRun(None))
    assert not result.attempts
    assert result.left_alone == (f"{promotion_id}: a run is under way",)


def test_a_failed_run_has_used_its_key_up_and_the_next_has_another() -> None:
    promotion_id = uuid4()
    (attempt,) = decided(promotion_id, EarlierRun(LONG_AGO)).attempts
    assert attempt.run_key == f"promotion_execute:{promotion_id}:1"


def test_a_retry_leaves_the_stores_time_to_come_back() -> None:
    promotion_id = uuid4()
    assert not decided(promotion_id, EarlierRun(SECONDS_BEFORE_RETRY - 1)).attempts
    assert decided(promotion_id, EarlierRun(SECONDS_BEFORE_RETRY)).attempts
    assert not decided(promotion_id, EarlierRun(LONG_AGO), EarlierRun(2 * SECONDS_BEFORE_RETRY - 1)).attempts


def test_retries_end() -> None:
    promotion_id = uuid4()
    result = decided(promotion_id, *[EarlierRun(LONG_AGO)] * MAX_ATTEMPTS)
    assert not result.attempts
    assert "a person has to look" in result.left_alone[0]


def test_an_execution_and_a_rollback_of_one_promotion_have_different_keys() -> None:
    promotion_id = uuid4()
    (executed,) = decide("promotion_execute", [promotion_id], {}).attempts
    (rolled_back,) = decide("promotion_rollback", [promotion_id], {}).attempts
    assert executed.run_key != rolled_back.run_key
