"""Every operation of the API, in one table: routes, checks and the document that describes them are made from it."""

from collections.abc import Callable
from dataclasses import dataclass

from hotspot.api_keys import Scope
from portal.api import changing, issuing, models, places, vouchers
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
    Operation(
        "POST", "/sites/<site_id>/batches", Scope.VOUCHERS_ISSUE, issuing.issue_vouchers,
        "Issue 1 to 10,000 vouchers as a batch", models.Issued, body=models.IssueOrder, status=201, once=True,
        refuses=True,
    ),
    Operation(
        "POST", "/vouchers/<voucher_id>/replace", Scope.VOUCHERS_CHANGE, issuing.replace_voucher,
        "Replace a lost slip: a new code with what remains, and the old one is worthless", models.Replaced, status=201,
        once=True, refuses=True,
    ),
    Operation(
        "GET", "/batches/<batch_id>/codes", Scope.VOUCHERS_PRINT, issuing.list_codes,
        "The codes of a batch once more, while they are unused", models.CodePage, query=models.PageQuery,
    ),
    Operation(
        "PATCH", "/vouchers/<voucher_id>", Scope.VOUCHERS_CHANGE, changing.change_voucher,
        "Extend a voucher, write a note on it, or change until when it may be used first", models.Change,
        body=models.VoucherChange, once=True, refuses=True,
    ),
    Operation(
        "POST", "/vouchers/<voucher_id>/revoke", Scope.VOUCHERS_CHANGE, changing.revoke_voucher,
        "Make a voucher worthless, and end the visits that run on it", models.Change,
    ),
    Operation(
        "POST", "/batches/<batch_id>/switch-on", Scope.VOUCHERS_CHANGE, changing.switch_batch_on,
        "Switch printed stock on", models.Change, refuses=True,
    ),
    Operation(
        "POST", "/batches/<batch_id>/switch-off", Scope.VOUCHERS_CHANGE, changing.switch_batch_off,
        "Switch a batch off, as when it is lost", models.Change, refuses=True,
    ),
    Operation(
        "POST", "/batches/<batch_id>/revoke", Scope.VOUCHERS_CHANGE, changing.revoke_batch,
        "Make all vouchers of a batch worthless", models.Change, refuses=True,
    ),
    Operation(
        "PUT", "/sites/<site_id>/passes/<pass_id>/stock-alarm", Scope.VOUCHERS_CHANGE, places.set_stock_alarm,
        "Set when webhooks are told that a pass runs low", models.StockAlarm, body=models.StockAlarm,
    ),
    Operation(
        "POST", "/changes/<change_id>/undo", Scope.VOUCHERS_CHANGE, changing.undo_change,
        "Undo a change of the last minute", models.Change, refuses=True,
    ),
)  # fmt: skip
