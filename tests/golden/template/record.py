"""Writes into cases.json what Go answers to each of its cases: `python -m tests.golden.template.record`.

To add a case, write its text (and its data, if the common data will not do) into a group, and run this.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from tests.unit.template.oracle import GOLDEN, build_oracle, decoded, running_oracle


def record() -> None:
    """Ask Go about every case, and rewrite cases.json."""
    path = GOLDEN / "cases.json"
    corpus = json.loads(path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as directory, running_oracle(build_oracle(Path(directory))) as oracle:
        for group in corpus["groups"]:
            group["cases"] = [
                {key: case[key] for key in ("text", "data") if key in case}
                | oracle.raw_answer(case["text"], decoded(corpus["data"] | case.get("data", {})))
                for case in group["cases"]
            ]
    path.write_text(_lines(corpus), encoding="utf-8")


def _lines(corpus: dict[str, Any]) -> str:
    """The corpus as JSON with one case a line, so that a change is seen as a line."""
    groups = [
        f'{{"about": {json.dumps(group["about"])}, "cases": [\n'
        + ",\n".join(json.dumps(case) for case in group["cases"])
        + "\n]}"
        for group in corpus["groups"]
    ]
    return f'{{"data": {json.dumps(corpus["data"])},\n"groups": [\n' + ",\n".join(groups) + "\n]}\n"


if __name__ == "__main__":
    record()
