"""libpuna through cffi. The declarations are those of puna.h itself, so there is no second list that could differ."""
from __future__ import annotations

import os
import pathlib
import re
import threading
from typing import Any, Sequence

import cffi
import numpy as np

from . import errors

HERE = pathlib.Path(__file__).parent


def declarations(header: str) -> str:
    """What cffi can read of puna.h: the typedefs, the functions and the numbers.

    >>> print(declarations("#include <x.h>\\n#define PUNA_OK 0\\nPUNA_API int f(void); /* why */"))
    #define PUNA_OK 0
    int f(void);
    """
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S).replace("\\\n", " ")
    kept, depth = [], 0
    for line in text.splitlines():
        directive = re.match(r"\s*#\s*(\w+)\s*(.*)", line)
        if not directive:
            if not depth:
                kept.append(line)
        elif directive[1] in ("if", "ifdef", "ifndef"):
            depth += not re.fullmatch(r"PUNA_(\w+_)?H", directive[2])  # the guard holds everything; other conditions are about compilers
        elif directive[1] == "endif":
            depth = max(depth - 1, 0)
        elif directive[1] == "define" and not depth and re.fullmatch(r"PUNA_\w+\s+\d+\s*", directive[2]):
            kept.append(line)
    return "\n".join(line.replace("PUNA_API ", "").rstrip() for line in kept if line.strip())


def _first_file(what: str, *places: pathlib.Path) -> pathlib.Path:
    for place in places:
        if place.is_file():
            return place
    raise ImportError(f"puna: {what} is not in {', '.join(map(str, places))}; set PUNA_LIBRARY, or install the wheel")


ffi = cffi.FFI()
for _header in ("puna.h", "puna_train.h", "puna_vision.h", "puna_recsys.h", "puna_gemm.h", "puna_decode.h", "puna_providers.h"):
    ffi.cdef(declarations(_first_file(_header, HERE / _header, HERE.parents[2] / "capi" / _header).read_text(encoding="utf-8")))
_override = os.environ.get("PUNA_LIBRARY")
lib: Any = ffi.dlopen(str(_first_file("libpuna.so.0", *([pathlib.Path(_override)] if _override else []), HERE / "libpuna.so.0")))


def version() -> str:
    """Of the library that is running."""
    return ffi.string(lib.puna_version_string()).decode()


def check(status: int) -> None:
    """Raises the exception of a status that is not OK."""
    if status != lib.PUNA_OK:
        raise errors.BY_STATUS.get(status, errors.Error)(ffi.string(lib.puna_last_error()).decode("utf-8", "replace"))


def sized(name: str, **fields: Any) -> Any:
    """A new option or info struct, its struct_size filled in; None leaves a field at its default."""
    struct = ffi.new(f"{name}*")
    struct.struct_size = ffi.sizeof(name)
    for field, value in fields.items():
        if value is not None:
            setattr(struct, field, value)
    return struct


def created(free: Any, call: Any, *arguments: Any, type: str) -> Any:
    """The handle that `call(*arguments, &handle)` makes, freed by Python's garbage collection."""
    out = ffi.new(f"{type}**")
    check(call(*arguments, out))
    return ffi.gc(out[0], free)


class Progress:
    """A Python function behind a C callback that gets a report: what it raises (Ctrl-C too) goes on where the call returns, False stops the call."""

    def __init__(self, struct: str, report: Any, function: Any) -> None:
        self.raised: "list[BaseException]" = []

        def keep(_type: Any, value: BaseException, _traceback: Any) -> None:
            self.raised.append(value)

        @ffi.callback(f"int32_t(void*, const {struct}*)", error=1, onerror=keep)
        def call(_user: Any, r: Any) -> int:
            return int(function is not None and function(report(*(getattr(r, name) for name in report._fields))) is False)

        @ffi.callback("int32_t(void*)", error=1, onerror=keep)
        def look_in(_user: Any) -> int:  # here Python hears Ctrl-C in the middle of a step
            return 0

        main = threading.current_thread() is threading.main_thread()  # no other thread is sent signals
        self.callback, self.watch = call, look_in if main else None

    def created(self, *arguments: Any, type: str) -> Any:
        try:
            return created(*arguments, type=type)
        except Exception:
            if self.raised:
                raise self.raised[0]
            raise


def text_of(call: Any, *arguments: Any) -> bytes:
    """What a function with (buffer, capacity, size) at its end writes."""
    size = ffi.new("size_t*")
    check(call(*arguments, ffi.NULL, 0, size))
    buffer = ffi.new("char[]", size[0] + 1)
    check(call(*arguments, buffer, size[0] + 1, size))
    return bytes(ffi.buffer(buffer, size[0]))


def token_array(tokens: Sequence[int]) -> np.ndarray:
    """Token ids as the library reads them; an int32 array is used as it is.

    >>> token_array([1, 2]).dtype
    dtype('int32')
    >>> token_array([2**40])
    Traceback (most recent call last):
    OverflowError: ...
    """
    array = np.asarray(tokens)
    if array.dtype != np.int32:
        wide = array.astype(np.int64, casting="safe") if array.size else array.astype(np.int64)
        if wide.size and (wide.max() > 2**31 - 1 or wide.min() < -(2**31)):
            raise OverflowError("a token id does not fit 32 bits")
        array = wide.astype(np.int32)
    if array.ndim != 1:
        raise ValueError(f"token ids have {array.ndim} dimensions, expected 1")
    return np.ascontiguousarray(array)


def int32_pointer(array: np.ndarray) -> Any:
    return ffi.from_buffer("int32_t[]", array) if array.size else ffi.NULL


def float_view(pointer: Any, count: int, keep: Any) -> np.ndarray:
    """A read-only array over the library's memory, which keeps its owner alive."""
    owned = ffi.gc(pointer, lambda _, keep=keep: None)
    array = np.frombuffer(ffi.buffer(owned, count * 4), dtype=np.float32)
    array.flags.writeable = False
    return array
