use crate::chat::{tokenize, Text};
use crate::error::{check, Error, Result, Status};
use crate::generate::{Answer, Generate};
use crate::raw::{bytes_of, sized, Handle};
use puna_sys::*;
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::Duration;

/// How a session computes; zero is the default of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionOptions {
    /// float32 throughout: the slower reference.
    pub exact: bool,
    /// Tokens it may hold; 0 = the model's limit.
    pub max_positions: i64,
    /// Most tokens computed together; does not change the bits.
    pub prefill_chunk: i64,
    /// How keys and values are kept.
    pub kv_type: KvType,
}

/// How a session keeps keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvType {
    /// 16-bit floats, or 32-bit ones when the session is exact.
    #[default]
    Default,
    /// 8 bits and a scale for every 32 numbers: about half the memory.
    Q8_0,
}

impl KvType {
    pub(crate) fn raw(self) -> i32 {
        match self {
            KvType::Default => PUNA_KV_DEFAULT,
            KvType::Q8_0 => PUNA_KV_Q8_0,
        }
    }
}

/// How hidden states become an embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over the tokens.
    Mean,
    /// The last token's, which has seen all others.
    Last,
    /// One vector a token, one after the other.
    None,
}

/// What a session has computed since it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timings {
    /// Tokens appended several at once, and the seconds that took.
    pub prompt_tokens: i64,
    /// Tokens appended one at a time.
    pub decoded_tokens: i64,
    /// Wall-clock seconds of prompts.
    pub prompt_seconds: f64,
    /// Wall-clock seconds of single tokens.
    pub decode_seconds: f64,
}

/// Ends a session's work from any thread: the call that runs, or the next one that computes, is [`Cancelled`](crate::Status::Cancelled).
#[derive(Clone)]
pub struct Canceller {
    handle: Arc<Handle<puna_session>>,
}
// puna_session_cancel is the one function of a session that any thread may call, and the last owner frees it.
unsafe impl Send for Canceller {}
unsafe impl Sync for Canceller {}

impl Canceller {
    /// Asks; returns at once.
    pub fn cancel(&self) {
        unsafe { puna_session_cancel(self.handle.raw) };
    }
}

/// One conversation: moves between threads, used by one at a time.
pub struct Session {
    pub(crate) handle: Arc<Handle<puna_session>>,
    pub(crate) model: Arc<Handle<puna_model>>,
}
unsafe impl Send for Session {}

impl Session {
    pub(crate) fn create(model: &Arc<Handle<puna_model>>, make: impl FnOnce(*mut *mut puna_session) -> puna_status) -> Result<Self> {
        Ok(Session { handle: Arc::new(Handle::create(puna_session_free, make)?), model: model.clone() })
    }
    fn info(&self) -> puna_session_info {
        let mut i: puna_session_info = sized();
        // Fails only after a fork; then the session is as good as empty.
        let _ = unsafe { puna_session_get_info(self.handle.raw, &mut i) };
        i
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.info().length as usize
    }
    /// True when it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens held.
    pub fn tokens(&self) -> Result<Vec<i32>> {
        let mut ids = vec![0; self.len()];
        let mut count = 0;
        check(unsafe { puna_session_tokens(self.handle.raw, ids.as_mut_ptr(), ids.len(), &mut count) })?;
        Ok(ids)
    }

    /// Computes tokens (at least one) and adds them: all or none.
    pub fn append(&mut self, tokens: &[i32]) -> Result<()> {
        check(unsafe { puna_session_append(self.handle.raw, tokens.as_ptr(), tokens.len()) })
    }

    /// Checks tokens for an append in slices of time; go on with [`step`](Self::step).
    pub fn begin(&mut self, tokens: &[i32]) -> Result<()> {
        check(unsafe { puna_session_begin(self.handle.raw, tokens.as_ptr(), tokens.len()) })
    }

    /// Computes for about `budget` (zero: to the end). True when everything is appended; the bits are those of one append.
    pub fn step(&mut self, budget: Duration) -> Result<bool> {
        let mut finished = 0;
        let us = if budget.is_zero() { 0 } else { (budget.as_micros() as u64).max(1) };
        check(unsafe { puna_session_step(self.handle.raw, us, &mut finished) })?;
        Ok(finished != 0)
    }

    /// The logits that predict the next token: the library's own memory.
    pub fn logits(&self) -> Result<&[f32]> {
        let (mut data, mut count) = (std::ptr::null(), 0);
        check(unsafe { puna_session_logits(self.handle.raw, &mut data, &mut count) })?;
        // Valid until the next call that changes the session, which needs &mut self.
        Ok(unsafe { std::slice::from_raw_parts(data, count) })
    }

    /// As append; the final hidden states, pooled. `normalize`: vectors of length 1. `hidden` is the model's ([`ModelInfo`](crate::ModelInfo)).
    pub fn embed(&mut self, tokens: &[i32], pooling: Pooling, normalize: bool, hidden: usize) -> Result<Vec<f32>> {
        let mut info: puna_model_info = sized();
        check(unsafe { puna_model_get_info(self.model.raw, &mut info) })?;
        if hidden != info.hidden as usize {
            return Err(Error { status: Status::InvalidArgument, message: format!("hidden is {hidden}, the model's is {}", info.hidden) });
        }
        let mut options: puna_embed_options = sized();
        options.pooling = match pooling {
            Pooling::Mean => PUNA_POOLING_MEAN,
            Pooling::Last => PUNA_POOLING_LAST,
            Pooling::None => PUNA_POOLING_NONE,
        };
        options.normalize = normalize.into();
        let mut out = vec![0.0; if pooling == Pooling::None { tokens.len() * hidden } else { hidden }];
        check(unsafe { puna_session_embed(self.handle.raw, tokens.as_ptr(), tokens.len(), &options, out.as_mut_ptr(), out.len()) })?;
        Ok(out)
    }

    /// Keeps the first `length` tokens and drops an append that is under way.
    pub fn truncate(&mut self, length: usize) -> Result<()> {
        check(unsafe { puna_session_truncate(self.handle.raw, length as i64) })
    }

    /// An independent copy that shares memory until either goes on.
    pub fn fork(&self) -> Result<Session> {
        Session::create(&self.model, |out| unsafe { puna_session_fork(self.handle.raw, out) })
    }

    /// The session as bytes, for [`Model::restore`](crate::Model::restore).
    pub fn snapshot(&self) -> Result<Vec<u8>> {
        bytes_of(|data, capacity, size| unsafe { puna_session_snapshot(self.handle.raw, data.cast(), capacity, size) })
    }

    /// Something that ends this session's work from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller { handle: self.handle.clone() }
    }

    /// What it has computed.
    pub fn timings(&self) -> Result<Timings> {
        let mut t: puna_session_timings = sized();
        check(unsafe { puna_session_get_timings(self.handle.raw, &mut t) })?;
        Ok(Timings {
            prompt_tokens: t.prompt_tokens,
            decoded_tokens: t.decoded_tokens,
            prompt_seconds: t.prompt_seconds,
            decode_seconds: t.decode_seconds,
        })
    }

    /// An answer to a text or a rendered chat ([`ChatText`](crate::ChatText)): an iterator over tokens. Dropped early, the session holds what was generated so
    /// far. Of a chat special tokens are parsed as if by `parse_special`, but not in what its messages say.
    pub fn generate(&mut self, prompt: impl Text, options: &Generate) -> Result<Answer<'_>> {
        let parse = options.parse_special || prompt.is_chat();
        let ids = tokenize(&prompt, parse, self.is_empty(), |text, bytes, o, tokens, capacity, count| unsafe {
            puna_model_tokenize(self.model.raw, text, bytes, o, tokens, capacity, count)
        })?;
        Answer::of_tokens(self, &ids, options)
    }

    /// The same with a prompt of token ids, taken literally.
    pub fn generate_tokens(&mut self, prompt: &[i32], options: &Generate) -> Result<Answer<'_>> {
        Answer::of_tokens(self, prompt, options)
    }

    pub(crate) fn drop_append(&mut self) {
        let info = self.info();
        if info.under_way != 0 {
            unsafe { puna_session_truncate(self.handle.raw, info.length) };
        }
    }
}

/// One pass over several different sessions of one model: faster than one by one, same bits.
pub fn append_batch(work: &mut [(&mut Session, &[i32])]) -> Result<()> {
    let handles: Vec<_> = work.iter().map(|(s, _)| s.handle.raw).collect();
    let tokens: Vec<_> = work.iter().map(|(_, t)| if t.is_empty() { null_mut() } else { t.as_ptr().cast_mut() }.cast_const()).collect();
    let counts: Vec<_> = work.iter().map(|(_, t)| t.len()).collect();
    check(unsafe { puna_session_append_batch(handles.as_ptr(), tokens.as_ptr(), counts.as_ptr(), work.len()) })
}
