use crate::*;

fn constrained(model: &Model, grammar: &Grammar, seed: u64) -> (String, GenerateResult) {
    let sampler = SamplerOptions { temperature: 1.2, seed, ..Default::default() };
    let options = GenerateOptions { max_tokens: 200, sampler, ..Default::default() }.grammar(grammar);
    let mut session = model.session().unwrap();
    let mut answer = session.generate("It is a truth", &options).unwrap();
    let text: String = answer.by_ref().map(|t| t.unwrap().text).collect();
    (text, answer.result().unwrap())
}

#[test]
fn answers_are_what_their_grammar_lets_through() {
    let model = Model::open(gguf()).unwrap();
    let schema = r#"{"type": "object", "properties": {"age": {"type": "integer", "minimum": 1, "maximum": 99}},
                     "required": ["age"], "additionalProperties": false, "titel": 1}"#;
    let person = Grammar::json_schema(schema).unwrap();
    assert!(person.notes().unwrap()[0].contains("titel"));
    let compact =
        Grammar::json_schema_with(schema, &GrammarOptions { max_whitespace: -1, ..Default::default() }).unwrap();
    let choices = ["yes", "say \"no\"\n", "\u{1f999}\\"];
    let one_of = Grammar::choices(choices).unwrap();
    for seed in 0..4 {
        let (text, result) = constrained(&model, &person, seed);
        assert!(text.starts_with('{') && text.ends_with('}') && text.contains("\"age\""), "{text}");
        assert!(!result.incomplete && result.stop_reason == StopReason::Grammar);
        let (text, _) = constrained(&model, &compact, seed);
        assert!(text.starts_with("{\"age\":") && !text.contains([' ', '\n']), "{text}");
        let (text, _) = constrained(&model, &one_of, seed);
        assert!(choices.contains(&text.as_str()), "{text}");
    }
    assert_eq!(constrained(&model, &Grammar::regex("ab{3}c").unwrap(), 1).0, "abbbc");
    assert_eq!(constrained(&model, &Grammar::gbnf("root ::= \"so\" \"!\"\n").unwrap(), 1).0, "so!");
    assert_eq!(constrained(&model, &Grammar::ebnf("a = \"so\", \"?\" ;").unwrap(), 1).0, "so?");

    let options = GenerateOptions { max_tokens: 2, ..Default::default() }.grammar(&person);
    let mut session = model.session().unwrap();
    let mut answer = session.generate("It", &options).unwrap();
    assert_eq!(answer.by_ref().count(), 2);
    let result = answer.result().unwrap();
    assert!(result.incomplete && result.stop_reason == StopReason::MaxTokens);

    for (wrong, status, word) in [
        (Grammar::json_schema(r#"{"properties": {"a": {"type": "strin"}}}"#), Status::InvalidArgument, "/properties/a"),
        (Grammar::json_schema(r#"{"uniqueItems": true}"#), Status::Unsupported, "/uniqueItems"),
        (Grammar::regex("(a"), Status::InvalidArgument, ""),
        (Grammar::gbnf("root ::= missing\n"), Status::InvalidArgument, "missing"),
        (Grammar::choices::<&str>([]), Status::InvalidArgument, "empty"),
    ] {
        let error = wrong.err().unwrap();
        assert!(error.status == status && error.message.contains(word), "{error:?}");
    }
}

#[test]
fn a_matcher_follows_an_answer() {
    let model = Model::open(gguf()).unwrap();
    let tokenizer = model.tokenizer().unwrap();
    let mut matcher = Grammar::choices(["yes", "yesterday", "no"]).unwrap().matcher(&model).unwrap();
    let start = matcher.mask().unwrap();
    assert_eq!(start.iter().map(|w| u64::from(w.count_ones())).sum::<u64>(), matcher.token_count().unwrap());
    for id in 0..model.info().unwrap().vocabulary {
        if start[id as usize / 32] >> (id % 32) & 1 == 1 {
            let text = tokenizer.decode(&[id], false).unwrap();
            assert!("yesterday".as_bytes().starts_with(&text) || "no".as_bytes().starts_with(&text));
        } else if id % 50 == 0 {
            assert!(matcher.accept(id).is_err());
        }
    }
    assert_eq!(matcher.mask().unwrap(), start);
    matcher.accept_text("y").unwrap();
    assert_eq!((matcher.forced_text().unwrap().as_str(), matcher.completion().unwrap().as_str()), ("es", "es"));
    let mut copy = matcher.fork().unwrap();
    copy.accept_text("es").unwrap();
    assert!(copy.is_whole().unwrap() && !copy.is_ended().unwrap() && !matcher.is_whole().unwrap());
    copy.accept_text("terday").unwrap();
    assert!(copy.is_ended().unwrap());
    copy.reset().unwrap();
    assert_eq!(copy.mask().unwrap(), start);
}
