"""A program that takes too long is ended, and the message names what bounds it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_sync.adapters.program import Bounds, run
from agent_sync.errors import LimitExceeded


def _refused(bounds: Bounds, directory: Path) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as caught:
        run(("sleep", "60"), bounds, environment={"PATH": os.environ["PATH"]}, directory=str(directory))
    return caught.value


def test_a_bound_that_is_fixed_names_no_setting(tmp_path: Path) -> None:
    error = _refused(Bounds("the signature", 0.1), tmp_path)
    assert (error.subject, error.check, error.remedy) == ("the signature", "took longer than 0.1 s", "try again")


def test_a_bound_that_can_be_set_names_its_key(tmp_path: Path) -> None:
    error = _refused(Bounds("repository r", 0.1, setting="fetch_timeout"), tmp_path)
    assert error.check == "took longer than 0.1 s (fetch_timeout)"
    assert error.remedy == "try again, or raise `fetch_timeout` under `limits:`"
