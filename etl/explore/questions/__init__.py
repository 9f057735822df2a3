"""Prepared queries, the questions of the start page, by subject.

`question`    A query with the fields of its form.
`as_of`       The shipped queries of a moment, for one model or all.
`production`  What is and was in production.
`history`     What changed, and what was there at a time.
`quality`     Documentation, age, packages, metadata, storage and people.
`metrics`     The best versions, and what became worse.
"""

from collections.abc import Mapping, Sequence

from etl.explore.questions import history, metrics, production, quality
from etl.explore.questions.question import AT, Parameter, Question

GROUPS: Mapping[str, Sequence[Question]] = {
    "Production": production.QUESTIONS,
    "History": history.QUESTIONS,
    "Quality and use": quality.QUESTIONS,
    "Metrics": metrics.QUESTIONS,
}
QUESTIONS = tuple(question for group in GROUPS.values() for question in group)
BY_NAME = {question.name: question for question in QUESTIONS}
BY_SQL = {question.sql: question for question in QUESTIONS}

__all__ = ["AT", "BY_NAME", "BY_SQL", "GROUPS", "QUESTIONS", "Parameter", "Question"]
