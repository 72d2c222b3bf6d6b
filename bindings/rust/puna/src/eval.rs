//! Evaluations: likelihoods of continuations, tasks of lm-evaluation-harness, paired comparisons. See `puna_eval.h`.
use crate::error::{check, Result};
use crate::model::Model;
use crate::raw::{answer_to_c, c_string, invalid, pointer, pointer_mut, pointer_or_null, sized, text_of, Handle};
use puna_sys::*;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_void};
use std::ptr::null;

/// How likely a continuation is after its context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The sum of its tokens' log-probabilities, by the model itself.
    pub log_likelihood: f64,
    /// Each of its tokens was the likeliest.
    pub greedy: bool,
}

impl Model {
    /// How likely each continuation is after its context, (context, continuation), neither empty. What contexts have in
    /// common is computed once, and the bits are those of each alone.
    pub fn score_continuations(&self, requests: &[(&[i32], &[i32])]) -> Result<Vec<Score>> {
        let tokens: Vec<i32> = requests.iter().flat_map(|(a, b)| a.iter().chain(b.iter()).copied()).collect();
        let lengths: Vec<u64> = requests.iter().map(|(a, b)| (a.len() + b.len()) as u64).collect();
        let scored: Vec<u64> = requests.iter().map(|(_, b)| b.len() as u64).collect();
        let mut log_likelihoods = vec![0f64; requests.len()];
        let mut greedy = vec![0i32; requests.len()];
        check(unsafe {
            puna_model_score(
                self.handle.raw,
                pointer(&tokens),
                pointer(&lengths),
                pointer(&scored),
                requests.len() as u64,
                null(),
                pointer_mut(&mut log_likelihoods),
                pointer_mut(&mut greedy),
            )
        })?;
        let scores = log_likelihoods.into_iter().zip(greedy);
        Ok(scores.map(|(log_likelihood, g)| Score { log_likelihood, greedy: g != 0 }).collect())
    }
}

/// How a task is run; zero, empty and None are the defaults.
#[derive(Clone, Debug, Default)]
pub struct EvaluationOptions {
    /// The first so many items; 0 = all.
    pub limit: i64,
    /// Examples before each item; None = the task's.
    pub num_fewshot: Option<u32>,
    /// By the model's chat template.
    pub chat: bool,
    /// With `chat`: examples are turns of their own.
    pub multiturn: bool,
    /// With `chat`: a system message.
    pub system: Option<String>,
    /// YYYY-MM-DD, what chat templates are told.
    pub date: Option<String>,
    /// A field of the items: those with one value count as one draw.
    pub cluster: Option<String>,
    /// The model's name, for reports.
    pub name: Option<String>,
    /// Of the draw of examples and of sampled texts; 0 = 1234.
    pub seed: u64,
    /// Texts generated at once; 0 = 8.
    pub parallel: i32,
    /// Positions at most; 0 = the model's.
    pub max_positions: i64,
    /// float32 throughout: the reference.
    pub exact: bool,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationInfo {
    /// That are asked.
    pub items: i64,
    /// Of all items.
    pub requests: i64,
    /// Of the requests.
    pub answered: i64,
    /// Of all that the answers depend on, but for the model.
    pub fingerprint: u64,
}

/// A task of lm-evaluation-harness on a model.
pub struct Evaluation {
    handle: Handle<puna_evaluation>,
}
unsafe impl Send for Evaluation {}

unsafe extern "C" fn told<F: FnMut(&str) -> ControlFlow<()>>(
    user: *mut c_void,
    json: *const c_char,
    bytes: usize,
) -> i32 {
    let text = String::from_utf8_lossy(std::slice::from_raw_parts(json.cast(), bytes));
    let on_answer = &mut *user.cast::<F>();
    answer_to_c(|| on_answer(&text))
}

impl Evaluation {
    /// `task`: one task as JSON; `items`, and `shots`, which examples are drawn from: a JSON object each. Without
    /// `shots` they are drawn from the items.
    pub fn new(model: &Model, task: &str, items: &str, shots: &str, options: &EvaluationOptions) -> Result<Self> {
        let text = |t: &Option<String>| t.as_deref().map(c_string).transpose();
        let (system, date) = (text(&options.system)?, text(&options.date)?);
        let (cluster, name) = (text(&options.cluster)?, text(&options.name)?);
        let mut o: puna_evaluation_options = sized();
        (o.limit, o.seed, o.parallel) = (options.limit, options.seed, options.parallel);
        (o.chat, o.multiturn, o.exact) = (options.chat.into(), options.multiturn.into(), options.exact.into());
        o.max_positions = options.max_positions;
        o.num_fewshot = match options.num_fewshot {
            None => 0,
            Some(0) => -1,
            Some(n) if n <= 1000 => n as i32,
            Some(n) => return invalid(format!("num_fewshot is {n}, expected at most 1000")),
        };
        (o.system, o.date) = (pointer_or_null(&system), pointer_or_null(&date));
        (o.cluster, o.name) = (pointer_or_null(&cluster), pointer_or_null(&name));
        let bytes = |t: &str| (pointer(t.as_bytes()).cast::<c_char>(), t.len());
        let ((t, t_size), (i, i_size), (s, s_size)) = (bytes(task), bytes(items), bytes(shots));
        let handle = Handle::create(puna_evaluation_free, |out| unsafe {
            puna_evaluation_create(model.handle.raw, t, t_size, i, i_size, s, s_size, &o, out)
        })?;
        Ok(Evaluation { handle: handle.keeping(model.handle.clone()) })
    }

    /// Where it stands.
    pub fn info(&self) -> Result<EvaluationInfo> {
        let mut i: puna_evaluation_info = sized();
        check(unsafe { puna_evaluation_get_info(self.handle.raw, &mut i) })?;
        Ok(EvaluationInfo { items: i.items, requests: i.requests, answered: i.answered, fingerprint: i.fingerprint })
    }

    /// Computes what is not answered yet. Each answer is told as a line of JSON, for `restore`; `Break` stops, and the
    /// next run goes on.
    pub fn run<F: FnMut(&str) -> ControlFlow<()>>(&mut self, mut on_answer: F) -> Result<()> {
        let user = (&mut on_answer as *mut F).cast();
        check(unsafe { puna_evaluation_run(self.handle.raw, Some(told::<F>), user) })
    }

    /// An answer of another run of the same task on the same model; true: it is not computed again.
    pub fn restore(&mut self, answer: &str) -> Result<bool> {
        let mut taken = 0;
        let json = pointer(answer.as_bytes()).cast();
        check(unsafe { puna_evaluation_restore(self.handle.raw, json, answer.len(), &mut taken) })?;
        Ok(taken != 0)
    }

    /// Scores with errors and intervals, as JSON.
    pub fn result(&self) -> Result<String> {
        text_of(|out| unsafe { puna_evaluation_result(self.handle.raw, out) })
    }
    /// A line of JSON an item, as lm-evaluation-harness logs its samples.
    pub fn samples(&self) -> Result<String> {
        text_of(|out| unsafe { puna_evaluation_samples(self.handle.raw, out) })
    }
    /// A page of HTML.
    pub fn report(&self) -> Result<String> {
        text_of(|out| unsafe { puna_evaluation_report(self.handle.raw, out) })
    }
}

/// Whether run B is better than run A, item by item, as JSON: samples, or JSON lines of answers.
pub fn compare_samples(a: &str, b: &str) -> Result<String> {
    text_of(|out| unsafe {
        let (x, y) = (pointer(a.as_bytes()).cast(), pointer(b.as_bytes()).cast());
        puna_compare_samples(x, a.len(), y, b.len(), null(), out)
    })
}
