//! Requests of an engine for asynchronous code. Nothing but the standard library: any executor can poll them.
use crate::engine::{failure_of_c, replies, EngineToken, Reply};
use crate::error::{check, Result};
use crate::raw::{answer_to_c, Handle};
use puna_sys::*;
use std::collections::VecDeque;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::ops::ControlFlow;
use std::os::raw::c_void;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A request on its way, read by asynchronous code: `while let Some(token) = stream.next().await`. The engine must be
/// stepped meanwhile, by its own thread or another, which wakes whoever waits. Dropped early, it is cancelled. A failure
/// is the last item.
///
/// Tokens wait in memory until they are read: `max_events` does not pause a stream.
///
/// [`poll_next`](EngineStream::poll_next) is what a `Stream` of the futures crates is made of:
/// `futures_util::stream::poll_fn(move |cx| stream.poll_next(cx))`; the crate `puna-stream` beside this one has it as a
/// type.
pub struct EngineStream {
    handle: Handle<puna_request>,
    shared: Arc<Shared>,
}
// A request may be read by one thread after another.
unsafe impl Send for EngineStream {}

type Shared = Mutex<News>;

/// What the engine's thread has told, and who is to be woken.
#[derive(Default)]
struct News {
    items: VecDeque<Result<EngineToken>>,
    ended: bool,
    waker: Option<Waker>,
}

/// The callback of a request, with what it is called with.
pub(crate) struct Listener {
    pub on_event: unsafe extern "C" fn(*mut c_void, *const puna_event) -> i32,
    pub user: *mut c_void,
}

/// On the stepping thread. `user` is a reference of its own, which ends with the last event: there always is one.
unsafe extern "C" fn on_event(user: *mut c_void, event: *const puna_event) -> i32 {
    answer_to_c(|| {
        let event = &*event;
        let mut shared = ManuallyDrop::new(Arc::from_raw(user.cast::<Shared>().cast_const()));
        let waker = {
            let mut news = shared.lock().unwrap_or_else(PoisonError::into_inner);
            match event.kind {
                PUNA_EVENT_TOKEN => news.items.push_back(Ok(EngineToken::of_c(event))),
                PUNA_EVENT_ENDED => {
                    news.items.extend(failure_of_c(event).map(Err));
                    news.ended = true;
                }
                _ => return ControlFlow::Continue(()),
            }
            news.waker.take()
        };
        if event.kind == PUNA_EVENT_ENDED {
            ManuallyDrop::drop(&mut shared);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        ControlFlow::Continue(())
    })
}

impl EngineStream {
    /// Of a request that `submit` makes with a listener.
    pub(crate) fn begin(submit: impl FnOnce(Listener) -> Result<Handle<puna_request>>) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let user = Arc::into_raw(shared.clone());
        match submit(Listener { on_event, user: user.cast_mut().cast() }) {
            Ok(handle) => Ok(EngineStream { handle, shared }),
            Err(e) => {
                unsafe { drop(Arc::from_raw(user)) }; // it was refused: nobody will call
                Err(e)
            }
        }
    }

    /// The next token of one of the answers; `Ready(None)` after the end. When there is none yet, the waker is called as
    /// soon as there is.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<EngineToken>>> {
        let mut news = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(item) = news.items.pop_front() {
            return Poll::Ready(Some(item));
        }
        if news.ended {
            return Poll::Ready(None);
        }
        news.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The same as a future.
    pub fn next(&mut self) -> NextToken<'_> {
        NextToken { stream: self }
    }

    /// It ends, and no other does.
    pub fn cancel(&self) -> Result<()> {
        check(unsafe { puna_request_cancel(self.handle.raw) })
    }

    /// All of its answers, once it has ended; with `best_of` the best first.
    pub fn answers(&mut self) -> Result<Vec<Reply>> {
        replies(&self.handle)
    }
}

/// The next token of a stream, `None` after the end. Dropping it loses nothing.
pub struct NextToken<'a> {
    stream: &'a mut EngineStream,
}
impl Future for NextToken<'_> {
    type Output = Option<Result<EngineToken>>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.stream.poll_next(cx)
    }
}
