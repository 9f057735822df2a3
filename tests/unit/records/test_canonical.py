import math

import pytest

from etl.records.canonical import MAX_NESTING, UnstorableValue, canonical, content_hash, normalize


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1.0, "a": {"n": None}}, '{"a":{},"b":1}'),
        ([None, True, "ü\x00\ud800"], '[null,true,"\\u00fc\\u0000\\ud800"]'),
        ([math.nan, math.inf, -math.inf, -0.0, 2**70, 0.1], "[NaN,Infinity,-Infinity,0,1180591620717411303424,0.1]"),
    ],
)
def test_canonical_text_is_the_same_for_every_notation(value: object, text: str) -> None:
    assert canonical(value) == text


def test_content_hash_is_128_bits_and_stable_across_releases() -> None:
    assert content_hash(normalize({"b": 1, "a": [1.5, None]})) == "cc344d1ab9f207d04dadc186e6a3b78d"


def test_value_nested_too_deep_is_unstorable() -> None:
    deep: object = 1
    for _ in range(MAX_NESTING):
        deep = {"in": deep}
    normalize(deep)
    with pytest.raises(UnstorableValue, match="more than 200 levels"):
        normalize([deep])
