"""What `surfpass run` and `surfpass demo` print: where to look at the demo, and what to type."""

from sqlalchemy import select

from deploy.demo import Demo
from deploy.installation import Installation, Work
from hotspot.enrolment import find_site
from vouchers.passes import find_pass
from vouchers.voucher import Voucher, clear_code

_PHONE = "02-00-00-00-0F-01"


def demo_screen(installation: Installation, demo: Demo) -> str:
    """The demo on one short screen."""
    settings = installation.settings
    with installation.read() as work:
        code = _unused_code(work, demo)
    typed = code or "CODE"
    attributes = ",".join(
        (
            f"User-Name={typed},User-Password={typed}",
            f"NAS-Identifier={demo.nas_identifier},Called-Station-Id={demo.mac}:{demo.ssid}",
            f"Calling-Station-Id={_PHONE},Message-Authenticator=0x00",
        )
    )
    host = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(settings.radius_bind, settings.radius_bind)  # noqa: S104
    new_code = f"all used: surfpass voucher issue --site {demo.site_slug} --pass hour --count 1"
    return f"""\
surfpass, with a demo whose passwords were made for this installation alone:

  Guest     http://{settings.demo_ap_bind}/  (a phone on the Wi-Fi {demo.ssid})
  Voucher   {code or new_code}
  Owner     {settings.public_portal_url}/login  {demo.owner_email}  {demo.owner_password}
  Operator  {settings.public_portal_url}/login  {demo.operator_email}  {demo.operator_password}
  RADIUS    {host} ports {settings.radius_auth_port} and {settings.radius_acct_port}  secret {demo.radius_secret}

  echo '{attributes}' | radclient {host}:{settings.radius_auth_port} auth {demo.radius_secret}
"""


def _unused_code(work: Work, demo: Demo) -> str | None:
    """A pass of one hour that nobody has used yet."""
    site = find_site(work.session, demo.site_slug)
    article = find_pass(work.session, site, "hour")
    unused = work.session.scalar(
        select(Voucher)
        .where(
            Voucher.site_id == site.id,
            Voucher.pass_id == article.id,
            Voucher.code_ciphertext.is_not(None),
            Voucher.first_used_at.is_(None),
            Voucher.revoked_at.is_(None),
            Voucher.good_until > work.now,
        )
        .order_by(Voucher.id)
        .limit(1)
    )
    code = clear_code(work.keyring, unused) if unused else None
    return code.printed if code else None
