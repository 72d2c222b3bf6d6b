use puna_sys::*;
use std::ffi::CStr;
use std::fmt;

/// What kind of failure it was; the numbers are those of `puna.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// This call does not take what was passed.
    InvalidArgument,
    /// An allocation failed, or the context's memory limit would be passed.
    OutOfMemory,
    /// The system could not deliver the bytes.
    Io,
    /// The bytes are there and are wrong.
    BadFile,
    /// Well formed, but not something this build or this CPU does.
    Unsupported,
    /// A callback (or a panic in one) or a [`Canceller`](crate::Canceller) asked to stop.
    Cancelled,
    /// The session's max_positions is reached.
    ContextFull,
    /// The call does not fit the state: no logits yet, an answer under way, used after fork.
    WrongState,
    /// An engine's queue is full: try again later.
    Busy,
    /// A broken promise of the library, or a status that this crate does not know.
    Internal,
}

/// A failure: its kind, and a sentence to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure it was.
    pub status: Status,
    /// What was wrong, where, and what was expected.
    pub message: String,
}

/// `Result` with the library's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Error {}

impl Status {
    /// Of a number that is not `PUNA_OK`.
    pub(crate) fn of(status: puna_status) -> Self {
        match status {
            PUNA_INVALID_ARGUMENT => Status::InvalidArgument,
            PUNA_OUT_OF_MEMORY => Status::OutOfMemory,
            PUNA_IO => Status::Io,
            PUNA_BAD_FILE => Status::BadFile,
            PUNA_UNSUPPORTED => Status::Unsupported,
            PUNA_CANCELLED => Status::Cancelled,
            PUNA_CONTEXT_FULL => Status::ContextFull,
            PUNA_WRONG_STATE => Status::WrongState,
            PUNA_BUSY => Status::Busy,
            _ => Status::Internal,
        }
    }
}

pub(crate) fn check(status: puna_status) -> Result<()> {
    if status == PUNA_OK {
        return Ok(());
    }
    let status = Status::of(status);
    // Never NULL; valid until this thread's next failure.
    let message = unsafe { CStr::from_ptr(puna_last_error()) }.to_string_lossy().into_owned();
    Err(Error { status, message })
}
