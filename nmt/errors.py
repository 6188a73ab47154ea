"""Mistakes by the user, told in one sentence, and the enum base that Python 3.10 lacks."""

from enum import Enum


class StrEnum(str, Enum):
    """``enum.StrEnum`` of Python 3.11, as much of it as the configuration needs."""

    def __str__(self) -> str:
        return str(self.value)


class UserError(Exception):
    """Something the user gave is wrong. The message is one sentence that names the key or file, the rule and what was found."""


class UsageError(UserError):
    """The command line itself is wrong (exit code 2)."""
