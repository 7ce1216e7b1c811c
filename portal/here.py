"""Where a guest is, as a view knows it: the site, the flow through its gateway, and the moment."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime

from flask import abort, g, render_template

from hotspot.directory import Directory, Located, NasRecord, SiteRecord
from portal import flow as flows
from portal.context import Portal
from portal.flow import Flow
from portal.handoffs import HANDOFFS, Handoff, sole_gateway
from portal.headers import allow_forms_to
from portal.languages import asked_language, language, link_languages_to
from sessions.visit import hash_device


@dataclass(frozen=True)
class Here:
    """A site and a guest on the way through its gateway, or one who has come without."""

    portal: Portal
    directory: Directory
    site: SiteRecord
    now: datetime
    flow: Flow | None = None

    @property
    def ssid(self) -> str:
        """The network to join: of several names the one that stays."""
        valid = [one for one in self.site.ssids if one[1] is None or self.now < one[1]]
        lasting = [name for name, until in valid if until is None]
        return (lasting or [name for name, _until in valid] or [""])[-1]

    @property
    def nas(self) -> NasRecord | None:
        """The NAS the guest has come through, while it still is as the flow says."""
        return self.flow.nas(self.directory) if self.flow else None

    @property
    def device(self) -> bytes | None:
        """The hash of the guest's device, where the gateway has signed which it is."""
        mac = self.flow.proved_device if self.flow else None
        return hash_device(self.portal.keyring, mac) if mac else None

    @property
    def gateway(self) -> tuple[Handoff, str] | None:
        """The gateway the guest is behind; without a flow, the site's only one."""
        if self.flow and self.flow.gateway and (nas := self.nas):
            return HANDOFFS[nas.make], self.flow.gateway
        return sole_gateway(self.directory, self.site)

    @property
    def again_url(self) -> str | None:
        """The address that brings a guest on the Wi-Fi back through the gateway."""
        return self.gateway[0].again(self.gateway[1]) if self.gateway else None

    @property
    def logout_url(self) -> str | None:
        """The address at the gateway that logs the guest out."""
        return self.gateway[0].logout(self.gateway[1]) if self.gateway else None

    @property
    def located(self) -> Located:
        """The place, as exactly as the flow knows it."""
        return self.flow.located(self.directory, self.site) if self.flow else Located(self.site, None)

    def prepare_page(self) -> None:
        """Let this page's links and forms carry the flow on."""
        if self.flow:
            self._carry(flows.seal(self.portal.keyring, self.flow))
        if self.flow and self.flow.gateway and self.nas:
            allow_forms_to([self.flow.gateway])

    def render(self, template: str, **values: Hashable) -> str:
        """A page of this flow, where `values` hold nothing of this guest alone: rendered once for all who see the same."""
        token, pages = g.get("flow_token"), self.portal.pages
        if token is None:
            return render_template(template, **values)

        def for_all() -> str:
            self._carry(pages.stand_in)
            return render_template(template, **values)

        shown = (template, *values.items(), self.site.slug, g.get("look"), language(), asked_language())
        return pages.show(shown, token, for_all)

    def _carry(self, token: str) -> None:
        """Let this page's links and forms carry a flow's token."""
        g.flow_token = token
        link_languages_to("guest.site_page_of", slug=self.site.slug, flow=token)


def find_site(directory: Directory, slug: str) -> SiteRecord:
    """The site with this slug; else the answer is 404."""
    for site in directory.sites.values():
        if site.slug == slug:
            return site
    abort(404)
