use crate::*;

#[test]
fn calls_of_tools_are_read_from_an_answer() {
    let json = r#"[{"name": "get_weather", "parameters": {"type": "object"}}, {"name": "f"}]"#;
    let tools = Tools::new(json, "pythonic").unwrap();
    assert_eq!((tools.len(), tools.format().as_str()), (2, "pythonic"));
    assert!(tools.json().contains("\"function\""));
    let mut parser = tools.parser(false).unwrap();
    let mut events = vec![];
    for piece in ["I see. [get_wea", "ther(city='Pu", "no'), f()", "] [g()]"] {
        events.extend(parser.push_text(piece).unwrap());
    }
    events.extend(parser.finish().unwrap());
    let text = |s: &str| ToolEvent::Text(s.into());
    assert_eq!(
        events,
        [
            text("I see. "),
            ToolEvent::CallBegin(0, "get_weather".into()),
            ToolEvent::Arguments(0, r#"{"city": "Puno"}"#.into()),
            ToolEvent::CallEnd(0, true),
            ToolEvent::CallBegin(1, "f".into()),
            ToolEvent::Arguments(1, "{}".into()),
            ToolEvent::CallEnd(1, true),
            text(" [g()]"),
        ]
    );
    let mut early = tools.parser(true).unwrap();
    early.push_text("[f(a=1").unwrap();
    assert_eq!(early.finish().unwrap().last(), Some(&ToolEvent::CallEnd(0, false)));
    let wrong = Tools::new(r#"[{"name": "get weather"}]"#, "hermes").unwrap_err();
    assert!(wrong.message.contains("/0/name"), "{wrong}");

    let model = model();
    let tools = model.tools(json).unwrap();
    let mut session = model.session().unwrap();
    let mut parser = tools.parser(false).unwrap();
    let options = GenerateOptions { max_tokens: 4, ..Default::default() };
    for token in session.generate_tokens(&TOKENS, &options).unwrap() {
        parser.push(&token.unwrap()).unwrap();
    }
    parser.finish().unwrap();
}

#[test]
fn answers_are_held_to_the_tools() {
    let parameters = r#"{"type": "object", "properties": {"days": {"enum": [1, 2]}}, "required": ["days"]}"#;
    let json = format!(r#"[{{"name": "forecast", "parameters": {parameters}}}, {{"name": "now"}}]"#);
    let tools = Tools::new(&json, "pythonic").unwrap();
    assert!(tools.grammar("none", true).unwrap().is_none());
    let wrong = tools.grammar("later", true).unwrap_err();
    assert!(wrong.message.contains("no tool 'later'"), "{wrong}");
    let model = model();
    let takes = |choice: &str, parallel: bool, text: &str| {
        let grammar = tools.grammar(choice, parallel).unwrap().unwrap();
        let mut matcher = grammar.matcher(&model).unwrap();
        matcher.accept_text(text).is_ok() && matcher.is_whole().unwrap()
    };
    assert!(takes("required", true, "[forecast(days=2), now()]"));
    assert!(!takes("required", false, "[forecast(days=2), now()]"));
    assert!(!takes("required", true, "[forecast(days=3)]"));
    assert!(takes("auto", true, "Well: [forecast(days=2)] and [1]."));
    assert!(!takes("auto", true, "Well: [forecast(days=3)]"));
    assert!(takes(r#"{"type": "function", "function": {"name": "now"}}"#, true, "[now()]"));
    assert!(!takes("now", true, "[forecast(days=2)]"));
}
