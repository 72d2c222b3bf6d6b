use crate::append::Appended;
use crate::error::{check, Result};
use crate::generate::{Answer, GenerateOptions, Prompt};
use crate::raw::{pointer, sized, slice, Handle};
use puna_sys::*;
use std::ptr::null_mut;
use std::sync::Arc;

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

/// What a session holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// The length of its logits.
    pub vocabulary: i32,
    /// Tokens held, a pending one too.
    pub length: usize,
    /// Tokens it may hold.
    pub max_positions: i64,
    /// Memory of keys and values.
    pub kv_bytes: u64,
    /// An append was begun and is not finished.
    pub under_way: bool,
    /// The last token was generated and is not computed yet: the next append or answer does it. Until then there are no
    /// logits.
    pub pending: bool,
}

/// What a session has computed since it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timings {
    /// Tokens appended several at once.
    pub prompt_tokens: i64,
    /// Tokens appended one at a time.
    pub decoded_tokens: i64,
    /// Wall-clock seconds of prompts.
    pub prompt_seconds: f64,
    /// Wall-clock seconds of single tokens.
    pub decode_seconds: f64,
}

/// Ends a session's work from any thread: the call that runs, or the next one that computes, is
/// [`Cancelled`](crate::Status::Cancelled).
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
    pub(crate) under_way: Option<Appended>, // what begin() was asked for, until the last step
}
unsafe impl Send for Session {}

impl Session {
    pub(crate) fn create(
        model: &Arc<Handle<puna_model>>,
        make: impl FnOnce(*mut *mut puna_session) -> puna_status,
    ) -> Result<Self> {
        Ok(Session {
            handle: Arc::new(Handle::create(puna_session_free, make)?.keeping(model.clone())),
            model: model.clone(),
            under_way: None,
        })
    }

    /// What stands where a session was lent: a handle that every call refuses.
    pub(crate) fn none() -> Self {
        Session {
            handle: Arc::new(Handle::none(puna_session_free)),
            model: Arc::new(Handle::none(puna_model_free)),
            under_way: None,
        }
    }

    /// What it holds.
    pub fn info(&self) -> Result<SessionInfo> {
        let mut i: puna_session_info = sized();
        check(unsafe { puna_session_get_info(self.handle.raw, &mut i) })?;
        Ok(SessionInfo {
            vocabulary: i.vocabulary,
            length: i.length as usize,
            max_positions: i.max_positions,
            kv_bytes: i.kv_bytes,
            under_way: i.under_way != 0,
            pending: i.pending != 0,
        })
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        // Fails only after a fork of the process; then the session is as good as empty.
        self.info().map_or(0, |i| i.length)
    }
    /// True when it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens held: the library's own memory.
    pub fn tokens(&self) -> Result<&[i32]> {
        let (mut data, mut count) = (std::ptr::null(), 0);
        check(unsafe { puna_session_get_tokens(self.handle.raw, &mut data, &mut count) })?;
        // Valid until the next call that changes the session, which needs &mut self.
        Ok(unsafe { slice(data, count) })
    }

    /// The logits that predict the next token: the library's own memory. There are none while the last token is
    /// pending: append no tokens to compute it.
    pub fn logits(&self) -> Result<&[f32]> {
        let (mut data, mut count) = (std::ptr::null(), 0);
        check(unsafe { puna_session_get_logits(self.handle.raw, &mut data, &mut count) })?;
        // As for the tokens: what takes &self reads only.
        Ok(unsafe { slice(data, count) })
    }

    /// Appends at least two tokens to an empty session: the negative log-likelihood of each but the first, given those
    /// before.
    pub fn score(&mut self, tokens: &[i32]) -> Result<Vec<f32>> {
        let mut nll = vec![0.0; tokens.len().saturating_sub(1)];
        let (count, capacity) = (tokens.len(), nll.len());
        check(unsafe { puna_session_score(self.handle.raw, pointer(tokens), count, nll.as_mut_ptr(), capacity) })?;
        Ok(nll)
    }

    /// Keeps the first `length` tokens and drops an append that is under way.
    pub fn truncate(&mut self, length: usize) -> Result<()> {
        let done = check(unsafe { puna_session_truncate(self.handle.raw, i64::try_from(length).unwrap_or(i64::MAX)) });
        self.forget_outputs();
        done
    }

    /// An independent copy that shares memory until either goes on.
    pub fn fork(&self) -> Result<Session> {
        Session::create(&self.model, |out| unsafe { puna_session_fork(self.handle.raw, out) })
    }

    /// The session as bytes, for [`Model::restore`](crate::Model::restore).
    pub fn snapshot(&self) -> Result<Vec<u8>> {
        let mut size = 0;
        check(unsafe { puna_session_snapshot(self.handle.raw, null_mut(), 0, &mut size) })?;
        let mut bytes = vec![0u8; size];
        check(unsafe { puna_session_snapshot(self.handle.raw, bytes.as_mut_ptr().cast(), bytes.len(), &mut size) })?;
        Ok(bytes)
    }

    /// Something that ends this session's work from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller { handle: self.handle.clone() }
    }

    /// Withdraws a cancel that has ended no call yet: for the start of a turn, before other threads know of it.
    pub fn clear_cancel(&mut self) -> Result<()> {
        check(unsafe { puna_session_clear_cancel(self.handle.raw) })
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

    /// An answer to a text: an iterator over tokens. An empty session gets the beginning-of-text token first where the
    /// model's metadata asks for it. The session then holds the prompt and every token that was handed out, also when
    /// the answer is dropped early.
    pub fn generate(&mut self, prompt: impl AsRef<[u8]>, options: &GenerateOptions) -> Result<Answer<'_>> {
        Answer::begin(self, Prompt::Text(prompt.as_ref()), options)
    }

    /// The same with a prompt of token ids, taken literally.
    pub fn generate_tokens(&mut self, prompt: &[i32], options: &GenerateOptions) -> Result<Answer<'_>> {
        Answer::begin(self, Prompt::Tokens(prompt), options)
    }
}
