//! Tokenizers.
use crate::*;

#[test]
fn text_goes_in_and_comes_out() {
    let model = model();
    let tokenizer = model.tokenizer().unwrap();
    let text = "Hello, wörld 42";
    let ids = tokenizer.encode(text).unwrap();
    assert_eq!(tokenizer.decode(&ids, false).unwrap(), text.as_bytes());
    assert!(tokenizer.encode("").unwrap().is_empty() && tokenizer.decode(&[], true).unwrap().is_empty());
    let info = tokenizer.info().unwrap();
    let by_itself = Tokenizer::open(path()).unwrap();
    assert_eq!(by_itself.info().unwrap(), info);
    assert_eq!(by_itself.encode(text).unwrap(), ids);
    let bos = info.bos.unwrap();
    let named = tokenizer.token(bos).unwrap();
    assert!(named.is_special && !named.bytes.is_empty());
    assert_eq!(tokenizer.find(named.bytes).unwrap(), Some(bos));
    assert_eq!(tokenizer.find("no such piece").unwrap(), None);
    assert_eq!(tokenizer.token(-1).unwrap_err().status, Status::InvalidArgument);

    let mut session = model.session().unwrap();
    let options = GenerateOptions { max_tokens: 4, parse_special: true, ..Default::default() };
    assert!(session.generate(text, &options).unwrap().map(|t| t.unwrap()).count() >= 1);
    assert_eq!(session.tokens().unwrap()[0] == bos, info.add_bos);
}

#[test]
fn a_text_that_is_all_the_session_holds_begins_with_bos() {
    let model = Model::open(root().join("examples/bundled/puna-austen.gguf")).unwrap();
    let info = model.tokenizer().unwrap().info().unwrap();
    assert!(info.add_bos);
    let options = GenerateOptions { max_tokens: 2, ignore_eos: true, keep_shared: true, ..Default::default() };
    let mut session = model.session().unwrap();
    for text in ["She was", "She was not"] {
        assert_eq!(session.generate(text, &options).unwrap().map(|t| t.unwrap()).count(), 2);
        assert_eq!(session.tokens().unwrap().iter().filter(|&&id| Some(id) == info.bos).count(), 1);
        assert_eq!(session.tokens().unwrap()[0], info.bos.unwrap());
    }
}

#[test]
fn a_models_tokenizer_outlives_the_model() {
    let tokenizer = {
        let model = model();
        let first = model.tokenizer().unwrap();
        drop(model.tokenizer().unwrap());
        first.clone()
    };
    assert!(!tokenizer.encode("Hi").unwrap().is_empty());
    let bytes = tokenizer.token(40).unwrap().bytes;
    assert_eq!(tokenizer.decode(&[40], true).unwrap(), bytes);
}

#[test]
fn a_text_that_grows_as_it_is_normalized_has_room() {
    // Bytes in GPT-2's spelling, and NFKC in front.
    let plain = |b: u32| (33..127).contains(&b) || (161..173).contains(&b) || (174..256).contains(&b);
    let mut next = 255;
    let vocab: Vec<String> = (0..256u32)
        .map(|b| {
            let c = if plain(b) {
                b
            } else {
                next += 1;
                next
            };
            let c = char::from_u32(c).unwrap();
            let c = if c == '"' || c == '\\' { format!("\\{c}") } else { c.to_string() };
            format!("\"{c}\": {b}")
        })
        .collect();
    let file = format!(
        r#"{{"normalizer": {{"type": "NFKC"}},
            "pre_tokenizer": {{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}},
            "decoder": {{"type": "ByteLevel"}},
            "model": {{"type": "BPE", "vocab": {{{}}}, "merges": []}}, "added_tokens": []}}"#,
        vocab.join(", ")
    );
    let path = temporary("tokenizer.json");
    std::fs::write(&path, file).unwrap();
    let tokenizer = Tokenizer::open(&path).unwrap();
    assert_eq!(tokenizer.encode("l\u{bd}").unwrap().len(), 6);
    assert_eq!(tokenizer.encode("\u{fdfa}").unwrap().len(), 33);
    assert_eq!(tokenizer.encode("\u{fdfa}".repeat(500)).unwrap().len(), 33 * 500);
    std::fs::remove_file(path).unwrap();
}
