"""Files that come with the program."""

from importlib.util import find_spec
from pathlib import Path

from hotspot.errors import SetupError

# What templates/legal is written in.
LANGUAGES = ("de", "en")


def read_template(name: str) -> str:
    """A text from `templates/`, which a wheel carries inside `portal/` and a clone has beside it."""
    spec = find_spec("portal")
    for folder in spec.submodule_search_locations or () if spec else ():
        for path in (Path(folder) / "templates" / name, Path(folder).parent / "templates" / name):
            if path.is_file():
                return path.read_text(encoding="utf-8")
    raise SetupError("incomplete", f"The installation is incomplete: templates/{name} is missing.")
