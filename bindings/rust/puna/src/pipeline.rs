use crate::error::{check, Result};
use crate::raw::{invalid, pointer, sized, Handle};
use crate::recommender::bits_of;
use crate::{Examples, Ranker, User};
use puna_sys::*;
use std::ptr::{null, null_mut};

/// One request from its candidates to the list that is shown: retrieve, rank, value, diversify.
pub struct Pipeline {
    handle: Handle<puna_pipeline>,
    count: usize,
    tasks: usize,
    features: usize,
    numbers: usize,
}
// Its ranker is its own, and the library exchanges it between requests.
unsafe impl Send for Pipeline {}
unsafe impl Sync for Pipeline {}

/// What is known of items 0, 1, ...; slices that are empty say nothing.
#[derive(Clone, Copy)]
pub struct Catalogue<'a> {
    /// Example i: what the ranker is told of item i, wherever it is shown.
    pub items: &'a Examples,
    /// Items of one group are the same thing and are shown once.
    pub groups: &'a [i64],
    /// What `per_category` counts.
    pub categories: &'a [i32],
    /// A row of `dim` an item, of unit length: what is alike.
    pub vectors: &'a [f32],
    /// Of a vector.
    pub dim: usize,
}

impl Default for Catalogue<'_> {
    fn default() -> Self {
        static NONE: std::sync::OnceLock<Examples> = std::sync::OnceLock::new();
        Catalogue { items: NONE.get_or_init(Examples::new), groups: &[], categories: &[], vectors: &[], dim: 0 }
    }
}

/// How lists are made; zero is the library's own choice.
#[derive(Clone, Debug, Default)]
pub struct PipelineOptions {
    /// Ranked at most.
    pub candidates: i64,
    /// Of a list; 0 = 10.
    pub count: i64,
    /// Of a list, at most; 0 = any number.
    pub per_category: i64,
    /// 0 = by value alone ... 1 = by being unlike what is above alone.
    pub diversity: f64,
    /// How often one place shows something drawn by chance.
    pub explore: f64,
    /// Which, from 0.
    pub explore_place: i64,
    /// Candidates by value that may be drawn.
    pub explore_pool: i64,
    /// The same seed and request number draw the same.
    pub seed: u64,
    /// A row of all tasks a surface; empty = all 1.
    pub weights: Vec<f64>,
    /// One a task; empty = all 1.
    pub exponents: Vec<f64>,
}

/// Candidates are `candidates` first, then what `user` would take next.
#[derive(Default)]
pub struct Request<'a> {
    /// Where the list is shown.
    pub surface: i32,
    /// Unique: what exploring draws from.
    pub number: u64,
    /// One example: what is known of the request (who asks, when); its ids and numbers join those of each item.
    pub about: Option<&'a Examples>,
    /// Whose next items are candidates.
    pub user: Option<&'a mut User>,
    /// When the user asks.
    pub time: i64,
    /// Whether the user's own items may come again.
    pub include_seen: bool,
    /// Only these of what the user would take next; `None` = all.
    pub allowed: Option<&'a [i32]>,
    /// The host's own, best first.
    pub candidates: &'a [i64],
    /// One a candidate, kept for the answer; empty = all 0.
    pub scores: &'a [f32],
    /// Not to be shown.
    pub exclude: &'a [i64],
}

/// An item of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Its number.
    pub item: i64,
    /// What showing it is worth.
    pub value: f64,
    /// One a task.
    pub probabilities: Vec<f32>,
    /// Of retrieval.
    pub score: f32,
    /// The chance that this request shows this here; 1 / it weighs what came of it.
    pub propensity: f64,
    /// Drawn by chance.
    pub explored: bool,
}

/// A list, in the order to be shown.
#[derive(Clone, Debug)]
pub struct Feed {
    /// What is shown.
    pub items: Vec<Shown>,
    /// How many were ranked.
    pub candidates: i64,
    /// To retrieve, rank, value and diversify.
    pub seconds: [f64; 4],
}

impl Pipeline {
    /// The ranker becomes the pipeline's own: of one that learns give a copy.
    pub fn new(ranker: Ranker, catalogue: &Catalogue, options: &PipelineOptions) -> Result<Self> {
        let count = catalogue.items.len();
        for (what, given, each) in [
            ("groups", catalogue.groups.len(), 1),
            ("categories", catalogue.categories.len(), 1),
            ("vectors", catalogue.vectors.len(), catalogue.dim),
        ] {
            if given != 0 && Some(given) != count.checked_mul(each) {
                return invalid(format!("{given} values in {what} of {count} items"));
            }
        }
        for (what, given, wanted) in [
            ("weights", options.weights.len(), ranker.surfaces * ranker.tasks),
            ("exponents", options.exponents.len(), ranker.tasks),
        ] {
            if given != 0 && given != wanted {
                return invalid(format!("{given} {what}, expected {wanted}"));
            }
        }
        let items = catalogue.items.as_c(ranker.features, ranker.numbers)?;
        let mut c: puna_catalogue = sized();
        c.items = &items;
        c.groups = pointer(catalogue.groups);
        c.categories = pointer(catalogue.categories);
        c.vectors = pointer(catalogue.vectors);
        c.dim = catalogue.dim as u64;
        let mut o: puna_pipeline_options = sized();
        o.candidates = options.candidates;
        o.count = options.count;
        o.per_category = options.per_category;
        o.diversity = options.diversity;
        o.explore = options.explore;
        o.explore_place = options.explore_place;
        o.explore_pool = options.explore_pool;
        o.seed = options.seed;
        o.value_weights = pointer(&options.weights);
        o.value_exponents = pointer(&options.exponents);
        let handle =
            Handle::create(puna_pipeline_free, |out| unsafe { puna_pipeline_create(ranker.handle.raw, &c, &o, out) })?;
        let count = if options.count == 0 { 10 } else { options.count as usize };
        Ok(Pipeline { handle, count, tasks: ranker.tasks, features: ranker.features, numbers: ranker.numbers })
    }

    /// Requests that begin from now on are ranked by this one, of the same configuration.
    pub fn use_ranker(&self, ranker: Ranker) -> Result<()> {
        check(unsafe { puna_pipeline_use(self.handle.raw, ranker.handle.raw) })
    }

    /// The list for a request.
    pub fn recommend(&self, request: Request) -> Result<Feed> {
        if !request.scores.is_empty() && request.scores.len() != request.candidates.len() {
            return invalid(format!("{} scores of {} candidates", request.scores.len(), request.candidates.len()));
        }
        let about = request.about.map(|e| e.as_c(self.features, self.numbers)).transpose()?;
        let mut r: puna_pipeline_request = sized();
        r.surface = request.surface;
        r.number = request.number;
        r.about = about.as_ref().map_or(null(), |e| e as *const _);
        let (user, items) = request.user.map_or((null_mut(), 0), |u| (u.handle.raw, u.items));
        let allowed = request.allowed.map(|allowed| bits_of(allowed, items)).transpose()?;
        r.user = user;
        r.allowed = allowed.as_ref().map_or(null(), |bits| bits.as_ptr());
        r.query_time = request.time;
        r.include_seen = i32::from(request.include_seen);
        r.candidates = pointer(request.candidates);
        r.scores = pointer(request.scores);
        r.candidate_count = request.candidates.len() as u64;
        r.exclude = pointer(request.exclude);
        r.exclude_count = request.exclude.len() as u64;
        let (mut items, mut values, mut propensities) =
            (vec![0i64; self.count], vec![0f64; self.count], vec![0f64; self.count]);
        let (mut scores, mut probabilities) = (vec![0f32; self.count], vec![0f32; self.count * self.tasks]);
        let mut a: puna_pipeline_answer = sized();
        a.capacity = self.count as u64;
        a.items = items.as_mut_ptr();
        a.values = values.as_mut_ptr();
        a.propensities = propensities.as_mut_ptr();
        a.scores = scores.as_mut_ptr();
        a.probabilities = probabilities.as_mut_ptr();
        check(unsafe { puna_pipeline_recommend(self.handle.raw, &r, &mut a) })?;
        let shown = |i: usize| Shown {
            item: items[i],
            value: values[i],
            probabilities: probabilities[i * self.tasks..(i + 1) * self.tasks].to_vec(),
            score: scores[i],
            propensity: propensities[i],
            explored: i as i64 == a.explored,
        };
        let seconds = [a.retrieve_seconds, a.rank_seconds, a.value_seconds, a.diversify_seconds];
        Ok(Feed { items: (0..a.found as usize).map(shown).collect(), candidates: a.candidates, seconds })
    }
}
