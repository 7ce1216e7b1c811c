"""Logging: one line per event on standard error, for people on a terminal and as JSON elsewhere; no identities.

What our own code logs is written with that rule in mind. What libraries log is not: of a library's message only what
cannot be an address, a code or a path is kept, and of an exception its type and where it happened, never its words.
"""

import logging
import re
import sys
import traceback
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# These libraries log nothing about guests.
_TRUSTED = ("alembic",)
_PLAIN_WORDS = re.compile(r"(?:[A-Z]?[a-z]+[,.:]?(?:\s+|$))*")
_FRAMES = 8


def configure_logging(level: str) -> None:
    """Send structlog's and the standard library's events of `level` or worse to standard error."""
    on_terminal = sys.stderr.isatty()
    renderer: Processor = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_exception,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[restrain_library, *shared],
            pass_foreign_args=True,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def describe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and the places it came through: its words may hold a code or an address."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["at"] = places(error.__traceback__)
    return event


def places(trace: TracebackType | None) -> list[str]:
    """The last frames of a traceback as `file:line function`."""
    frames = traceback.extract_tb(trace)[-_FRAMES:]
    return [f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} {frame.name}" for frame in frames]


def restrain_library(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep of a library's message what cannot name a guest: its words and its numbers."""
    record: logging.LogRecord = event["_record"]
    arguments = event.pop("positional_args", ())
    if record.name.split(".")[0] in _TRUSTED:
        return event
    if record.exc_info:
        event["event"] = "failed"
        event["exc_info"] = record.exc_info
    elif isinstance(arguments, tuple) and arguments:
        event["event"] = _with_numbers_only(str(record.msg), arguments)
    else:
        event["event"] = _words(str(record.msg))
    return event


def _with_numbers_only(template: str, arguments: tuple[object, ...]) -> str:
    try:
        return template % tuple(one if isinstance(one, int | float) else "*" for one in arguments)
    except (TypeError, ValueError):
        return _words(template)


def _words(message: str) -> str:
    found = _PLAIN_WORDS.match(message)
    return (found[0].strip() if found else "") or "message withheld"
