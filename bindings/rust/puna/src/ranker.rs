use crate::context::Context;
use crate::error::{check, Result};
use crate::raw::{c_path, c_string, invalid, pointer, pointer_mut, sized, text_of, Handle};
use puna_sys::*;
use std::path::Path;

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
pub struct RankerOptions {
    /// Adagrad instead of AdamW, of all weights but the table's.
    pub adagrad: bool,
    /// Step size of those; 0 = 1e-3.
    pub learning_rate: f64,
    /// Of those.
    pub weight_decay: f64,
    /// Step size of the table's rows; 0 = 0.05.
    pub table_rate: f64,
    /// Pulls the rows that a batch names to zero.
    pub table_decay: f64,
    /// Share of hidden values that a step leaves out; 0 = none.
    pub dropout: f64,
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
            return invalid(format!("ids of {} features, expected {}", ids.len(), self.features.unwrap_or_default()));
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
        if self.features.map_or(false, |f| f != features)
            || !(self.numbers.is_empty() || self.numbers.len() == self.len() * numbers)
        {
            return invalid(format!(
                "the examples have {:?} features and {} numbers, expected {features} and {numbers} each",
                self.features,
                self.numbers.len()
            ));
        }
        let mut e: puna_examples = sized();
        e.count = self.len() as u64;
        e.surfaces = pointer(&self.surfaces);
        e.starts = pointer(&self.starts);
        e.ids = pointer(&self.ids);
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

/// What came of examples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcomes<'a> {
    /// A row of all tasks an example, 0 or 1, or a fraction; NaN where a task was not observed.
    pub values: &'a [f32],
    /// One an example; empty = all 1.
    pub weights: &'a [f32],
}

/// A step of learning.
#[derive(Clone, Debug, PartialEq)]
pub struct RankerReport {
    /// 1 = the first.
    pub step: i64,
    /// Before the step: the sum over tasks, each with its weight; the mean over examples.
    pub loss: f64,
    /// Not finite: the step was left out.
    pub grad_norm: f64,
    /// What was predicted before it was learned, a row of all tasks an example, not calibrated.
    pub predicted: Vec<f32>,
}

/// The numbers that define a ranker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // see puna_ranker_info in puna_recsys.h
pub struct RankerInfo {
    pub surfaces: i64,
    pub tasks: i64,
    pub features: i64,
    pub numbers: i64,
    pub table_rows: i64,
    pub table_bytes: i64,
    pub steps: i64,
}

/// How scores are corrected by what came of earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calibration {
    /// Not at all.
    None,
    /// A sigmoid of two numbers.
    Platt,
    /// Steps that never fall.
    Isotonic,
}

impl Ranker {
    /// With random weights; `config` is JSON as `puna_recsys.h` says.
    pub fn new(context: Option<&Context>, config: &str, options: &RankerOptions) -> Result<Self> {
        let (config, o, context) = (c_string(config)?, options_of(options), Context::raw_or_null(context));
        Self::create(|out| unsafe { puna_ranker_create(context, config.as_ptr(), &o, out) })
    }

    /// A file that `save` or `puna rec rank` wrote; `options` are for learning on.
    pub fn open(context: Option<&Context>, path: impl AsRef<Path>, options: &RankerOptions) -> Result<Self> {
        let (path, o, context) = (c_path(path.as_ref())?, options_of(options), Context::raw_or_null(context));
        Self::create(|out| unsafe { puna_ranker_open(context, path.as_ptr(), &o, out) })
    }

    /// Replaces the file in one step.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { puna_ranker_save(self.handle.raw, path.as_ptr()) })
    }

    /// Everything that the next step depends on, to a file.
    pub fn save_state(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { puna_ranker_save_state(self.handle.raw, path.as_ptr()) })
    }

    /// And back, into a ranker of the same configuration and options.
    pub fn restore_state(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = c_path(path.as_ref())?;
        check(unsafe { puna_ranker_restore_state(self.handle.raw, path.as_ptr()) })
    }

    /// The numbers that define it.
    pub fn info(&self) -> Result<RankerInfo> {
        let i = info_of(&self.handle)?;
        Ok(RankerInfo {
            surfaces: i.surfaces,
            tasks: i.tasks,
            features: i.features,
            numbers: i.numbers,
            table_rows: i.table_rows,
            table_bytes: i.table_bytes,
            steps: i.steps,
        })
    }

    /// Its configuration as JSON.
    pub fn config(&self) -> Result<String> {
        text_of(|json| unsafe { puna_ranker_get_config(self.handle.raw, json) })
    }

    /// As it is now, independent of this one: to serve while this one learns.
    pub fn copy(&self, table: RankerTable) -> Result<Self> {
        let kind = match table {
            RankerTable::F32 => PUNA_RANKER_TABLE_F32,
            RankerTable::F16 => PUNA_RANKER_TABLE_F16,
            RankerTable::I8 => PUNA_RANKER_TABLE_I8,
        };
        Self::create(|out| unsafe { puna_ranker_copy(self.handle.raw, kind, out) })
    }

    /// Probabilities, a row of all tasks an example.
    pub fn score(&self, examples: &Examples) -> Result<Vec<f32>> {
        let e = self.struct_of(examples)?;
        let mut p = vec![0.0; examples.len() * self.tasks];
        check(unsafe { puna_ranker_score(self.handle.raw, &e, pointer_mut(&mut p), p.len()) })?;
        Ok(p)
    }

    /// One step, of one event or many.
    pub fn learn(&mut self, examples: &Examples, outcomes: Outcomes) -> Result<RankerReport> {
        let e = self.struct_of(examples)?;
        let Outcomes { values, weights } = outcomes;
        if values.len() != examples.len() * self.tasks {
            return invalid(format!("{} outcomes, expected {}", values.len(), examples.len() * self.tasks));
        }
        if !weights.is_empty() && weights.len() != examples.len() {
            return invalid(format!("{} weights of {} examples", weights.len(), examples.len()));
        }
        let known_of = |row: &[f32]| row.iter().enumerate().map(|(t, v)| u32::from(!v.is_nan()) << t).sum();
        let known: Vec<u32> = values.chunks(self.tasks).map(known_of).collect();
        let mut o: puna_outcomes = sized();
        o.values = pointer(values);
        o.known = pointer(&known);
        o.weights = pointer(weights);
        let mut report: puna_ranker_report = sized();
        let mut predicted = vec![0.0; values.len()];
        check(unsafe {
            puna_ranker_learn(self.handle.raw, &e, &o, &mut report, pointer_mut(&mut predicted), predicted.len())
        })?;
        Ok(RankerReport { step: report.step, loss: report.loss, grad_norm: report.grad_norm, predicted })
    }

    /// Learns the last step of scoring from scores of examples that it has not learned, and what came of them, of one
    /// surface and task.
    pub fn calibrate(
        &mut self,
        surface: usize,
        task: usize,
        how: Calibration,
        probabilities: &[f32],
        outcomes: &[f32],
    ) -> Result<()> {
        if probabilities.len() != outcomes.len() {
            return invalid(format!("{} outcomes of {} probabilities", outcomes.len(), probabilities.len()));
        }
        let kind = match how {
            Calibration::None => PUNA_CALIBRATE_NONE,
            Calibration::Platt => PUNA_CALIBRATE_PLATT,
            Calibration::Isotonic => PUNA_CALIBRATE_ISOTONIC,
        };
        let (p, y) = (pointer(probabilities), pointer(outcomes));
        check(unsafe { puna_ranker_calibrate(self.handle.raw, surface, task, kind, p, y, outcomes.len()) })
    }

    /// The id of a name of feature `feature`, its place in the configuration. `None`: nobody gave that name.
    pub fn find_id(&self, feature: usize, name: &str) -> Result<Option<i64>> {
        let (name, mut id) = (c_string(name)?, -1);
        check(unsafe { puna_ranker_find_id(self.handle.raw, feature, name.as_ptr(), &mut id) })?;
        Ok((id >= 0).then_some(id))
    }

    /// What ids 0, 1, ... of a feature are called; kept by copies and in the file.
    pub fn set_names(&mut self, feature: usize, names: &[impl AsRef<str>]) -> Result<()> {
        let names = names.iter().map(|n| c_string(n.as_ref())).collect::<Result<Vec<_>>>()?;
        let pointers: Vec<_> = names.iter().map(|n| n.as_ptr()).collect();
        check(unsafe { puna_ranker_set_names(self.handle.raw, feature, pointer(&pointers), pointers.len()) })
    }

    fn create(make: impl FnOnce(*mut *mut puna_ranker) -> puna_status) -> Result<Self> {
        let handle = Handle::create(puna_ranker_free, make)?;
        let i = info_of(&handle)?;
        let (tasks, features, numbers, surfaces) =
            (i.tasks as usize, i.features as usize, i.numbers as usize, i.surfaces as usize);
        Ok(Ranker { handle, tasks, features, numbers, surfaces })
    }

    fn struct_of(&self, examples: &Examples) -> Result<puna_examples> {
        examples.as_c(self.features, self.numbers)
    }
}

fn info_of(handle: &Handle<puna_ranker>) -> Result<puna_ranker_info> {
    let mut info: puna_ranker_info = sized();
    check(unsafe { puna_ranker_get_info(handle.raw, &mut info) })?;
    Ok(info)
}

fn options_of(options: &RankerOptions) -> puna_ranker_options {
    let mut o: puna_ranker_options = sized();
    o.optimizer = if options.adagrad { PUNA_RANKER_ADAGRAD } else { PUNA_RANKER_ADAMW };
    o.learning_rate = options.learning_rate;
    o.weight_decay = options.weight_decay;
    o.dropout = options.dropout;
    o.table_rate = options.table_rate;
    o.table_decay = options.table_decay;
    o.seed = options.seed;
    o
}
