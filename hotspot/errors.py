"""The failures that people are told about, under one root."""


class SurfpassError(Exception):
    """A failure with a sentence for a person and a code for a program."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class SetupError(SurfpassError):
    """The installation is not ready: settings, keys, database or ports."""


class Refusal(SurfpassError):
    """A well-formed wish that cannot be granted; nothing was changed."""


class WrongUse(Refusal):
    """What was given makes no sense, whatever the state of the PoP: a value out of range, options that contradict."""


class NotFound(Refusal):
    """What was named does not exist, or is not the asker's to see."""
