"""References: what is one, what it means, and that it is spelt back as it was."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent_sync_oci.digest import Digest
from agent_sync_oci.errors import InvalidReference
from agent_sync_oci.reference import ArchiveReference, LayoutReference, Reference, RegistryReference, parse_reference

D = Digest.of(b"one")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("registry.example.com/team/agents", RegistryReference("registry.example.com", "team/agents")),
        ("registry.example.com/team/agents:v1", RegistryReference("registry.example.com", "team/agents", "v1")),
        (f"registry.example.com/team/agents@{D}", RegistryReference("registry.example.com", "team/agents", None, D)),
        (f"localhost/a:v1@{D}", RegistryReference("localhost", "a", "v1", D)),
        ("127.0.0.1:5000/a", RegistryReference("127.0.0.1:5000", "a")),
        ("[::1]:5000/a/b__c.d-e:Latest", RegistryReference("[::1]:5000", "a/b__c.d-e", "Latest")),
        ("registry:5000/a", RegistryReference("registry:5000", "a")),
        ("x.y/" + "a" * 255, RegistryReference("x.y", "a" * 255)),
        ("x.y/a:" + "t" * 128, RegistryReference("x.y", "a", "t" * 128)),
        ("oci:layout", LayoutReference("layout")),
        ("oci:/mnt/usb stick/é:v1", LayoutReference("/mnt/usb stick/é", "v1")),
        (f"oci:me@home:v1@{D}", LayoutReference("me@home", "v1", D)),
        (f"oci:../x@{D}", LayoutReference("../x", None, D)),
        ("oci-archive:a.tar", ArchiveReference("a.tar")),
        ("oci-archive:/a/b.tar:v1", ArchiveReference("/a/b.tar", "v1")),
    ],
)
def test_a_reference_means_one_place_and_is_spelt_back(text: str, place: Reference) -> None:
    assert parse_reference(text) == place
    assert str(place) == text
    assert str(place).startswith(place.name)
    assert place.wanted == (place.digest or place.tag)


def test_a_host_is_the_same_in_capitals() -> None:
    """Names are compared with policies, where two spellings of one host would be two names."""
    assert parse_reference("Registry.Example.COM/team/agents") == parse_reference("registry.example.com/team/agents")


@pytest.mark.parametrize(
    "text",
    [
        "", "agents", "team/agents", "team/agents:v1", "v1", "/a", "x.y", "x.y/", "x.y//a", "x.y/a/", "x.y/A",
        "x.y/a b", "x.y/-a", "x.y/a-", "x.y/a..b", "x.y/a___b", "x.y/../a", "x.y/a%2fb", "x.y/" + "a" * 256,
        "https://x.y/a", "docker://x.y/a", "oci://x", "user@x.y/a", "user:pass@x.y/a",
        "x..y/a", "-x.y/a", "x-.y/a", "x_y.z/a", ".x/a", "x./a", "x.y:/a", "x.y:0/a", "x.y:70000/a", "x.y:05000/a",
        "x.y:1x/a", "[::1/a", "[x.y]/a", "[1.2.3.4]/a", "[::1%25eth0]/a", "::1/a", "é.com/a", "x" * 64 + ".y/a",
        ".".join(["x" * 60] * 5) + "/a",
        "localhost:x/a",
        "x.y/a:", "x.y/a:-v", "x.y/a:.v", "x.y/a:v 1", "x.y/a:" + "t" * 129, "x.y/a:v1:v2", "x.y/a:../v",
        "x.y/a@", f"x.y/a@{D[:-1]}", f"x.y/a@{D}0", f"x.y/a@{D.upper()}", "x.y/a@sha256:../../x",
        f"x.y/a@sha512:{D.hex * 2}", f"x.y/a@{D}:v1", f"x.y/a@{D}@{D}", f"x.y@{D}/a",
        "oci:", "oci::v1", "oci:a:", "oci:a:b:c", "oci:a:b/c", "oci:a\0b", "oci:a\nb", "oci:a\x1b[2J", "oci:\udcff",
        "oci-archive:", "oci:a:v1@sha256:x", " x.y/a", "x.y/a ", "x.y/a\n", "x.y/a\u202e",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    assert caught.value.remedy
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("bundle.tar", "did you mean oci-archive:bundle.tar?"),
        ("dist/bundle.tar:v1", "did you mean oci-archive:dist/bundle.tar:v1?"),
        (f"bundle.tar@{D}", f"did you mean oci-archive:bundle.tar@{D}?"),
        ("./bundle", "did you mean oci:./bundle? For a tar file, write oci-archive:./bundle"),
        ("/srv/bundle:v1", "did you mean oci:/srv/bundle:v1? For a tar file, write oci-archive:/srv/bundle:v1"),
        (".", "did you mean oci:.? For a tar file, write oci-archive:."),
        ("acme/agents", "include the host, such as registry.example.com/team/agents"),
    ],
)
def test_who_names_a_path_is_told_how_to_write_it(text: str, meant: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    assert caught.value.remedy == meant


@pytest.mark.parametrize(
    "text", ["./ann:s3cr3t@x.y", "ann:s3cr3t@x.y/a", "https://ann:s3cr3t@x.y/a", "s3cr3t@x.y/a:v1", "ann:s3cr3t@x.y"]
)
def test_credentials_do_not_come_out_again(text: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)
    assert "s3cr3t" not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True), ("localhost:5000", True), ("127.0.0.1:5000", True), ("127.1.2.3", True),
        ("[::1]:5000", True), ("[::1]", True), ("localhost.example.com", False), ("127.0.0.1.example.com", False),
        ("10.0.0.1", False), ("0.0.0.0:5000", False), ("[::ffff:10.0.0.1]", False), ("[fe80::1]", False),
        ("127.1:5000", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, loopback: bool) -> None:
    place = parse_reference(f"{host}/a")
    assert isinstance(place, RegistryReference)
    assert place.is_loopback is loopback


@given(
    st.text(max_size=40)
    | st.from_regex(r"(oci:|oci-archive:|x\.y/)?[a-z/:@.]{0,20}(@sha256:[0-9a-f]{64})?", fullmatch=True)
)
@example("oci:a@sha256:" + "0" * 64 + "@sha256:" + "0" * 64)
def test_whatever_is_taken_is_spelt_back_and_taken_again(text: str) -> None:
    try:
        place = parse_reference(text)
    except InvalidReference:
        return
    assert str(place) == text or isinstance(place, RegistryReference)
    assert parse_reference(str(place)) == place
