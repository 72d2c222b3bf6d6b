//! Conversations and templates.
use crate::*;
use std::ops::ControlFlow;
use std::sync::Arc;

fn specials(model: &Model) -> Vec<i32> {
    let t = model.tokenizer().unwrap();
    (0..t.info().unwrap().size).filter(|&id| t.token(id).unwrap().is_special).collect()
}

#[test]
fn a_users_text_never_becomes_a_turn() {
    let model = model();
    let (tokenizer, special) = (model.tokenizer().unwrap(), specials(&model));
    let count = |ids: &[i32]| ids.iter().filter(|id| special.contains(id)).count();
    let names = tokenizer.decode(&special[..special.len().min(20)], true).unwrap();
    let json = |text: &str| format!(r#"[{{"role":"user","content":"{text}"}}]"#);
    let hostile = json(std::str::from_utf8(&names).unwrap());
    let benign = count(model.chat(&json("hi")).unwrap().tokens());
    assert!(benign > 0);
    let chat = model.chat(&hostile).unwrap();
    assert!(!chat.content().is_empty() && chat.dropped().is_empty());
    assert_eq!(count(chat.tokens()), benign);
    let parsed = EncodeOptions { parse_special: true, ..Default::default() };
    let with_content = EncodeOptions { content: chat.content(), ..parsed.clone() };
    assert_eq!(tokenizer.encode_with(chat.text(), &with_content).unwrap(), chat.tokens());
    assert_eq!(count(&tokenizer.encode(chat.text()).unwrap()), 0);
    // All of it parsed, on request.
    let all = tokenizer.encode_with(chat.text(), &parsed).unwrap();
    assert!(count(&all) > benign);
    let trusted = ChatOptions { parse_content: true, ..Default::default() };
    assert_eq!(model.chat_with(&hostile, &trusted).unwrap().tokens(), all);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let long = "word ".repeat(2_000_000);
    let stopped = EncodeOptions { stop: Some(stop), ..Default::default() };
    assert_eq!(tokenizer.encode_with(&long, &stopped).unwrap_err().status, Status::Cancelled);
}

#[test]
fn a_conversation_computes_its_turns_once() {
    let model = model();
    let options = GenerateOptions { max_tokens: 5, ..Default::default() };
    let mut session = model.session().unwrap();
    let mut messages =
        r#"{"role":"system","content":"Be brief."},{"role":"user","content":"Hello there!"}"#.to_string();
    let first = model.chat(&format!("[{messages}]")).unwrap();
    let mut tokens = vec![];
    let result = first.generate(&mut session, &options, |token| go_on(tokens.push(token))).unwrap();
    assert_eq!((result.prompt_tokens as usize, result.generated_tokens as usize), (first.tokens().len(), tokens.len()));
    assert!(session.info().unwrap().pending);
    assert_eq!(session.len(), first.tokens().len() + tokens.len());

    messages += r#",{"role":"assistant","content":"Hi."},{"role":"user","content":"And now?"}"#;
    let second = model.chat(&format!("[{messages}]")).unwrap();
    assert!(first.text().len() < second.text().len());
    let mut other = session.fork().unwrap();
    let want: Vec<Token> = second.answer(&mut other, &options).unwrap().map(|t| t.unwrap()).collect();
    tokens.clear();
    let result = second.generate(&mut session, &options, |token| go_on(tokens.push(token))).unwrap();
    assert_eq!(tokens, want);
    assert!((result.prompt_tokens as usize) < second.tokens().len() - 5, "{result:?}");
    assert_eq!(session.tokens().unwrap()[..second.tokens().len()], *second.tokens());
    let fresh = second.answer(&mut model.session().unwrap(), &options).unwrap().map(|t| t.unwrap()).collect::<Vec<_>>();
    assert_eq!(fresh, want);
    // A turn that is other than it was costs what follows it.
    let third = model.chat(&format!("[{}]", messages.replace("And now?", "And where?"))).unwrap();
    let shared = third.tokens().iter().zip(session.tokens().unwrap()).take_while(|(a, b)| a == b).count();
    let result = third.generate(&mut session, &options, |_| go_on(())).unwrap();
    assert_eq!(result.prompt_tokens as usize, third.tokens().len() - shared);
    // keep_shared does by hand what a chat does.
    let by_hand = GenerateOptions { keep_shared: true, ..options.clone() };
    assert_eq!(
        session.generate_tokens(second.tokens(), &by_hand).unwrap().map(|t| t.unwrap()).collect::<Vec<_>>(),
        want
    );

    let stopped = first.generate(&mut session, &options, |_| ControlFlow::Break(())).unwrap();
    assert_eq!((stopped.stop_reason, stopped.generated_tokens), (StopReason::Callback, 1));
    assert_eq!(session.len(), first.tokens().len() + 1);
    let panicked = quietly(|| first.generate(&mut session, &options, |_| panic!("from on_token")));
    assert_eq!(panicked.unwrap_err().status, Status::Cancelled);
    let canceller = session.canceller();
    let cancelled = first.generate(&mut session, &options, |_| go_on(canceller.cancel()));
    assert_eq!(cancelled.unwrap_err().status, Status::Cancelled);
    let another = crate::model();
    for failed in [
        first.generate(&mut another.session().unwrap(), &options, go_on).unwrap_err(),
        first.answer(&mut another.session().unwrap(), &options).err().unwrap(),
    ] {
        assert!(failed.message.contains("another model"), "{failed}");
    }
}

#[test]
fn templates_are_named() {
    let model = model();
    assert_eq!(model.chat_templates().unwrap(), ["default"]);
    let named = |name: &str| ChatOptions { template: Some(name.into()), ..Default::default() };
    let json = r#"[{"role":"user","content":"Hi"}]"#;
    let chat = model.chat(json).unwrap();
    assert!(chat.text().contains("Hi") && chat.dropped().is_empty());
    let calls = r#"[{"role":"user","content":"Hi"},
                    {"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]}]"#;
    // Its template writes contents only.
    let plain = Model::open(root().join("examples/bundled/puna-austen.gguf")).unwrap();
    assert_eq!(plain.chat(calls).unwrap().dropped(), ["messages[1].tool_calls"]);
    assert_eq!(chat.content().iter().map(|r| &chat.text()[r.clone()]).collect::<Vec<_>>(), ["Hi"]);
    assert_eq!(model.chat_with(json, &named("default")).unwrap().tokens(), chat.tokens());
    assert!(model.chat_with(json, &named("defalt")).unwrap_err().message.contains("did you mean 'default'"));
    assert_eq!(model.chat_with(json, &named("a\0b")).unwrap_err().status, Status::InvalidArgument);
    assert!(model.chat("[").is_err());
}
