//! Models whose bytes are in no file of their own.
use crate::*;
use std::io::{Error, Read, Seek, SeekFrom};
use std::sync::Arc;

fn first_tokens(model: &Model) -> Vec<i32> {
    let options = GenerateOptions { max_tokens: 6, ..Default::default() };
    ids(model.session().unwrap().generate("It was a", &options).unwrap())
}

fn in_memory<D: AsRef<[u8]> + Send + Sync + 'static>(bytes: D) -> Result<Model> {
    Model::open_memory(None, bytes, &ModelOptions::default(), |_, _| go_on(()))
}

fn read(reader: &mut Reader<'_>) -> Result<Model> {
    Model::open_reader(None, reader, &ModelOptions::default(), |_, _| go_on(()))
}

#[test]
fn bytes_in_memory_live_as_long_as_anything_that_is_made_from_their_model() {
    struct Counted {
        bytes: Vec<u8>,
        _alive: Arc<()>,
    }
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    let want = first_tokens(&Model::open(gguf()).unwrap());
    let alive = Arc::new(());
    let model = in_memory(Counted { bytes: std::fs::read(gguf()).unwrap(), _alive: alive.clone() }).unwrap();
    assert_eq!(first_tokens(&model), want);
    let mut session = model.session().unwrap();
    let (tokenizer, canceller) = (model.tokenizer().unwrap(), session.canceller());
    let chat = model.chat(r#"[{"role": "user", "content": "Hi"}]"#).unwrap();
    drop(model);
    session.append(&tokenizer.encode("It was a").unwrap()).unwrap();
    let copy = session.fork().unwrap();
    drop(session);
    assert!(!copy.logits().unwrap().is_empty());
    drop((copy, chat, tokenizer));
    assert_eq!(Arc::strong_count(&alive), 2); // a canceller still has a session
    drop(canceller);
    assert_eq!(Arc::strong_count(&alive), 1);

    assert_eq!(
        in_memory(Counted { bytes: vec![1, 2, 3], _alive: alive.clone() }).err().unwrap().status,
        Status::BadFile
    );
    assert_eq!(Arc::strong_count(&alive), 1);
    assert!(in_memory(&b""[..]).is_err());
    let shared: Arc<[u8]> = std::fs::read(gguf()).unwrap().into();
    assert_eq!(first_tokens(&in_memory(shared).unwrap()), want);
}

#[test]
fn a_reader_is_asked_during_the_open_only() {
    const BEFORE: u64 = 1000; // in the pak file
    let pak = temporary("pak");
    let model = std::fs::read(gguf()).unwrap();
    std::fs::write(&pak, [&vec![7; BEFORE as usize], &model[..], &[7; 50]].concat()).unwrap();
    let mut file = std::fs::File::open(&pak).unwrap();
    let (mut calls, size) = (0, model.len() as u64);
    let mut reader = Reader::new("austen in a pak", size, |offset, into: &mut [u8]| {
        assert!(offset + into.len() as u64 <= size);
        calls += 1;
        file.seek(SeekFrom::Start(BEFORE + offset))?;
        file.read_exact(into)
    });
    let options = PlanOptions { positions: 32, ..Default::default() };
    let plan = Plan::of_reader(&mut reader, &options).unwrap();
    let in_memory = Plan::of_memory(&model, &options).unwrap();
    assert_eq!((plan.weight_bytes, plan.kv_bytes), (in_memory.weight_bytes, in_memory.kv_bytes));
    assert!(plan.kv_bytes > 0 && plan.load_peak_bytes > in_memory.load_peak_bytes); // what was read is held meanwhile
    let from_pak = read(&mut reader).unwrap();
    drop(reader);
    assert!(calls > 1);
    std::fs::remove_file(pak).unwrap();
    assert_eq!(first_tokens(&from_pak), first_tokens(&Model::open(gguf()).unwrap()));
}

#[test]
fn what_a_reader_cannot_deliver_fails_the_open_with_its_own_words() {
    let size = std::fs::metadata(gguf()).unwrap().len();
    let opened = |read_at: fn(u64, &mut [u8]) -> std::io::Result<()>| read(&mut Reader::new("austen", size, read_at));
    let failed = opened(|_, _| Err(Error::new(std::io::ErrorKind::Other, "the pak is closed"))).err().unwrap();
    assert_eq!(failed.status, Status::Io);
    assert!(failed.message.contains("austen") && failed.message.ends_with(": the pak is closed"), "{failed}");
    let panicked = quietly(|| opened(|_, _| panic!("from read_at"))).err().unwrap();
    assert!(panicked.status == Status::Io && panicked.message.ends_with("read_at panicked"), "{panicked}");
    // What is not filled is zero.
    assert_eq!(opened(|_, into| go(into)).err().unwrap().status, Status::BadFile);
    fn go(into: &mut [u8]) -> std::io::Result<()> {
        assert!(into.iter().all(|&b| b == 0));
        Ok(())
    }
    assert_eq!(read(&mut Reader::new("a\0b", 1, |_, _| Ok(()))).err().unwrap().status, Status::InvalidArgument);
    let bytes = std::fs::read(gguf()).unwrap();
    let mut whole = Reader::new("austen", size, |offset, into: &mut [u8]| {
        into.copy_from_slice(&bytes[offset as usize..][..into.len()]);
        Ok(())
    });
    let stopped = Model::open_reader(None, &mut whole, &ModelOptions::default(), |_, _| ControlFlow::Break(()));
    assert_eq!(stopped.err().unwrap().status, Status::Cancelled);
}
