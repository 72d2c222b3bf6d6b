use crate::error::{check, Result};
use crate::raw::{c_string, sized, string, Handle};
use puna_sys::*;
use std::os::raw::{c_char, c_void};
use std::panic::catch_unwind;
use std::sync::Arc;

/// Threads, instruction set and memory; zero and `None` are the library's own choice.
#[derive(Clone, Debug, Default)]
pub struct ContextOptions {
    /// Threads that compute, the caller included.
    pub threads: i32,
    /// "scalar", "avx2", "avx512vnni", ...: the same bits on every level.
    pub isa: Option<String>,
    /// Bytes of tensors, keys, values and scratch.
    pub memory_limit: u64,
    /// Gets the library's lines, from any thread: what a file holds and nothing reads, for example. `None` is silence.
    pub log: Option<fn(LogLevel, &str)>,
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum LogLevel {
    Error = 1,
    Warning,
    Info,
    Debug,
}

unsafe extern "C" fn log(user: *mut c_void, level: i32, message: *const c_char) {
    let log: fn(LogLevel, &str) = std::mem::transmute(user);
    let level = match level {
        1 => LogLevel::Error,
        2 => LogLevel::Warning,
        3 => LogLevel::Info,
        _ => LogLevel::Debug,
    };
    let message = string(message);
    let _ = catch_unwind(|| log(level, &message)); // a panic is the logger's own affair
}

/// What a context chose, and the bytes it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextInfo {
    /// Threads that may compute at once, the caller included.
    pub threads: i32,
    /// The instruction set level in use.
    pub isa: String,
    /// Bytes allocated now.
    pub memory_used: u64,
    /// The most bytes there were.
    pub memory_peak: u64,
}

/// What models share: threads and memory.
#[derive(Clone)]
pub struct Context {
    pub(crate) handle: Arc<Handle<puna_context>>,
}
// The library's contexts may be used by any number of threads at once.
unsafe impl Send for Context {}
unsafe impl Sync for Context {}

impl Context {
    /// Starts its threads; they sleep when there is nothing to do.
    pub fn new(options: &ContextOptions) -> Result<Self> {
        // Without a provider there is nothing to promise.
        unsafe { Self::with_provider(options, std::ptr::null(), PUNA_PROVIDERS_NEVER) }
    }

    /// With somebody else's matrix products (puna_providers.h), used by fine-tuning, and by sessions as `allow` says:
    /// `PUNA_PROVIDERS_...`.
    ///
    /// # Safety
    /// What the table points to must outlive everything made with this context, and do what puna.h says.
    pub unsafe fn with_provider(
        options: &ContextOptions,
        provider: *const puna_gemm_provider,
        allow: i32,
    ) -> Result<Self> {
        let isa = options.isa.as_deref().map(c_string).transpose()?;
        let mut o: puna_context_options = sized();
        o.threads = options.threads;
        o.memory_limit = options.memory_limit;
        o.isa = isa.as_ref().map_or(std::ptr::null(), |s| s.as_ptr());
        if let Some(function) = options.log {
            o.log = Some(log);
            o.log_user = function as *mut c_void;
        }
        o.gemm_provider = provider;
        o.allow_providers = allow;
        let handle = Handle::create(puna_context_free, |out| unsafe { puna_context_create(&o, out) })?;
        Ok(Context { handle: Arc::new(handle) })
    }

    /// For functions that make a context of their own when they get NULL.
    pub(crate) fn raw_or_null(context: Option<&Context>) -> *mut puna_context {
        context.map_or(std::ptr::null_mut(), |c| c.handle.raw)
    }

    /// What it chose and holds.
    pub fn info(&self) -> Result<ContextInfo> {
        let mut i: puna_context_info = sized();
        check(unsafe { puna_context_get_info(self.handle.raw, &mut i) })?;
        Ok(ContextInfo {
            threads: i.threads,
            isa: unsafe { string(i.isa) },
            memory_used: i.memory_used,
            memory_peak: i.memory_peak,
        })
    }
}
