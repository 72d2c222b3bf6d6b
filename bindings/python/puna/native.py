"""libpuna through cffi. The declarations are those of puna.h itself, so there is no second list that could differ."""

from __future__ import annotations

import _thread
import collections.abc
import difflib
import json
import os
import pathlib
import re
import threading
import weakref
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple, TypeVar

import cffi  # type: ignore[import-untyped,unused-ignore]
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
            depth += not re.fullmatch(
                r"PUNA_(\w+_)?H", directive[2]
            )  # the guard holds everything; other conditions are about compilers
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


def beside_library(name: str) -> Optional[pathlib.Path]:
    """A library that comes with libpuna, where there is one."""
    return next((p / name for p in (HERE, pathlib.Path(_override or HERE / "x").parent) if (p / name).is_file()), None)


ffi = cffi.FFI()
_declared: List[str] = []
for _header in (
    "puna.h",
    "puna_chat.h",
    "puna_grammar.h",
    "puna_train.h",
    "puna_engine.h",
    "puna_label.h",
    "puna_eval.h",
    "puna_vision.h",
    "puna_recsys.h",
    "puna_ads.h",
    "puna_gemm.h",
    "puna_decode.h",
    "puna_providers.h",
):
    _declared.append(
        declarations(
            _first_file(_header, HERE / _header, HERE.parents[2] / "capi" / "include" / _header).read_text(
                encoding="utf-8"
            )
        )
    )
    ffi.cdef(_declared[-1])
_override = os.environ.get("PUNA_LIBRARY")
_loaded: Any = ffi.dlopen(
    str(_first_file("libpuna.so.0", *([pathlib.Path(_override)] if _override else []), HERE / "libpuna.so.0"))
)


def described(value: Any) -> str:
    """For errors.

    >>> described(None), described(5)
    ('None', '5, an int')
    """
    if value is None:
        return "None"
    name = type(value).__name__
    text = repr(value)
    short = isinstance(value, (bool, int, float, str, bytes)) and len(text) <= 40
    return f"{text + ', ' if short else ''}{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


def expected_of(ctype: str) -> str:
    """What Python gives for a type of C.

    >>> expected_of("int64_t"), expected_of("double")
    ('an int', 'a number')
    """
    if ctype.endswith("*") or "[" in ctype or "(" in ctype:
        return "a text or an array" if ctype.replace("const ", "").startswith("char") else "one of our objects"
    return "a number" if ctype in ("double", "float") else "an int"


class _Library:
    """The library's functions and numbers. Where Python's value is none of the type that a function takes, cffi names
    neither the function nor the parameter: here both are."""

    def __init__(self, loaded: Any, names: Dict[str, List[str]]) -> None:
        self._loaded, self._names = loaded, names

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._loaded, name)
        # What frees is called when everything else may be gone.
        if name.startswith("puna_") and not name.endswith("_free"):
            value = self._checked(name, value)
        setattr(self, name, value)  # the next look finds it
        return value

    def _checked(self, name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except (TypeError, OverflowError) as e:
                raise self._named(name, function, arguments, e) from None

        return call

    def _named(self, name: str, function: Any, arguments: Tuple[Any, ...], error: Exception) -> Exception:
        for ctype, parameter, value in zip(ffi.typeof(function).args, self._names.get(name, ()), arguments):
            try:
                ffi.new("struct { " + ffi.getctype(ctype, "value") + "; } *", [value])
            except (TypeError, OverflowError) as e:
                if isinstance(e, OverflowError):
                    return OverflowError(f"{parameter} is {described(value)}, which does not fit {ctype.cname}")
                return TypeError(f"{parameter} is {described(value)}, expected {expected_of(ctype.cname)}")
            except Exception:  # a type that cannot be made so
                continue
        return error


def _parameters(header: str) -> Dict[str, List[str]]:
    """The names of the functions' parameters.

    >>> _parameters("int puna_f(puna_x* x, double at, void (*on)(int));")
    {'puna_f': ['x', 'at', 'on']}
    """
    found: Dict[str, List[str]] = {}
    for name, inside in re.findall(r"\b(puna_\w+)\s*\(((?:[^()]|\([^()]*\))*)\)\s*;", header):
        flat = re.sub(r"\(\s*\*\s*(\w+)\s*\)\s*\([^()]*\)", r" \1", inside)
        found[name] = [(re.findall(r"\w+", p) or [""])[-1] for p in flat.split(",")]
    return found


lib: Any = _Library(_loaded, _parameters("\n".join(_declared)))


def version() -> str:
    """Of the library that is running."""
    return str(ffi.string(lib.puna_version_string()).decode())


def check(status: int) -> None:
    """Raises the exception of a status that is not OK."""
    if status != lib.PUNA_OK:
        raise errors.BY_STATUS.get(status, errors.Error)(ffi.string(lib.puna_last_error()).decode("utf-8", "replace"))


_kept: "weakref.WeakKeyDictionary[Any, Any]" = weakref.WeakKeyDictionary()  # what the fields of a struct point to


def sized(name: str, **fields: Any) -> Any:
    """A new option or info struct, its struct_size filled in; None leaves a field at its default. What the fields point
    to lives as long as the struct."""
    struct = ffi.new(f"{name}*")
    struct.struct_size = ffi.sizeof(name)
    _kept[struct] = fields
    for field, value in fields.items():
        if value is None:
            continue
        try:
            setattr(struct, field, value)
        except AttributeError:
            raise TypeError(f"no option {field!r}{did_you_mean(field, dir(struct))}") from None
        except TypeError:
            ctype = dict(ffi.typeof(name).fields)[field].type.cname
            raise TypeError(f"{field} is {described(value)}, expected {expected_of(ctype)}") from None
        except OverflowError as e:
            raise OverflowError(f"{field}: {e}") from None
    return struct


def ours(value: Any, kind: str, what: str) -> Any:
    """The value, which is one of our objects.

    >>> ours(None, "Model", "model")
    Traceback (most recent call last):
    TypeError: model is None, expected a Model
    """
    if any(c.__name__ == kind and c.__module__.startswith("puna.") for c in type(value).__mro__):
        return value
    raise TypeError(f"{what} is {described(value)}, expected {'an' if kind[0] in 'AEIO' else 'a'} {kind}")


def handle_of(value: Any, kind: str, what: str) -> Any:
    """The library's handle of it."""
    return ours(value, kind, what)._handle


def handle_or_none(value: Any, kind: str, what: str) -> Any:
    """The same; None is none."""
    return None if value is None else handle_of(value, kind, what)


def text_bytes(text: "str | bytes", what: str, errors: str = "surrogatepass") -> bytes:
    """A text in UTF-8.

    >>> text_bytes(5, "text")
    Traceback (most recent call last):
    TypeError: text is 5, an int, expected a str or bytes
    """
    if isinstance(text, str):
        return text.encode("utf-8", errors)
    if isinstance(text, bytes):
        return text
    raise TypeError(f"{what} is {described(text)}, expected a str or bytes")


def json_bytes(value: Any, what: str) -> bytes:
    """JSON as it is given: a str or bytes of it, or what json.dumps() takes of a dict or a list.

    >>> json_bytes(5, "brief")
    Traceback (most recent call last):
    TypeError: brief is 5, an int, expected JSON: a dict, or a str or bytes of it
    """
    if isinstance(value, (str, bytes)):
        return text_bytes(value, what)
    if not isinstance(value, (collections.abc.Mapping, list, tuple)):
        raise TypeError(f"{what} is {described(value)}, expected JSON: a dict, or a str or bytes of it")
    try:
        return json.dumps(
            dict(value) if isinstance(value, collections.abc.Mapping) else value, ensure_ascii=False
        ).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError) as e:
        raise TypeError(f"{what}: {e}") from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f", did you mean {near[0]!r}?" if near else ""


def one_of(value: str, known: Dict[str, int], what: str) -> int:
    """The number of a name; another name is an error that lists them.

    >>> one_of("meen", {"mean": 0, "last": 1}, "pooling")
    Traceback (most recent call last):
    ValueError: pooling is 'meen', did you mean 'mean'? (there are: mean, last)
    """
    if isinstance(value, str) and value in known:
        return known[value]
    raise ValueError(f"{what} is {value!r}{did_you_mean(str(value), known) or ','} (there are: {', '.join(known)})")


def c_string(text: "str | bytes", what: str) -> bytes:
    """For what C reads up to a NUL: a text with one in it would be cut there without a word.

    >>> c_string("a\\0b", "stop")
    Traceback (most recent call last):
    ValueError: stop is 'a\\x00b', which has a NUL in it
    """
    if not isinstance(text, (str, bytes)):
        raise TypeError(f"{what} is {described(text)}, expected a str")
    data = text.encode() if isinstance(text, str) else text
    if b"\0" in data:
        raise ValueError(f"{what} is {text!r}, which has a NUL in it")
    return data


def c_path(path: "str | os.PathLike[str]") -> bytes:
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"the path is {described(path)}, expected a str or a path")
    return c_string(os.fsencode(path), "the path")


def c_text(text: "str | bytes | None", what: str) -> Any:
    """A c_string for a field of a struct; None is the field's default."""
    return None if text is None else ffi.new("char[]", c_string(text, what))


def texts(values: "str | Iterable[str]", what: str) -> List[bytes]:
    """One str is a list of one: Python would take it apart into characters."""
    if isinstance(values, (str, bytes)):
        return [c_string(values, what)]
    if not isinstance(values, collections.abc.Iterable):
        raise TypeError(f"{what} is {described(values)}, expected a list of str")
    return [c_string(v, what) for v in values]


def text_list(values: "str | Iterable[str]", what: str) -> Any:
    """texts() as C takes them."""
    pointers = [ffi.new("char[]", text) for text in texts(values, what)]
    array = ffi.new("const char*[]", pointers)
    _kept[array] = pointers
    return array


def created(free: Any, call: Any, *arguments: Any, type: str) -> Any:
    """The handle that `call(*arguments, &handle)` makes, freed by Python's garbage collection."""
    out = ffi.new(f"{type}**")
    check_watched(call(*arguments, out))
    return ffi.gc(out[0], free)


# ---- Ctrl-C. Python runs signal handlers on its main thread only, between two of its own instructions, so a long call
# must come back to it.

SLICE_US = 5_000  # of work between two looks at Python's signals
_raised: List[BaseException] = []  # by a handler, inside _look_in; the main thread's


def _keep_raised(_type: Any, value: BaseException, _traceback: Any) -> None:
    _raised.append(value)


@ffi.callback("int32_t(void*)", error=1, onerror=_keep_raised)  # type: ignore[untyped-decorator,unused-ignore]
def _look_in(_user: Any) -> int:
    return 0


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def watch() -> Any:
    """For the `watch` of options: then check_watched() the status, so that what a signal handler raises in the middle
    of the call goes on from there."""
    return _look_in if _is_main() else ffi.NULL


def check_watched(status: int) -> None:
    if _raised and _is_main():
        raise _raised.pop()
    check(status)


T = TypeVar("T")


class WorkerProgress:
    """A call on a worker that tells progress(done, total): `callback` is for the options, run() makes the call. False
    or an exception in `progress` ends it, and so does Ctrl-C."""

    def __init__(self, progress: Optional[Callable[[int, int], Any]]) -> None:
        self._raised: List[BaseException] = []
        self._stopped = False

        def keep(_type: Any, value: BaseException, _traceback: Any) -> None:
            self._raised.append(value)

        @ffi.callback("int32_t(void*, uint64_t, uint64_t)", error=1, onerror=keep)  # type: ignore[untyped-decorator,unused-ignore]
        def report(_user: Any, done: int, total: int) -> int:
            return int(self._stopped or (progress is not None and progress(done, total) is False))

        self.callback = report

    def _stop(self) -> None:
        self._stopped = True

    def run(self, work: Callable[[], T]) -> T:
        try:
            return on_worker(work, self._stop)
        except Exception:
            if self._raised:
                raise self._raised[0]
            raise


def on_worker(work: Callable[[], T], cancel: Optional[Callable[[], Any]]) -> T:
    """work() on another thread while the main one listens. Interrupted, it calls cancel() and waits for the work's end:
    then nobody uses the handles any more. Without `cancel` the work is left to end by itself: for calls that nothing
    can end and that change nothing which others use."""
    if not _is_main():
        return work()
    lock, ended = threading.Lock(), threading.Lock()
    results: List[T] = []
    failures: List[BaseException] = []
    state = {"running": False, "given up": False}
    ended.acquire()

    def run() -> None:
        with lock:
            if state["given up"]:
                return
            state["running"] = True
        try:
            results.append(work())
        except BaseException as e:
            failures.append(e)
        ended.release()

    try:
        _thread.start_new_thread(run, ())
        ended.acquire()
    except BaseException:  # from a signal handler, at any of these instructions
        with lock:
            state["given up"] = True
        if state["running"] and cancel is not None:
            cancel()
            while not _acquired(ended):
                cancel()
        raise
    if failures:
        raise failures[0]
    return results[0]


def _acquired(lock: Any) -> bool:
    try:
        return bool(lock.acquire())
    except BaseException:  # one more Ctrl-C: the call must end first all the same
        return False


class Progress:
    """A Python function behind a C callback that gets a report: what it raises (Ctrl-C too) goes on where the call
    returns, False stops the call."""

    def __init__(self, struct: str, report: Any, function: Any) -> None:
        self.raised: "list[BaseException]" = []

        def keep(_type: Any, value: BaseException, _traceback: Any) -> None:
            self.raised.append(value)

        @ffi.callback(f"int32_t(void*, const {struct}*)", error=1, onerror=keep)  # type: ignore[untyped-decorator,unused-ignore]
        def call(_user: Any, r: Any) -> int:
            return int(function is not None and function(report(*values_of(r, report))) is False)

        @ffi.callback("int32_t(void*)", error=1, onerror=keep)  # type: ignore[untyped-decorator,unused-ignore]
        def look_in(_user: Any) -> int:  # here Python handles Ctrl-C in the middle of a step
            return 0

        self.callback, self.watch = call, look_in if _is_main() else None

    def created(self, *arguments: Any, type: str) -> Any:
        try:
            return created(*arguments, type=type)
        except Exception:
            if self.raised:
                raise self.raised[0]
            raise


def _filled(call: Any, *arguments: Any) -> Any:
    buffer = created(lib.puna_buffer_free, lib.puna_buffer_create, type="puna_buffer")
    check_watched(call(*arguments, buffer))
    return buffer


def text_of(call: Any, *arguments: Any) -> bytes:
    """The text that call(*arguments, buffer) stores."""
    buffer = _filled(call, *arguments)
    return bytes(ffi.buffer(lib.puna_buffer_data(buffer), lib.puna_buffer_size(buffer)))


def ids_of(call: Any, *arguments: Any) -> "np.ndarray[Any, Any]":
    """The ids that call(*arguments, buffer) stores."""
    buffer = _filled(call, *arguments)
    return copied_ids(lib.puna_buffer_data(buffer), lib.puna_buffer_size(buffer))


def read(type: str, call: Any, *arguments: Any) -> Any:
    """The struct that call(*arguments, &struct) fills."""
    struct = sized(type)
    check(call(*arguments, struct))
    return struct


def values_of(struct: Any, fields: Any) -> List[Any]:
    """Those of a NamedTuple, by its fields' names."""
    return [getattr(struct, name) for name in fields._fields]


def borrowed(type: str, call: Any, *arguments: Any) -> Tuple[Any, int]:
    """The pointer into a handle's memory, and the count, that call(*arguments, &pointer, &count) gives."""
    data, count = ffi.new(f"const {type}**"), ffi.new("size_t*")
    check(call(*arguments, data, count))
    return data[0], count[0]


def copied_ids(data: Any, count: int) -> "np.ndarray[Any, Any]":
    ids = np.empty(count, np.int32)
    ffi.memmove(ids, data, ids.nbytes)
    return ids


def integer_array(values: Any, dtype: Any, what: str) -> "np.ndarray[Any, Any]":
    """Integers as the library reads them; an array of that type is used as it is. Nothing else becomes one: no text,
    bytes, bool or fraction.

    >>> integer_array(range(3), np.int32, "ids")
    array([0, 1, 2], dtype=int32)
    >>> integer_array([1, True], np.int32, "ids")
    Traceback (most recent call last):
    TypeError: ids: expected integers, not bool
    """
    if isinstance(values, (str, bytes, bytearray, dict, set, frozenset)):
        raise TypeError(f"{what}: expected integers, not a {type(values).__name__}")
    if not hasattr(values, "__len__") and not hasattr(values, "__array__"):
        if not isinstance(values, collections.abc.Iterable):
            raise TypeError(f"{what} is {described(values)}, expected a list of integers")
        values = list(values)
    if isinstance(values, (list, tuple)):
        for kind in set(map(type, values)):
            if issubclass(kind, (bool, np.bool_)):
                raise TypeError(f"{what}: expected integers, not bool")
    array = np.asarray(values)
    if array.dtype != dtype:
        if array.size and array.dtype.kind not in "iu":
            huge = array.dtype.kind == "O" and all(type(v) is int for v in array.flat)
            if huge:
                raise OverflowError(f"{what}: a number does not fit {np.dtype(dtype).name}")
            raise TypeError(f"{what}: expected integers, not {array.dtype.name}")
        limits = np.iinfo(dtype)
        if array.size and (int(array.max()) > limits.max or int(array.min()) < limits.min):
            raise OverflowError(f"{what}: a number does not fit {np.dtype(dtype).name}")
        array = array.astype(dtype)
    if array.ndim != 1:
        raise ValueError(f"{what} have {array.ndim} dimensions, expected 1")
    return np.ascontiguousarray(array)


def token_array(tokens: Iterable[int]) -> "np.ndarray[Any, Any]":
    """Token ids; those that the model does not have are the library's to refuse.

    >>> token_array([2**40])
    Traceback (most recent call last):
    OverflowError: ...
    """
    return integer_array(tokens, np.int32, "token ids")


def pointer(kind: str, values: "Optional[np.ndarray[Any, Any]]") -> Any:
    """An array's memory as C takes it: NULL for none."""
    return ffi.NULL if values is None or values.size == 0 else ffi.from_buffer(kind, values)


def int32_pointer(array: "np.ndarray[Any, Any]") -> Any:
    return pointer("int32_t[]", array)


def float_view(data: Any, count: int, keep: Any) -> "np.ndarray[Any, Any]":
    """A read-only array over the library's memory, which keeps its owner alive."""
    owned = ffi.gc(data, lambda _, keep=keep: None)
    array = np.frombuffer(ffi.buffer(owned, count * 4), dtype=np.float32)
    array.flags.writeable = False
    return array
