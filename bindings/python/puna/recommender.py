"""Recommenders: what a user takes next, learned from who took what and when."""

from __future__ import annotations

import os
from typing import Any, Callable, List, NamedTuple, Optional, Sequence

import numpy as np

from .context import Context
from .native import (
    Progress,
    borrowed,
    c_path,
    c_string,
    check,
    created,
    ffi,
    handle_or_none,
    integer_array,
    lib,
    one_of,
    pointer,
    read,
    sized,
    text_list,
)


class RecommenderReport(NamedTuple):
    """Where training is, after a step."""

    step: int
    steps: int
    loss: float
    grad_norm: float


class RecommenderInfo(NamedTuple):
    kind: str
    items: int
    max_sequence: int
    dim: int
    blocks: int


class Recommendation(NamedTuple):
    item: int
    score: float


KINDS = {"hstu": lib.PUNA_RECOMMENDER_HSTU, "sasrec": lib.PUNA_RECOMMENDER_SASREC}


class User:
    """One user, event by event. Made by Recommender.user()."""

    def __init__(self, recommender: "Recommender") -> None:
        self._handle = created(lib.puna_user_free, lib.puna_user_create, recommender._handle, type="puna_user")
        self._items = recommender.info.items

    def append(self, item: int, time: int) -> None:
        """What the user did; times never decrease."""
        check(lib.puna_user_append(self._handle, item, time))

    def recommend(
        self, time: int, count: int = 10, *, include_seen: bool = False, allowed: Optional[Any] = None
    ) -> List[Recommendation]:
        """The best items at `time`, best first, of those in `allowed` where that is given; scores are cosines."""
        items, scores, found = ffi.new("int32_t[]", count), ffi.new("float[]", count), ffi.new("size_t*")
        options = sized("puna_recommend_options", include_seen=int(include_seen), allowed=self._bits(allowed))
        check(lib.puna_user_recommend(self._handle, time, options, items, scores, count, found))
        return [Recommendation(items[i], scores[i]) for i in range(found[0])]

    def _bits(self, allowed: Optional[Any]) -> Any:
        """A set of items as C takes it."""
        if allowed is None:
            return None
        of_items = integer_array(allowed, np.int64, "allowed")
        if of_items.size and not (1 <= of_items.min() and of_items.max() <= self._items):
            raise ValueError(
                f"allowed has item {int(of_items[(of_items < 1) | (of_items > self._items)][0])}, expected 1 to {self._items}"
            )
        bits = np.zeros((self._items // 64 + 1) * 64, np.uint8)
        bits[of_items] = 1
        return ffi.new("uint64_t[]", np.packbits(bits, bitorder="little").view("<u8").tolist())


class Recommender:
    """A trained sequence model with its items: from a file, or by Recommender.train().

    >>> walks = [(user, 1 + (user + step) % 5, 100 * step) for user in range(20) for step in range(6)]
    >>> r = puna.Recommender.train(*zip(*walks), epochs=2, max_sequence=8)
    >>> user = r.user(); user.append(3, 1000); len(user.recommend(2000, 2))
    2
    """

    def __init__(self, path: "str | os.PathLike[str]", context: Optional[Context] = None) -> None:
        where = handle_or_none(context, "Context", "context") or ffi.NULL
        self._handle = created(
            lib.puna_recommender_free, lib.puna_recommender_open, where, c_path(path), type="puna_recommender"
        )

    @classmethod
    def train(
        cls,
        users: Sequence[int],
        items: Sequence[int],
        times: Sequence[int],
        *,
        kind: str = "hstu",
        item_count: Optional[int] = None,
        item_names: Optional[Sequence[str]] = None,
        dropout: float = 0.2,
        progress: Optional[Callable[[RecommenderReport], Any]] = None,
        context: Optional[Context] = None,
        **options: Any,
    ) -> "Recommender":
        """users[i] took items[i] (1, 2, ...) at times[i] (seconds), in any order. item_count: ids go up to it (the
        largest id). item_names: what items 1, 2, ... are called, all of them; the file keeps them. dropout: the share
        of values that a step leaves out. progress() returning False stops it: Cancelled."""
        if isinstance(item_names, str):
            raise TypeError("item_names is one str, expected a list")
        names = None if item_names is None else text_list(item_names, "item_names")
        if names is not None and item_count is None:
            item_count = len(names)
        if names is not None and item_count != len(names):
            raise ValueError(f"{len(names)} names of {item_count} items")
        columns = [
            integer_array(users, np.int64, "users"),
            integer_array(items, np.int32, "items"),
            integer_array(times, np.int64, "times"),
        ]
        if any(c.shape != columns[0].shape or c.ndim != 1 for c in columns):
            raise ValueError(
                f"users, items and times have the shapes {', '.join(str(c.shape) for c in columns)}, expected three alike"
            )
        pointers = [pointer(kind_, c) for kind_, c in zip(("int64_t[]", "int32_t[]", "int64_t[]"), columns)]
        on_step = Progress("puna_recommender_report", RecommenderReport, progress)
        o = sized(
            "puna_recommender_options",
            kind=one_of(kind, KINDS, "kind"),
            items=item_count,
            dropout=dropout,
            progress=on_step.callback,
            item_names=names,
            **options,
        )
        made = cls.__new__(cls)
        made._handle = on_step.created(
            lib.puna_recommender_free,
            lib.puna_recommender_train,
            handle_or_none(context, "Context", "context") or ffi.NULL,
            *pointers,
            len(columns[0]),
            o,
            type="puna_recommender",
        )
        return made

    def save(self, path: "str | os.PathLike[str]") -> None:
        check(lib.puna_recommender_save(self._handle, c_path(path)))

    def user(self) -> User:
        return User(self)

    def name(self, item: int) -> str:
        """What an item is called. InvalidArgument when the items have only numbers."""
        return bytes(ffi.buffer(*borrowed("char", lib.puna_recommender_get_item_name, self._handle, item))).decode()

    def item(self, name: str) -> int:
        """The item of a name. InvalidArgument, naming the nearest, when there is none."""
        found = ffi.new("int32_t*")
        check(lib.puna_recommender_find_item(self._handle, c_string(name, "name"), found))
        return int(found[0])

    @property
    def info(self) -> RecommenderInfo:
        i = read("puna_recommender_info", lib.puna_recommender_get_info, self._handle)
        return RecommenderInfo(
            next(name for name, number in KINDS.items() if number == i.kind), i.items, i.max_sequence, i.dim, i.blocks
        )
