"""The library's statuses as exceptions. The message is the sentence of puna_last_error()."""

from __future__ import annotations


class Error(Exception):
    """Anything the library refused. `status` is its number in puna.h."""

    status = -1


class InvalidArgument(Error, ValueError):
    """This call does not take what was passed."""


class OutOfMemory(Error, MemoryError):
    """An allocation failed, or the context's memory_limit would be passed."""


class InputOutput(Error, OSError):
    """The system could not deliver the bytes."""


class BadFile(Error):
    """The bytes are there and are wrong."""


class Unsupported(Error):
    """Well formed, but not something this build or this CPU does."""


class Cancelled(Error):
    """cancel() was called from another thread, or a callback asked to stop."""


class ContextFull(Error):
    """The session's max_positions is reached."""


class WrongState(Error):
    """The call does not fit the state: no logits yet, an answer under way, used after fork."""


class Internal(Error):
    """A broken promise of the library; please report it."""


class Busy(Error):
    """An engine's queue is full: try again later."""


BY_STATUS = {
    1: InvalidArgument,
    2: OutOfMemory,
    3: InputOutput,
    4: BadFile,
    5: Unsupported,
    6: Cancelled,
    7: ContextFull,
    8: WrongState,
    9: Internal,
    10: Busy,
}
for _status, _kind in BY_STATUS.items():
    _kind.status = _status
