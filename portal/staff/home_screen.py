"""What a phone needs to put the desk on its home screen (W3C Web Application Manifest)."""

from flask import Response, json, url_for

from portal.context import current
from portal.languages import asset, language

ICON_SIZES = (192, 512)


def manifest() -> Response:
    """The manifest; browsers ask for it without a cookie, so it says nothing that is anybody's own."""
    name = current().settings.product_name
    told = {
        "name": name,
        "short_name": name[:12].rstrip(),
        "lang": language(),
        "id": url_for("staff.desk"),
        "start_url": url_for("staff.desk"),
        "scope": "/",
        "display": "standalone",
        "background_color": "#eef3f6",
        "theme_color": "#0a6375",
        "icons": [
            {
                "src": asset(f"icon-{size}.png"),
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": "any maskable",
            }
            for size in ICON_SIZES
        ],
    }
    return Response(json.dumps(told), mimetype="application/manifest+json")
