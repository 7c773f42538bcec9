"""Why a receiver was not told."""

from __future__ import annotations

from typing import Literal

from events.errors import PermanentError, TransientError

__all__ = ["ForbiddenTargetError", "Problem", "UnreachableError"]

Problem = Literal["connect", "dns", "network", "protocol", "timeout", "tls"]


class UnreachableError(TransientError, ConnectionError):
    """No answer came. `problem` is what a log may say of it: nothing of the URL, nothing that the receiver sent."""

    code = "receiver_unreachable"

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"no answer from the receiver: {problem}", problem=problem)
        self.problem = problem


class ForbiddenTargetError(PermanentError, PermissionError):
    """The receiver's name leads to an address that is not on the public internet; nothing was sent."""

    code = "forbidden_target"
