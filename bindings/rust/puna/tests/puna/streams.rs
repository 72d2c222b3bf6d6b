use crate::engines::{alone, options};
use crate::*;
use std::future::Future;
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::Thread;
use std::time::Duration;

/// Wakes a thread, and counts.
struct Unpark {
    thread: Thread,
    woken: AtomicUsize,
}
impl Unpark {
    fn here() -> Arc<Self> {
        Arc::new(Unpark { thread: std::thread::current(), woken: AtomicUsize::new(0) })
    }
}
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// The smallest of executors: it sleeps until it is woken.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let (mut future, waker) = (pin!(future), Unpark::here().into());
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park_timeout(Duration::from_secs(60)),
        }
    }
}

async fn all_of(mut stream: EngineStream) -> Vec<i32> {
    let mut told = Vec::new();
    while let Some(token) = stream.next().await {
        told.push(token.unwrap().id);
    }
    assert!(stream.next().await.is_none());
    assert_eq!(stream.answers().unwrap()[0].tokens, told);
    told
}

fn request(seed: u64) -> RequestOptions {
    RequestOptions { generate: options(seed), ..Default::default() }
}

#[test]
fn one_executor_reads_many_streams_and_each_gets_its_own_answer() {
    let model = model();
    let engine = Engine::new(&model, &EngineOptions { max_running: 3, ..Default::default() }).unwrap();
    engine.start().unwrap();
    let mut futures: Vec<Pin<Box<dyn Future<Output = Vec<i32>>>>> = (0..6)
        .map(|seed| {
            let engine = engine.clone();
            Box::pin(async move { all_of(engine.stream_tokens(&TOKENS, &request(seed)).unwrap()).await }) as _
        })
        .collect();
    let mut told = vec![None; 6];
    block_on(std::future::poll_fn(|cx| {
        for (future, told) in futures.iter_mut().zip(&mut told).filter(|(_, told)| told.is_none()) {
            if let Poll::Ready(tokens) = future.as_mut().poll(cx) {
                *told = Some(tokens);
            }
        }
        if told.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    for (seed, told) in told.into_iter().enumerate() {
        assert_eq!(told.unwrap(), alone(&model, seed as u64));
    }
}

#[test]
fn a_stream_is_pending_until_the_engine_is_stepped_and_then_wakes_its_reader() {
    let model = model();
    let engine = Engine::new(&model, &EngineOptions::default()).unwrap();
    let mut stream = engine.stream_tokens(&TOKENS, &request(3)).unwrap();
    let unpark = Unpark::here();
    let waker = unpark.clone().into();
    let mut cx = Context::from_waker(&waker);
    assert!(stream.poll_next(&mut cx).is_pending());
    assert_eq!(unpark.woken.load(Ordering::SeqCst), 0);
    while engine.step(Duration::ZERO).unwrap() {}
    assert_eq!(unpark.woken.load(Ordering::SeqCst), 1); // once for all that came
    assert_eq!(block_on(all_of(stream)), alone(&model, 3));
}

#[test]
fn a_stream_that_is_dropped_is_cancelled_and_a_failure_is_the_last_item() {
    let model = model();
    let engine = Engine::new(&model, &EngineOptions { max_queued: 2, ..Default::default() }).unwrap();
    let mut endless = request(1);
    endless.generate.max_tokens = 0;
    let dropped = engine.stream_tokens(&TOKENS, &endless).unwrap();
    let mut cancelled = engine.stream_tokens(&TOKENS, &endless).unwrap();
    assert_eq!(engine.stream("It", &endless).err().unwrap().status, Status::Busy);
    for _ in 0..4 {
        engine.step(Duration::ZERO).unwrap();
    }
    drop(dropped);
    cancelled.cancel().unwrap();
    assert!(!engine.step(Duration::ZERO).unwrap());
    assert_eq!(engine.info().unwrap().cancelled, 2);
    let failure = block_on(async {
        while let Some(token) = cancelled.next().await {
            if let Err(e) = token {
                return e;
            }
        }
        panic!("it ended without a failure");
    });
    assert_eq!(failure.status, Status::Cancelled);
    assert!(block_on(cancelled.next()).is_none());
    let mut left = engine.stream_tokens(&TOKENS, &endless).unwrap();
    drop(engine); // whoever is left hears of the end
    assert_eq!(block_on(left.next()).unwrap().unwrap_err().status, Status::Cancelled);
}
