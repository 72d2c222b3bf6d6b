//! Advertisements: texts linted and written, a ledger under threads, a paced day, choices and late rewards, a log evaluated.
use crate::{gguf, go_on};
use puna::ads::*;
use puna::{Model, Status};
use std::ops::ControlFlow;

const BRIEF: &str = r#"{"name": "Ann's", "objective": "sales", "facts": ["We bake bread every morning"],
    "budget": {"daily": 10, "currency": "EUR", "start": "2026-12-30", "end": "2027-01-01"},
    "placements": ["meta.reels"], "variants": 1, "banned": ["cheap"]}"#;

#[test]
fn eight_threads_do_not_overspend() {
    let mut ledger = Ledger::new().unwrap();
    let account = ledger.add_account(500).unwrap();
    let campaigns: Vec<i32> = (0..2).map(|_| ledger.add_campaign(account, 400).unwrap()).collect();
    let (ledger, campaigns) = (&ledger, &campaigns);
    std::thread::scope(|s| {
        for t in 0..8 {
            s.spawn(move || {
                for i in 0..200 {
                    if let Some(r) = ledger.reserve(campaigns[(t + i) % 2], 3, 0, 1000).unwrap() {
                        let b = ledger.account(0).unwrap();
                        assert!(b.spent + b.open <= b.limit);
                        assert_eq!(ledger.settle(r, 2).unwrap(), Settled::Booked);
                    }
                }
            });
        }
    });
    let b = ledger.account(account).unwrap();
    assert!(b.spent <= 500 && b.spent >= 498 && b.open == 0, "{b:?}");
    assert_eq!(ledger.settle(1, 0).unwrap(), Settled::Unknown);
    assert!(ledger.reserve(7, 1, 0, 0).unwrap_err().message.contains("no campaign 7"));
}

#[test]
fn a_day_is_paced_by_yesterdays_plan() {
    let (yesterday, today) =
        (Day::simulate(Process::Traffic, 41, 8000).unwrap(), Day::simulate(Process::Traffic, 42, 8000).unwrap());
    let budget = 800_000_000;
    let (plan, before) = SpendPlan::learn(&yesterday, budget).unwrap();
    assert!(plan.spent_by(0.25).unwrap() < plan.spent_by(0.75).unwrap());
    let best = SpendPlan::learn(&today, budget).unwrap().1;
    let mut pacer = Pacer::new(&PacerOptions {
        budget,
        expected_auctions: 8000,
        by_auctions: true,
        multiplier: Some(before.multiplier),
        plan: Some(plan),
        ..Default::default()
    })
    .unwrap();
    let (mut left, mut value) = (budget, 0);
    for i in 0..today.at.len() {
        if pacer.bid(today.at[i], today.values[i], left).unwrap() > today.prices[i] {
            left -= today.prices[i];
            value += today.values[i];
            pacer.won(today.prices[i], today.values[i]).unwrap();
        }
    }
    assert!(left >= 0 && left < budget / 20, "{left}");
    assert!(value as f64 > 0.97 * best.value);
    assert!(pacer.info().unwrap().multiplier > 0.0);
    assert!(Pacer::new(&PacerOptions::default()).err().unwrap().message.contains("expected_auctions"));
}

#[test]
fn auctions_sell_by_their_rules() {
    assert_eq!(sell(SingleRule::SecondPrice, &[3.0, 8.0, 5.0], 0.0).unwrap(), Some((1, 5.0)));
    assert_eq!(sell(SingleRule::FirstPrice, &[3.0], 4.0).unwrap(), None);
    let slots = sell_slots(SlotRule::Gsp, &[2.0, 6.0], &[1.0, 1.0], &[0.5, 0.25, 0.1]).unwrap();
    assert_eq!((slots[0].winner, slots[0].per_click, slots[2].winner), (Some(1), 2.0, None));
    let mut prices = ClearingPrices::new(24, 1.0, 0.0).unwrap();
    for i in 0..300 {
        let price = [Price::Won(4.5), Price::Lost(3.5), Price::Seen(4.0)][i % 3];
        prices.observe(5, price).unwrap();
    }
    let (bid, p) = prices.bid(5, 9.0).unwrap();
    assert!(bid > 3.5 && bid < 6.0 && p > 0.5, "{bid} {p}");
}

#[test]
fn choices_are_logged_rewarded_and_evaluated() {
    let (p, rates) = simulate_world(5, 2, 3, 0.5).unwrap();
    let (segments, u) = simulate_stream(5, 2, 4000).unwrap();
    let options = ChooserOptions { segments: 2, variants: 3, rates, floor: 0.05, ..Default::default() };
    let mut chooser = Chooser::new(&options).unwrap();
    let mut book = RewardBook::new(10).unwrap();
    let (mut actions, mut propensities, mut rewards) = (vec![], vec![], vec![]);
    for i in 0..segments.len() {
        let (variant, propensity) = chooser.choose(segments[i], 9, i as u64).unwrap();
        let click = u[i] < 5.0 * p[segments[i] as usize * 3 + variant as usize];
        book.shown(i as u64, segments[i], variant, i as i64).unwrap();
        if click {
            assert!(book.clicked(i as u64, i as i64 + 5).unwrap());
            assert!(!book.clicked(i as u64, i as i64 + 6).unwrap());
        }
        if i % 500 == 499 {
            let outcomes = book.collect(i as i64).unwrap();
            chooser.update(&outcomes).unwrap();
        }
        actions.push(variant);
        propensities.push(propensity);
        rewards.push(f64::from(u8::from(click)));
    }
    let counts = book.counts().unwrap();
    assert_eq!(counts.shown + counts.waiting, 4000);
    let mut again = Chooser::new(&options).unwrap();
    again.update(&chooser.sums().unwrap()).unwrap();
    assert_eq!(again.propensities(1).unwrap(), chooser.propensities(1).unwrap());
    assert_eq!(chooser.add_variant(&[0.01, 0.02]).unwrap(), 3);
    chooser.retire(0).unwrap();
    assert_eq!((chooser.propensities(0).unwrap()[0], chooser.variants().unwrap()), (0.0, 4));
    assert!(chooser.rates(0).unwrap().iter().all(|r| *r > 0.0 && *r < 1.0));

    let log = Log { contexts: &segments, actions: &actions, propensities: &propensities, rewards: &rewards };
    let e = evaluate(&log, &[]).unwrap();
    assert!(e.refusals.is_empty(), "{:?}", e.refusals);
    let ips = e.estimates.iter().find(|x| x.0 == "ips").unwrap();
    let truth: f64 = segments.iter().map(|s| (0..3).map(|k| 5.0 * p[*s as usize * 3 + k]).sum::<f64>() / 3.0).sum();
    assert!((ips.1 - truth / 4000.0).abs() < 4.0 * ips.2, "{ips:?} {}", truth / 4000.0);
    assert!(evaluate(&log, &[0.5, 0.5]).unwrap_err().message.contains("the policy has 2"));
}

#[test]
fn texts_are_linted() {
    let (json, errors) =
        Lint::new(None, None).unwrap().check("SALE!", Some("google.search"), Some("headline")).unwrap();
    assert!(errors && json.contains("google/exclamation-in-headline"), "{json}");
    let held = Lint::new(Some(BRIEF), Some("en-GB")).unwrap();
    assert!(held.check("Cheap bread", None, None).unwrap().0.contains("any/banned-term"));
    assert!(held.check("a", Some("google.serch"), None).unwrap_err().message.contains("did you mean"));
    assert!(Lint::new(None, Some("xx")).err().unwrap().message.contains("no language"));
}

#[test]
fn a_plan_is_written_and_can_be_stopped() {
    let model = Model::open(gguf()).unwrap();
    let options = PlanOptions::default();
    let mut calls = 0;
    let one = plan(&model, BRIEF, None, &options, |done, total| {
        calls += 1;
        assert!(done <= total);
        ControlFlow::Continue(())
    });
    let three = PlanOptions { parallel: 3, ..options.clone() };
    let one = one.unwrap();
    assert_eq!(one, plan(&model, BRIEF, None, &three, |a, b| go_on((a, b))).unwrap());
    assert!(calls > 0 && one.contains("meta.reels/1"));
    let stopped = plan(&model, BRIEF, None, &options, |_, _| ControlFlow::Break(()));
    assert_eq!(stopped.unwrap_err().status, Status::Cancelled);
    assert!(plan(&model, "{}", None, &options, |a, b| go_on((a, b))).unwrap_err().message.contains("brief"));
}
