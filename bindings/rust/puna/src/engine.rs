//! Engines: many answers at once on one model. See `puna_engine.h`.
use crate::adapter::Adapter;
use crate::append::Pooling;
use crate::chat::Chat;
use crate::error::{check, Error, Result, Status};
use crate::generate::{GenerateOptions, GenerateResult, StopReason, WhenFull};
use crate::model::Model;
use crate::raw::{bytes_of, c_string, micros, pointer, sized, slice, string, Handle};
use crate::session::KvType;
use crate::stream::{EngineStream, Listener};
use puna_sys::*;
use std::sync::Arc;
use std::time::Duration;

/// How an engine works; zero is the library's own choice of each number.
#[derive(Clone, Default)]
pub struct EngineOptions {
    /// Float32 throughout, the slower reference.
    pub exact: bool,
    /// How keys and values are kept.
    pub kv_type: KvType,
    /// Answers that are computed at once; 0 = 64.
    pub max_running: i32,
    /// Requests that wait; one more is [`Busy`](crate::Status::Busy). 0 = 1024.
    pub max_queued: i32,
    /// 0 = the model's limit.
    pub max_positions: i64,
    /// Rows of prompts a pass at most; 0 = 256.
    pub prompt_rows: i64,
    /// What prompts may add to a pass that also decodes, in parts of its time without them; 0 = 1.
    pub prompt_share: f64,
    /// Of prefixes that are kept; 0 = the library's choice, `u64::MAX` = none.
    pub cache_bytes: u64,
    /// A smaller model with the same vocabulary, which guesses for requests with `draft_tokens`.
    pub draft: Option<Model>,
}

/// What a request is like, besides its answer.
#[derive(Clone, Default)]
pub struct RequestOptions {
    /// The answer. Not taken: `when_full`, `process_logits`, `keep_shared`, `draft`.
    pub generate: GenerateOptions,
    /// Adapters that hold together, each with its weight.
    pub adapters: Vec<(Adapter, f32)>,
    /// Higher ones are admitted first and paused last.
    pub priority: i32,
    /// From the submission on; zero = none.
    pub deadline: Duration,
    /// Whom the work is for: keys share the rows of prompts alike.
    pub key: String,
    /// Prefixes are shared among requests of the same salt only.
    pub salt: String,
    /// Its prefix is neither looked up nor kept.
    pub no_cache: bool,
    /// Answers; answer i is what `seed + i` gives alone. 0 = 1.
    pub n: i32,
    /// More than `n`: so many are computed, and the best are the answers.
    pub best_of: i32,
    /// Beam search over so many beginnings, whose best `n` are the answers; 0 = answers are drawn.
    pub beams: i32,
    /// 0 = the sum of log-probabilities counts, 1 = the mean; above, longer answers are favoured.
    pub length_penalty: f32,
    /// That wait to be read before the request, and no other, pauses; 0 = 1024.
    pub max_events: i32,
    /// Of each token of the prompt but the first: its own and the most likely others, so many together; 0 = none. See
    /// [`prompt_probabilities`](EngineRequest::prompt_probabilities).
    pub prompt_log_probabilities: i32,
    /// The prompt's final hidden states, pooled: [`embedding`](EngineRequest::embedding).
    pub embed: Option<Pooling>,
    /// Embeddings of length 1.
    pub normalize: bool,
    /// Nothing is generated: one answer without tokens.
    pub prompt_only: bool,
}

/// Many answers at once, from any thread. Somebody has to [`step`](Engine::step) it, or it [`start`](Engine::start)s a
/// thread of its own. Clones are the same engine; requests end with the last of them.
#[derive(Clone)]
pub struct Engine {
    handle: Arc<Handle<puna_engine>>,
}
// Every function of the library's engine may be called by any thread at any time.
unsafe impl Send for Engine {}
unsafe impl Sync for Engine {}

/// What an engine does now, and has done.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs)] // puna_engine_info says it
pub struct EngineInfo {
    pub queued: i32,
    pub running: i32,
    pub paused: i32,
    pub stalled: i32,
    pub submitted: u64,
    pub finished: u64,
    pub cancelled: u64,
    pub timed_out: u64,
    pub failed: u64,
    pub refused: u64,
    pub passes: u64,
    pub decode_rows: u64,
    pub prompt_rows: u64,
    pub generated_tokens: u64,
    pub pauses: u64,
    pub cache_hits: u64,
    pub cache_hit_tokens: u64,
    pub cache_evictions: u64,
    pub cache_bytes: u64,
    pub retry_after: Duration,
}

impl Engine {
    /// Of a model.
    pub fn new(model: &Model, options: &EngineOptions) -> Result<Self> {
        let mut o: puna_engine_options = sized();
        o.exact = options.exact.into();
        o.kv_type = options.kv_type.raw();
        (o.max_running, o.max_queued) = (options.max_running, options.max_queued);
        (o.max_positions, o.prompt_rows) = (options.max_positions, options.prompt_rows);
        (o.prompt_share, o.cache_bytes) = (options.prompt_share, options.cache_bytes);
        o.draft = options.draft.as_ref().map_or(std::ptr::null(), |m| m.handle.raw);
        let raw = model.handle.raw;
        let handle = Handle::create(puna_engine_free, |out| unsafe { puna_engine_create(raw, &o, out) })?;
        let kept: (Model, Option<Model>) = (model.clone(), options.draft.clone());
        Ok(Engine { handle: Arc::new(handle.keeping(Arc::new(kept))) })
    }

    /// Goes on for about `budget` (zero: one pass). False: there is nothing to do now.
    pub fn step(&self, budget: Duration) -> Result<bool> {
        let mut more = 0;
        check(unsafe { puna_engine_step(self.handle.raw, micros(budget), &mut more) })?;
        Ok(more != 0)
    }
    /// A thread of the engine's own steps from now on.
    pub fn start(&self) -> Result<()> {
        check(unsafe { puna_engine_start(self.handle.raw) })
    }
    /// Ends that thread; what is unfinished stays.
    pub fn stop(&self) -> Result<()> {
        check(unsafe { puna_engine_stop(self.handle.raw) })
    }

    /// A request for a text.
    pub fn submit(&self, prompt: impl AsRef<str>, options: &RequestOptions) -> Result<EngineRequest> {
        let text = prompt.as_ref().as_bytes();
        let handle = self.begin(options, None, |o, out| unsafe {
            puna_engine_submit(self.handle.raw, pointer(text).cast(), text.len(), o, out)
        })?;
        Ok(EngineRequest { handle, ended: false })
    }
    /// A request for token ids, taken literally.
    pub fn submit_tokens(&self, prompt: &[i32], options: &RequestOptions) -> Result<EngineRequest> {
        let handle = self.begin(options, None, |o, out| unsafe {
            puna_engine_submit_tokens(self.handle.raw, pointer(prompt), prompt.len(), o, out)
        })?;
        Ok(EngineRequest { handle, ended: false })
    }
    /// A request for a chat.
    pub fn submit_chat(&self, chat: &Chat, options: &RequestOptions) -> Result<EngineRequest> {
        let handle = self.begin(options, None, |o, out| unsafe {
            puna_engine_submit_chat(self.handle.raw, chat.handle.raw, o, out)
        })?;
        Ok(EngineRequest { handle, ended: false })
    }

    /// [`submit`](Engine::submit) for asynchronous code.
    pub fn stream(&self, prompt: impl AsRef<str>, options: &RequestOptions) -> Result<EngineStream> {
        let text = prompt.as_ref().as_bytes();
        EngineStream::begin(|listener| {
            self.begin(options, Some(listener), |o, out| unsafe {
                puna_engine_submit(self.handle.raw, pointer(text).cast(), text.len(), o, out)
            })
        })
    }
    /// [`submit_tokens`](Engine::submit_tokens) for asynchronous code.
    pub fn stream_tokens(&self, prompt: &[i32], options: &RequestOptions) -> Result<EngineStream> {
        EngineStream::begin(|listener| {
            self.begin(options, Some(listener), |o, out| unsafe {
                puna_engine_submit_tokens(self.handle.raw, pointer(prompt), prompt.len(), o, out)
            })
        })
    }
    /// [`submit_chat`](Engine::submit_chat) for asynchronous code.
    pub fn stream_chat(&self, chat: &Chat, options: &RequestOptions) -> Result<EngineStream> {
        EngineStream::begin(|listener| {
            self.begin(options, Some(listener), |o, out| unsafe {
                puna_engine_submit_chat(self.handle.raw, chat.handle.raw, o, out)
            })
        })
    }

    fn begin(
        &self,
        options: &RequestOptions,
        listener: Option<Listener>,
        submit: impl FnOnce(&puna_request_options, *mut *mut puna_request) -> puna_status,
    ) -> Result<Handle<puna_request>> {
        let g = &options.generate;
        if g.process_logits.is_some() || g.draft.is_some() || g.keep_shared || g.when_full != WhenFull::Stop {
            let message = "a request takes no process_logits, draft, keep_shared or when_full".into();
            return Err(Error { status: Status::InvalidArgument, message });
        }
        let (key, salt) = (c_string(&options.key)?, c_string(&options.salt)?);
        let adapters: Vec<_> = options.adapters.iter().map(|(a, _)| a.handle.raw as *const puna_adapter).collect();
        let weights: Vec<f32> = options.adapters.iter().map(|(_, w)| *w).collect();
        g.with(|generate| {
            let mut o: puna_request_options = sized();
            o.generate = generate;
            (o.adapters, o.weights, o.adapter_count) = (pointer(&adapters), pointer(&weights), adapters.len() as u64);
            (o.priority, o.deadline_us) = (options.priority, micros(options.deadline));
            (o.key, o.salt) = (key.as_ptr(), salt.as_ptr());
            (o.no_cache, o.n, o.best_of) = (options.no_cache.into(), options.n, options.best_of);
            (o.beams, o.length_penalty) = (options.beams, options.length_penalty);
            o.max_events = options.max_events;
            if let Some(listener) = listener {
                (o.on_event, o.user) = (Some(listener.on_event), listener.user);
            }
            o.prompt_log_probabilities = options.prompt_log_probabilities;
            o.embed = options.embed.is_some().into();
            o.pooling = options.embed.map_or(0, |p| p as i32);
            (o.normalize, o.prompt_only) = (options.normalize.into(), options.prompt_only.into());
            Handle::create(puna_request_free, |out| submit(&o, out))
        })
    }

    /// What it does now, and has done.
    pub fn info(&self) -> Result<EngineInfo> {
        let mut i: puna_engine_info = sized();
        check(unsafe { puna_engine_get_info(self.handle.raw, &mut i) })?;
        Ok(EngineInfo {
            queued: i.queued,
            running: i.running,
            paused: i.paused,
            stalled: i.stalled,
            submitted: i.submitted,
            finished: i.finished,
            cancelled: i.cancelled,
            timed_out: i.timed_out,
            failed: i.failed,
            refused: i.refused,
            passes: i.passes,
            decode_rows: i.decode_rows,
            prompt_rows: i.prompt_rows,
            generated_tokens: i.generated_tokens,
            pauses: i.pauses,
            cache_hits: i.cache_hits,
            cache_hit_tokens: i.cache_hit_tokens,
            cache_evictions: i.cache_evictions,
            cache_bytes: i.cache_bytes,
            retry_after: Duration::from_micros(i.retry_after_us),
        })
    }

    /// Drops all kept prefixes.
    pub fn clear_cache(&self) -> Result<()> {
        check(unsafe { puna_engine_clear_cache(self.handle.raw) })
    }
    /// The prefixes that were read without adapters.
    pub fn save_cache(&self) -> Result<Vec<u8>> {
        bytes_of(|buffer| unsafe { puna_engine_save_cache(self.handle.raw, buffer) })
    }
    /// Adds prefixes that an engine of the same model and mode has saved.
    pub fn restore_cache(&self, saved: &[u8]) -> Result<()> {
        check(unsafe { puna_engine_restore_cache(self.handle.raw, saved.as_ptr().cast(), saved.len()) })
    }
}

/// A token of one of a request's answers.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineToken {
    /// 0 to n - 1.
    pub answer: i32,
    /// Its id.
    pub id: i32,
    /// The text it made final; may be empty.
    pub text: String,
    /// This token, then the most likely others. Empty unless asked for.
    pub log_probabilities: Vec<(i32, f32)>,
}

impl EngineToken {
    /// Of an event of a token, which lives for a call only.
    pub(crate) unsafe fn of_c(e: &puna_event) -> Self {
        let text = slice(e.text.cast::<u8>(), e.size as usize);
        let likely = slice(e.probabilities, e.probability_count as usize);
        EngineToken {
            answer: e.answer,
            id: e.id,
            text: String::from_utf8_lossy(text).into_owned(),
            log_probabilities: likely.iter().map(|p| (p.token, p.log_probability)).collect(),
        }
    }
}

/// Why a request ended that did not finish.
pub(crate) unsafe fn failure_of_c(e: &puna_event) -> Option<Error> {
    (e.status != PUNA_OK).then(|| Error { status: Status::of(e.status), message: string(e.message) })
}

/// What there is to hear of a request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EngineEvent {
    /// Nothing now.
    None,
    /// A token.
    Token(EngineToken),
    /// An answer is whole.
    AnswerEnded(i32),
    /// The last event: every answer has ended.
    Ended,
}

/// One of a request's answers, once it has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// All of it.
    pub text: String,
    /// Its ids.
    pub tokens: Vec<i32>,
    /// Why it ended.
    pub stop_reason: StopReason,
    /// By the model itself; 0 unless log-probabilities or `best_of` were asked for.
    pub mean_log_probability: f64,
    /// It is in the middle of what its grammar asks for.
    pub incomplete: bool,
}

/// A request on its way: an iterator over the tokens of its answers, which waits for them; the engine must be stepped
/// meanwhile, by its own thread or another. Dropped early, it is cancelled. A failure ends it.
pub struct EngineRequest {
    handle: Handle<puna_request>,
    ended: bool,
}
unsafe impl Send for EngineRequest {}

impl EngineRequest {
    /// The next event, waited for up to `timeout`. After a failure, or after `Ended`, there is `None` for ever.
    pub fn poll(&mut self, timeout: Duration) -> Result<EngineEvent> {
        let mut e: puna_event = sized();
        let timeout = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
        check(unsafe { puna_request_next(self.handle.raw, timeout, &mut e) })?;
        Ok(match e.kind {
            PUNA_EVENT_TOKEN => EngineEvent::Token(unsafe { EngineToken::of_c(&e) }),
            PUNA_EVENT_ANSWER_ENDED => EngineEvent::AnswerEnded(e.answer),
            PUNA_EVENT_ENDED => {
                self.ended = true;
                if let Some(failure) = unsafe { failure_of_c(&e) } {
                    return Err(failure);
                }
                EngineEvent::Ended
            }
            _ => EngineEvent::None,
        })
    }

    /// It ends, and no other does.
    pub fn cancel(&self) -> Result<()> {
        check(unsafe { puna_request_cancel(self.handle.raw) })
    }

    /// (id, log-probability) of the prompt's token at `position`, 1 or more: its own, then the most likely others. There
    /// once the prompt has been read, which is before the first token.
    pub fn prompt_probabilities(&mut self, position: i64) -> Result<Vec<(i32, f32)>> {
        let (mut likely, mut count) = (std::ptr::null(), 0);
        check(unsafe { puna_request_get_prompt_probabilities(self.handle.raw, position, &mut likely, &mut count) })?;
        Ok(unsafe { slice(likely, count) }.iter().map(|p| (p.token, p.log_probability)).collect())
    }
    /// What `embed` asked for; with [`Pooling::None`] the tokens' one after the other. There likewise.
    pub fn embedding(&self) -> Result<Vec<f32>> {
        let (mut values, mut count) = (std::ptr::null(), 0);
        check(unsafe { puna_request_get_embedding(self.handle.raw, &mut values, &mut count) })?;
        Ok(unsafe { slice(values, count) }.to_vec())
    }

    /// All of its answers, once it has ended; with `best_of` the best first.
    pub fn answers(&mut self) -> Result<Vec<Reply>> {
        replies(&self.handle)
    }
}

/// All answers of a request that has ended.
pub(crate) fn replies(handle: &Handle<puna_request>) -> Result<Vec<Reply>> {
    let mut info: puna_request_info = sized();
    check(unsafe { puna_request_get_info(handle.raw, &mut info) })?;
    (0..info.answer_count)
        .map(|i| {
            let mut a: puna_answer = sized();
            check(unsafe { puna_request_get_answer(handle.raw, i, &mut a) })?;
            let mut numbers: puna_generate_result = sized();
            numbers.stop_reason = a.stop_reason;
            let (text, tokens) =
                unsafe { (slice(a.text.cast::<u8>(), a.size as usize), slice(a.tokens, a.token_count as usize)) };
            Ok(Reply {
                text: String::from_utf8_lossy(text).into_owned(),
                tokens: tokens.to_vec(),
                stop_reason: GenerateResult::of_c(&numbers).stop_reason,
                mean_log_probability: a.mean_log_probability,
                incomplete: a.incomplete != 0,
            })
        })
        .collect()
}

impl Iterator for EngineRequest {
    type Item = Result<EngineToken>;
    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.poll(Duration::MAX) {
                Ok(EngineEvent::Token(token)) => return Some(Ok(token)),
                Ok(_) => {}
                Err(e) => return Some(Err(e)),
            }
        }
        None
    }
}
