from etl.records.subjects import creator, take_creator
from tests.records.builders import a_subject


def test_a_subject_has_columns_and_an_extra_of_its_own() -> None:
    left = {"created_by_subject": a_subject(subjectPatName=None, subjectSlug=5, subjectControllerName="x")}
    subject_id, rows = take_creator(left)
    assert left == {}
    assert subject_id == "user-1"
    assert rows == [("user-1", "user", None, "Ada", None, {"subjectSlug": 5, "subjectControllerName": "x"})]


def test_a_subject_without_an_id_stays_with_the_record() -> None:
    left = {"created_by_subject": a_subject(subjectId=None)}
    assert take_creator(left) == (None, [])
    assert left == {"created_by_subject": a_subject(subjectId=None)}


def test_the_creator_is_found_among_other_subjects() -> None:
    others = [("user-0", "user", None, None, None, None), ("user-1", "team", "ml", None, None, {"x": 1})]
    assert creator("user-1", {"subjects": others}) == {
        "subjectId": "user-1",
        "subjectType": "team",
        "subjectSlug": "ml",
        "x": 1,
    }
    assert creator("user-2", {"subjects": others}) is None
