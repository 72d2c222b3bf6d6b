use crate::context::Context;
use crate::error::{check, Error, Result, Status};
use crate::raw::{c_string, sized, Handle};
use puna_sys::*;
use std::ptr::null_mut;
use std::sync::Arc;

/// A trained sequence model with its items.
#[derive(Clone)]
pub struct Recommender {
    handle: Arc<Handle<puna_recommender>>,
}
// The library's recommenders may be used by any number of threads at once.
unsafe impl Send for Recommender {}
unsafe impl Sync for Recommender {}

/// How a recommender is trained; zero is the library's own choice.
#[derive(Clone, Debug, Default)]
pub struct TrainRecommender {
    /// SASRec instead of HSTU.
    pub sasrec: bool,
    /// Items are 1 ... items; 0 = the largest among the events.
    pub items: i64,
    /// Of a user's events, the latest that count.
    pub max_sequence: i64,
    /// Times through the users.
    pub epochs: i64,
    /// Step size.
    pub learning_rate: f64,
    /// The same seed gives the same recommender.
    pub seed: u64,
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

impl Recommender {
    /// A file that `save` or `puna rec train` wrote.
    pub fn open(path: &str, context: Option<&Context>) -> Result<Self> {
        let path = c_string(path)?;
        let where_ = Context::raw_or_null(context);
        let handle = Handle::create(puna_recommender_free, |out| unsafe { puna_recommender_open(where_, path.as_ptr(), out) })?;
        Ok(Recommender { handle: Arc::new(handle) })
    }

    /// Learns from events in any order.
    pub fn train(events: &[Event], options: &TrainRecommender, context: Option<&Context>) -> Result<Self> {
        let users: Vec<i64> = events.iter().map(|e| e.user).collect();
        let items: Vec<i32> = events.iter().map(|e| e.item).collect();
        let times: Vec<i64> = events.iter().map(|e| e.time).collect();
        let mut o: puna_recommender_options = sized();
        o.kind = if options.sasrec { PUNA_RECOMMENDER_SASREC } else { PUNA_RECOMMENDER_HSTU };
        o.items = options.items;
        o.max_sequence = options.max_sequence;
        o.epochs = options.epochs;
        o.learning_rate = options.learning_rate;
        o.seed = options.seed;
        let where_ = Context::raw_or_null(context);
        let make = |out| unsafe { puna_recommender_train(where_, users.as_ptr(), items.as_ptr(), times.as_ptr(), events.len() as u64, &o, out) };
        Ok(Recommender { handle: Arc::new(Handle::create(puna_recommender_free, make)?) })
    }

    /// Writes one file, replacing what is there in one step.
    pub fn save(&self, path: &str) -> Result<()> {
        let path = c_string(path)?;
        check(unsafe { puna_recommender_save(self.handle.raw, path.as_ptr()) })
    }

    /// Items are 1 ... this.
    pub fn items(&self) -> Result<i64> {
        let mut i: puna_recommender_info = sized();
        check(unsafe { puna_recommender_get_info(self.handle.raw, &mut i) })?;
        Ok(i.items)
    }

    /// A user without events.
    pub fn user(&self) -> Result<User> {
        Ok(User { handle: Handle::create(puna_user_free, |out| unsafe { puna_recommender_new_user(self.handle.raw, out) })? })
    }
}

/// One user, event by event.
pub struct User {
    pub(crate) handle: Handle<puna_user>,
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
        if count == 0 {
            return Err(Error { status: Status::InvalidArgument, message: "count is 0, expected at least 1".into() });
        }
        let (mut items, mut scores, mut found) = (vec![0i32; count], vec![0f32; count], 0u64);
        check(unsafe { puna_user_recommend(self.handle.raw, time, null_mut(), items.as_mut_ptr(), scores.as_mut_ptr(), count as u64, &mut found) })?;
        Ok(items.into_iter().zip(scores).take(found as usize).collect())
    }
}
