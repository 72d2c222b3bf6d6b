use crate::context::Context;
use crate::error::{check, Error, Result, Status};
use crate::raw::{c_string, pointer, sized, Handle};
use puna_sys::*;
use std::ptr::null_mut;

/// One model for all surfaces and tasks: what would come of showing something to somebody, somewhere.
pub struct Ranker {
    pub(crate) handle: Handle<puna_ranker>,
    pub(crate) tasks: usize,
    pub(crate) features: usize,
    pub(crate) numbers: usize,
    pub(crate) surfaces: usize,
}
// Scoring borrows it and may come from any number of threads; learning borrows it mutably.
unsafe impl Send for Ranker {}
unsafe impl Sync for Ranker {}

/// How a ranker learns; zero is the library's own choice.
#[derive(Clone, Debug, Default)]
pub struct LearnRanker {
    /// Adagrad instead of AdamW, of all weights but the table's.
    pub adagrad: bool,
    /// Step size of those.
    pub learning_rate: f64,
    /// Step size of the table's rows.
    pub table_rate: f64,
    /// Pulls the rows that a batch names to zero.
    pub table_decay: f64,
    /// The same seed, examples and batches give the same ranker.
    pub seed: u64,
}

/// How a copy's table is kept.
#[derive(Clone, Copy, Debug)]
pub enum RankerTable {
    /// As it is learned.
    F32,
    /// Half the size; serves only.
    F16,
    /// About a quarter; serves only.
    I8,
}

/// What was or would be shown, one by one.
#[derive(Clone, Debug)]
pub struct Examples {
    surfaces: Vec<i32>,
    starts: Vec<i64>,
    ids: Vec<i64>,
    numbers: Vec<f32>,
    features: Option<usize>,
}

impl Default for Examples {
    fn default() -> Self {
        Examples { surfaces: Vec::new(), starts: vec![0], ids: Vec::new(), numbers: Vec::new(), features: None }
    }
}

impl Examples {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more: where, the ids of each feature, its numbers.
    pub fn add(&mut self, surface: i32, ids: &[&[i64]], numbers: &[f32]) -> Result<()> {
        if *self.features.get_or_insert(ids.len()) != ids.len() {
            return Err(Error { status: Status::InvalidArgument, message: format!("ids of {} features, expected {:?}", ids.len(), self.features) });
        }
        self.surfaces.push(surface);
        for feature in ids {
            self.ids.extend_from_slice(feature);
            self.starts.push(self.ids.len() as i64);
        }
        self.numbers.extend_from_slice(numbers);
        Ok(())
    }

    // Of a ranker with so many features and numbers. Where numbers may be missing the library says so.
    pub(crate) fn as_c(&self, features: usize, numbers: usize) -> Result<puna_examples> {
        if self.features.map_or(false, |f| f != features) || !(self.numbers.is_empty() || self.numbers.len() == self.len() * numbers) {
            return Err(Error {
                status: Status::InvalidArgument,
                message: format!("the examples have {:?} features and {} numbers, expected {} and {} each", self.features, self.numbers.len(), features, numbers),
            });
        }
        let mut e: puna_examples = sized();
        e.count = self.len() as u64;
        e.surfaces = self.surfaces.as_ptr();
        e.starts = self.starts.as_ptr();
        e.ids = self.ids.as_ptr();
        e.id_count = self.ids.len() as u64;
        e.numbers = pointer(&self.numbers);
        Ok(e)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.surfaces.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.surfaces.is_empty()
    }
}

impl Ranker {
    /// With random weights; `config` is JSON as `include/puna/recsys/ranker_config.h` says.
    pub fn new(config: &str, options: &LearnRanker, context: Option<&Context>) -> Result<Self> {
        let config = c_string(config)?;
        let o = options_of(options);
        let where_ = Context::raw_or_null(context);
        Self::of(Handle::create(puna_ranker_free, |out| unsafe { puna_ranker_new(where_, config.as_ptr(), &o, out) })?)
    }

    /// A file that `save` or `puna rec rank` wrote; `options` are for learning on.
    pub fn open(path: &str, options: &LearnRanker, context: Option<&Context>) -> Result<Self> {
        let path = c_string(path)?;
        let o = options_of(options);
        let where_ = Context::raw_or_null(context);
        Self::of(Handle::create(puna_ranker_free, |out| unsafe { puna_ranker_open(where_, path.as_ptr(), &o, out) })?)
    }

    /// Replaces the file in one step.
    pub fn save(&self, path: &str) -> Result<()> {
        let path = c_string(path)?;
        check(unsafe { puna_ranker_save(self.handle.raw, path.as_ptr()) })
    }

    /// As it is now, independent of this one: to serve while this one learns.
    pub fn copy(&self, table: RankerTable) -> Result<Self> {
        let kind = match table {
            RankerTable::F32 => PUNA_RANKER_TABLE_F32,
            RankerTable::F16 => PUNA_RANKER_TABLE_F16,
            RankerTable::I8 => PUNA_RANKER_TABLE_I8,
        };
        Self::of(Handle::create(puna_ranker_free, |out| unsafe { puna_ranker_copy(self.handle.raw, kind, out) })?)
    }

    /// Probabilities, a row of all tasks an example.
    pub fn score(&self, examples: &Examples) -> Result<Vec<f32>> {
        let e = self.struct_of(examples)?;
        let mut p = vec![0.0; examples.len() * self.tasks];
        check(unsafe { puna_ranker_score(self.handle.raw, &e, p.as_mut_ptr(), p.len() as u64) })?;
        Ok(p)
    }

    /// One step, of one event or many: `values` has a row of all tasks an example, NaN where a task was not observed. Returns the loss before it.
    pub fn learn(&mut self, examples: &Examples, values: &[f32]) -> Result<f64> {
        let e = self.struct_of(examples)?;
        if values.len() != examples.len() * self.tasks {
            return Err(Error { status: Status::InvalidArgument, message: format!("{} outcomes, expected {}", values.len(), examples.len() * self.tasks) });
        }
        let known: Vec<u32> = values.chunks(self.tasks).map(|row| row.iter().enumerate().map(|(t, v)| u32::from(!v.is_nan()) << t).sum()).collect();
        let mut o: puna_outcomes = sized();
        o.values = values.as_ptr();
        o.known = known.as_ptr();
        let mut report: puna_ranker_report = sized();
        check(unsafe { puna_ranker_learn(self.handle.raw, &e, &o, &mut report, null_mut()) })?;
        Ok(report.loss)
    }

    fn of(handle: Handle<puna_ranker>) -> Result<Self> {
        let mut info: puna_ranker_info = sized();
        check(unsafe { puna_ranker_get_info(handle.raw, &mut info) })?;
        Ok(Ranker { handle, tasks: info.tasks as usize, features: info.features as usize, numbers: info.numbers as usize, surfaces: info.surfaces as usize })
    }

    fn struct_of(&self, examples: &Examples) -> Result<puna_examples> {
        examples.as_c(self.features, self.numbers)
    }
}

fn options_of(options: &LearnRanker) -> puna_ranker_options {
    let mut o: puna_ranker_options = sized();
    o.optimizer = if options.adagrad { PUNA_RANKER_ADAGRAD } else { PUNA_RANKER_ADAMW };
    o.learning_rate = options.learning_rate;
    o.table_rate = options.table_rate;
    o.table_decay = options.table_decay;
    o.seed = options.seed;
    o
}
