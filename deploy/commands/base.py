"""What all commands share: how they reach the installation, and how they say that something went wrong."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import click
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from deploy.installation import Installation
from deploy.logging import places
from hotspot.errors import SurfpassError, WrongUse

WRONG_USE = 2
REFUSED = 1

pass_installation = click.make_pass_decorator(Installation)


class SurfpassGroup(click.Group):
    """The whole command: failures become one sentence on standard error and an exit code, never a traceback."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and end the process: 0 done, 1 refused or not ready, 2 wrong use."""
        try:
            result = super().main(*args, **{**extra, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(WRONG_USE)
        except click.UsageError as error:
            _fail(_with_hint(error), WRONG_USE)
        except click.ClickException as error:
            _fail(error.format_message(), WRONG_USE if isinstance(error, click.FileError) else REFUSED)
        except click.Abort:
            _fail("Interrupted.", REFUSED)
        except SurfpassError as error:
            _fail(error.sentence, WRONG_USE if isinstance(error, WrongUse) else REFUSED)
        except Exception as error:
            _fail(_describe(error), REFUSED)
        sys.exit(result if isinstance(result, int) else 0)


def _with_hint(error: click.UsageError) -> str:
    sentence = " ".join(error.format_message().split()).rstrip(".")
    if sentence.endswith("?"):  # click has a better hint
        return sentence
    return f"{sentence}; see '{error.ctx.command_path} --help'." if error.ctx else f"{sentence}."


def _describe(error: Exception) -> str:
    """A sentence for what is not one of our own failures. An exception's words stay out: they may hold a secret."""
    if isinstance(error, IntegrityError):
        return "Somebody else made a change that excludes this one at the same moment: look, and try again."
    if isinstance(error, OperationalError):
        return "The database cannot be reached, or is too busy: check SURFPASS_DATABASE_URL, and that it runs."
    if isinstance(error, DBAPIError):
        return (
            f"The database did not do as asked ({type(error.orig).__name__}): check SURFPASS_DATABASE_URL and its log."
        )
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'The system'}: {error.strerror}."
    where = places(error.__traceback__)
    return f"This is a defect of surfpass: {type(error).__name__} at {where[-1] if where else 'an unknown place'}."


def _fail(sentence: str, code: int) -> NoReturn:
    click.echo(f"surfpass: {sentence}", err=True)
    sys.exit(code)


def config_option(command: Any) -> Any:
    """`--config FILE.toml`."""
    return click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Read settings from this TOML file; the environment (SURFPASS_*) wins over it.",
    )(command)
