use crate::error::{check, Error, Result, Status};
use crate::grammar::Grammar;
use crate::image::{handles, Image};
use crate::raw::{answer_to_c, c_string, micros, pointer, sized, slice, Handle};
use crate::sampler::SamplerOptions;
use crate::session::Session;
use puna_sys::*;
use std::ops::ControlFlow;
use std::os::raw::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What an answer is like; the default is greedy, until the model stops by itself.
#[derive(Clone, Debug, Default)]
pub struct GenerateOptions {
    /// 0 = until something else stops it.
    pub max_tokens: i64,
    /// How tokens are drawn.
    pub sampler: SamplerOptions,
    /// The answer ends before the first of them; no part of one is ever handed out.
    pub stop: Vec<String>,
    /// Besides the model's own.
    pub stop_tokens: Vec<i32>,
    /// Do not stop at the model's own stop tokens.
    pub ignore_eos: bool,
    /// Special tokens in a text prompt are parsed. Not needed for a [`Chat`](crate::Chat).
    pub parse_special: bool,
    /// Special tokens appear in the text.
    pub keep_special: bool,
    /// n = report the log-probabilities of the chosen token and of the n - 1 most likely others, by the model itself:
    /// before penalties, temperature and filters. 0 = none.
    pub log_probabilities: i32,
    /// What happens when the session is full.
    pub when_full: WhenFull,
    /// Edits the logits after the penalties, before the temperature.
    pub process_logits: Option<LogitsProcessor>,
    /// One for each `<|image|>` of the prompt (with `parse_special`).
    pub images: Vec<Image>,
    /// The prompt is all that the session shall hold before the answer: what it shares with it stays, the rest is
    /// replaced.
    pub keep_shared: bool,
    /// Speculation by a smaller model: tokens that it guesses are computed with the last one drawn, in one pass. The
    /// answer is the same, whatever is guessed.
    pub draft: Option<Draft>,
    /// Most tokens that it guesses at once; 0 = the library's choice.
    pub draft_tokens: i32,
    /// Most tokens guessed at once from what stood in prompt or answer before; 0 = none.
    pub lookup_tokens: i32,
    /// What the answer may be; `None` = anything. Not together with `ignore_eos`.
    pub grammar: Option<Grammar>,
    /// Where `max_tokens`, or the context, would cut an answer in the middle of what its grammar asks for, its last
    /// tokens write the shortest end that it can have.
    pub close_answer: bool,
}

/// A session of a smaller model with the same vocabulary, which guesses an answer's next tokens. Clones are the same
/// session: it serves one answer at a time, another is [`WrongState`](crate::Status::WrongState).
#[derive(Clone)]
pub struct Draft {
    inner: Arc<Drafting>,
}
struct Drafting {
    session: Session,
    busy: AtomicBool,
}
// Its session is used by the answer that made `busy` true, on that answer's thread, and by nobody else.
unsafe impl Sync for Drafting {}

impl Draft {
    /// Of a session, which it keeps.
    pub fn new(session: Session) -> Self {
        Draft { inner: Arc::new(Drafting { session, busy: AtomicBool::new(false) }) }
    }
}
impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Draft")
    }
}

/// A draft's use by one answer.
pub(crate) struct DraftUse {
    inner: Option<Arc<Drafting>>,
}
impl Drop for DraftUse {
    fn drop(&mut self) {
        if let Some(inner) = &self.inner {
            inner.busy.store(false, Ordering::Release);
        }
    }
}

/// What an answer does when the session is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It ends; a prompt that does not fit is [`ContextFull`](crate::Status::ContextFull).
    #[default]
    Stop,
    /// The oldest tokens go until half is free.
    DropOldest {
        /// Tokens that never go: the system prompt.
        keep_prefix: i64,
    },
}

type Process = dyn FnMut(&mut [f32], &[i32]) -> ControlFlow<()> + Send;

/// A closure that may edit the logits of every draw in place; its second argument is the prompt and the answer so far.
/// Negative infinity forbids a token. When it breaks or panics, the answer is [`Cancelled`](crate::Status::Cancelled).
/// Clones share the closure.
#[derive(Clone)]
pub struct LogitsProcessor {
    process: Arc<Mutex<Box<Process>>>,
}

impl LogitsProcessor {
    /// Of a closure.
    pub fn new(process: impl FnMut(&mut [f32], &[i32]) -> ControlFlow<()> + Send + 'static) -> Self {
        LogitsProcessor { process: Arc::new(Mutex::new(Box::new(process))) }
    }
}
impl std::fmt::Debug for LogitsProcessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogitsProcessor")
    }
}

unsafe extern "C" fn process(
    user: *mut c_void,
    logits: *mut f32,
    vocabulary: u64,
    history: *const i32,
    history_count: u64,
) -> i32 {
    let process = &*user.cast::<Mutex<Box<Process>>>();
    let (logits, history) =
        (std::slice::from_raw_parts_mut(logits, vocabulary as usize), slice(history, history_count as usize));
    answer_to_c(|| process.lock().unwrap_or_else(PoisonError::into_inner)(logits, history))
}

/// A token of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Its id.
    pub id: i32,
    /// The text it made final; may be empty.
    pub text: String,
    /// Ids with their natural logarithms of probabilities: this token, then the most likely others. Empty unless asked
    /// for.
    pub log_probabilities: Vec<(i32, f32)>,
}

impl Token {
    /// What the library says of a token, which lives for a call only.
    pub(crate) unsafe fn of_c(token: &puna_generated_token) -> Self {
        let text = slice(token.text.cast::<u8>(), token.size as usize);
        let probabilities = slice(token.probabilities, token.probability_count as usize);
        Token {
            id: token.id,
            text: String::from_utf8_lossy(text).into_owned(),
            log_probabilities: probabilities.iter().map(|p| (p.token, p.log_probability)).collect(),
        }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// `max_tokens` were generated.
    MaxTokens,
    /// A stop token, which is the last of the answer.
    StopToken,
    /// One of the `stop` texts.
    StopString,
    /// The session is full.
    ContextFull,
    /// The token callback broke.
    Callback,
    /// A failure or a cancel.
    Interrupted,
    /// It is whole by its grammar, and nothing may follow.
    Grammar,
}

/// An answer in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GenerateResult {
    /// Why it ended; means something once it has.
    pub stop_reason: StopReason,
    /// Appended for its prompt; 0 while they are not.
    pub prompt_tokens: i64,
    /// Those that were handed out, the one that stopped it included.
    pub generated_tokens: i64,
    /// What the prompt took.
    pub prompt_seconds: f64,
    /// What the tokens took.
    pub generate_seconds: f64,
    /// Tokens that were guessed right and needed no pass of their own.
    pub accepted_drafts: i64,
    /// Guesses that were computed in vain.
    pub rejected_drafts: i64,
    /// It is in the middle of what its grammar asks for: it was cut, once it has ended.
    pub incomplete: bool,
}

impl GenerateResult {
    pub(crate) fn of_c(r: &puna_generate_result) -> Self {
        GenerateResult {
            stop_reason: match r.stop_reason {
                PUNA_STOP_MAX_TOKENS => StopReason::MaxTokens,
                PUNA_STOP_TOKEN => StopReason::StopToken,
                PUNA_STOP_STRING => StopReason::StopString,
                PUNA_STOP_CONTEXT_FULL => StopReason::ContextFull,
                PUNA_STOP_CALLBACK => StopReason::Callback,
                PUNA_STOP_GRAMMAR => StopReason::Grammar,
                _ => StopReason::Interrupted,
            },
            prompt_tokens: r.prompt_tokens,
            generated_tokens: r.generated_tokens,
            prompt_seconds: r.prompt_seconds,
            generate_seconds: r.generate_seconds,
            accepted_drafts: r.accepted_drafts,
            rejected_drafts: r.rejected_drafts,
            incomplete: r.incomplete != 0,
        }
    }
}

/// What a [step](Answer::step) came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The budget is used up: call again.
    Paused,
    /// A token.
    Token(Token),
    /// The last token was handed out before.
    Ended,
}

pub(crate) enum Prompt<'a> {
    Text(&'a [u8]),
    Tokens(&'a [i32]),
}

/// An answer on its way: an iterator over its tokens. A failed or cancelled `next` may be repeated.
pub struct Answer<'a> {
    handle: Handle<puna_generation>,
    session: &'a mut Session,
    _process_logits: Option<LogitsProcessor>, // the library has a pointer to it
    _draft: DraftUse,                         // ends after the handle, which uses it
}
unsafe impl Send for Answer<'_> {}

impl<'a> Answer<'a> {
    pub(crate) fn begin(session: &'a mut Session, prompt: Prompt, options: &GenerateOptions) -> Result<Self> {
        let raw = session.handle.raw;
        let draft = options.use_draft()?;
        let handle = options.with(|o| {
            Handle::create(puna_generation_free, |out| unsafe {
                match prompt {
                    Prompt::Text(text) => puna_generation_create(raw, pointer(text).cast(), text.len(), o, out),
                    Prompt::Tokens(ids) => puna_generation_create_tokens(raw, pointer(ids), ids.len(), o, out),
                }
            })
        })?;
        Ok(Answer { handle, session, _process_logits: options.process_logits.clone(), _draft: draft })
    }

    /// Goes on for about `budget` (zero: until there is a token).
    pub fn step(&mut self, budget: Duration) -> Result<Step> {
        let mut token: puna_generated_token = sized();
        let mut state = 0;
        check(unsafe { puna_generation_step(self.handle.raw, micros(budget), &mut token, &mut state) })?;
        Ok(match state {
            PUNA_GENERATION_TOKEN => Step::Token(unsafe { Token::of_c(&token) }),
            PUNA_GENERATION_ENDED => Step::Ended,
            _ => Step::Paused,
        })
    }

    /// The answer so far.
    pub fn result(&self) -> Result<GenerateResult> {
        let mut result: puna_generate_result = sized();
        check(unsafe { puna_generation_get_result(self.handle.raw, &mut result) })?;
        Ok(GenerateResult::of_c(&result))
    }

    /// The session it is made in, to look at between tokens.
    pub fn session(&self) -> &Session {
        self.session
    }
}

impl Iterator for Answer<'_> {
    type Item = Result<Token>;
    fn next(&mut self) -> Option<Self::Item> {
        match self.step(Duration::ZERO) {
            Ok(Step::Token(token)) => Some(Ok(token)),
            Ok(_) => None,
            Err(e) => Some(Err(e)),
        }
    }
}

impl GenerateOptions {
    /// With this grammar: the answer is what it lets through.
    pub fn grammar(mut self, grammar: &Grammar) -> Self {
        self.grammar = Some(grammar.clone());
        self
    }

    /// For as long as an answer uses it.
    pub(crate) fn use_draft(&self) -> Result<DraftUse> {
        let inner = self.draft.as_ref().map(|d| d.inner.clone());
        if inner.as_ref().is_some_and(|i| i.busy.swap(true, Ordering::Acquire)) {
            let message = "the draft serves another answer: end or drop that first".into();
            return Err(Error { status: Status::WrongState, message });
        }
        Ok(DraftUse { inner })
    }

    pub(crate) fn with<T>(&self, call: impl FnOnce(&puna_generate_options) -> Result<T>) -> Result<T> {
        let stop = self.stop.iter().map(|s| c_string(s)).collect::<Result<Vec<_>>>()?;
        let stop_pointers: Vec<_> = stop.iter().map(|s| s.as_ptr()).collect();
        let images = handles(&self.images);
        let mut o: puna_generate_options = sized();
        o.max_tokens = self.max_tokens;
        o.ignore_eos = self.ignore_eos.into();
        o.parse_special = self.parse_special.into();
        o.keep_special = self.keep_special.into();
        o.log_probabilities = self.log_probabilities;
        (o.stop_strings, o.stop_string_count) = (pointer(&stop_pointers), stop_pointers.len() as u64);
        (o.stop_tokens, o.stop_token_count) = (pointer(&self.stop_tokens), self.stop_tokens.len() as u64);
        (o.images, o.image_count) = (pointer(&images), images.len() as u64);
        o.keep_shared = self.keep_shared.into();
        if let Some(draft) = &self.draft {
            o.draft = draft.inner.session.handle.raw;
        }
        if let Some(grammar) = &self.grammar {
            o.grammar = grammar.handle.raw;
        }
        o.close_answer = self.close_answer.into();
        (o.draft_tokens, o.lookup_tokens) = (self.draft_tokens, self.lookup_tokens);
        if let WhenFull::DropOldest { keep_prefix } = self.when_full {
            (o.context_policy, o.keep_prefix) = (PUNA_CONTEXT_DROP_OLDEST, keep_prefix);
        }
        if let Some(p) = &self.process_logits {
            o.process_logits = Some(process);
            o.process_user = Arc::as_ptr(&p.process).cast_mut().cast();
        }
        self.sampler.with(|sampler| {
            o.sampler = sampler;
            call(&o)
        })
    }
}
