"""Every setting is documented, and the example file is one that works."""

import re
from pathlib import Path

import pytest

from hotspot.settings import Settings, load_settings
from tests.deploy.processes import ROOT

DOCUMENT = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "deploy" / "surfpass.toml.example").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_row_in_the_document_and_a_line_in_the_example(name: str) -> None:
    assert f"| `SURFPASS_{name.upper()}` |" in DOCUMENT
    assert re.search(rf"^# {name} = ", EXAMPLE, re.MULTILINE)


def test_nothing_is_documented_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `SURFPASS_(\w+)` \|", DOCUMENT, re.MULTILINE)
    lines = re.findall(r"^# (\w+) = ", EXAMPLE, re.MULTILINE)
    fields = set(Settings.model_fields)
    assert {row.lower() for row in rows} == set(lines) == fields


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_documented_default_is_the_default(name: str) -> None:
    row = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `SURFPASS_{name.upper()}` |"))
    default = Settings.model_fields[name].default
    if name != "data_dir" and default not in ("", None):
        assert row.split("|")[2].strip() == f"`{default}`"


def test_the_example_works_with_every_line_put_to_use(tmp_path: Path) -> None:
    config = tmp_path / "surfpass.toml"
    used = re.sub(r"^# (\w+ = )", r"\1", EXAMPLE, flags=re.MULTILINE)
    for name in ("database_url_file", "secret_key_file"):
        used = re.sub(rf"^{name} = .*$", "", used, flags=re.MULTILINE)
    config.write_text(used, encoding="utf-8")
    settings = load_settings(config)
    assert settings.portal_url == "https://portal.example.org"
    assert settings.data_dir == Path("/var/lib/surfpass")
