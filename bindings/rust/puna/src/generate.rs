use crate::error::{check, Result};
use crate::image::{handles, Image};
use crate::raw::{c_string, sized, Handle};
use crate::session::Session;
use puna_sys::*;
use std::time::Duration;

/// How tokens are drawn. The default is greedy; zero switches a filter off. See `puna_sampler_options` in `puna.h`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Sampling {
    pub temperature: f32,
    pub top_k: i32,
    pub top_p: f32,
    pub min_p: f32,
    pub typical_p: f32,
    pub repetition_penalty: f32,
    pub presence_penalty: f32,
    pub frequency_penalty: f32,
    pub penalty_window: i32,
    pub no_repeat_ngram: i32,
    pub seed: u64,
    /// Added to the logits of these tokens.
    pub bias: Vec<(i32, f32)>,
}

/// What an answer is like; the default is greedy, until the model stops by itself.
#[derive(Clone, Debug, Default)]
pub struct Generate {
    /// 0 = until something else stops it.
    pub max_tokens: i64,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// The answer ends before the first of them.
    pub stop: Vec<String>,
    /// Besides the model's own.
    pub stop_tokens: Vec<i32>,
    /// Do not stop at the model's own stop tokens.
    pub ignore_eos: bool,
    /// Special tokens in a text prompt are parsed. Of a [`ChatText`](crate::ChatText) those that its template wrote are parsed in any case.
    pub parse_special: bool,
    /// Special tokens appear in the text.
    pub keep_special: bool,
    /// One for each `<|image|>` of the prompt (with `parse_special`).
    pub images: Vec<Image>,
}

/// A token of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: i32,
    /// The text it made final; may be empty.
    pub text: String,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum StopReason {
    MaxTokens,
    StopToken,
    StopString,
    ContextFull,
    Interrupted,
}

/// What a [step](Answer::step) came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The budget is used up: call again.
    Paused,
    /// A token.
    Token(Token),
    /// The last token was handed out before.
    Ended,
}

/// An answer on its way: an iterator over its tokens. A failed or cancelled `next` may be repeated.
pub struct Answer<'a> {
    session: &'a mut Session,
    handle: Handle<puna_generation>,
}
unsafe impl Send for Answer<'_> {}

impl<'a> Answer<'a> {
    pub(crate) fn of_tokens(session: &'a mut Session, prompt: &[i32], options: &Generate) -> Result<Self> {
        let raw = session.handle.raw;
        let handle = with_options(options, |o| {
            Handle::create(puna_generation_free, |out| unsafe { puna_generation_create_tokens(raw, prompt.as_ptr(), prompt.len(), o, out) })
        })?;
        Ok(Answer { session, handle })
    }

    /// Goes on for about `budget` (zero: until there is a token).
    pub fn step(&mut self, budget: Duration) -> Result<Step> {
        Ok(match self.advance(budget)? {
            (_, Some(token)) => Step::Token(token),
            (PUNA_GENERATION_ENDED, None) => Step::Ended,
            _ => Step::Paused,
        })
    }

    fn advance(&mut self, budget: Duration) -> Result<(i32, Option<Token>)> {
        let mut token: puna_generated_token = sized();
        let mut state = 0;
        let us = if budget.is_zero() { 0 } else { (budget.as_micros() as u64).max(1) };
        check(unsafe { puna_generation_step(self.handle.raw, us, &mut token, &mut state) })?;
        if state != PUNA_GENERATION_TOKEN {
            return Ok((state, None));
        }
        let text = if token.size == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(token.text.cast::<u8>(), token.size as usize) } };
        Ok((state, Some(Token { id: token.id, text: String::from_utf8_lossy(text).into_owned() })))
    }

    /// Why it ended; means something once it has.
    pub fn stop_reason(&self) -> Result<StopReason> {
        let mut result: puna_generate_result = sized();
        check(unsafe { puna_generation_get_result(self.handle.raw, &mut result) })?;
        Ok(match result.stop_reason {
            PUNA_STOP_TOKEN => StopReason::StopToken,
            PUNA_STOP_STRING => StopReason::StopString,
            PUNA_STOP_CONTEXT_FULL => StopReason::ContextFull,
            PUNA_STOP_INTERRUPTED => StopReason::Interrupted,
            _ => StopReason::MaxTokens,
        })
    }
}

impl Iterator for Answer<'_> {
    type Item = Result<Token>;
    fn next(&mut self) -> Option<Self::Item> {
        self.advance(Duration::ZERO).map(|(_, token)| token).transpose()
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        self.session.drop_append();
    }
}

fn with_options<T>(options: &Generate, call: impl FnOnce(&puna_generate_options) -> Result<T>) -> Result<T> {
    let s = &options.sampling;
    let (tokens, values): (Vec<i32>, Vec<f32>) = s.bias.iter().copied().unzip();
    let mut sampler: puna_sampler_options = sized();
    sampler.temperature = s.temperature;
    sampler.top_k = s.top_k;
    sampler.top_p = s.top_p;
    sampler.min_p = s.min_p;
    sampler.typical_p = s.typical_p;
    sampler.repetition_penalty = s.repetition_penalty;
    sampler.presence_penalty = s.presence_penalty;
    sampler.frequency_penalty = s.frequency_penalty;
    sampler.penalty_window = s.penalty_window;
    sampler.no_repeat_ngram = s.no_repeat_ngram;
    sampler.seed = s.seed;
    (sampler.bias_tokens, sampler.bias_values, sampler.bias_count) = (tokens.as_ptr(), values.as_ptr(), tokens.len() as u64);

    let stop = options.stop.iter().map(|s| c_string(s)).collect::<Result<Vec<_>>>()?;
    let pointers: Vec<_> = stop.iter().map(|s| s.as_ptr()).collect();
    let mut o: puna_generate_options = sized();
    o.max_tokens = options.max_tokens;
    o.sampler = &sampler;
    o.ignore_eos = options.ignore_eos.into();
    o.parse_special = options.parse_special.into();
    o.keep_special = options.keep_special.into();
    (o.stop_strings, o.stop_string_count) = (pointers.as_ptr(), pointers.len() as u64);
    (o.stop_tokens, o.stop_token_count) = (options.stop_tokens.as_ptr(), options.stop_tokens.len() as u64);
    let images = handles(&options.images);
    (o.images, o.image_count) = (images.as_ptr(), images.len() as u64);
    call(&o)
}
