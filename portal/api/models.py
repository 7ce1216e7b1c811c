"""What goes in and out of the API. The document that describes it is made from these models, and so is every check."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

from hotspot.clock import YEARS
from vouchers.issuing import LARGEST_BATCH
from vouchers.passes import Clock
from vouchers.stock_alarms import HIGHEST
from vouchers.voucher import VoucherState

LARGEST_PAGE = 200


def _within_reason(moment: datetime) -> datetime:
    """In UTC; what is far away would overflow in it."""
    if moment.year not in YEARS:
        raise ValueError(f"from the year {YEARS[0]} to the year {YEARS[-1]}")
    return moment.astimezone(UTC)


def _spelled(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


Moment = Annotated[
    AwareDatetime,
    AfterValidator(_within_reason),
    PlainSerializer(_spelled, return_type=str, when_used="json"),
    Field(json_schema_extra={"format": "date-time"}),
]
Id = Annotated[str, Field(pattern="^[a-z2-7]{16}$", examples=["k3v7xw2m5q4hzr6t"])]
_FIRST_USE = "Until when it may be used first; null: stock, whose days begin when it is switched on."
# No control characters: they would come out in lists, files and on paper.
Note = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class Model(BaseModel):
    """What all have in common: no type is taken for another, and no name that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """The part of an address behind the question mark: text, of which numbers are made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(Query):
    """Which part of a list is wanted."""

    limit: int = Field(50, ge=1, le=LARGEST_PAGE, description="How many at most.")
    after: Id | None = Field(None, description="`next` of the page before; without it the first page.")


class VoucherQuery(PageQuery):
    """Which vouchers are wanted."""

    state: VoucherState | None = None
    note: Note = Field("", description="A text in its own note or that of its batch.")


class Site(Model):
    """A place with a hotspot."""

    id: Id
    name: str
    kind: str
    ssids: list[str] = Field(description="The names of its Wi-Fi network.")
    timezone: str = Field(description="IANA name, such as Europe/Berlin.")


class Sites(Model):
    """All sites of the customer."""

    items: list[Site]


class Pass(Model):
    """An article of which vouchers can be issued."""

    id: Id
    name: str
    clock: Clock = Field(description="When its time runs.")
    minutes: int | None
    until: Moment | None
    megabytes: int | None
    down_kbit: int | None
    up_kbit: int | None
    devices: int = Field(description="How many devices may be online with it at once.")
    good_days: int = Field(
        description="Days a voucher may lie unused; 0: to the end of the third year after that of issue."
    )
    price_cents: int
    currency: str


class Passes(Model):
    """The passes that can be issued at a site."""

    items: list[Pass]


class Voucher(Model):
    """A voucher. When, where and how much a guest surfed is not told."""

    id: Id
    serial: str = Field(description="The number printed on the slip; no secret.")
    site_id: Id
    batch_id: Id | None
    name: str = Field(description="The name of its pass.")
    state: VoucherState
    note: str
    good_from: Moment | None
    good_until: Moment | None = Field(description=_FIRST_USE)


class VoucherPage(Model):
    """A part of a list of vouchers."""

    items: list[Voucher]
    next: Id | None = Field(description="`after` of the next page; null on the last.")


class Batch(Model):
    """Vouchers that were issued together."""

    id: Id
    site_id: Id
    pass_id: Id
    count: int
    issued: int = Field(description="How many of them there are so far.")
    inactive: bool = Field(description="Whether it is not switched on.")
    cancelled: bool
    note: str
    issued_at: Moment


class BatchPage(Model):
    """A part of a list of batches."""

    items: list[Batch]
    next: Id | None = Field(description="`after` of the next page; null on the last.")


class VoucherCode(Model):
    """A voucher with its code."""

    id: Id
    serial: str
    code: str | None = Field(description="To be printed or shown; null once the voucher has been used or revoked.")
    good_from: Moment | None
    good_until: Moment | None = Field(description=_FIRST_USE)


class CodePage(Model):
    """A part of the vouchers of a batch, with codes."""

    items: list[VoucherCode]
    next: Id | None = Field(description="`after` of the next page; null on the last.")


class Issued(Model):
    """A batch just issued, with the code of every voucher."""

    batch: Batch
    vouchers: list[VoucherCode]


class Replaced(Model):
    """The voucher that takes the place of a lost one, with its code."""

    batch: Batch
    voucher: VoucherCode


class Change(Model):
    """What a change has come to."""

    vouchers: list[Voucher] = Field(description="As they stand now; of a batch none are listed.")
    changed: int = Field(description="How many were changed.")
    change_id: Id | None = Field(description="To undo it; null where nothing was changed.")
    undo_until: Moment | None


class IssueOrder(Model):
    """What is to be issued."""

    pass_id: Id
    count: int = Field(1, ge=1, le=LARGEST_BATCH)
    note: Note = ""
    good_from: Moment | None = Field(None, description="From when they may be used; null: at once.")
    good_until: Moment | None = Field(
        None, description="Until when they may be used first; null: as long as the pass says."
    )
    until: Moment | None = Field(
        None, description="When they end whatever the pass says, such as the hour of departure."
    )
    inactive: bool = Field(False, description="Printed stock, which has to be switched on.")


class Search(Model):
    """What is looked for; in the body, because an address is written down in many places."""

    code_or_serial: str = Field(min_length=1, max_length=100)


class VoucherChange(Model):
    """What is to change; what is null or left out stays as it is."""

    extend_minutes: int | None = Field(
        None, ge=-527_040, le=527_040, description="More time, or less where it is negative."
    )
    good_until: Moment | None = Field(None, description="Until when an unused one may be used first.")
    note: Note | None = None


class StockAlarm(Model):
    """When webhooks are told that a pass runs low at a site."""

    below: int = Field(ge=0, le=HIGHEST, description="Fewer unused vouchers than these; 0: never.")


class FieldError(Model):
    """Something in a request that is wrong."""

    at: str = Field(description="A JSON pointer into the body, or the name of a parameter.")
    detail: str


class ProblemDetails(Model):
    """What is wrong (RFC 9457)."""

    type: Literal["about:blank"]
    title: str
    status: int
    code: str = Field(description="For programs; it stays the same.")
    detail: str = Field(description="For people; it may change.")
    errors: list[FieldError] | None = None
