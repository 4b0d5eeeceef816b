"""The oracle is compiled once; Go's own cache stands in pytest's, for the tests' HOME is always empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.template.oracle import Oracle, build_oracle, running_oracle


@pytest.fixture(scope="session")
def oracle_program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_oracle(tmp_path_factory.mktemp("oracle"), cache=request.config.cache.mkdir("go-build"))


@pytest.fixture
def oracle(oracle_program: Path) -> Iterator[Oracle]:
    with running_oracle(oracle_program) as running:
        yield running
