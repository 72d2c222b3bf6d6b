//! What people's labels say: agreement, true labels, texts that say the same. See `puna_label.h`.
use crate::error::{check, Result};
use crate::raw::{c_string, pointer, pointer_mut, sized, string, Handle};
use puna_sys::*;
use std::os::raw::c_char;

/// Who answered what. Items and workers are numbered in the order they come, labels in the order of their names.
pub struct Answers {
    handle: Handle<puna_answers>,
}
// One thread at a time, whichever.
unsafe impl Send for Answers {}

/// How far two labels are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// Equal or not.
    #[default]
    Nominal,
    /// By their order: numbers where all are, else names.
    Ordinal,
    /// By the difference of numbers.
    Interval,
    /// By the difference relative to the sum.
    Ratio,
}

/// Krippendorff's alpha.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alpha {
    /// 1 is agreement, 0 what chance gives.
    pub alpha: f64,
    /// Items with two answers or more: the others say nothing.
    pub items: i64,
    /// Answers of those.
    pub values: i64,
}

/// How the true labels are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InferMethod {
    /// A confusion matrix a worker (Dawid and Skene).
    #[default]
    DawidSkene,
    /// The label most answers have.
    Majority,
    /// One accuracy a worker.
    OneCoin,
    /// A worker knows the label, or guesses.
    Mace,
    /// A worker has an ability, an item a difficulty.
    Glad,
}

/// What the answers come to.
#[derive(Clone, Debug)]
pub struct Inference {
    /// Labels in the order of their names.
    pub classes: Vec<String>,
    /// Of every item: the likeliest; `None` without answers and gold.
    pub labels: Vec<Option<String>>,
    /// And its probability.
    pub confidence: Vec<f64>,
    /// Of every item: the probability of each class.
    pub posterior: Vec<Vec<f64>>,
    /// Of every worker: how often it is right.
    pub reliability: Vec<f64>,
    /// That were needed; 0 for the majority.
    pub iterations: i64,
    /// Whether it ended by itself.
    pub converged: bool,
    /// Of the answers.
    pub log_likelihood: f64,
    /// Against the truths; `None` without one.
    pub accuracy: Option<f64>,
}

impl Answers {
    /// None yet.
    pub fn new() -> Result<Self> {
        Ok(Answers { handle: Handle::create(puna_answers_free, |out| unsafe { puna_answers_create(out) })? })
    }
    /// One more answer.
    pub fn add(&mut self, item: &str, worker: &str, label: &str) -> Result<()> {
        let (item, worker, label) = (c_string(item)?, c_string(worker)?, c_string(label)?);
        check(unsafe { puna_answers_add(self.handle.raw, item.as_ptr(), worker.as_ptr(), label.as_ptr()) })
    }
    /// Certain: inference takes it so, and learns from it who is good.
    pub fn set_gold(&mut self, item: &str, label: &str) -> Result<()> {
        let (item, label) = (c_string(item)?, c_string(label)?);
        check(unsafe { puna_answers_set_gold(self.handle.raw, item.as_ptr(), label.as_ptr()) })
    }
    /// What accuracies are measured against; nothing else looks at it.
    pub fn set_truth(&mut self, item: &str, label: &str) -> Result<()> {
        let (item, label) = (c_string(item)?, c_string(label)?);
        check(unsafe { puna_answers_set_truth(self.handle.raw, item.as_ptr(), label.as_ptr()) })
    }
    fn names(&self, kind: i32, count: i64) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for i in 0..count {
            let mut name: *const c_char = std::ptr::null();
            check(unsafe { puna_answers_get_name(self.handle.raw, kind, i, &mut name) })?;
            names.push(unsafe { string(name) });
        }
        Ok(names)
    }
    fn info(&self) -> Result<puna_answers_info> {
        let mut info: puna_answers_info = sized();
        check(unsafe { puna_answers_get_info(self.handle.raw, &mut info) })?;
        Ok(info)
    }
    /// Items in the order they came.
    pub fn items(&self) -> Result<Vec<String>> {
        self.names(PUNA_NAME_ITEM, self.info()?.items)
    }
    /// Workers in the order they came.
    pub fn workers(&self) -> Result<Vec<String>> {
        self.names(PUNA_NAME_WORKER, self.info()?.workers)
    }
    /// Labels in the order of their names.
    pub fn labels(&self) -> Result<Vec<String>> {
        self.names(PUNA_NAME_LABEL, self.info()?.labels)
    }
    /// Krippendorff's alpha; an error with the reason where it is not defined.
    pub fn alpha(&self, measure: Measure) -> Result<Alpha> {
        let mut out: puna_alpha = sized();
        check(unsafe { puna_answers_get_alpha(self.handle.raw, measure as i32, &mut out) })?;
        Ok(Alpha { alpha: out.alpha, items: out.items, values: out.values })
    }
    /// The true labels.
    pub fn infer(&self, method: InferMethod) -> Result<Inference> {
        let mut options: puna_infer_options = sized();
        options.method = method as i32;
        let handle = Handle::create(puna_inference_free, |out| unsafe {
            puna_answers_infer(self.handle.raw, &options, out)
        })?;
        let mut info: puna_inference_info = sized();
        check(unsafe { puna_inference_get_info(handle.raw, &mut info) })?;
        let mut all = Inference {
            classes: self.labels()?,
            labels: Vec::new(),
            confidence: Vec::new(),
            posterior: Vec::new(),
            reliability: Vec::new(),
            iterations: info.iterations,
            converged: info.converged != 0,
            log_likelihood: info.log_likelihood,
            accuracy: if info.accuracy.is_nan() { None } else { Some(info.accuracy) },
        };
        for item in 0..info.items {
            let (mut label, mut sure): (*const c_char, f64) = (std::ptr::null(), 0.0);
            check(unsafe { puna_inference_get_label(handle.raw, item, &mut label, &mut sure) })?;
            all.labels.push(if label.is_null() { None } else { Some(unsafe { string(label) }) });
            all.confidence.push(sure);
            let mut row = vec![0.0; all.classes.len()];
            let capacity = row.len();
            check(unsafe { puna_inference_get_posterior(handle.raw, item, row.as_mut_ptr(), capacity) })?;
            all.posterior.push(row);
        }
        for worker in 0..info.workers {
            let mut accuracy = 0.0;
            check(unsafe { puna_inference_get_worker(handle.raw, worker, &mut accuracy) })?;
            all.reliability.push(accuracy);
        }
        Ok(all)
    }
}

struct Texts {
    pointers: Vec<*const c_char>,
    sizes: Vec<usize>,
}
impl Texts {
    fn of<T: AsRef<str>>(texts: &[T]) -> Self {
        Texts {
            // An empty text still has a pointer: NULL would be no text.
            pointers: texts.iter().map(|t| t.as_ref().as_ptr().cast()).collect(),
            sizes: texts.iter().map(|t| t.as_ref().len()).collect(),
        }
    }
}

/// Of each text the first one that says nearly the same (0.8 is the usual similarity): its own number where it is
/// alone.
pub fn duplicates<T: AsRef<str>>(texts: &[T], similarity: f64) -> Result<Vec<usize>> {
    let c = Texts::of(texts);
    let mut options: puna_overlap_options = sized();
    options.similarity = similarity;
    let mut group = vec![0i64; texts.len()];
    check(unsafe {
        puna_find_duplicates(
            pointer(&c.pointers),
            pointer(&c.sizes),
            texts.len() as u64,
            &options,
            pointer_mut(&mut group),
        )
    })?;
    Ok(group.into_iter().map(|g| g as usize).collect())
}

/// Of each item the first document in which 13 of its words in a row stand.
pub fn contaminated<T: AsRef<str>, D: AsRef<str>>(items: &[T], documents: &[D]) -> Result<Vec<Option<usize>>> {
    let (c, d) = (Texts::of(items), Texts::of(documents));
    let mut found = vec![0i64; items.len()];
    check(unsafe {
        puna_find_contaminated(
            pointer(&c.pointers),
            pointer(&c.sizes),
            items.len() as u64,
            pointer(&d.pointers),
            pointer(&d.sizes),
            documents.len() as u64,
            std::ptr::null(),
            pointer_mut(&mut found),
        )
    })?;
    Ok(found.into_iter().map(|f| usize::try_from(f).ok()).collect())
}
