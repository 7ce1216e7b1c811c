"""The page "the internet" of the software access point: what a guest sees behind it once RADIUS has said yes."""

import base64
import hashlib
from dataclasses import dataclass

_STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
body { margin: 0; padding: 2rem 1.25rem; background: #e8f5ee; color: #123524 }
main { max-width: 34rem; margin: auto }
h1 { font-size: 2rem; line-height: 1.2 }
ul { list-style: none; padding: 0 }
a { display: block; margin: .6rem 0; padding: .8rem 1rem; border-radius: .6rem; background: #fff; color: #0b5d3b }
@media (prefers-color-scheme: dark) { body { background: #0f2219; color: #e3f4ea } a { background: #1c3a2c; color: #b6f0cf } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True)
class _Words:
    title: str
    text: str
    small: str
    large: str
    status: str
    log_off: str


_WORDS = {
    "en": _Words(
        "The internet",
        "You are online. This page stands for everything outside; it comes from the software access point.",
        "Download 1 MB",
        "Download 10 MB",
        "Time and volume left",
        "Log off",
    ),
    "de": _Words(
        "Das Internet",
        "Sie sind online. Diese Seite steht für alles da draußen; sie kommt vom Software-Access-Point.",
        "1 MB herunterladen",
        "10 MB herunterladen",
        "Verbleibende Zeit und Datenmenge",
        "Abmelden",
    ),
}


def choose_language(accept_language: str) -> str:
    """German or English, whichever a browser names first."""
    for part in accept_language.lower().split(","):
        language = part.split(";")[0].strip().split("-")[0]
        if language in _WORDS:
            return language
    return "en"


def internet_page(language: str) -> bytes:
    """The page, with something to download so that there are octets to count."""
    words = _WORDS[language]
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{words.title}</title><link rel="icon" href="data:,"><style>{_STYLE}</style>
</head>
<body><main>
<h1>{words.title}</h1>
<p>{words.text}</p>
<ul>
<li><a href="/download/1MB">{words.small}</a></li>
<li><a href="/download/10MB">{words.large}</a></li>
<li><a href="/status">{words.status}</a></li>
<li><a href="/logoff">{words.log_off}</a></li>
</ul>
</main></body>
</html>
""".encode()
