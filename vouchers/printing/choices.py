"""What was chosen for the last print at a site, so that the next one needs no choosing."""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from hotspot.database import Base
from vouchers.printing.paper import DEFAULT_STOCK, STOCKS, Measures, Sheet, Stock, own_stock

# Not a stock: the measures are the person's own.
OWN = "own"
OWN_AT_FIRST = Measures(columns=2, rows=5, width=85.0, height=54.0, left=15.0, top=13.5, gap_x=10.0, gap_y=0.0)


@dataclass(frozen=True)
class Choice:
    """How a site prints: `paper` is a stock's name, OWN, or "tents"; `shift_*` in millimetres."""

    paper: str = DEFAULT_STOCK
    wifi_code: bool = True
    black_only: bool = False
    shift_x: float = 0.0
    shift_y: float = 0.0
    own: Measures = OWN_AT_FIRST

    def sheet(self, start: int = 1) -> Sheet:
        """The sheet to print on, from a place of it; WrongUse if measures, place or shift cannot be."""
        return Sheet(self.stock, start, self.shift_x, self.shift_y)

    @property
    def stock(self) -> Stock:
        """The stock that is meant; what is no sheet of cards has the default."""
        return own_stock(self.own) if self.paper == OWN else STOCKS.get(self.paper, STOCKS[DEFAULT_STOCK])


class PrintChoice(Base):
    """A site's choice, as JSON."""

    __tablename__ = "print_choice"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    choice: Mapped[str] = mapped_column(Text)


def choice_of(session: Session, site_id: int) -> Choice:
    """What the site chose last, or the usual."""
    row = session.get(PrintChoice, site_id)
    if row is None:
        return Choice()
    told = json.loads(row.choice)
    return Choice(**told | {"own": Measures(**told["own"])})


def remember(session: Session, site_id: int, choice: Choice) -> None:
    """Keep a choice for the next time."""
    session.merge(PrintChoice(site_id=site_id, choice=json.dumps(asdict(choice))))
