"""Store paths are those that `nix-store --print-fixed-path` prints (Nix 2.8.0)."""

from __future__ import annotations

from base64 import b64decode

import pytest

from agent_sync.nix.store_paths import name_of, nix32, path_of_file, path_of_tree

NAR = b64decode("z+Nib4/xcc61cVUuNsNDgC+LQ9ol0Y5uR66fSYZF0l4=")
HELLO = bytes.fromhex("5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")


def test_base_32_is_that_of_nix() -> None:
    assert nix32(NAR) == "0pnj8n34k7xf8xp8xl95v91qnbw08g1kcbjmf6swwwgiixpn5qyg"
    assert nix32(HELLO) == "00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq"
    assert nix32(b"") == ""
    assert nix32(bytes(20)) == "0" * 32


def test_a_tree_and_a_file_lie_where_nix_has_them() -> None:
    assert path_of_tree(NAR) == "/nix/store/045xg1h3n0l4p2awjclcyzdn23ld0rbw-source"
    assert path_of_file(HELLO, "policy.md") == "/nix/store/nxamm5xz2jh5mqxdags4qslbgra429ah-policy.md"


def test_the_place_of_the_store_is_a_part_of_every_path() -> None:
    elsewhere = path_of_tree(NAR, store_dir="/elsewhere")
    assert elsewhere.startswith("/elsewhere/")
    assert elsewhere.rpartition("/")[2] != path_of_tree(NAR).rpartition("/")[2]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com/policy.md", "policy.md"),
        ("https://example.com/a/policy.md?b=/c#d/e", "policy.md"),
        ("https://example.com/.hidden", "source.hidden"),
        ("https://example.com/a%20b.md", "a-20b.md"),
        ("https://example.com/naïve.md", "na--ve.md"),
        ("https://example.com", "example.com"),
        ("https://example.com/" + "x" * 300, "x" * 200),
        ("?", "source"),
    ],
)
def test_a_file_is_called_by_what_of_its_address_nix_allows(url: str, name: str) -> None:
    assert name_of(url) == name
