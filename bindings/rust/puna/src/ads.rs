//! Advertisements: texts from a brief, lint, what to bid so that a budget lasts, money that cannot be overspent, which
//! variant to show to whom, what a log can tell of another policy. Money is `i64`, millionths of the currency's unit; clocks and seeds are yours.
use crate::error::{check, Result};
use crate::open::report;
use crate::raw::{c_string, invalid, pointer, pointer_mut, pointer_or_null, sized, slice, string, text_of, Handle};
use crate::{Adapter, Model};
use puna_sys::*;
use std::ops::ControlFlow;
use std::ptr::{null, null_mut};
use std::sync::Arc;

/// Who may spend what: spend and open reservations are never above a campaign's budget or its account's cap. Any number
/// of threads may reserve, settle and read.
pub struct Ledger {
    handle: Handle<puna_ledger>,
}
unsafe impl Send for Ledger {}
unsafe impl Sync for Ledger {} // what is for one thread takes &mut

/// How a settlement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was booked.
    Booked,
    /// After the reservation had expired, and there was still room.
    BookedLate,
    /// After it had expired, and there was none: counted, never spent.
    RefusedLate,
    /// No such reservation, or it was settled before.
    Unknown,
}

/// Of a campaign or an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The budget or the cap.
    pub limit: i64,
    /// Settled.
    pub spent: i64,
    /// Reserved and not settled.
    pub open: i64,
    /// Late settlements for which there was no room.
    pub refused_late: i64,
    /// That could still be reserved.
    pub left: i64,
}

impl Ledger {
    /// An empty one.
    pub fn new() -> Result<Self> {
        Ok(Ledger { handle: Handle::create(puna_ledger_free, |out| unsafe { puna_ledger_create(out) })? })
    }

    /// Its number.
    pub fn add_account(&mut self, cap: i64) -> Result<i32> {
        got(|out| unsafe { puna_ledger_add_account(self.handle.raw, cap, out) })
    }

    /// Its number.
    pub fn add_campaign(&mut self, account: i32, budget: i64) -> Result<i32> {
        got(|out| unsafe { puna_ledger_add_campaign(self.handle.raw, account, budget, out) })
    }

    /// The reservation's number; `None`: there is not that much left. Times are microseconds of your clock.
    pub fn reserve(&self, campaign: i32, amount: i64, now: i64, time_to_live: i64) -> Result<Option<i64>> {
        let number =
            got(|out| unsafe { puna_ledger_reserve(self.handle.raw, campaign, amount, now, time_to_live, out) })?;
        Ok((number != 0).then_some(number))
    }

    /// Of a reservation, `spent` was spent; the rest is free again.
    pub fn settle(&self, reservation: i64, spent: i64) -> Result<Settled> {
        Ok(match got(|out| unsafe { puna_ledger_settle(self.handle.raw, reservation, spent, out) })? {
            PUNA_SETTLED_BOOKED => Settled::Booked,
            PUNA_SETTLED_BOOKED_LATE => Settled::BookedLate,
            PUNA_SETTLED_REFUSED_LATE => Settled::RefusedLate,
            _ => Settled::Unknown,
        })
    }

    /// Frees what is over its time: how many.
    pub fn expire(&self, now: i64) -> Result<i64> {
        got(|out| unsafe { puna_ledger_expire(self.handle.raw, now, out) })
    }

    /// Late settlements of what has expired are unknown from now on.
    pub fn forget_late(&self) -> Result<()> {
        check(unsafe { puna_ledger_forget_late(self.handle.raw) })
    }

    /// After a restart: what the campaign had spent or, with a reservation, what was open.
    pub fn restore(&mut self, campaign: i32, reservation: Option<i64>, amount: i64) -> Result<()> {
        check(unsafe { puna_ledger_restore(self.handle.raw, campaign, reservation.unwrap_or(0), amount) })
    }

    /// Where a campaign stands.
    pub fn campaign(&self, campaign: i32) -> Result<Balance> {
        balance(|out| unsafe { puna_ledger_get_campaign(self.handle.raw, campaign, out) })
    }

    /// Where an account stands.
    pub fn account(&self, account: i32) -> Result<Balance> {
        balance(|out| unsafe { puna_ledger_get_account(self.handle.raw, account, out) })
    }
}

/// Auctions of a day as they are known afterwards, in the order of their time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Day {
    /// The share of the day that was over, from 0 to below 1.
    pub at: Vec<f64>,
    /// What winning was worth.
    pub values: Vec<i64>,
    /// The highest other bids.
    pub prices: Vec<i64>,
}

/// A process of `puna ads simulate pacing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// Prices follow the hour.
    Plain,
    /// They double over the day.
    Drifting,
    /// Three times that from 12 to 14.
    Spiking,
    /// Values and prices have heavy tails.
    HeavyTailed,
    /// Some hours have more auctions.
    Traffic,
}

impl Day {
    /// A simulated one.
    pub fn simulate(process: Process, seed: u64, count: usize) -> Result<Self> {
        let mut day = Day { at: vec![0.0; count], values: vec![0; count], prices: vec![0; count] };
        let (at, values, prices) =
            (pointer_mut(&mut day.at), pointer_mut(&mut day.values), pointer_mut(&mut day.prices));
        check(unsafe { puna_simulate_day(process as i32, seed, count, at, values, prices) })?;
        Ok(day)
    }

    fn as_c(&self) -> Result<puna_ads_day> {
        if self.values.len() != self.at.len() || self.prices.len() != self.at.len() {
            return invalid(format!(
                "a day of {} times, {} values and {} prices",
                self.at.len(),
                self.values.len(),
                self.prices.len()
            ));
        }
        let mut d: puna_ads_day = sized();
        d.count = self.at.len() as u64;
        d.at = pointer(&self.at);
        d.values = pointer(&self.values);
        d.prices = pointer(&self.prices);
        Ok(d)
    }
}

/// The best that a constant multiplier could have done on a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hindsight {
    /// That it would have won, in micros.
    pub value: f64,
    /// That it would have spent.
    pub spent: i64,
    /// How many auctions.
    pub won: i64,
    /// mu: it bid value / (1 + mu).
    pub multiplier: f64,
}

/// Which share of a day's budget is to be spent by when. Cheap to clone.
#[derive(Clone)]
pub struct SpendPlan {
    handle: Arc<Handle<puna_spend_plan>>,
}
unsafe impl Send for SpendPlan {}
unsafe impl Sync for SpendPlan {} // immutable

impl SpendPlan {
    /// Of shares of equal parts of the day; they need not add up to 1.
    pub fn new(shares: &[f64]) -> Result<Self> {
        let handle = Handle::create(puna_spend_plan_free, |out| unsafe {
            puna_spend_plan_create(pointer(shares), shares.len(), out)
        })?;
        Ok(SpendPlan { handle: Arc::new(handle) })
    }

    /// As the best constant multiplier would have spent the budget on that day, yesterday; and what it did.
    pub fn learn(yesterday: &Day, budget: i64) -> Result<(Self, Hindsight)> {
        let (day, mut best) = (yesterday.as_c()?, sized::<puna_hindsight>());
        let handle =
            Handle::create(puna_spend_plan_free, |out| unsafe { puna_spend_plan_learn(&day, budget, &mut best, out) })?;
        let best = Hindsight { value: best.value, spent: best.spent, won: best.won, multiplier: best.multiplier };
        Ok((SpendPlan { handle: Arc::new(handle) }, best))
    }

    /// The share of the budget that is to be spent when the share `at` of the day is over.
    pub fn spent_by(&self, at: f64) -> Result<f64> {
        got(|out| unsafe { puna_spend_plan_spent_by(self.handle.raw, at, out) })
    }
}

/// How a budget is paced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pacing {
    /// Dual mirror descent: the bid is value / (1 + mu).
    #[default]
    Dual,
    /// The bid is a factor of the value, corrected once a slot of five minutes.
    Pi,
    /// The bid is the value, in some auctions.
    Throttle,
    /// The bid is the value while there is money.
    None,
}

/// A campaign's day.
#[derive(Clone, Default)]
pub struct PacerOptions {
    /// How.
    pub method: Pacing,
    /// Of the day.
    pub budget: i64,
    /// A day, roughly; at least 1.
    pub expected_auctions: i64,
    /// Without a plan: evenly over the expected auctions in place of evenly in time.
    pub by_auctions: bool,
    /// To begin with: yesterday's.
    pub multiplier: Option<f64>,
    /// What the day's value over its spend must reach at least; 0 = no target.
    pub least_return: f64,
    /// Of throttling.
    pub seed: u64,
    /// After a restart: the share of the day that is over.
    pub at: f64,
    /// And what is spent already.
    pub spent: i64,
    /// When to spend.
    pub plan: Option<SpendPlan>,
}

/// What to bid so that a budget lasts for its day.
pub struct Pacer {
    handle: Handle<puna_pacer>,
}
unsafe impl Send for Pacer {}

/// How a pacer stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PacerInfo {
    /// For tomorrow's options.
    pub multiplier: f64,
    /// 1 / (1 + multiplier), or the probability of taking part.
    pub lambda: f64,
    /// In the plan: 1 = as given, 0 = today was too unlike it.
    pub trust: f64,
}

impl Pacer {
    /// At the day's beginning, or later (`at`, `spent`).
    pub fn new(options: &PacerOptions) -> Result<Self> {
        let mut o: puna_pacer_options = sized();
        o.method = options.method as i32;
        o.budget = options.budget;
        o.expected_auctions = options.expected_auctions;
        o.pace_by = if options.by_auctions { PUNA_PACE_BY_AUCTIONS } else { PUNA_PACE_BY_TIME };
        o.has_multiplier = options.multiplier.is_some().into();
        o.multiplier = options.multiplier.unwrap_or(0.0);
        o.least_return = options.least_return;
        o.seed = options.seed;
        o.at = options.at;
        o.spent = options.spent;
        o.plan = options.plan.as_ref().map_or(null_mut(), |p| p.handle.raw);
        Ok(Pacer { handle: Handle::create(puna_pacer_free, |out| unsafe { puna_pacer_create(&o, out) })? })
    }

    /// What to bid in an auction that is worth `value`, when `left` is neither spent nor reserved; 0: take no part.
    pub fn bid(&mut self, at: f64, value: i64, left: i64) -> Result<i64> {
        got(|out| unsafe { puna_pacer_bid(self.handle.raw, at, value, left, out) })
    }

    /// What winning cost and was worth.
    pub fn won(&mut self, price: i64, value: i64) -> Result<()> {
        check(unsafe { puna_pacer_won(self.handle.raw, price, value) })
    }

    /// How it stands.
    pub fn info(&self) -> Result<PacerInfo> {
        let mut i: puna_pacer_info = sized();
        check(unsafe { puna_pacer_get_info(self.handle.raw, &mut i) })?;
        Ok(PacerInfo { multiplier: i.multiplier, lambda: i.lambda, trust: i.trust })
    }
}

/// What one knows of the highest other bid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Price {
    /// It was this.
    Seen(f64),
    /// At most this: a bid of ours that won.
    Won(f64),
    /// Above this: one that lost.
    Lost(f64),
}

/// What the highest other bid is likely to be in each hour, learnt from one's own bids.
pub struct ClearingPrices {
    handle: Handle<puna_clearing_prices>,
}
unsafe impl Send for ClearingPrices {}

impl ClearingPrices {
    /// `typical`: their median before anything is known; `spread`: the standard deviation of their logarithm, 0 = 1.
    pub fn new(hours: i32, typical: f64, spread: f64) -> Result<Self> {
        let make = |out| unsafe { puna_clearing_prices_create(hours, typical, spread, out) };
        Ok(ClearingPrices { handle: Handle::create(puna_clearing_prices_free, make)? })
    }

    /// Learns from an auction.
    pub fn observe(&mut self, hour: i32, price: Price) -> Result<()> {
        let (kind, price) = match price {
            Price::Seen(p) => (PUNA_PRICE_SEEN, p),
            Price::Won(p) => (PUNA_PRICE_WON, p),
            Price::Lost(p) => (PUNA_PRICE_LOST, p),
        };
        check(unsafe { puna_clearing_prices_observe(self.handle.raw, hour, kind, price) })
    }

    /// The bid with the largest (value - bid) * P(win), and that probability.
    pub fn bid(&self, hour: i32, value: f64) -> Result<(f64, f64)> {
        let mut probability = 0.0;
        let bid = got(|out| unsafe { puna_clearing_prices_bid(self.handle.raw, hour, value, out, &mut probability) })?;
        Ok((bid, probability))
    }
}

/// What one item sells for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SingleRule {
    /// The winner pays the next bid.
    SecondPrice,
    /// The winner pays its bid.
    FirstPrice,
}

/// Who wins one item, and the price; `None`: nobody bid the reserve.
pub fn sell(rule: SingleRule, bids: &[f64], reserve: f64) -> Result<Option<(usize, f64)>> {
    let mut price = 0.0;
    let winner =
        got(|out| unsafe { puna_auction_sell(rule as i32, pointer(bids), bids.len(), reserve, out, &mut price) })?;
    Ok(usize::try_from(winner).ok().map(|w| (w, price)))
}

/// What slots of a page sell for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotRule {
    /// The bid that keeps the place.
    Gsp,
    /// What the others lose by it.
    Vcg,
}

/// A slot that was sold, or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Who has it.
    pub winner: Option<usize>,
    /// What a click costs.
    pub per_click: f64,
    /// What being shown costs on average.
    pub expected: f64,
}

/// Slots of a page, slot j clicked with probability `click_factors[j]`, falling; ranked by bid times quality.
pub fn sell_slots(rule: SlotRule, bids: &[f64], qualities: &[f64], click_factors: &[f64]) -> Result<Vec<Slot>> {
    if bids.len() != qualities.len() {
        return invalid(format!("{} bids and {} qualities", bids.len(), qualities.len()));
    }
    let n = click_factors.len();
    let (mut winners, mut per_click, mut expected) = (vec![0; n], vec![0.0; n], vec![0.0; n]);
    let (b, q, c) = (pointer(bids), pointer(qualities), pointer(click_factors));
    let (w, p, e) = (pointer_mut(&mut winners), pointer_mut(&mut per_click), pointer_mut(&mut expected));
    check(unsafe { puna_auction_sell_slots(rule as i32, b, q, bids.len(), c, n, w, p, e) })?;
    let slot =
        |j: usize| Slot { winner: usize::try_from(winners[j]).ok(), per_click: per_click[j], expected: expected[j] };
    Ok((0..n).map(slot).collect())
}

/// How a chooser learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChoiceMethod {
    /// Segments and variants learn from each other.
    #[default]
    Hierarchical,
    /// Beta, each cell for itself.
    Thompson,
    /// Linear, Thompson sampling.
    LinTs,
    /// Linear, upper confidence bounds.
    LinUcb,
    /// All alike.
    Uniform,
}

/// How variants are chosen; zero is the library's own choice of each number (`puna_chooser_options` in `puna_ads.h`).
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ChooserOptions {
    pub method: ChoiceMethod,
    pub segments: i32,
    pub variants: i32,
    pub floor: f64,
    pub discount: f64,
    pub temper: f64,
    pub early_temper: f64,
    pub early_clicks: f64,
    pub variant_spread: f64,
    pub cell_spread: f64,
    pub base_rate: f64,
    pub prior_shown: f64,
    pub deviations: f64,
    pub noise: f64,
    pub ridge: f64,
    /// A row of variants a segment, predicted by a ranker; empty = none.
    pub rates: Vec<f64>,
}

/// What happened in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Outcome {
    pub segment: i32,
    pub variant: i32,
    pub shown: f64,
    pub clicks: f64,
}

/// Which variant to show to whom.
pub struct Chooser {
    handle: Handle<puna_chooser>,
}
unsafe impl Send for Chooser {}

impl Chooser {
    /// That knows nothing but its options.
    pub fn new(options: &ChooserOptions) -> Result<Self> {
        let mut o: puna_chooser_options = sized();
        o.method = options.method as i32;
        o.segments = options.segments;
        o.variants = options.variants;
        o.floor = options.floor;
        o.discount = options.discount;
        o.temper = options.temper;
        o.early_temper = options.early_temper;
        o.early_clicks = options.early_clicks;
        o.variant_spread = options.variant_spread;
        o.cell_spread = options.cell_spread;
        o.base_rate = options.base_rate;
        o.prior_shown = options.prior_shown;
        o.deviations = options.deviations;
        o.noise = options.noise;
        o.ridge = options.ridge;
        if !options.rates.is_empty() {
            let cells = i64::from(options.segments.max(1)) * i64::from(options.variants);
            if options.rates.len() as i64 != cells {
                return invalid(format!("{} rates, expected one a segment and variant: {cells}", options.rates.len()));
            }
            o.rates = options.rates.as_ptr();
        }
        Ok(Chooser { handle: Handle::create(puna_chooser_free, |out| unsafe { puna_chooser_create(&o, out) })? })
    }

    /// A variant, and the probability with which it was drawn: log it. Give each impression another number.
    pub fn choose(&mut self, segment: i32, seed: u64, number: u64) -> Result<(i32, f64)> {
        let mut propensity = 0.0;
        let variant =
            got(|out| unsafe { puna_chooser_choose(self.handle.raw, segment, seed, number, out, &mut propensity) })?;
        Ok((variant, propensity))
    }

    /// Of every variant; 0 for those that are retired.
    pub fn propensities(&mut self, segment: i32) -> Result<Vec<f64>> {
        let mut p = vec![0.0; self.variants()?];
        check(unsafe { puna_chooser_get_propensities(self.handle.raw, segment, pointer_mut(&mut p), p.len()) })?;
        Ok(p)
    }

    /// What is believed of every rate.
    pub fn rates(&mut self, segment: i32) -> Result<Vec<f64>> {
        let mut p = vec![0.0; self.variants()?];
        check(unsafe { puna_chooser_get_rates(self.handle.raw, segment, pointer_mut(&mut p), p.len()) })?;
        Ok(p)
    }

    /// All of it or none.
    pub fn update(&mut self, outcomes: &[Outcome]) -> Result<()> {
        let rows: Vec<_> = outcomes
            .iter()
            .map(|o| puna_shown_and_clicked {
                segment: o.segment,
                variant: o.variant,
                shown: o.shown,
                clicks: o.clicks,
            })
            .collect();
        check(unsafe { puna_chooser_update(self.handle.raw, pointer(&rows), rows.len()) })
    }

    /// Sums by which it goes, a row of variants a segment: all of its state. A new chooser of the same options, given
    /// them in one update, goes on as this one.
    pub fn sums(&self) -> Result<Vec<Outcome>> {
        let i = self.info()?;
        let count = i.segments as usize * i.variants as usize;
        let (mut shown, mut clicks) = (vec![0.0; count], vec![0.0; count]);
        let (s, c) = (pointer_mut(&mut shown), pointer_mut(&mut clicks));
        check(unsafe { puna_chooser_get_sums(self.handle.raw, s, c, count) })?;
        let cell = |n: usize| Outcome {
            segment: n as i32 / i.variants,
            variant: n as i32 % i.variants,
            shown: shown[n],
            clicks: clicks[n],
        };
        Ok((0..count).map(cell).collect())
    }

    /// Its number. `rates`: of a chooser that was given rates, one a segment.
    pub fn add_variant(&mut self, rates: &[f64]) -> Result<i32> {
        got(|out| unsafe { puna_chooser_add_variant(self.handle.raw, pointer(rates), rates.len(), out) })
    }

    /// Not shown from now on.
    pub fn retire(&mut self, variant: i32) -> Result<()> {
        check(unsafe { puna_chooser_retire(self.handle.raw, variant) })
    }

    /// How many, with those that are retired.
    pub fn variants(&self) -> Result<usize> {
        Ok(self.info()?.variants as usize)
    }

    fn info(&self) -> Result<puna_chooser_info> {
        let mut i: puna_chooser_info = sized();
        check(unsafe { puna_chooser_get_info(self.handle.raw, &mut i) })?;
        Ok(i)
    }
}

/// Rewards that come late, twice, or in another order: an impression counts when its window is over.
pub struct RewardBook {
    handle: Handle<puna_reward_book>,
}
unsafe impl Send for RewardBook {}

/// So far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RewardCounts {
    /// Counted.
    pub shown: i64,
    /// Of them.
    pub clicked: i64,
    /// In their window.
    pub waiting: i64,
    /// The same event again: left out.
    pub repeated: i64,
    /// Clicks after their window, or of impressions that are not known.
    pub late: i64,
}

impl RewardBook {
    /// The window, and all times, are in any unit.
    pub fn new(window: i64) -> Result<Self> {
        let make = |out| unsafe { puna_reward_book_create(window, out) };
        Ok(RewardBook { handle: Handle::create(puna_reward_book_free, make)? })
    }

    /// `key` is yours, one an impression.
    pub fn shown(&mut self, key: u64, segment: i32, variant: i32, time: i64) -> Result<()> {
        check(unsafe { puna_reward_book_shown(self.handle.raw, key, segment, variant, time) })
    }

    /// True: it is the first, and in time.
    pub fn clicked(&mut self, key: u64, time: i64) -> Result<bool> {
        Ok(got(|out| unsafe { puna_reward_book_clicked(self.handle.raw, key, time, out) })? != 0)
    }

    /// Of all impressions whose window is over; given out once, for [`Chooser::update`].
    pub fn collect(&mut self, now: i64) -> Result<Vec<Outcome>> {
        let (mut rows, mut count) = (std::ptr::null(), 0);
        check(unsafe { puna_reward_book_collect(self.handle.raw, now, &mut rows, &mut count) })?;
        let outcome = |o: &puna_shown_and_clicked| Outcome {
            segment: o.segment,
            variant: o.variant,
            shown: o.shown,
            clicks: o.clicks,
        };
        Ok(unsafe { slice(rows, count) }.iter().map(outcome).collect())
    }

    /// So far.
    pub fn counts(&self) -> Result<RewardCounts> {
        let mut c: puna_reward_counts = sized();
        check(unsafe { puna_reward_book_get_counts(self.handle.raw, &mut c) })?;
        Ok(RewardCounts { shown: c.shown, clicked: c.clicked, waiting: c.waiting, repeated: c.repeated, late: c.late })
    }
}

/// Rows of a log, a column a slice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log<'a> {
    /// Numbers from 0 on; empty = all 0.
    pub contexts: &'a [i32],
    /// Numbers from 0 on.
    pub actions: &'a [i32],
    /// With which the action was taken.
    pub propensities: &'a [f64],
    /// What came of it.
    pub rewards: &'a [f64],
}

/// What a log says of another policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Name, value and standard error: "ips", "dr", "switch_dr_tau1", ...
    pub estimates: Vec<(String, f64, f64)>,
    /// Not empty: why the log cannot carry a conclusion, and what to log instead.
    pub refusals: Vec<String>,
    /// What is doubtful.
    pub warnings: Vec<String>,
    /// Of the log.
    pub rows: i64,
    /// Of the policy that ran.
    pub log_value: f64,
    /// Of that.
    pub log_standard_error: f64,
    /// Effective sample size.
    pub ess: f64,
    /// Should be 1.
    pub mean_weight: f64,
    /// Of all rows.
    pub largest_weight: f64,
}

/// What a policy (probabilities, a row of actions a context; empty = uniform) would have earned, from the log of the one
/// that ran.
pub fn evaluate(log: &Log, policy: &[f64]) -> Result<Evaluation> {
    let n = log.actions.len();
    if log.propensities.len() != n || log.rewards.len() != n || !(log.contexts.is_empty() || log.contexts.len() == n) {
        return invalid(format!(
            "a log of {n} actions, {} propensities, {} rewards and {} contexts",
            log.propensities.len(),
            log.rewards.len(),
            log.contexts.len()
        ));
    }
    let ope = Handle::create(puna_off_policy_free, |out| unsafe { puna_off_policy_create(std::ptr::null(), out) })?;
    let mut rows: puna_logged_choices = sized();
    rows.count = n as u64;
    rows.contexts = pointer(log.contexts);
    rows.actions = pointer(log.actions);
    rows.propensities = pointer(log.propensities);
    rows.rewards = pointer(log.rewards);
    let mut r: puna_off_policy_report = sized();
    check(unsafe { puna_off_policy_count(ope.raw, &rows) })?;
    check(unsafe { puna_off_policy_begin(ope.raw, pointer(policy), policy.len()) })?;
    check(unsafe { puna_off_policy_estimate(ope.raw, &rows) })?;
    check(unsafe { puna_off_policy_report_on(ope.raw, &mut r) })?;
    let texts =
        |list, count: u64| unsafe { slice(list, count as usize) }.iter().map(|t| unsafe { string(*t) }).collect();
    Ok(Evaluation {
        estimates: unsafe { slice(r.estimates, r.estimate_count as usize) }
            .iter()
            .map(|e| (unsafe { string(e.name) }, e.value, e.standard_error))
            .collect(),
        refusals: texts(r.refusals, r.refusal_count),
        warnings: texts(r.warnings, r.warning_count),
        rows: r.rows,
        log_value: r.log_value,
        log_standard_error: r.log_standard_error,
        ess: r.ess,
        mean_weight: r.mean_weight,
        largest_weight: r.largest_weight,
    })
}

/// What a platform, or a reader, will object to in a text: advice, not legal clearance. For any thread.
pub struct Lint {
    handle: Handle<puna_lint>,
}
unsafe impl Send for Lint {}
unsafe impl Sync for Lint {} // immutable

impl Lint {
    /// `brief`: JSON, with the facts that texts may claim; without one claims are not checked. `language`: en, pt-BR;
    /// otherwise the brief's, or English.
    pub fn new(brief: Option<&str>, language: Option<&str>) -> Result<Self> {
        let language = language.map(c_string).transpose()?;
        let mut o: puna_lint_options = sized();
        if let Some(b) = brief {
            o.brief = b.as_ptr().cast();
            o.brief_bytes = b.len() as u64;
        }
        o.language = pointer_or_null(&language);
        Ok(Lint { handle: Handle::create(puna_lint_free, |out| unsafe { puna_lint_create(&o, out) })? })
    }

    /// What was found, as JSON (`puna_ads.h` has its keys), and whether the text has errors. `placement`:
    /// `google.search`; `field`: `headline`, with its limit.
    pub fn check(&self, text: &str, placement: Option<&str>, field: Option<&str>) -> Result<(String, bool)> {
        let (placement, field) = (placement.map(c_string).transpose()?, field.map(c_string).transpose()?);
        let mut errors = 0;
        let json = text_of(|buffer| unsafe {
            let (at, size) = (text.as_ptr().cast(), text.len());
            let (placement, field) = (pointer_or_null(&placement), pointer_or_null(&field));
            puna_lint_check(self.handle.raw, placement, field, at, size, &mut errors, buffer)
        })?;
        Ok((json, errors != 0))
    }
}

/// How a plan is written.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// To 10; 0 is 0.9, -1 always the likeliest token.
    pub temperature: f32,
    /// 0 is 0.95.
    pub top_p: f32,
    /// Texts written at once; 0 is 16. The texts are the same.
    pub parallel: i32,
    /// f32 activations, keys and values, dequantised weights.
    pub exact: bool,
    /// For the plan's record.
    pub made_at: String,
}

/// The texts of a brief's advertisements, from its facts alone: the plan that `puna ads plan --out` writes, JSON as the
/// brief is. `progress` gets texts written and wanted; when it breaks or panics, the call is
/// [`Cancelled`](crate::Status::Cancelled).
pub fn plan<F: FnMut(u64, u64) -> ControlFlow<()>>(
    model: &Model,
    brief: &str,
    adapter: Option<&Adapter>,
    options: &PlanOptions,
    mut progress: F,
) -> Result<String> {
    let made_at = c_string(&options.made_at)?;
    let mut o: puna_ads_plan_options = sized();
    o.temperature = options.temperature;
    o.top_p = options.top_p;
    o.parallel = options.parallel;
    o.exact = options.exact.into();
    o.made_at = made_at.as_ptr();
    o.adapter = adapter.map_or(null(), |a| a.handle.raw);
    o.progress = Some(report::<F>);
    o.progress_user = (&mut progress as *mut F).cast();
    text_of(|buffer| unsafe { puna_ads_plan_write(model.handle.raw, brief.as_ptr().cast(), brief.len(), &o, buffer) })
}

/// A world of `puna ads simulate choice`: click rates, a row of variants a segment, and what a ranker would predict.
pub fn simulate_world(seed: u64, segments: i32, variants: i32, interaction: f64) -> Result<(Vec<f64>, Vec<f64>)> {
    let cells = segments.max(0) as usize * variants.max(0) as usize;
    let (mut p, mut rates) = (vec![0.0; cells.max(1)], vec![0.0; cells.max(1)]);
    let (a, b) = (pointer_mut(&mut p), pointer_mut(&mut rates));
    check(unsafe { puna_simulate_world(seed, segments, variants, interaction, a, b) })?;
    Ok((p, rates))
}

/// Impressions: a segment each, and u: shown variant k it is clicked when u is below that rate.
pub fn simulate_stream(seed: u64, segments: i32, count: usize) -> Result<(Vec<i32>, Vec<f64>)> {
    let (mut of, mut u) = (vec![0; count], vec![0.0; count]);
    check(unsafe { puna_simulate_stream(seed, segments, count, pointer_mut(&mut of), pointer_mut(&mut u)) })?;
    Ok((of, u))
}

fn got<T: Default>(call: impl FnOnce(*mut T) -> puna_status) -> Result<T> {
    let mut out = T::default();
    check(call(&mut out))?;
    Ok(out)
}

fn balance(call: impl FnOnce(*mut puna_balance) -> puna_status) -> Result<Balance> {
    let mut b: puna_balance = sized();
    check(call(&mut b))?;
    Ok(Balance { limit: b.limit, spent: b.spent, open: b.open, refused_late: b.refused_late, left: b.left })
}
