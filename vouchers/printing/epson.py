"""Slips for printers that fetch their jobs by Epson Server Direct Print: ePOS-Print XML, and what they answer.

After Epson's user's manual "Server Direct Print", version 2.00 of the requests, whose jobs have names.
"""

import base64
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

from vouchers.printing import qr
from vouchers.printing.escpos import plain_form
from vouchers.printing.raster import Dots, draw_line, module_dots
from vouchers.printing.slip import DOTS, Kind, Line

_NAMESPACE = "http://www.epson-pos.com/schemas/2011/03/epos-print"
_DEVICE = "local_printer"
_TIMEOUT_MS = "20000"
# Longer than any answer of a printer, and short enough for a hostile one.
LARGEST_ANSWER = 8000


def encode(job: str, slips: Iterable[Sequence[Line]], width: int) -> bytes:
    """The slips as a print request whose name is `job`: 1 to 30 letters and figures."""
    root = Element("PrintRequestInfo", Version="2.00")
    print_ = SubElement(root, "ePOSPrint")
    parameter = SubElement(print_, "Parameter")
    for name, value in (("devid", _DEVICE), ("timeout", _TIMEOUT_MS), ("printjobid", job)):
        SubElement(parameter, name).text = value
    page = SubElement(SubElement(print_, "PrintData"), "epos-print", xmlns=_NAMESPACE)
    for lines in slips:
        SubElement(page, "text", lang="de", smooth="true", align="center")
        for line in lines:
            _add(page, line, width)
        SubElement(page, "feed", line="2")
        SubElement(page, "cut", type="feed")
    written: bytes = tostring(root, "utf-8", xml_declaration=True)
    return written


def _add(page: Element, line: Line, width: int) -> None:
    if line.kind is Kind.GAP:
        SubElement(page, "feed", line="1")
    elif line.kind is Kind.QR:
        module = str(module_dots(qr.encode(line.text).side, DOTS[width]))
        symbol = SubElement(page, "symbol", type="qrcode_model_2", level="level_m", width=module, align="center")
        symbol.text = line.text
    else:
        _add_text(page, line, width)


def _add_text(page: Element, line: Line, width: int) -> None:
    text = plain_form(line.text)
    try:
        text.encode("cp858")
    except UnicodeEncodeError:
        dots = Dots.of(draw_line(line, width))
        size = {"width": str(dots.width), "height": str(dots.height)}
        SubElement(page, "image", size, color="color_1", mode="mono").text = base64.b64encode(dots.rows).decode()
        return
    scale = str(line.scale)
    SubElement(page, "text", width=scale, height=scale, em=str(line.bold).lower()).text = f"{text}\n"


def read_answer(answer: str) -> tuple[str, str]:
    """Of what job a printer's answer speaks, and what went wrong: empty for success. ("", "") for what is no answer."""
    # No answer needs a DOCTYPE, and without one there are no entities that could grow.
    if len(answer) > LARGEST_ANSWER or "<!" in answer:
        return "", ""
    try:
        root = fromstring(answer)  # noqa: S314
    except (ParseError, ValueError):
        return "", ""
    job = next((one.text or "" for one in root.iter("printjobid")), "")
    found = next((one for one in root.iter(f"{{{_NAMESPACE}}}response")), None)
    if found is None:
        return job, "no response"
    return job, "" if found.get("success") == "true" else found.get("code") or "failed"
