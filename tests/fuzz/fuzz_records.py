"""Coverage-guided fuzzing of how records are read, by `make fuzz`.

python -m tests.fuzz.fuzz_records CORPUS RECORDS [OPTION …] ends after so many records; options are those of libFuzzer.

Bytes become what a control plane may send, as JSON text or as records with the API's own fields, each right or wrong;
the records become rows, the rows what a database keeps, and that the records again. A finding is any exception but
InvalidRecord, and any record that does not come back as it went.
"""

import json
import os
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["etl.records", "etl.source.responses", "etl.source.completeness.id_set", "etl.models.types"]
):
    from etl.records import changes
    from etl.source.exceptions import MalformedResponse
    from tests.fuzz.round_trip import proven_rows
from etl.enums import Entity
from etl.simulator import Registry
from etl.source.responses import Response, parse_envelope
from tests.fuzz.arbitrary_records import arbitrary_record
from tests.support.load_factor import report

ENTITIES = tuple(Entity)
_REPORT_EVERY = 10_000
_counts = Counter[str]()


def main() -> None:
    """Put the simulator's records into the corpus, and some to build from, and hand over to libFuzzer."""
    _counts["wanted"] = int(sys.argv.pop(2))
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    registry = Registry.generate(seed=1, ml_repos=1, models=2, versions=2, metrics=2)
    for number, entity in enumerate(ENTITIES):
        for place, record in enumerate(registry.records(entity.replace("_", "-"))):
            (folder / f"{entity}-{place}").write_bytes(bytes([number]) + json.dumps(record).encode())
        (folder / f"{entity}-built").write_bytes(bytes([number + 129]) + bytes(range(256)) * 8)
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()


def fuzz(data: bytes) -> None:
    """One input: its first byte says of what entity it is, and whether it is text or what records are built from."""
    entity = ENTITIES[data[0] % 3] if data else ENTITIES[0]
    if data[:1] < b"\x80":
        try:
            content = parse_envelope(Response("/", 200, {}, b'{"data": [%b]}' % data[1:]), list, "secret")["data"]
        except MalformedResponse:
            return
    else:
        source = atheris.FuzzedDataProvider(data[1:])
        content = [arbitrary_record(source, entity), arbitrary_record(source, entity)]
    read = [made for made in (proven_rows(entity, raw) for raw in content) if made is not None]
    for old, new in pairwise(read):
        changes(entity, "1", old, new)
    _count(len(content), len(read))


def _count(records: int, stored: int) -> None:
    """Count the records of an input, and report them now and then; end after the last one."""
    _counts.update(inputs=1, records=records, stored=stored, rejected=records - stored)
    is_last = _counts["records"] >= _counts["wanted"]
    if is_last or _counts["records"] >= _counts["reported"] + _REPORT_EVERY:
        names = ("records", "inputs", "stored", "rejected")
        report("records fuzzed, guided by coverage", **{name: _counts[name] for name in names}, findings=0)
        _counts["reported"] = _counts["records"]
    if is_last:
        os._exit(0)  # libFuzzer takes any other end for a finding


if __name__ == "__main__":
    main()
