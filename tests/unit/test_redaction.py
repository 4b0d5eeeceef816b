"""What is taken out of an address, or of text with addresses in it, before anybody sees it, and what is not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync_oci.text import holds_credential, redact, redact_address, redact_in_place

SECRET = "s3cr3t"

# As they are called by clouds, forges and frameworks.
SECRET_KEYS = [
    "token",
    "access_token",
    "accessToken",
    "private_token",
    "PRIVATE-TOKEN",
    "id.token",
    "oauth_token",
    "authToken",
    "auth",
    "authorization",
    "secret",
    "client_secret",
    "clientSecret",
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "apikey",
    "api_key",
    "api-key",
    "x-api-key",
    "xApiKey",
    "key",
    "access_key",
    "AccessKeyId",
    "AWSAccessKeyId",
    "private_key",
    "subscription-key",
    "sharedAccessKey",
    "sig",
    "signature",
    "Signature",
    "sign",
    "hmac",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Goog-Signature",
    "jwt",
    "bearer",
    "session",
    "session_id",
    "sid",
    "sas",
    "credential",
    "credentials",
    "token[]",
    "%74oken",
    "toke%6E",
    "auth%5Bkey%5D",
]

PLAIN = [
    "https://example.com/policy.md",
    "https://example.com/policy.md?version=3&lang=de#part-2",
    "HTTPS://Example.com:443/?",
    "https://example.com/a?b=c#",
    "https://example.com/token/secret/key=1",
    "https://example.com/?keyboard=de&design=flat&author=x&passage=2&monkey=1",
    "https://user@example.com/a@b:c",
    "https://example.com:8443/a:b@c",
    "https://[2001:db8::1]:8443/a@b",
    "https://[broken/a?b=c",
    "git@github.com:org/rules.git",
    "./rules",
    "",
    "say: what is a token? ask him",
    "https://glen-smith@example.com/r",
    "ssh://git@host:22/r",
    "https://host:8443/@scope/r",
    "https://host:/a@b",
    "https://me@host:443/a:b@c",
    "git@host:path@v1",
    "localhost:5000/rules:v1@sha256:0123",
    "oci-layout:rules:v1@sha256:0123",
    "/srv/a@b",
    "https://example.com/?token=",
]

# As people paste them into `repo:`, with what must be gone afterwards.
LOGINS = [
    ("https://me:s3cr3t@host/r", "https://me:***@host/r"),
    ("https://:s3cr3t@host/r", "https://:***@host/r"),
    ("ssh://git:s3cr3t@host/r", "ssh://git:***@host/r"),
    ("me:s3cr3t@host/r", "me:***@host/r"),
    ("me:s3cr3t@host:path/r", "me:***@host:path/r"),
    ("https://ghp_s3cr3t@github.com/r", "https://***@github.com/r"),
    ("ghp_s3cr3t@github.com/r", "***@github.com/r"),
    ("https://github_pat_s3cr3t@github.com/r", "https://***@github.com/r"),
    ("https://glpat-s3cr3t@gitlab.com/r", "https://***@gitlab.com/r"),
    ("https://ghp_s3cr3t:x-oauth-basic@github.com/r", "https://***:***@github.com/r"),
    ("https://me:ghp_s3cr3t@github.com/r", "https://me:***@github.com/r"),
    ("https://0123456789abcdef0123456789abcdef01234567@host/r", "https://***@host/r"),
    ("https://me:s3/cr3t@host/r", "https://me:***@host/r"),
    ("https://me:12/s3cr3t@host/r", "https://me:12/s3cr3t@host/r"),
    ("https://me:s3?cr#3t@host/r", "https://me:***@host/r"),
    ("https://me:s3'cr\"3t@host/r", "https://me:***@host/r"),
]


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("shape", ["?{}", "?a=1&{}&b=2", "?a=1;{}", "#{}", "?a=1#{}&b"])
def test_the_value_of_a_key_that_names_a_secret_is_hidden(key: str, shape: str) -> None:
    shown = redact_address("https://example.com/f" + shape.format(f"{key}={SECRET}"))
    assert shown == "https://example.com/f" + shape.format(f"{key}=***")


@pytest.mark.parametrize("address", PLAIN)
def test_what_holds_no_secret_comes_back_to_the_letter(address: str) -> None:
    assert redact_address(address) == address


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:s3cr3t@example.com/a", "https://user:***@example.com/a"),
        ("https://:s3cr3t@example.com/a", "https://:***@example.com/a"),
        ("https://user:s3:cr@3t@example.com/a", "https://user:***@example.com/a"),
        ("ssh://git:s3cr3t@example.com:22/a", "ssh://git:***@example.com:22/a"),
        ("//user:s3cr3t@example.com/a", "//user:***@example.com/a"),
        ("https://user:s3cr3t@[broken/a?token=s3cr3t", "https://user:***@[broken/a?token=***"),
        ("https://user:s3cr3t@example.com:99999/a", "https://user:***@example.com:99999/a"),
        ("example.com/f?token=s3cr3t", "example.com/f?token=***"),
        ("https://example.com/f?token=s3 cr\n3t", "https://example.com/f?token=***"),
        ("https://example.com/f?a=b?token=s3cr3t", "https://example.com/f?a=b?token=s3cr3t"),
    ],
)
def test_passwords_and_malformed_addresses(address: str, shown: str) -> None:
    assert redact_address(address) == shown


@pytest.mark.parametrize(("address", "shown"), LOGINS)
def test_a_credential_is_seen_and_hidden(address: str, shown: str) -> None:
    assert redact_address(address) == shown
    assert redact(f'    repo: "{address}"') == f'    repo: "{shown}"'
    assert holds_credential(address) == (address != shown)


@pytest.mark.parametrize("address", PLAIN)
def test_a_user_name_alone_is_no_credential(address: str) -> None:
    assert not holds_credential(address)
    assert redact(address) == address


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  url: https://host/p.md?token=abc&v=1  # see notes", "  url: https://host/p.md?token=***&v=1  # see notes"),
        ("url: 'https://host/p.md?sig=abc'", "url: 'https://host/p.md?sig=***'"),
        ("[https://host/a, me:pw@host/b,ghp_x@host/c]", "[https://host/a, me:***@host/b,***@host/c]"),
        ("fatal: unable to access 'https://a:b@host/r/': no", "fatal: unable to access 'https://a:***@host/r/': no"),
        ("remote: ask me@host or you:now at 10:30", "remote: ask me@host or you:now at 10:30"),
    ],
)
def test_a_secret_is_hidden_wherever_an_address_stands(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(("address", "shown"), LOGINS)
def test_with_stars_nothing_moves(address: str, shown: str) -> None:
    line = redact_in_place(f'repo: "{address}"  # why')
    assert len(line) == len(f'repo: "{address}"  # why')
    assert line.endswith('/r"  # why')
    assert ("s3" in line) == ("s3" in shown)


@pytest.mark.parametrize("piece", ["//:x", "(", ",a:", "ghp_:a", "?a", "&a=b", "?token", "//a:", "a@", "'", "x:@"])
def test_text_that_is_made_to_be_slow_to_search_is_not(piece: str) -> None:
    before = time.process_time()
    for hide in (redact_address, redact, redact_in_place):
        hide(piece * 100_000)
    assert time.process_time() - before < 5  # what takes quadratic time takes minutes


@given(
    st.lists(st.sampled_from([*SECRET_KEYS, "a", "ref"]), min_size=1, max_size=6),
    st.sampled_from("&;"),
)
def test_no_secret_survives_in_any_company_and_twice_is_once(keys: list[str], separator: str) -> None:
    query = separator.join(f"{key}={SECRET if key in SECRET_KEYS else 'plain'}" for key in keys)
    shown = redact_address(f"https://user:{SECRET}@example.com/f?{query}")
    assert SECRET not in shown
    assert shown.count("=plain") == query.count("=plain")
    assert redact_address(shown) == shown


@given(st.text())
def test_any_text_is_redacted_without_an_error(text: str) -> None:
    assert redact_address(redact_address(text)) == redact_address(text)
