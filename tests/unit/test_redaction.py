"""What is taken out of an address before anybody sees it, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_sync.redaction import redacted

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
]


@pytest.mark.parametrize("key", SECRET_KEYS)
@pytest.mark.parametrize("shape", ["?{}", "?a=1&{}&b=2", "?a=1;{}", "#{}", "?a=1#{}&b"])
def test_the_value_of_a_key_that_names_a_secret_is_hidden(key: str, shape: str) -> None:
    shown = redacted("https://example.com/f" + shape.format(f"{key}={SECRET}"))
    assert shown == "https://example.com/f" + shape.format(f"{key}=***")


@pytest.mark.parametrize("address", PLAIN)
def test_what_holds_no_secret_comes_back_to_the_letter(address: str) -> None:
    assert redacted(address) == address


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
    assert redacted(address) == shown


@given(
    st.lists(st.sampled_from([*SECRET_KEYS, "a", "ref"]), min_size=1, max_size=6),
    st.sampled_from("&;"),
)
def test_no_secret_survives_in_any_company_and_twice_is_once(keys: list[str], separator: str) -> None:
    query = separator.join(f"{key}={SECRET if key in SECRET_KEYS else 'plain'}" for key in keys)
    shown = redacted(f"https://user:{SECRET}@example.com/f?{query}")
    assert SECRET not in shown
    assert shown.count("=plain") == query.count("=plain")
    assert redacted(shown) == shown


@given(st.text())
def test_any_text_is_redacted_without_an_error(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)
