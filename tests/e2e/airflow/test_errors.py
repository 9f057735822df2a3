import logging
from datetime import timedelta

import pytest
from airflow.sdk import timezone
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)

from etl import errors
from etl.airflow.errors import translate_errors


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.ConfigError("x"), AirflowFailException),
        (errors.TokenRefused("x"), AirflowFailException),
        (errors.NotAControlPlane("x"), AirflowFailException),
        (errors.UnknownMlRepo("x", ml_repos=("1",)), AirflowFailException),
        (errors.SchemaMismatch("x"), AirflowFailException),
        (errors.DeleteLimitExceeded("x"), AirflowFailException),
        (errors.EtlError("x"), AirflowException),
        (errors.SourceError("x"), AirflowException),
        (errors.SourceUnavailable("x"), AirflowException),
        (errors.RequestRefused("x", status=422), AirflowException),
        (errors.StoreError("x"), AirflowException),
        (errors.LockHeld("x"), AirflowException),
        (errors.Interrupted("x"), AirflowException),
    ],
)
def test_only_errors_that_a_retry_may_fix_are_retried(error: errors.EtlError, expected: type[Exception]) -> None:
    with pytest.raises(AirflowException) as raised, translate_errors([]):
        raise error
    assert type(raised.value) is expected
    assert str(raised.value) == "x"


def test_a_held_lock_skips_the_task_if_configured() -> None:
    with pytest.raises(AirflowSkipException), translate_errors([], on_lock_held="skip"):
        raise errors.LockHeld("x")


def test_a_held_lock_reschedules_the_task_if_configured_and_logs_why(caplog: pytest.LogCaptureFixture) -> None:
    before = timezone.utcnow()
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(AirflowRescheduleException) as raised,
        translate_errors([], on_lock_held="reschedule", wait=timedelta(minutes=5)),
    ):
        raise errors.LockHeld("Another run holds the lock.")
    assert caplog.messages == ["Another run holds the lock. The task is tried again in 5 minutes."]
    assert before + timedelta(minutes=5) <= raised.value.reschedule_date <= timezone.utcnow() + timedelta(minutes=5)


def test_a_translated_error_has_neither_secrets_nor_a_cause() -> None:
    error = errors.StoreError("no database at hunter22/x, nor with the token%2Fof")
    error.__cause__ = ValueError("password=hunter22")
    with pytest.raises(AirflowException) as raised, translate_errors(["hunter22", "token/of"]):
        raise error
    assert str(raised.value) == "no database at ***/x, nor with the ***"
    assert raised.value.__suppress_context__
    assert raised.value.__cause__ is None


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), translate_errors([]):
        raise ZeroDivisionError
