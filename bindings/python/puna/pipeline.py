"""Pipelines: one request from its candidates to the list that is shown: retrieve -> rank -> value -> diversify, each
stage timed."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from .native import check, created, ffi, handle_of, handle_or_none, integer_array, lib, ours, pointer, sized
from .ranker import Examples, Ranker
from .recommender import User


class Shown(NamedTuple):
    """An item of a list. `propensity`: the chance that this request shows this here; 1 / it weighs what came of it
    (Outcomes). `explored`: drawn by chance."""

    item: int
    value: float
    probabilities: Dict[str, float]
    score: float
    propensity: float
    explored: bool


class Feed(NamedTuple):
    """A list, in the order to be shown; how many candidates were ranked; seconds of each stage."""

    items: List[Shown]
    candidates: int
    seconds: Dict[str, float]


def array(values: Optional[Any], dtype: Any, what: str = "values") -> Any:
    """None stays None. Integers are made of integers alone."""
    if values is None:
        return None
    return (
        integer_array(values, dtype, what) if np.dtype(dtype).kind == "i" else np.ascontiguousarray(values, dtype=dtype)
    )


class Pipeline:
    """`items`: example i is what the ranker is told of item i wherever it is shown (surfaces are not looked at). The
    ranker is used as it is: serve a copy of one that learns.

    of items  groups, categories [items], vectors [items, dim] of unit length: what is the same, of a kind, alike
    value     weights {task: weight, 0 for those left out} or [surfaces, tasks], exponents {task: exponent}: value = sum
              of weight * p ** exponent
    options   candidates, count, per_category, diversity (0 ... 1), explore (0 ... 1), explore_place (from 0),
              explore_pool, seed

    >>> r = puna.Ranker({"surfaces": ["reels"], "tasks": [{"name": "like"}, {"name": "skip"}],
    ...                  "features": [{"name": "user", "rows": 9}, {"name": "item", "rows": 5}],
    ...                  "dim": 4, "hidden": [8]})
    >>> p = puna.Pipeline(r, puna.Examples([0] * 5, [[[]] * 5, range(5)]), weights={"like": 1, "skip": -1}, count=3)
    >>> feed = p.recommend(about=[[7], []], candidates=[4, 2, 0, 3]); len(feed.items), feed.candidates
    (3, 4)
    """

    def __init__(
        self,
        ranker: Ranker,
        items: Examples,
        *,
        groups: Optional[Any] = None,
        categories: Optional[Any] = None,
        vectors: Optional[Any] = None,
        weights: Optional[Any] = None,
        exponents: Optional[Dict[str, float]] = None,
        **options: Any,
    ) -> None:
        ours(ranker, "Ranker", "ranker")
        ours(items, "Examples", "items")
        self._tasks, self._features, surfaces = (
            ranker.tasks,
            len(ranker.config["features"]),
            len(ranker.config["surfaces"]),
        )
        known = {"groups": (groups, np.int64), "categories": (categories, np.int32), "vectors": (vectors, np.float32)}
        arrays = {name: array(*of, name) for name, of in known.items()}
        for name, of in arrays.items():
            if of is not None and (len(of) != len(items) or of.ndim != (2 if name == "vectors" else 1)):
                raise ValueError(f"{name} has the shape {of.shape}, expected one for each of {len(items)} items")
        if unknown := [
            t for t in (*(weights if isinstance(weights, dict) else ()), *(exponents or ())) if t not in self._tasks
        ]:
            raise ValueError(f"no task '{unknown[0]}', there are {', '.join(self._tasks)}")
        if isinstance(weights, dict):
            weights = [[weights.get(t, 0) for t in self._tasks]] * surfaces
        of_tasks = array(weights, np.float64)
        if of_tasks is not None and of_tasks.shape != (surfaces, len(self._tasks)):
            raise ValueError(f"weights has the shape {of_tasks.shape}, expected {(surfaces, len(self._tasks))}")
        powers = None if exponents is None else array([exponents.get(t, 1) for t in self._tasks], np.float64)
        described = items._struct(ranker, numbers_may_lack=True)
        catalogue = sized(
            "puna_catalogue",
            items=described,
            groups=pointer("int64_t[]", arrays["groups"]),
            categories=pointer("int32_t[]", arrays["categories"]),
            vectors=pointer("float[]", arrays["vectors"]),
            dim=None if vectors is None else arrays["vectors"].shape[1],
        )
        self._count = options.get("count") or 10
        o = sized(
            "puna_pipeline_options",
            value_weights=pointer("double[]", of_tasks),
            value_exponents=pointer("double[]", powers),
            **options,
        )
        self._ranker = ranker
        self._handle = created(
            lib.puna_pipeline_free,
            lib.puna_pipeline_create,
            handle_of(ranker, "Ranker", "ranker"),
            catalogue,
            o,
            type="puna_pipeline",
        )

    def use(self, ranker: Ranker) -> None:
        """Requests that begin from now on are ranked by this one, of the same configuration."""
        check(lib.puna_pipeline_use(self._handle, handle_of(ranker, "Ranker", "ranker")))
        self._ranker = ranker

    def recommend(
        self,
        surface: int = 0,
        *,
        about: Optional[Sequence[Any]] = None,
        numbers: Optional[Any] = None,
        user: Optional[User] = None,
        time: int = 0,
        include_seen: bool = False,
        allowed: Optional[Any] = None,
        candidates: Optional[Any] = None,
        scores: Optional[Any] = None,
        exclude: Any = (),
        number: int = 0,
    ) -> Feed:
        """Candidates are those given, then what `user` would take next at `time`, of `allowed` where that is given.
        `about`: for each feature the ids that are known of the request (who asks, when); `numbers` likewise. `number`,
        unique, is what exploring draws from."""
        if about is None and numbers is not None:
            about = [[]] * self._features
        own, own_scores, out = (
            array(candidates, np.int64, "candidates"),
            array(scores, np.float32),
            array(exclude, np.int64, "exclude"),
        )
        if own_scores is not None and (own is None or own_scores.shape != own.shape):
            raise ValueError("scores and candidates differ in their number")
        known = None if about is None else Examples([0], [[ids] for ids in about], numbers)
        known_struct = None if known is None else known._struct(self._ranker, numbers_may_lack=True)
        answer, arrays = self._answer()
        request = sized(
            "puna_pipeline_request",
            surface=surface,
            number=number,
            about=known_struct,
            user=handle_or_none(user, "User", "user"),
            query_time=time,
            candidates=None if own is None else ffi.from_buffer("int64_t[]", own),
            scores=pointer("float[]", own_scores),
            candidate_count=0 if own is None else own.size,
            exclude=pointer("int64_t[]", out),
            exclude_count=out.size,
            include_seen=int(include_seen),
            allowed=None if user is None else user._bits(allowed),
        )
        check(lib.puna_pipeline_recommend(self._handle, request, answer))
        items, values, propensities, scored, probabilities = (a[: answer.found].tolist() for a in arrays)
        return Feed(
            [
                Shown(
                    items[i],
                    values[i],
                    dict(zip(self._tasks, probabilities[i])),
                    scored[i],
                    propensities[i],
                    i == answer.explored,
                )
                for i in range(answer.found)
            ],
            answer.candidates,
            {stage: getattr(answer, f"{stage}_seconds") for stage in ("retrieve", "rank", "value", "diversify")},
        )

    def _answer(self) -> Any:
        shapes = [
            (self._count, np.int64),
            (self._count, np.float64),
            (self._count, np.float64),
            (self._count, np.float32),
            ((self._count, len(self._tasks)), np.float32),
        ]
        arrays = [np.empty(shape, dtype=dtype) for shape, dtype in shapes]
        kinds = (
            ("items", "int64_t[]"),
            ("values", "double[]"),
            ("propensities", "double[]"),
            ("scores", "float[]"),
            ("probabilities", "float[]"),
        )
        return sized(
            "puna_pipeline_answer",
            capacity=self._count,
            **{name: ffi.from_buffer(kind, a) for (name, kind), a in zip(kinds, arrays)},
        ), arrays
