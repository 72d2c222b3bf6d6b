"""Rankers: what would come of showing something to somebody, somewhere."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from .context import Context
from .native import (
    c_path,
    c_string,
    check,
    created,
    ffi,
    handle_or_none,
    integer_array,
    json_bytes,
    lib,
    one_of,
    ours,
    pointer,
    read,
    sized,
    text_list,
    text_of,
    values_of,
)

TABLES = {"f32": lib.PUNA_RANKER_TABLE_F32, "f16": lib.PUNA_RANKER_TABLE_F16, "i8": lib.PUNA_RANKER_TABLE_I8}
OPTIMIZERS = {"adamw": lib.PUNA_RANKER_ADAMW, "adagrad": lib.PUNA_RANKER_ADAGRAD}
CALIBRATIONS = {
    "none": lib.PUNA_CALIBRATE_NONE,
    "platt": lib.PUNA_CALIBRATE_PLATT,
    "isotonic": lib.PUNA_CALIBRATE_ISOTONIC,
}


class RankerReport(NamedTuple):
    """A step: its number, the loss before it, the gradient's norm (not finite: the step was left out)."""

    step: int
    loss: float
    grad_norm: float


class RankerInfo(NamedTuple):
    """The numbers that define a ranker. `steps`: learned since it was made, opened or restored."""

    table: str
    surfaces: int
    tasks: int
    features: int
    numbers: int
    table_rows: int
    table_bytes: int
    steps: int


class Examples:
    """What was or would be shown. `ids`: for each feature a sequence with an int or a list of ints an example, or an
    array of ints."""

    def __init__(self, surfaces: Sequence[int], ids: Sequence[Sequence[Any]], numbers: Optional[Any] = None) -> None:
        self.surfaces = integer_array(surfaces, np.int32, "surfaces")
        count = len(self.surfaces)
        if any(len(feature) != count for feature in ids):
            raise ValueError(f"features describe {[len(f) for f in ids]} examples, expected {count}")
        if all(isinstance(f, np.ndarray) and f.ndim == 1 for f in ids) and ids:
            self.ids = integer_array(np.stack(list(ids), axis=1).ravel(), np.int64, "ids")
            self.starts = np.arange(count * len(ids) + 1, dtype=np.int64)
        else:
            lists = [integer_array(np.atleast_1d(feature[i]), np.int64, "ids") for i in range(count) for feature in ids]
            self.ids = np.concatenate(lists) if lists else np.zeros(0, dtype=np.int64)
            self.starts = np.concatenate([[0], np.cumsum([len(v) for v in lists])]).astype(np.int64)
        self.numbers = None if numbers is None else np.ascontiguousarray(numbers, dtype=np.float32)
        self.features = len(ids)

    def __len__(self) -> int:
        return len(self.surfaces)

    def _struct(self, ranker: "Ranker", *, numbers_may_lack: bool = False) -> Any:
        config = ranker.config
        if self.features != len(config["features"]):
            raise ValueError(f"the examples have {self.features} features, expected {len(config['features'])}")
        width = len(config["numbers"])
        if (
            not (numbers_may_lack and self.numbers is None)
            and (self.numbers.size if self.numbers is not None else 0) != len(self) * width
        ):
            raise ValueError(f"the examples' numbers have another shape than ({len(self)}, {width})")
        return sized(
            "puna_examples",
            count=len(self),
            surfaces=pointer("int32_t[]", self.surfaces),
            starts=ffi.from_buffer("int64_t[]", self.starts),
            ids=pointer("int64_t[]", self.ids),
            id_count=self.ids.size,
            numbers=pointer("float[]", self.numbers),
        )


class Outcomes:
    """What came of examples: values [count, tasks] of 0 to 1; NaN: not observed. weights [count]: 1 each by default."""

    def __init__(self, values: Any, weights: Optional[Any] = None) -> None:
        given = np.atleast_2d(np.asarray(values, dtype=np.float32))
        seen = ~np.isnan(given)
        self.known = np.ascontiguousarray(
            (seen.astype(np.uint64) << np.arange(given.shape[1], dtype=np.uint64)).sum(axis=1).astype(np.uint32)
        )
        self.values = np.ascontiguousarray(np.where(seen, given, np.float32(0)))
        self.weights = None if weights is None else np.ascontiguousarray(weights, dtype=np.float32)


class Ranker:
    """One model for all surfaces and tasks; `config` as puna_ranker_create in puna_recsys.h says.

    >>> r = puna.Ranker({"surfaces": ["feed", "reels"], "tasks": [{"name": "like"}],
    ...                  "features": [{"name": "user", "rows": 9}, {"name": "item", "rows": 9}],
    ...                  "dim": 4, "hidden": [8]})
    >>> shown = puna.Examples([0, 1], [[3, 3], [5, 6]])
    >>> report = r.learn(shown, puna.Outcomes([[1], [0]])); report.step
    1
    >>> r.copy("i8").score(shown).shape
    (2, 1)
    """

    def __init__(self, config: "Dict[str, Any] | str", *, context: Optional[Context] = None, **options: Any) -> None:
        text = json_bytes(config, "config").decode("utf-8", "surrogatepass")
        self._handle = created(
            lib.puna_ranker_free,
            lib.puna_ranker_create,
            handle_or_none(context, "Context", "context") or ffi.NULL,
            c_string(text, "config"),
            self._options(options),
            type="puna_ranker",
        )

    @staticmethod
    def _options(options: Dict[str, Any]) -> Any:
        """optimizer, learning_rate, weight_decay, table_rate, table_decay, dropout, seed"""
        kind = options.pop("optimizer", "adamw")
        return sized("puna_ranker_options", optimizer=one_of(kind, OPTIMIZERS, "optimizer"), **options)

    @classmethod
    def _of(cls, handle: Any) -> "Ranker":
        made = cls.__new__(cls)
        made._handle = handle
        return made

    @classmethod
    def open(cls, path: "str | os.PathLike[str]", *, context: Optional[Context] = None, **options: Any) -> "Ranker":
        """A file that save() or `puna rec rank` wrote; options are for learning on."""
        return cls._of(
            created(
                lib.puna_ranker_free,
                lib.puna_ranker_open,
                handle_or_none(context, "Context", "context") or ffi.NULL,
                c_path(path),
                cls._options(options),
                type="puna_ranker",
            )
        )

    def save(self, path: "str | os.PathLike[str]") -> None:
        check(lib.puna_ranker_save(self._handle, c_path(path)))

    def copy(self, table: str = "f32") -> "Ranker":
        """As it is now, independent of this one: to serve while this one learns. Tables of "f16" and "i8" serve
        only."""
        return self._of(
            created(
                lib.puna_ranker_free,
                lib.puna_ranker_copy,
                self._handle,
                one_of(table, TABLES, "table"),
                type="puna_ranker",
            )
        )

    @property
    def config(self) -> Dict[str, Any]:
        if not hasattr(self, "_config"):
            self._config: Dict[str, Any] = json.loads(text_of(lib.puna_ranker_get_config, self._handle))
        return self._config

    @property
    def info(self) -> RankerInfo:
        i = read("puna_ranker_info", lib.puna_ranker_get_info, self._handle)
        return RankerInfo(*values_of(i, RankerInfo))._replace(
            table=next(name for name, number in TABLES.items() if number == i.table)
        )

    @property
    def tasks(self) -> List[str]:
        return [t["name"] for t in self.config["tasks"]]

    def _feature(self, feature: "str | int") -> int:
        names = [f["name"] for f in self.config["features"]]
        if isinstance(feature, str) and feature not in names:
            raise ValueError(f"there is no feature '{feature}', only {', '.join(names)}")
        return names.index(feature) if isinstance(feature, str) else feature

    def id(self, feature: "str | int", name: str) -> Optional[int]:
        """The id of a name of a feature; None for a name that the ranker does not know: leave it out of the example. Of
        a feature that divides, the number as text."""
        found = ffi.new("int64_t*")
        check(lib.puna_ranker_find_id(self._handle, self._feature(feature), c_string(name, "name"), found))
        return None if found[0] == -1 else int(found[0])

    def set_names(self, feature: "str | int", names: Sequence[str]) -> None:
        """names[i] is what id i is called; copies and the file keep them."""
        if isinstance(names, str):
            raise TypeError("names is one str, expected a list")
        check(lib.puna_ranker_set_names(self._handle, self._feature(feature), text_list(names, "names"), len(names)))

    def score(self, examples: Examples) -> np.ndarray:
        """Probabilities [count, tasks]."""
        struct = ours(examples, "Examples", "examples")._struct(self)
        p = np.empty((len(examples), len(self.tasks)), dtype=np.float32)
        check(lib.puna_ranker_score(self._handle, struct, pointer("float[]", p), p.size))
        return p

    def learn(self, examples: Examples, outcomes: Outcomes, *, predicted: Optional[np.ndarray] = None) -> RankerReport:
        """One step, of one event or many. `predicted` (float32 [count, tasks]) is filled with what it predicted
        before."""
        ours(examples, "Examples", "examples")
        ours(outcomes, "Outcomes", "outcomes")
        shape = (len(examples), len(self.tasks))
        if outcomes.values.shape != shape or (outcomes.weights is not None and outcomes.weights.shape != shape[:1]):
            raise ValueError(f"the outcomes have the shape {outcomes.values.shape}, expected {shape}")
        if predicted is not None and (
            predicted.shape != shape or predicted.dtype != np.float32 or not predicted.flags.c_contiguous
        ):
            raise ValueError(f"predicted is expected to be a contiguous float32 array of {shape}")
        e, report = examples._struct(self), sized("puna_ranker_report")
        o = sized(
            "puna_outcomes",
            values=pointer("float[]", outcomes.values),
            known=pointer("uint32_t[]", outcomes.known),
            weights=pointer("float[]", outcomes.weights),
        )
        check(
            lib.puna_ranker_learn(
                self._handle, e, o, report, pointer("float[]", predicted), 0 if predicted is None else predicted.size
            )
        )
        return RankerReport(report.step, report.loss, report.grad_norm)

    def save_state(self, path: "str | os.PathLike[str]") -> None:
        """Everything that the next step depends on."""
        check(lib.puna_ranker_save_state(self._handle, c_path(path)))

    def restore_state(self, path: "str | os.PathLike[str]") -> None:
        check(lib.puna_ranker_restore_state(self._handle, c_path(path)))

    def calibrate(self, surface: int, task: int, probabilities: Any, outcomes: Any, kind: str = "platt") -> None:
        """From scores of examples that it has not learned, and what came of them; kind: "platt", "isotonic" or
        "none"."""
        p, y = (np.ascontiguousarray(v, dtype=np.float32) for v in (probabilities, outcomes))
        if p.shape != y.shape or p.ndim != 1:
            raise ValueError(
                f"probabilities and outcomes have the shapes {p.shape} and {y.shape}, expected one list each"
            )
        check(
            lib.puna_ranker_calibrate(
                self._handle,
                surface,
                task,
                one_of(kind, CALIBRATIONS, "kind"),
                pointer("float[]", p),
                pointer("float[]", y),
                p.size,
            )
        )
