"""Access points from a CSV file: all of them or none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.commands.access_points import read_access_points
from hotspot.errors import Refusal
from tests.deploy.conftest import Surfpass

Json = Callable[..., Any]


@pytest.fixture
def meadow(surfpass: Surfpass) -> str:
    """The slug of a Multi site."""
    surfpass("customer", "add", "--name", "A")
    surfpass("site", "add", "--customer", "A", "--slug", "wiese", "--name", "W", "--kind", "multi", "--ssid", "Wiese")
    return "wiese"


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
def test_a_file_from_a_spreadsheet_is_taken(
    surfpass: Surfpass, surfpass_json: Json, meadow: str, tmp_path: Path, mark: str
) -> None:
    file = tmp_path / "ap.csv"
    file.write_bytes(
        f"{mark}name,mac,mac2,capacity,nas_identifier\r\n"
        'Bühne,02-00-00-00-00-01,02-00-00-00-00-02,300,stage\r\n\r\n"Zelt, Nord",020000000003,,,\r\n'.encode()
    )
    assert surfpass("ap", "import", "--site", meadow, str(file)).stdout == "Added 2 access points to site wiese.\n"
    stage, tent = surfpass_json("ap", "list", "--site", meadow)
    assert (stage["name"], stage["capacity"], stage["nas_identifier"]) == ("Bühne", 300, "stage")
    assert (tent["name"], tent["macs"], tent["capacity"]) == ("Zelt, Nord", ["02-00-00-00-00-03"], 250)


def test_of_a_file_with_a_bad_line_nothing_is_taken(surfpass: Surfpass, surfpass_json: Json, meadow: str) -> None:
    text = "name,mac\nA,02-00-00-00-00-01\nB,02-00-00-00-00\n"
    refused = surfpass("ap", "import", "--site", meadow, "-", input=text, code=1)
    assert refused.stderr.startswith("surfpass: Line 3: '02-00-00-00-00' is not a MAC address")
    assert surfpass_json("ap", "list") == []


def test_of_a_file_with_a_mac_that_is_known_nothing_is_taken(
    surfpass: Surfpass, surfpass_json: Json, meadow: str
) -> None:
    surfpass("ap", "add", "--site", meadow, "--name", "Old", "--mac", "02-00-00-00-00-02")
    text = "name,mac\nA,02-00-00-00-00-01\nB,02-00-00-00-00-02\n"
    refused = surfpass("ap", "import", "--site", meadow, "-", input=text, code=1)
    assert "02-00-00-00-00-02" in refused.stderr
    assert len(surfpass_json("ap", "list")) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "names no access point"),
        ("name,mac\n", "names no access point"),
        ("mac\n020000000001\n", "Line 1: the first line has to name the columns"),
        ("name,mac,colour\nA,020000000001,red\n", "Line 1: the first line has to name the columns"),
        ("name,mac,mac\nA,020000000001,020000000002\n", "Line 1: the first line has to name the columns"),
        ("name,mac\n\nA,020000000001,7\n", "Line 3: 3 fields, where the first line names 2"),
        ("name,mac\nA,\n", "Line 2: '' is not a MAC address"),
        ("name,mac\n,020000000001\n", "Line 2: a name needs 1 to 80"),
        ("name,mac,capacity\nA,020000000001,many\n", "Line 2: 'many' is not a capacity"),
        ("name,mac,capacity\nA,020000000001,²\n", "Line 2: '²' is not a capacity"),
        ("name,mac,mac2\nA,020000000001,x\n", "Line 2: 'x' is not a MAC address"),
        ('name,mac\n"A,020000000001\n', "Line 2: unexpected end of data"),
        ("name,mac\nA,020000000001\nB,02-00-00-00-00-01\n", "Line 3: 02-00-00-00-00-01 stands in the file twice"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_by_line_and_reason(text: str, complaint: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_access_points(text)
    assert complaint in refused.value.sentence


def test_a_file_that_is_no_text_or_too_large_is_wrong_use(surfpass: Surfpass, meadow: str, tmp_path: Path) -> None:
    file = tmp_path / "ap.csv"
    file.write_bytes(b"name,mac\nB\xfchne,020000000001\n")
    assert "ap.csv: not a text in UTF-8" in surfpass("ap", "import", "--site", meadow, str(file), code=2).stderr
    file.write_text("name,mac\n" + "A,020000000001\n" * 100_000)
    assert "larger than" in surfpass("ap", "import", "--site", meadow, str(file), code=2).stderr
