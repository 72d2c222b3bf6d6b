"""Advertisements: money, pacing, auctions, choices, late rewards, logs; what is wrong is said."""

import pathlib
import threading

import numpy as np
import pytest

import puna
from puna import ads


def test_a_ledger_never_overspends_and_is_restored():
    ledger = ads.Ledger()
    account = ledger.add_account(cap=150)
    a, b = (ledger.add_campaign(account, budget=100) for _ in range(2))
    first = ledger.reserve(a, 60, now=0, time_to_live=1000)
    second = ledger.reserve(b, 60, now=0, time_to_live=1000)
    assert first and second and ledger.reserve(b, 40, now=0, time_to_live=1000) is None
    assert ledger.settle(first, 20) == "booked" and ledger.settle(first, 20) == "unknown"
    assert ledger.account(account) == ads.Balance(150, 20, 60, 0, 70)
    again = ads.Ledger()
    assert again.add_account(150) == account and [again.add_campaign(account, 100) for _ in range(2)] == [a, b]
    again.restore(a, 20)
    again.restore(b, 60, reservation=second)
    assert again.account(account) == ledger.account(account)
    assert ledger.expire(2000) == 1 and again.expire(2000) == 0
    assert ledger.settle(second, 60) == "booked_late"
    ledger.forget_late()
    with pytest.raises(puna.InvalidArgument, match="no campaign 9"):
        ledger.campaign(9)
    with pytest.raises(puna.InvalidArgument, match="has not 61 left"):
        again.restore(b, 61)


def test_threads_share_a_ledger():
    ledger = ads.Ledger()
    campaign = ledger.add_campaign(ledger.add_account(1000), 1000)

    def bid():
        for i in range(300):
            number = ledger.reserve(campaign, 2, now=i, time_to_live=10**9)
            if number:
                ledger.settle(number, 1)

    threads = [threading.Thread(target=bid) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    balance = ledger.campaign(campaign)
    assert balance.spent in (999, 1000) and balance.open == 0


@pytest.mark.parametrize("method", ["dual", "pi", "throttle"])
def test_a_day_is_paced(method):
    day, budget = ads.simulate_day("spiking", seed=5, count=6000), 600_000_000
    best = ads.hindsight(day, budget)
    pacer, left, value = ads.Pacer(budget, len(day), method=method), budget, 0
    for at, worth, price in zip(day.at.tolist(), day.values.tolist(), day.prices.tolist()):
        if pacer.bid(at, worth, left) > price:
            left -= price
            value += worth
            pacer.won(price, worth)
    assert 0 <= left < 0.03 * budget
    assert value > {"dual": 0.9, "pi": 0.85, "throttle": 0.4}[method] * best.value
    assert 0 < pacer.info.lambda_ <= 1


def test_a_plan_is_learnt_and_followed():
    before, today = (ads.simulate_day("traffic", seed=s, count=6000) for s in (11, 12))
    plan, best = ads.SpendPlan.learn(before, 600_000_000), ads.hindsight(before, 600_000_000)
    pacer = ads.Pacer(600_000_000, 6000, plan=plan, multiplier=best.multiplier)
    del plan  # the pacer keeps it
    left = 600_000_000
    for at, worth, price in zip(today.at.tolist(), today.values.tolist(), today.prices.tolist()):
        if pacer.bid(at, worth, left) > price:
            left -= price
            pacer.won(price, worth)
    assert left < 20_000_000 and 0 <= pacer.info.trust <= 1
    assert abs(ads.SpendPlan([1, 3]).spent_by(0.5) - 0.25) < 1e-12
    with pytest.raises(puna.InvalidArgument, match="share 1 of the plan"):
        ads.SpendPlan([1, -3])


def test_auctions():
    slots = ads.sell_slots([9, 4, 1], [1, 1, 1], [0.4, 0.2], rule="vcg")
    assert [s[0] for s in slots] == [0, 1]
    assert abs(slots[0][2] - (0.2 * 4 + 0.2 * 1)) < 1e-12
    assert ads.sell([1, 2], reserve=3) == (None, 0.0)
    prices = ads.ClearingPrices(typical=1)
    for _ in range(300):
        prices.observe(7, "seen", 4.0)
    bid, p = prices.bid(7, 10)
    assert 4 < bid < 6 and p > 0.8
    with pytest.raises(ValueError, match="did you mean 'seen'"):
        prices.observe(7, "sen", 1)


def test_choices_learn_and_their_log_is_evaluated():
    p, rates = ads.simulate_world(seed=2, segments=3, variants=4)
    assert p.shape == rates.shape == (3, 4)
    p = 8 * p
    segments, u = ads.simulate_stream(seed=2, segments=3, count=6000)
    chooser, book = ads.Chooser(4, 3, floor=0.02, base_rate=0.08), ads.RewardBook(window=20)
    rows = []
    for i, (s, x) in enumerate(zip(segments.tolist(), u.tolist())):
        k, propensity = chooser.choose(s, seed=1, number=i)
        clicked = x < p[s, k]
        book.shown(i, s, k, time=i)
        if clicked:
            assert book.clicked(i, time=i + 10) and not book.clicked(i, time=i + 12)
        if i % 500 == 499:
            chooser.update(book.collect(i))
        rows.append((s, k, propensity, clicked))
    assert book.counts.shown + book.counts.waiting == 6000
    shown, clicks = chooser.sums
    again = ads.Chooser(4, 3, floor=0.02, base_rate=0.08)
    again.update([(s, k, shown[s, k], clicks[s, k]) for s in range(3) for k in range(4)])
    assert (again.propensities(2) == chooser.propensities(2)).all()
    contexts, actions, propensities, rewards = (np.array(c) for c in zip(*rows))
    e = ads.evaluate(actions, propensities, rewards.astype(float), contexts=contexts, clips=[5])
    truth = p[segments].mean()
    assert not e.refusals and e.rows == 6000 and "clipped_ips_5" in e.estimates
    assert abs(e.estimates["dr"].value - truth) < 4 * e.estimates["dr"].standard_error
    refused = ads.evaluate(actions, np.full(6000, 1e-3), rewards.astype(float))
    assert any("mean weight" in r for r in refused.refusals)
    assert chooser.add_variant() == 4
    chooser.retire(1)
    assert chooser.propensities(0)[1] == 0 and chooser.rates(0).shape == (5,)


def test_mistakes_are_named():
    with pytest.raises(TypeError, match="no option 'flor', did you mean 'floor'"):
        ads.Chooser(3, flor=0.1)
    with pytest.raises(ValueError, match="did you mean 'throttle'"):
        ads.Pacer(1, 1, method="throtle")
    with pytest.raises(ValueError, match="values has the shape"):
        ads.Day([0.1, 0.2], [1], [1, 2])
    with pytest.raises(puna.InvalidArgument, match="2 clicks of 1 shown"):
        ads.Chooser(3).update([(0, 0, 1, 2)])
    with pytest.raises(puna.InvalidArgument, match="row 1: the propensity is 2"):
        ads.evaluate([0, 1], [0.5, 2], [0, 1])


BRIEF = {
    "name": "Ann's",
    "objective": "sales",
    "facts": ["We bake bread every morning", "Since 1987 in Ghent"],
    "budget": {"daily": 10, "currency": "EUR", "start": "2026-12-30", "end": "2027-01-01"},
    "placements": ["meta.reels"],
    "variants": 2,
    "banned": ["cheap"],
}


def test_texts_are_linted():
    found = ads.Lint().check("SALE on bread!", placement="google.search", field="headline")
    assert found.errors and found.length == 14 and found.limit == 30
    assert {f.rule for f in found.findings} == {"google/capitals", "google/exclamation-in-headline"}
    held = ads.Lint(brief=BRIEF).check("Cheap bread since 1986")
    assert {"any/banned-term", "any/not-in-facts"} <= {f.rule for f in held.findings}
    assert held.limit is None
    with pytest.raises(puna.InvalidArgument, match="'xx' is no language"):
        ads.Lint(language="xx")
    with pytest.raises(puna.InvalidArgument, match="did you mean 'google.search'"):
        ads.Lint().check("a", placement="google.serch")


def test_a_plan_is_written_and_can_be_stopped():
    model = puna.Model(pathlib.Path(__file__).resolve().parents[3] / "examples/bundled/puna-austen.gguf")
    seen = []
    written = ads.plan(model, BRIEF, progress=lambda done, total: seen.append((done, total)))
    assert written == ads.plan(model, BRIEF, parallel=3)
    assert [p["placement"] for p in written["placements"]] == ["meta.reels"]
    assert seen and all(done <= total for done, total in seen)
    with pytest.raises(puna.Cancelled):
        ads.plan(model, BRIEF, progress=lambda done, total: False)
    with pytest.raises(ZeroDivisionError):
        ads.plan(model, BRIEF, progress=lambda done, total: 1 // 0)
    with pytest.raises(puna.InvalidArgument, match="facts: there are none"):
        ads.plan(model, {**BRIEF, "facts": []})
