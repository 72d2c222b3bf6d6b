"""Advertisements: texts from a brief, lint, what to bid so that a budget lasts, money that cannot be overspent, which
variant to show to whom, what a log can tell of another policy. Money is int, millionths of the currency's unit; clocks
and seeds are yours.

>>> ledger = puna.ads.Ledger()
>>> shop = ledger.add_campaign(ledger.add_account(cap=5_000_000), budget=1_000_000)
>>> bid = ledger.reserve(shop, 800_000, now=0, time_to_live=60_000_000)
>>> ledger.reserve(shop, 300_000, now=0, time_to_live=60_000_000) is None
True
>>> ledger.settle(bid, 250_000), ledger.campaign(shop).left
('booked', 750000)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .native import (
    WorkerProgress,
    c_text,
    check,
    created,
    ffi,
    handle_of,
    handle_or_none,
    integer_array,
    json_bytes,
    lib,
    one_of,
    ours,
    pointer,
    read,
    sized,
    text_bytes,
    text_of,
    values_of,
)

if TYPE_CHECKING:
    from .adapter import Adapter
    from .model import Model

SETTLED = ("booked", "booked_late", "refused_late", "unknown")
PACING = {
    "dual": lib.PUNA_PACING_DUAL,
    "pi": lib.PUNA_PACING_PI,
    "throttle": lib.PUNA_PACING_THROTTLE,
    "none": lib.PUNA_PACING_NONE,
}
PACE_BY = {"time": lib.PUNA_PACE_BY_TIME, "auctions": lib.PUNA_PACE_BY_AUCTIONS}
CHOICE = {
    "hierarchical": lib.PUNA_CHOICE_HIERARCHICAL,
    "thompson": lib.PUNA_CHOICE_THOMPSON,
    "lin_ts": lib.PUNA_CHOICE_LIN_TS,
    "lin_ucb": lib.PUNA_CHOICE_LIN_UCB,
    "uniform": lib.PUNA_CHOICE_UNIFORM,
}
DAYS = {
    "plain": lib.PUNA_DAY_PLAIN,
    "drifting": lib.PUNA_DAY_DRIFTING,
    "spiking": lib.PUNA_DAY_SPIKING,
    "heavy_tailed": lib.PUNA_DAY_HEAVY_TAILED,
    "traffic": lib.PUNA_DAY_TRAFFIC,
}
PRICES = {"seen": lib.PUNA_PRICE_SEEN, "won": lib.PUNA_PRICE_WON, "lost": lib.PUNA_PRICE_LOST}
SINGLE = {"second_price": lib.PUNA_AUCTION_SECOND_PRICE, "first_price": lib.PUNA_AUCTION_FIRST_PRICE}
SLOTS = {"gsp": lib.PUNA_SLOTS_GSP, "vcg": lib.PUNA_SLOTS_VCG}
COUNTS = {"clips": "clip_count", "switches": "switch_count", "shrinkages": "shrinkage_count"}


class Balance(NamedTuple):
    """Of a campaign or an account. `open`: reserved and not settled; `left`: what could still be reserved."""

    limit: int
    spent: int
    open: int
    refused_late: int
    left: int


class Hindsight(NamedTuple):
    """The best that a constant multiplier could have done on a day, known from its end."""

    value: float
    spent: int
    won: int
    multiplier: float


class PacerInfo(NamedTuple):
    """`multiplier`: for tomorrow's pacer. `trust` in the plan: 1 = as given, 0 = today was too unlike it."""

    multiplier: float
    lambda_: float
    trust: float


class Outcome(NamedTuple):
    """What happened in a cell since the last update."""

    segment: int
    variant: int
    shown: float
    clicks: float


class RewardCounts(NamedTuple):
    """So far. `late`: clicks after their window, or of impressions that are not known."""

    shown: int
    clicked: int
    waiting: int
    repeated: int
    late: int


class Estimate(NamedTuple):
    """Of what a policy would have earned, an impression."""

    value: float
    standard_error: float


class Evaluation(NamedTuple):
    """What a log says of another policy. Where there are `refusals` it cannot carry a conclusion: they say why, and
    what to log instead."""

    estimates: Dict[str, Estimate]
    refusals: List[str]
    warnings: List[str]
    rows: int
    contexts: int
    actions: int
    rewarded: int
    log_value: float
    log_standard_error: float
    ess: float
    mean_weight: float
    largest_weight: float
    largest_share: float


def _numbers(values: Any, dtype: Any, what: str, shape: Optional[Tuple[int, ...]] = None) -> Any:
    array = (
        integer_array(values, dtype, what) if np.dtype(dtype).kind == "i" else np.ascontiguousarray(values, dtype=dtype)
    )
    if shape is not None and array.shape != shape:
        raise ValueError(f"{what} has the shape {array.shape}, expected {shape}")
    return array


def _new(kind: str, *arguments: Any) -> Any:
    return created(getattr(lib, f"{kind}_free"), getattr(lib, f"{kind}_create"), *arguments, type=kind)


def _got(type: str, call: Any, *arguments: Any) -> Any:
    out = ffi.new(f"{type}*")
    check(call(*arguments, out))
    return out[0]


class Ledger:
    """Reserve before a bid is answered, settle when the price is known: spend and open reservations are never above a
    campaign's budget or its account's cap, whatever the threads. It lives in memory; `restore` brings back what you
    wrote down before a crash."""

    def __init__(self) -> None:
        self._handle = _new("puna_ledger")

    def add_account(self, cap: int) -> int:
        return int(_got("int32_t", lib.puna_ledger_add_account, self._handle, cap))

    def add_campaign(self, account: int, budget: int) -> int:
        return int(_got("int32_t", lib.puna_ledger_add_campaign, self._handle, account, budget))

    def reserve(self, campaign: int, amount: int, *, now: int, time_to_live: int) -> Optional[int]:
        """The reservation's number, or None: there is not that much left. Times are microseconds of your clock."""
        number = int(_got("int64_t", lib.puna_ledger_reserve, self._handle, campaign, amount, now, time_to_live))
        return number or None

    def settle(self, reservation: int, spent: int) -> str:
        """Of a reservation, `spent` was spent: "booked", "booked_late", "refused_late" or "unknown"."""
        return SETTLED[_got("int32_t", lib.puna_ledger_settle, self._handle, reservation, spent)]

    def expire(self, now: int) -> int:
        """Frees what is over its time: how many."""
        return int(_got("int64_t", lib.puna_ledger_expire, self._handle, now))

    def forget_late(self) -> None:
        """Late settlements of what has expired are unknown from now on."""
        check(lib.puna_ledger_forget_late(self._handle))

    def restore(self, campaign: int, amount: int, *, reservation: Optional[int] = None) -> None:
        """After a restart: what the campaign had spent or, with a reservation, what was open."""
        check(lib.puna_ledger_restore(self._handle, campaign, reservation or 0, amount))

    def campaign(self, campaign: int) -> Balance:
        return Balance(*values_of(read("puna_balance", lib.puna_ledger_get_campaign, self._handle, campaign), Balance))

    def account(self, account: int) -> Balance:
        return Balance(*values_of(read("puna_balance", lib.puna_ledger_get_account, self._handle, account), Balance))


class Day:
    """Auctions of a day as they are known afterwards: `at` (the share of the day that was over), `values`, `prices`."""

    def __init__(self, at: Any, values: Any, prices: Any) -> None:
        self.at = _numbers(at, np.float64, "at")
        self.values = _numbers(values, np.int64, "values", self.at.shape)
        self.prices = _numbers(prices, np.int64, "prices", self.at.shape)

    def __len__(self) -> int:
        return int(self.at.size)

    def _struct(self) -> Any:
        return sized(
            "puna_ads_day",
            count=len(self),
            at=pointer("double[]", self.at),
            values=pointer("int64_t[]", self.values),
            prices=pointer("int64_t[]", self.prices),
        )


def hindsight(day: Day, budget: int) -> Hindsight:
    out = sized("puna_hindsight")
    check(lib.puna_spend_plan_learn(ours(day, "Day", "day")._struct(), budget, out, ffi.NULL))
    return Hindsight(*values_of(out, Hindsight))


class SpendPlan:
    """Which share of a day's budget is to be spent by when: of `shares` of equal parts of the day, or
    `SpendPlan.learn(yesterday, budget)`."""

    def __init__(self, shares: Any) -> None:
        array = _numbers(shares, np.float64, "shares")
        self._handle = _new("puna_spend_plan", pointer("double[]", array), array.size)

    @classmethod
    def learn(cls, yesterday: Day, budget: int) -> "SpendPlan":
        plan = cls.__new__(cls)
        plan._handle = created(
            lib.puna_spend_plan_free,
            lib.puna_spend_plan_learn,
            ours(yesterday, "Day", "yesterday")._struct(),
            budget,
            ffi.NULL,
            type="puna_spend_plan",
        )
        return plan

    def spent_by(self, at: float) -> float:
        return float(_got("double", lib.puna_spend_plan_spent_by, self._handle, at))


class Pacer:
    """What to bid so that the budget lasts for its day.

    >>> pacer = puna.ads.Pacer(budget=50_000_000, expected_auctions=20_000)
    >>> 0 < pacer.bid(at=0.25, value=2_000_000, left=50_000_000) <= 2_000_000
    True
    """

    def __init__(
        self,
        budget: int,
        expected_auctions: int,
        *,
        method: str = "dual",
        pace_by: str = "time",
        plan: Optional[SpendPlan] = None,
        multiplier: Optional[float] = None,
        least_return: float = 0,
        seed: int = 0,
        at: float = 0,
        spent: int = 0,
    ) -> None:
        options = sized(
            "puna_pacer_options",
            method=one_of(method, PACING, "method"),
            budget=budget,
            expected_auctions=expected_auctions,
            pace_by=one_of(pace_by, PACE_BY, "pace_by"),
            has_multiplier=int(multiplier is not None),
            multiplier=multiplier,
            least_return=least_return,
            seed=seed,
            at=at,
            spent=spent,
            plan=handle_or_none(plan, "SpendPlan", "plan"),
        )
        self._handle = _new("puna_pacer", options)

    def bid(self, at: float, value: int, left: int) -> int:
        """`at`: the share of the day that is over; `left`: neither spent nor reserved. 0: take no part."""
        return int(_got("int64_t", lib.puna_pacer_bid, self._handle, at, value, left))

    def won(self, price: int, value: int) -> None:
        check(lib.puna_pacer_won(self._handle, price, value))

    @property
    def info(self) -> PacerInfo:
        i = read("puna_pacer_info", lib.puna_pacer_get_info, self._handle)
        return PacerInfo(i.multiplier, getattr(i, "lambda"), i.trust)


class ClearingPrices:
    """What the highest other bid is likely to be in each hour, learnt from one's own bids."""

    def __init__(self, hours: int = 24, *, typical: float, spread: float = 1) -> None:
        self._handle = _new("puna_clearing_prices", hours, typical, spread)

    def observe(self, hour: int, kind: str, price: float) -> None:
        """kind "seen": it was this; "won": at most this bid of ours; "lost": above it."""
        check(lib.puna_clearing_prices_observe(self._handle, hour, one_of(kind, PRICES, "kind"), price))

    def bid(self, hour: int, value: float) -> Tuple[float, float]:
        """The bid with the largest (value - bid) * P(win), and that probability."""
        best, probability = ffi.new("double*"), ffi.new("double*")
        check(lib.puna_clearing_prices_bid(self._handle, hour, value, best, probability))
        return float(best[0]), float(probability[0])


def sell(bids: Any, *, rule: str = "second_price", reserve: float = 0) -> Tuple[Optional[int], float]:
    """One item: who wins (None: nobody bid the reserve), and the price.

    >>> puna.ads.sell([3, 8, 5])
    (1, 5.0)
    """
    array = _numbers(bids, np.float64, "bids")
    winner, price = ffi.new("int32_t*"), ffi.new("double*")
    number = one_of(rule, SINGLE, "rule")
    check(lib.puna_auction_sell(number, pointer("double[]", array), array.size, reserve, winner, price))
    return (None if winner[0] < 0 else int(winner[0])), float(price[0])


def sell_slots(
    bids: Any, qualities: Any, click_factors: Any, *, rule: str = "gsp"
) -> List[Tuple[Optional[int], float, float]]:
    """Slots of a page: for each who wins, what a click costs, and what being shown costs on average."""
    b = _numbers(bids, np.float64, "bids")
    q = _numbers(qualities, np.float64, "qualities", b.shape)
    c = _numbers(click_factors, np.float64, "click_factors")
    who, per_click, expected = np.empty(c.size, np.int32), np.empty(c.size), np.empty(c.size)
    check(
        lib.puna_auction_sell_slots(
            one_of(rule, SLOTS, "rule"),
            pointer("double[]", b),
            pointer("double[]", q),
            b.size,
            pointer("double[]", c),
            c.size,
            pointer("int32_t[]", who),
            pointer("double[]", per_click),
            pointer("double[]", expected),
        )
    )
    return [(None if w < 0 else int(w), float(p), float(e)) for w, p, e in zip(who, per_click, expected)]


class Chooser:
    """Which variant to show to whom. `options` are those of puna_chooser_options: floor, discount, temper, ...; None or
    0 is the default.

    >>> chooser = puna.ads.Chooser(variants=3, segments=2)
    >>> variant, propensity = chooser.choose(segment=1, seed=7, number=0)
    >>> chooser.update([(1, variant, 1, 0)])
    >>> float(sum(chooser.propensities(1)).round(9))
    1.0
    """

    def __init__(
        self,
        variants: int,
        segments: int = 1,
        *,
        method: str = "hierarchical",
        rates: Optional[Any] = None,
        **options: float,
    ) -> None:
        of_ranker = None if rates is None else _numbers(rates, np.float64, "rates", (segments, variants))
        struct = sized(
            "puna_chooser_options",
            method=one_of(method, CHOICE, "method"),
            segments=segments,
            variants=variants,
            rates=pointer("double[]", of_ranker),
            **options,
        )
        self._handle = _new("puna_chooser", struct)

    def choose(self, segment: int, seed: int, number: int) -> Tuple[int, float]:
        """A variant, and the probability with which it was drawn: log it. Give each impression another number."""
        variant, propensity = ffi.new("int32_t*"), ffi.new("double*")
        check(lib.puna_chooser_choose(self._handle, segment, seed, number, variant, propensity))
        return int(variant[0]), float(propensity[0])

    def _of_variants(self, call: Any, segment: int) -> Any:
        values = np.empty(self.variants)
        check(call(self._handle, segment, pointer("double[]", values), values.size))
        return values

    def propensities(self, segment: int) -> Any:
        """Of every variant; 0 for those that are retired."""
        return self._of_variants(lib.puna_chooser_get_propensities, segment)

    def rates(self, segment: int) -> Any:
        """What is believed of every rate."""
        return self._of_variants(lib.puna_chooser_get_rates, segment)

    def update(self, outcomes: Iterable[Sequence[float]]) -> None:
        """(segment, variant, shown, clicks) each: all of them or none."""
        rows = [tuple(o) for o in outcomes]
        check(lib.puna_chooser_update(self._handle, ffi.new("puna_shown_and_clicked[]", rows), len(rows)))

    @property
    def sums(self) -> Tuple[Any, Any]:
        """shown and clicks [segments, variants], by which it goes: all of its state."""
        i = read("puna_chooser_info", lib.puna_chooser_get_info, self._handle)
        shown, clicks = np.empty((i.segments, i.variants)), np.empty((i.segments, i.variants))
        check(
            lib.puna_chooser_get_sums(self._handle, pointer("double[]", shown), pointer("double[]", clicks), shown.size)
        )
        return shown, clicks

    def add_variant(self, rates: Optional[Any] = None) -> int:
        """Its number. A chooser that was given rates wants one a segment."""
        array = _numbers([] if rates is None else rates, np.float64, "rates")
        return int(_got("int32_t", lib.puna_chooser_add_variant, self._handle, pointer("double[]", array), array.size))

    def retire(self, variant: int) -> None:
        check(lib.puna_chooser_retire(self._handle, variant))

    @property
    def segments(self) -> int:
        return int(read("puna_chooser_info", lib.puna_chooser_get_info, self._handle).segments)

    @property
    def variants(self) -> int:
        return int(read("puna_chooser_info", lib.puna_chooser_get_info, self._handle).variants)


class RewardBook:
    """Rewards that come late, twice, or in another order: an impression counts when its window is over."""

    def __init__(self, window: int) -> None:
        self._handle = _new("puna_reward_book", window)

    def shown(self, key: int, segment: int, variant: int, time: int) -> None:
        """`key`: yours, an unsigned 64-bit number an impression."""
        check(lib.puna_reward_book_shown(self._handle, key, segment, variant, time))

    def clicked(self, key: int, time: int) -> bool:
        """True: it is the first, and in time."""
        return bool(_got("int32_t", lib.puna_reward_book_clicked, self._handle, key, time))

    def collect(self, now: int) -> List[Outcome]:
        """Of all impressions whose window is over; given out once, for Chooser.update."""
        outcomes, count = ffi.new("puna_shown_and_clicked const**"), ffi.new("size_t*")
        check(lib.puna_reward_book_collect(self._handle, now, outcomes, count))
        return [Outcome(o.segment, o.variant, o.shown, o.clicks) for o in outcomes[0][0 : count[0]]]

    @property
    def counts(self) -> RewardCounts:
        return RewardCounts(
            *values_of(read("puna_reward_counts", lib.puna_reward_book_get_counts, self._handle), RewardCounts)
        )


def evaluate(
    actions: Any,
    propensities: Any,
    rewards: Any,
    *,
    contexts: Optional[Any] = None,
    policy: Optional[Any] = None,
    **options: Any,
) -> Evaluation:
    """What `policy` (probabilities [contexts, actions]; None: uniform) would have earned, from the log of the one that
    ran. Options: shrink, clips, switches, shrinkages.

    >>> e = puna.ads.evaluate([0, 1] * 500, [0.5] * 1000, [0, 1] * 500, policy=[[0.2, 0.8]])
    >>> round(e.estimates["ips"].value, 6), e.refusals
    (0.8, [])
    """
    a = _numbers(actions, np.int32, "actions")
    p = _numbers(propensities, np.float64, "propensities", a.shape)
    r = _numbers(rewards, np.float64, "rewards", a.shape)
    x = None if contexts is None else _numbers(contexts, np.int32, "contexts", a.shape)
    table = None if policy is None else _numbers(policy, np.float64, "policy")
    fields: Dict[str, Any] = {}
    for name, value in options.items():
        if name in COUNTS:
            numbers = _numbers(value, np.float64, name)
            fields[name] = ffi.from_buffer("double[]", numbers) if numbers.size else ffi.new("double[1]")
            fields[COUNTS[name]] = numbers.size
        else:
            fields[name] = value
    ope = _new("puna_off_policy", sized("puna_off_policy_options", **fields))
    rows = sized(
        "puna_logged_choices",
        count=a.size,
        contexts=pointer("int32_t[]", x),
        actions=pointer("int32_t[]", a),
        propensities=pointer("double[]", p),
        rewards=pointer("double[]", r),
    )
    check(lib.puna_off_policy_count(ope, rows))
    check(lib.puna_off_policy_begin(ope, pointer("double[]", table), 0 if table is None else table.size))
    check(lib.puna_off_policy_estimate(ope, rows))
    report = read("puna_off_policy_report", lib.puna_off_policy_report_on, ope)

    def texts(list: Any, count: int) -> List[str]:
        return [ffi.string(list[i]).decode() for i in range(count)]

    return Evaluation(
        {
            ffi.string(e.name).decode(): Estimate(e.value, e.standard_error)
            for e in report.estimates[0 : report.estimate_count]
        },
        texts(report.refusals, report.refusal_count),
        texts(report.warnings, report.warning_count),
        *(getattr(report, name) for name in Evaluation._fields[3:]),
    )


def _texts(**values: Any) -> Tuple[Dict[str, Any], List[Any]]:
    """Fields `name` and `name`_bytes of options, and what keeps them alive."""
    fields: Dict[str, Any] = {}
    for name, value in values.items():
        if value is not None:
            data = json_bytes(value, name)
            fields[name], fields[name + "_bytes"] = ffi.from_buffer("char[]", data), len(data)
    return fields, list(fields.values())


class Finding(NamedTuple):
    """Of lint. `begin` and `end` are bytes of the text in UTF-8."""

    rule: str
    severity: str
    begin: int
    end: int
    text: str
    reason: str


class Linted(NamedTuple):
    """`errors`: the platform refuses it, or it says what it may not. `length` and `limit` as the placement counts."""

    errors: bool
    findings: List[Finding]
    length: Optional[int]
    limit: Optional[int]


class Lint:
    """What a platform, or a reader, will object to in a text: advice, not legal clearance. `brief`, `rules` and
    `placements` are JSON, as text or as a dict; rules and placements are ours without. For any thread.

    >>> found = puna.ads.Lint().check("SALE on bread!", placement="google.search", field="headline")
    >>> found.errors, found.findings[0].rule
    (True, 'google/capitals')
    """

    def __init__(
        self, *, brief: Any = None, rules: Any = None, placements: Any = None, language: Optional[str] = None
    ) -> None:
        fields, alive = _texts(brief=brief, rules=rules, placements=placements)
        fields["language"] = c_text(language, "language")
        self._handle = _new("puna_lint", sized("puna_lint_options", **fields))
        del alive

    def check(self, text: str, *, placement: Optional[str] = None, field: Optional[str] = None) -> Linted:
        data = text_bytes(text, "text", "surrogateescape")
        where, kind = c_text(placement, "placement") or ffi.NULL, c_text(field, "field") or ffi.NULL
        found = json.loads(text_of(lib.puna_lint_check, self._handle, where, kind, data, len(data), ffi.NULL))
        findings = [Finding(*(f[key] for key in Finding._fields)) for f in found["findings"]]
        return Linted(found["errors"], findings, found.get("length"), found.get("limit"))


def plan(
    model: "Model",
    brief: Any,
    *,
    adapter: "Optional[Adapter]" = None,
    rules: Any = None,
    placements: Any = None,
    progress: "Optional[Callable[[int, int], Any]]" = None,
    model_name: str = "",
    adapter_name: str = "",
    made_at: str = "",
    **options: Any,
) -> Dict[str, Any]:
    """The texts of a brief's advertisements, from its facts alone: the plan that `puna ads plan --out` writes, as a
    dict. `brief` is JSON, as text or as a dict; docs/ads.md has its fields. `progress(done, total)` counts texts; False
    or an exception in it ends the call. Options are exact, temperature, top_p and parallel."""
    data = json_bytes(brief, "brief")
    fields, alive = _texts(rules=rules, placements=placements)
    for name, value in (("model_name", model_name), ("adapter_name", adapter_name), ("made_at", made_at)):
        fields[name] = c_text(value, name)
    fields["adapter"] = handle_or_none(adapter, "Adapter", "adapter")
    handle = handle_of(model, "Model", "model")
    call = WorkerProgress(progress)
    struct = sized("puna_ads_plan_options", progress=call.callback, **fields, **options)
    text = call.run(lambda: text_of(lib.puna_ads_plan_write, handle, data, len(data), struct))
    del alive
    return dict(json.loads(text))


def simulate_day(process: str = "plain", *, seed: int, count: int) -> Day:
    """One of the days of `puna ads simulate pacing`."""
    at, values, prices = np.empty(count), np.empty(count, np.int64), np.empty(count, np.int64)
    check(
        lib.puna_simulate_day(
            one_of(process, DAYS, "process"),
            seed,
            count,
            pointer("double[]", at),
            pointer("int64_t[]", values),
            pointer("int64_t[]", prices),
        )
    )
    return Day(at, values, prices)


def simulate_world(*, seed: int, segments: int = 6, variants: int = 8, interaction: float = 0.35) -> Tuple[Any, Any]:
    """Click rates [segments, variants], and what a ranker would predict of them."""
    p, rates = np.empty((segments, variants)), np.empty((segments, variants))
    check(
        lib.puna_simulate_world(
            seed, segments, variants, interaction, pointer("double[]", p), pointer("double[]", rates)
        )
    )
    return p, rates


def simulate_stream(*, seed: int, segments: int = 6, count: int) -> Tuple[Any, Any]:
    """Impressions: a segment each, and u: shown variant k it is clicked when u < p[segment, k]."""
    of_segment, u = np.empty(count, np.int32), np.empty(count)
    check(lib.puna_simulate_stream(seed, segments, count, pointer("int32_t[]", of_segment), pointer("double[]", u)))
    return of_segment, u
