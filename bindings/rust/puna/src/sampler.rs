use crate::error::{check, Result};
use crate::raw::{pointer, sized, Handle};
use puna_sys::*;

/// How tokens are drawn: the filters of transformers, in its order. The default is greedy; zero switches a filter off.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplerOptions {
    /// 0 = greedy: the largest logit, lowest id on a tie.
    pub temperature: f32,
    /// Keeps every logit that is at least the k-th largest.
    pub top_k: i32,
    /// (0, 1]: keeps the most likely tokens that together have this probability; 0 = 1.
    pub top_p: f32,
    /// [0, 1): keeps tokens of at least this share of the largest probability.
    pub min_p: f32,
    /// (0, 1]: locally typical sampling; 0 = 1.
    pub typical_p: f32,
    /// [0, 1): keeps tokens of at least this probability.
    pub epsilon: f32,
    /// [0, 1): a cut-off that depends on the entropy.
    pub eta: f32,
    /// Above 0: logits of seen tokens are divided (if positive) or multiplied by it; 0 = 1.
    pub repetition_penalty: f32,
    /// Subtracted once from every seen token.
    pub presence_penalty: f32,
    /// Subtracted once an occurrence.
    pub frequency_penalty: f32,
    /// Last tokens that count as seen; 0 = all.
    pub penalty_window: i32,
    /// No n-gram of this size twice.
    pub no_repeat_ngram: i32,
    /// The same seed, model and input draw the same tokens on every machine.
    pub seed: u64,
    /// Added to the logits of these tokens; negative infinity forbids one.
    pub bias: Vec<(i32, f32)>,
}

impl SamplerOptions {
    pub(crate) fn with<T>(&self, call: impl FnOnce(&puna_sampler_options) -> Result<T>) -> Result<T> {
        let (tokens, values): (Vec<i32>, Vec<f32>) = self.bias.iter().copied().unzip();
        let mut o: puna_sampler_options = sized();
        o.temperature = self.temperature;
        o.top_k = self.top_k;
        o.top_p = self.top_p;
        o.min_p = self.min_p;
        o.typical_p = self.typical_p;
        o.epsilon = self.epsilon;
        o.eta = self.eta;
        o.repetition_penalty = self.repetition_penalty;
        o.presence_penalty = self.presence_penalty;
        o.frequency_penalty = self.frequency_penalty;
        o.penalty_window = self.penalty_window;
        o.no_repeat_ngram = self.no_repeat_ngram;
        o.seed = self.seed;
        (o.bias_tokens, o.bias_values, o.bias_count) = (pointer(&tokens), pointer(&values), tokens.len() as u64);
        call(&o)
    }
}

/// Draws tokens from logits that you have: [`Session::generate`](crate::Session::generate) has one of its own.
pub struct Sampler {
    handle: Handle<puna_sampler>,
}
// Immutable in the library.
unsafe impl Send for Sampler {}
unsafe impl Sync for Sampler {}

impl Sampler {
    /// The error names the option that is out of range.
    pub fn new(options: &SamplerOptions) -> Result<Self> {
        let handle =
            options.with(|o| Handle::create(puna_sampler_free, |out| unsafe { puna_sampler_create(o, out) }))?;
        Ok(Sampler { handle })
    }

    /// A token and its log-probability after all filters. `history`: all tokens so far, prompt included. The draw
    /// depends on the seed, `draw_index`, the logits and the history alone: count `draw_index` up from 0.
    pub fn sample(&self, logits: &[f32], history: &[i32], draw_index: u64) -> Result<(i32, f32)> {
        let (mut token, mut log_probability) = (0, 0.0);
        let raw = self.handle.raw;
        check(unsafe {
            puna_sampler_sample(
                raw,
                pointer(logits),
                logits.len(),
                pointer(history),
                history.len(),
                draw_index,
                &mut token,
                &mut log_probability,
            )
        })?;
        Ok((token, log_probability))
    }

    /// The log-probability of every token after all filters, negative infinity where one was removed.
    pub fn distribution(&self, logits: &[f32], history: &[i32]) -> Result<Vec<f32>> {
        let mut out = vec![0.0; logits.len()];
        let raw = self.handle.raw;
        check(unsafe {
            puna_sampler_distribution(
                raw,
                pointer(logits),
                logits.len(),
                pointer(history),
                history.len(),
                out.as_mut_ptr(),
            )
        })?;
        Ok(out)
    }
}
