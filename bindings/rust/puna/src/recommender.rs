use crate::context::Context;
use crate::error::{check, Result};
use crate::raw::{answer_to_c, c_path, c_string, invalid, pointer, pointer_mut, sized, slice, Handle};
use puna_sys::*;
use std::ops::ControlFlow;
use std::os::raw::c_void;
use std::path::Path;
use std::sync::Arc;

/// A trained sequence model with its items. Clones are the same recommender.
#[derive(Clone)]
pub struct Recommender {
    handle: Arc<Handle<puna_recommender>>,
}
// The library's recommenders may be used by any number of threads at once.
unsafe impl Send for Recommender {}
unsafe impl Sync for Recommender {}

/// How a recommender is trained; zero is the library's own choice of each number.
#[derive(Clone, Debug, Default)]
pub struct RecommenderOptions {
    /// SASRec instead of HSTU.
    pub sasrec: bool,
    /// Items are 1 ... items; 0 = the largest among the events, or as many as there are names.
    pub items: i64,
    /// Of a user's events, the latest that count; 0 = 200.
    pub max_sequence: i64,
    /// Times through the users; 0 = 101.
    pub epochs: i64,
    /// 0 = 128.
    pub users_per_step: i64,
    /// Items drawn for each event; 0 = 128.
    pub negatives: i64,
    /// Step size; 0 = 1e-3.
    pub learning_rate: f64,
    /// Share of values that a step leaves out; 0 = none; 0.2 is usual.
    pub dropout: f64,
    /// The same seed gives the same recommender.
    pub seed: u64,
    /// What items 1, 2, ... are called; empty = they have no names.
    pub item_names: Vec<String>,
}

/// Where training is, after a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecommenderReport {
    /// Steps done, this one too.
    pub step: i64,
    /// In all.
    pub steps: i64,
    /// The mean over events.
    pub loss: f64,
    /// Not finite: the step was left out.
    pub grad_norm: f64,
}

/// The numbers that define a recommender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecommenderInfo {
    /// SASRec instead of HSTU.
    pub sasrec: bool,
    /// Ids are 1 ... items.
    pub items: i64,
    /// Of a user's events, the latest that count.
    pub max_sequence: i64,
    /// Of a vector.
    pub dim: i64,
    /// Of the network.
    pub blocks: i64,
}

/// Who took what, and when (seconds).
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Any number.
    pub user: i64,
    /// 1, 2, ...
    pub item: i32,
    /// Seconds of any epoch.
    pub time: i64,
}

unsafe extern "C" fn after_step<F: FnMut(RecommenderReport) -> ControlFlow<()>>(
    user: *mut c_void,
    r: *const puna_recommender_report,
) -> i32 {
    let (progress, r) = (&mut *user.cast::<F>(), &*r);
    let report = RecommenderReport { step: r.step, steps: r.steps, loss: r.loss, grad_norm: r.grad_norm };
    answer_to_c(|| progress(report))
}

impl Recommender {
    /// A file that `save` or `puna rec train` wrote.
    pub fn open(context: Option<&Context>, path: impl AsRef<Path>) -> Result<Self> {
        let path = c_path(path.as_ref())?;
        let context = Context::raw_or_null(context);
        Self::create(|out| unsafe { puna_recommender_open(context, path.as_ptr(), out) })
    }

    /// Learns from events in any order.
    pub fn train(context: Option<&Context>, events: &[Event], options: &RecommenderOptions) -> Result<Self> {
        Self::train_with(context, events, options, |_| ControlFlow::Continue(()))
    }

    /// The same; when `progress` breaks or panics after a step, the call is [`Cancelled`](crate::Status::Cancelled).
    pub fn train_with<F>(
        context: Option<&Context>,
        events: &[Event],
        options: &RecommenderOptions,
        mut progress: F,
    ) -> Result<Self>
    where
        F: FnMut(RecommenderReport) -> ControlFlow<()>,
    {
        let users: Vec<i64> = events.iter().map(|e| e.user).collect();
        let items: Vec<i32> = events.iter().map(|e| e.item).collect();
        let times: Vec<i64> = events.iter().map(|e| e.time).collect();
        let names = options.item_names.iter().map(|n| c_string(n)).collect::<Result<Vec<_>>>()?;
        let name_pointers: Vec<_> = names.iter().map(|n| n.as_ptr()).collect();
        let mut o: puna_recommender_options = sized();
        o.kind = if options.sasrec { PUNA_RECOMMENDER_SASREC } else { PUNA_RECOMMENDER_HSTU };
        o.items = options.items;
        if !names.is_empty() {
            let count = names.len() as i64;
            if options.items != 0 && options.items != count {
                return invalid(format!("{count} names of {} items", options.items));
            }
            (o.items, o.item_names) = (count, name_pointers.as_ptr());
        }
        o.max_sequence = options.max_sequence;
        o.epochs = options.epochs;
        o.users_per_step = options.users_per_step;
        o.negatives = options.negatives;
        o.learning_rate = options.learning_rate;
        o.dropout = options.dropout;
        o.seed = options.seed;
        o.progress = Some(after_step::<F>);
        o.progress_user = (&mut progress as *mut F).cast();
        let context = Context::raw_or_null(context);
        Self::create(|out| unsafe {
            puna_recommender_train(context, pointer(&users), pointer(&items), pointer(&times), events.len(), &o, out)
        })
    }

    fn create(make: impl FnOnce(*mut *mut puna_recommender) -> puna_status) -> Result<Self> {
        Ok(Recommender { handle: Arc::new(Handle::create(puna_recommender_free, make)?) })
    }

    /// Writes one file, replacing what is there in one step.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { puna_recommender_save(self.handle.raw, path.as_ptr()) })
    }

    /// The numbers that define it.
    pub fn info(&self) -> Result<RecommenderInfo> {
        let mut i: puna_recommender_info = sized();
        check(unsafe { puna_recommender_get_info(self.handle.raw, &mut i) })?;
        Ok(RecommenderInfo {
            sasrec: i.kind == PUNA_RECOMMENDER_SASREC,
            items: i.items,
            max_sequence: i.max_sequence,
            dim: i.dim,
            blocks: i.blocks,
        })
    }

    /// The name of an item; an error when the items have no names.
    pub fn item_name(&self, item: i32) -> Result<&str> {
        let (mut name, mut size) = (std::ptr::null(), 0);
        check(unsafe { puna_recommender_get_item_name(self.handle.raw, item, &mut name, &mut size) })?;
        // Names are UTF-8 and live as long as the recommender.
        Ok(std::str::from_utf8(unsafe { slice(name.cast::<u8>(), size) }).unwrap_or_default())
    }

    /// The item of a name; the error says the nearest name.
    pub fn find_item(&self, name: &str) -> Result<i32> {
        let (name, mut item) = (c_string(name)?, 0);
        check(unsafe { puna_recommender_find_item(self.handle.raw, name.as_ptr(), &mut item) })?;
        Ok(item)
    }

    /// A user without events.
    pub fn user(&self) -> Result<User> {
        let handle = Handle::create(puna_user_free, |out| unsafe { puna_user_create(self.handle.raw, out) })?;
        Ok(User { handle, items: self.info()?.items as usize })
    }
}

/// What a user is recommended.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecommendOptions<'a> {
    /// Also items among the user's events.
    pub include_seen: bool,
    /// Only these items; `None` = all.
    pub allowed: Option<&'a [i32]>,
}

/// One user, event by event.
pub struct User {
    pub(crate) handle: Handle<puna_user>,
    pub(crate) items: usize,
}
// One thread at a time.
unsafe impl Send for User {}

impl User {
    /// What the user did; times never decrease.
    pub fn append(&mut self, item: i32, time: i64) -> Result<()> {
        check(unsafe { puna_user_append(self.handle.raw, item, time) })
    }

    /// The best `count` unseen items at `time`, best first, each with its cosine.
    pub fn recommend(&mut self, time: i64, count: usize) -> Result<Vec<(i32, f32)>> {
        self.recommend_with(time, count, &RecommendOptions::default())
    }

    /// The same with options.
    pub fn recommend_with(&mut self, time: i64, count: usize, options: &RecommendOptions) -> Result<Vec<(i32, f32)>> {
        let allowed = options.allowed.map(|items| bits_of(items, self.items)).transpose()?;
        let mut o: puna_recommend_options = sized();
        o.include_seen = options.include_seen.into();
        o.allowed = allowed.as_ref().map_or(std::ptr::null(), |bits| bits.as_ptr());
        let count = count.min(self.items);
        let (mut items, mut scores, mut found) = (vec![0i32; count], vec![0f32; count], 0);
        let (raw, to, with) = (self.handle.raw, pointer_mut(&mut items), pointer_mut(&mut scores));
        check(unsafe { puna_user_recommend(raw, time, &o, to, with, count, &mut found) })?;
        Ok(items.into_iter().zip(scores).take(found).collect())
    }
}

/// Bit id % 64 of word id / 64.
pub(crate) fn bits_of(allowed: &[i32], items: usize) -> Result<Vec<u64>> {
    let mut bits = vec![0u64; items / 64 + 1];
    for &item in allowed {
        if item < 1 || item as usize > items {
            return invalid(format!("allowed item {item}, expected 1 to {items}"));
        }
        bits[item as usize / 64] |= 1 << (item % 64);
    }
    Ok(bits)
}
