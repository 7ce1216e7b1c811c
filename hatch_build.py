"""What hatchling cannot do by itself: compile the catalogues, and carry `templates/` inside `portal/`."""

from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CATALOGUES = "templates/translations/*/LC_MESSAGES/*.po"


class BuildHook(BuildHookInterface[Any]):
    """Runs for the wheel and for an editable install alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Prepare the tree; `version` is "standard" for a wheel and "editable" for a development install."""
        root = Path(self.root)
        for po_file in sorted(root.glob(CATALOGUES)):
            compile_catalogue(po_file)
        # Not static configuration: hatchling would then copy the templates in an editable install too, where the stale
        # copy hides the files being edited. And a forced directory brings the .mo files, which .gitignore would drop.
        if version == "standard" and (root / "templates").is_dir():
            build_data["force_include"]["templates"] = "portal/templates"


def compile_catalogue(po_file: Path) -> None:
    """Write the compiled catalogue beside its source; ValueError names a translation whose placeholders do not fit."""
    locale = po_file.parent.parent.name
    with po_file.open("rb") as source:
        catalogue = read_po(source, locale=locale)
    refuse_broken_placeholders(po_file, catalogue)
    with po_file.with_suffix(".mo").open("wb") as target:
        write_mo(target, catalogue)


def refuse_broken_placeholders(po_file: Path, catalogue: Catalog) -> None:
    """A placeholder that differs from the original's raises only when the page is shown: better here than there."""
    for message, errors in catalogue.check():
        raise ValueError(f"{po_file}:{message.lineno}: {errors[0]}")
