"""What a host decides once: threads, instruction set, memory, log."""
from __future__ import annotations

import logging
from typing import NamedTuple, Optional

from .native import check, created, ffi, lib, sized

LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}


class ContextInfo(NamedTuple):
    """What a context chose, and the bytes it holds."""

    threads: int
    isa: str
    memory_used: int
    memory_peak: int
    memory_limit: int


class Context:
    """Threads and memory that models share. `logger`: a logging.Logger that gets the library's lines.

    >>> Context(threads=2).info.threads
    2
    """

    def __init__(self, *, threads: int = 0, isa: Optional[str] = None, memory_limit: int = 0, logger: Optional[logging.Logger] = None) -> None:
        keep = [ffi.new("char[]", isa.encode()) if isa else ffi.NULL]
        options = sized("puna_context_options", threads=threads, memory_limit=memory_limit)
        options.isa = keep[0]
        if logger is not None:
            @ffi.callback("void(void*, int32_t, const char*)")
            def log(_user, level, message):  # type: ignore[no-untyped-def]
                logger.log(LEVELS.get(level, logging.INFO), "%s", ffi.string(message).decode("utf-8", "replace"))
            keep.append(log)
            options.log = log
        self._keep = keep
        self._handle = created(lib.puna_context_free, lib.puna_context_create, options, type="puna_context")

    @property
    def info(self) -> ContextInfo:
        i = sized("puna_context_info")
        check(lib.puna_context_get_info(self._handle, i))
        return ContextInfo(i.threads, ffi.string(i.isa).decode(), i.memory_used, i.memory_peak, i.memory_limit)
