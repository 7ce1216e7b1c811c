"""Every operation of the API, in one table: routes, checks and the document that describes them are made from it."""

from collections.abc import Callable
from dataclasses import dataclass

from hotspot.api_keys import Scope
from portal.api import models, places, vouchers
from portal.api.models import Model, Query


@dataclass(frozen=True)
class Operation:
    """An operation: what it needs, takes and answers. `refuses`: whether the state of things may forbid it (409)."""

    method: str
    path: str
    scope: Scope
    view: Callable[..., Model]
    summary: str
    answer: type[Model]
    body: type[Model] | None = None
    query: type[Query] | None = None
    status: int = 200
    once: bool = False
    refuses: bool = False

    @property
    def name(self) -> str:
        """Its name in the document and in the log."""
        return self.view.__name__


OPERATIONS = (
    Operation(
        "GET", "/sites", Scope.SITES_READ, places.list_sites, "All sites of the customer", models.Sites
    ),
    Operation(
        "GET", "/sites/<site_id>", Scope.SITES_READ, places.get_site, "A site", models.Site
    ),
    Operation(
        "GET", "/sites/<site_id>/passes", Scope.SITES_READ, places.list_passes,
        "The passes that can be issued at a site", models.Passes,
    ),
    Operation(
        "GET", "/sites/<site_id>/batches", Scope.VOUCHERS_READ, vouchers.list_batches,
        "The batches of a site, the newest first", models.BatchPage, query=models.PageQuery,
    ),
    Operation(
        "GET", "/sites/<site_id>/vouchers", Scope.VOUCHERS_READ, vouchers.list_site_vouchers,
        "The vouchers of a site, the newest first", models.VoucherPage, query=models.VoucherQuery,
    ),
    Operation(
        "GET", "/batches/<batch_id>", Scope.VOUCHERS_READ, vouchers.get_batch, "A batch", models.Batch
    ),
    Operation(
        "GET", "/batches/<batch_id>/vouchers", Scope.VOUCHERS_READ, vouchers.list_batch_vouchers,
        "The vouchers of a batch, in the order of issue", models.VoucherPage, query=models.PageQuery,
    ),
    Operation(
        "GET", "/vouchers/<voucher_id>", Scope.VOUCHERS_READ, vouchers.get_voucher, "A voucher", models.Voucher
    ),
    Operation(
        "POST", "/vouchers/find", Scope.VOUCHERS_READ, vouchers.find_voucher,
        "The voucher with a code or serial number", models.Voucher, body=models.Search,
    ),
)  # fmt: skip
