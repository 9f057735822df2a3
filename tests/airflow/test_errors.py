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
    ("error", "ending"),
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
def test_only_what_a_later_try_may_mend_is_tried_again(error: errors.EtlError, ending: type[Exception]) -> None:
    with pytest.raises(AirflowException) as told, translate_errors([]):
        raise error
    assert type(told.value) is ending
    assert str(told.value) == "x"


def test_a_lock_that_is_held_skips_the_task_if_that_is_wanted() -> None:
    with pytest.raises(AirflowSkipException), translate_errors([], on_lock_held="skip"):
        raise errors.LockHeld("x")


def test_a_lock_that_is_held_reschedules_the_task_if_that_is_wanted() -> None:
    before = timezone.utcnow()
    with (
        pytest.raises(AirflowRescheduleException) as told,
        translate_errors([], on_lock_held="reschedule", wait=timedelta(minutes=5)),
    ):
        raise errors.LockHeld("x")
    assert before + timedelta(minutes=5) <= told.value.reschedule_date <= timezone.utcnow() + timedelta(minutes=5)


def test_neither_secret_nor_cause_is_told() -> None:
    error = errors.StoreError("no database at hunter22/x, nor with the token%2Fof")
    error.__cause__ = ValueError("password=hunter22")
    with pytest.raises(AirflowException) as told, translate_errors(["hunter22", "token/of"]):
        raise error
    assert str(told.value) == "no database at ***/x, nor with the ***"
    assert told.value.__suppress_context__
    assert told.value.__cause__ is None


def test_what_is_no_error_of_a_run_passes_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), translate_errors([]):
        raise ZeroDivisionError
