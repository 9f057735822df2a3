from datetime import datetime, timedelta

from etl.report import key_figures
from etl.report.data import MOVES
from tests.unit.report.builders import NOW, Row, a_model, a_period, a_version, of_model, production, report_data

DAY = timedelta(days=1)
DEFAULT = report_data()


def test_key_figures_are_counts_and_their_changes() -> None:
    assert key_figures.key_figures(report_data()) == [
        ("Models in production", "1", "versions: 1 entered", ""),
        ("Models", "1", "+5 −2", ""),
        ("Versions", "2", "no change", ""),
        ("ML repos", "1", "no change", ""),
        ("Size of artifacts", "2.5 MB", "", ""),
    ]


def test_an_unknown_size_is_not_zero() -> None:
    for count, without, shown in ((None, 2, ("unknown", "2 versions of unknown size")), (0, 0, ("0 bytes", "")),
                                  (3_100_000_000, 40, ("≥ 3.1 GB", "40 versions of unknown size"))):  # fmt: skip
        data = report_data(counts=DEFAULT.counts | {"bytes": count, "without_size": without})
        size = key_figures.key_figures(data)[-1]
        assert (size.value, size.note) == shown


def test_versions_in_production_are_named_where_models_have_several() -> None:
    data = report_data(production=production(a_model(a_version(1), a_version(2))))
    assert key_figures.key_figures(data)[0] == ("Models in production", "1", "no change", "2 versions")


def test_recent_period_is_limited_by_recorded_runs() -> None:
    assert key_figures.period_label(report_data()) == "last 30 days"
    assert key_figures.period_label(report_data(since=NOW - 29 * DAY)) == "so far"


def production_moves(*periods: Row, since: datetime = NOW) -> list[tuple[str, str]]:
    """The word and the text of each move; another version is in production since a given time."""
    model = a_model(a_version(since_at=since))
    moves, number = key_figures.production_moves(report_data(production=production(model, periods=list(periods))))
    assert len(moves) == number
    return [(each.word, each.text) for each in moves]


def test_a_replacement_names_both_versions_and_the_time_in_production() -> None:
    at = NOW - 2 * DAY
    assert production_moves(
        a_period(5, at, lead_time_seconds=0.0), a_period(4, NOW - 40 * DAY, at),
    ) == [("promoted", "v5 replaced v4 after 38 days")]  # fmt: skip
    assert production_moves(
        a_period(4, at, change="rollback"), a_period(5, NOW - 40 * DAY, at, valid_from_is_exact=False),
    ) == [("rolled back", "v4 replaced v5")]  # fmt: skip


def test_an_entry_or_exit_names_its_version() -> None:
    at = NOW - 2 * DAY
    assert production_moves(a_period(1, at, change="first", lead_time_seconds=7 * 86_400.0)) == [
        ("first", "v1 entered production, 7 days after its creation")
    ]
    assert production_moves(a_period(2, at)) == [("promoted", "v2 entered production")]
    assert production_moves(a_period(2, at), since=at - DAY) == [("entered", "v2 entered production beside others")]
    assert production_moves(a_period(1, at, change="rollback"), since=at - DAY) == [
        ("entered", "v1 entered production beside others")
    ]
    assert production_moves(a_period(2, at, change="return"), a_period(1, at - 60 * DAY, at + DAY)) == [
        ("retired", "v1 left production after 61 days"),
        ("entered", "v2 entered production beside others"),
    ]
    assert production_moves(a_period(1, NOW - 60 * DAY, at)) == [("retired", "v1 left production after 58 days")]
    assert production_moves(a_period(None, at, change=None)) == [
        ("entered", "a version without a number entered production")
    ]


def test_periods_that_started_before_the_first_run_or_the_recent_period_are_no_moves() -> None:
    assert production_moves(a_period(1, NOW - 2 * DAY, valid_from_is_exact=False), a_period(1, NOW - 31 * DAY)) == []


def test_moves_are_limited_and_counted() -> None:
    periods = [a_period(1, NOW - DAY, **of_model() | {"model_id": f"m-{index}"}) for index in range(MOVES + 5)]
    moves, number = key_figures.production_moves(report_data(production=production(a_model(), periods=periods)))
    assert (len(moves), number) == (MOVES, MOVES + 5)
