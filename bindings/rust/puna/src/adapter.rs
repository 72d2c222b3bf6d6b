//! Adapters (LoRA): small trained matrices beside a model's frozen ones, and the fine-tuning that makes them. See
//! `puna_train.h`.
use crate::error::{check, Result};
use crate::model::Model;
use crate::raw::{answer_to_c, c_path, c_string, pointer_or_null, sized, stopped, Handle};
use crate::session::Session;
use puna_sys::*;
use std::ops::ControlFlow;
use std::os::raw::c_void;
use std::path::Path;
use std::ptr::null;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// A LoRA adapter of one model: immutable, shared by sessions and threads. Clones are the same adapter.
#[derive(Clone)]
pub struct Adapter {
    pub(crate) handle: Arc<Handle<puna_adapter>>,
}
// The library's adapters may be used by any number of threads at once.
unsafe impl Send for Adapter {}
unsafe impl Sync for Adapter {}

/// How a model is fine-tuned; zero is the library's own choice of each number.
#[derive(Clone, Debug, Default)]
pub struct FinetuneOptions {
    /// Of the trained matrices; 0 = 8.
    pub rank: i32,
    /// 0 = twice the rank.
    pub alpha: f64,
    /// 0 = 3e-4; falls in half a cosine after the warm-up.
    pub learning_rate: f64,
    /// Decoupled, as AdamW's.
    pub weight_decay: f64,
    /// 0 = what the epochs take.
    pub steps: i64,
    /// Times through the examples; 0 = 1.
    pub epochs: i64,
    /// Steps in which the learning rate grows.
    pub warmup_steps: i64,
    /// Tokens of a step, which bound memory; 0 = 2048.
    pub step_tokens: i64,
    /// Tokens of an example; longer ones are left out, longer texts cut. 0 = 512.
    pub max_tokens: i64,
    /// The same seed gives the same adapter, whatever the threads.
    pub seed: u64,
    /// Ends of weights' names, or "all"; empty = q_proj and v_proj.
    pub targets: Vec<String>,
    /// The lines are preference pairs, learned by direct preference optimisation.
    pub preferences: bool,
    /// 0 = 0.1.
    pub dpo_beta: f64,
    /// `YYYY-MM-DD`: what a chat template that asks for today is told; without it, such a template is an error.
    pub date: Option<String>,
    /// Names of special tokens inside messages and texts become those tokens; otherwise what people say is text.
    pub parse_content: bool,
    /// Leave the context's provider of matrix products alone: the same bits on every machine.
    pub no_providers: bool,
    /// Where the provider takes bfloat16, factors of products may be rounded to it.
    pub bf16: bool,
    /// Any thread sets it to end the call within milliseconds, also in the middle of a step.
    pub stop: Option<Arc<AtomicBool>>,
}

/// Where fine-tuning is, after a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FinetuneReport {
    /// 1 = the first.
    pub step: i64,
    /// In all.
    pub steps: i64,
    /// Of this step.
    pub tokens: i64,
    /// The mean over the tokens that count, or over pairs.
    pub loss: f64,
    /// Before clipping to 1; not finite: the step was left out.
    pub grad_norm: f64,
    /// Of this step.
    pub learning_rate: f64,
    /// Share of pairs in which the chosen answer is ahead; 0 without pairs.
    pub preferred: f64,
}

impl Adapter {
    /// A folder as PEFT writes it: `adapter_config.json` and `adapter_model.safetensors`.
    pub fn open(model: &Model, folder: impl AsRef<Path>) -> Result<Self> {
        let folder = c_path(folder.as_ref())?;
        Self::create(model, |out| unsafe { puna_adapter_open(model.handle.raw, folder.as_ptr(), out) })
    }

    /// Writes such a folder, each file replaced in one step. PEFT and Transformers read it.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = c_path(folder.as_ref())?;
        check(unsafe { puna_adapter_save(self.handle.raw, folder.as_ptr()) })
    }

    fn create(model: &Model, make: impl FnOnce(*mut *mut puna_adapter) -> puna_status) -> Result<Self> {
        Ok(Adapter { handle: Arc::new(Handle::create(puna_adapter_free, make)?.keeping(model.handle.clone())) })
    }
}

impl Session {
    /// From now on it answers with this adapter, or with none. The session must hold no tokens.
    pub fn use_adapter(&mut self, adapter: Option<&Adapter>) -> Result<()> {
        check(unsafe {
            puna_session_use_adapter(self.handle.raw, adapter.map_or(null(), |a| a.handle.raw.cast_const()))
        })
    }
}

unsafe extern "C" fn after_step<F: FnMut(FinetuneReport) -> ControlFlow<()>>(
    user: *mut c_void,
    r: *const puna_finetune_report,
) -> i32 {
    let (progress, r) = (&mut *user.cast::<F>(), &*r);
    let report = FinetuneReport {
        step: r.step,
        steps: r.steps,
        tokens: r.tokens,
        loss: r.loss,
        grad_norm: r.grad_norm,
        learning_rate: r.learning_rate,
        preferred: r.preferred,
    };
    answer_to_c(|| progress(report))
}

impl Model {
    /// Teaches by examples, one JSON object a line or a list of them: `{"text"}`, `{"prompt", "completion"}`,
    /// `{"messages"}`, Alpaca's `{"instruction", "input", "output"}`, ShareGPT's `{"conversations"}`, or with
    /// `preferences` `{"prompt", "chosen", "rejected"}`. The model stays as it is and may be used meanwhile. When
    /// `progress` breaks or panics after a step, or `stop` is set, the call is [`Cancelled`](crate::Status::Cancelled).
    pub fn finetune<F: FnMut(FinetuneReport) -> ControlFlow<()>>(
        &self,
        jsonl: &str,
        options: &FinetuneOptions,
        mut progress: F,
    ) -> Result<Adapter> {
        let targets = if options.targets.is_empty() { None } else { Some(c_string(&options.targets.join(","))?) };
        let date = options.date.as_deref().map(c_string).transpose()?;
        let mut o: puna_finetune_options = sized();
        o.rank = options.rank;
        o.alpha = options.alpha;
        o.learning_rate = options.learning_rate;
        o.weight_decay = options.weight_decay;
        o.steps = options.steps;
        o.epochs = options.epochs;
        o.warmup_steps = options.warmup_steps;
        o.step_tokens = options.step_tokens;
        o.max_tokens = options.max_tokens;
        o.seed = options.seed;
        o.targets = pointer_or_null(&targets);
        o.preferences = options.preferences.into();
        o.dpo_beta = options.dpo_beta;
        o.date = pointer_or_null(&date);
        o.parse_content = options.parse_content.into();
        o.no_providers = options.no_providers.into();
        o.bf16 = options.bf16.into();
        o.progress = Some(after_step::<F>);
        o.progress_user = (&mut progress as *mut F).cast();
        if let Some(stop) = &options.stop {
            o.watch = Some(stopped);
            o.watch_user = Arc::as_ptr(stop).cast_mut().cast();
        }
        Adapter::create(self, |out| unsafe {
            puna_model_finetune(self.handle.raw, jsonl.as_ptr().cast(), jsonl.len(), &o, out)
        })
    }
}
