use crate::error::{check, Result};
use crate::generate::Token;
use crate::grammar::{Grammar, GrammarOptions};
use crate::model::Model;
use crate::raw::{c_string, pointer_or_null, sized, slice, string, Handle};
use puna_sys::*;
use std::ptr::null;
use std::sync::Arc;

/// A list of tools that a model may call, and the format in which calls are written. Immutable; clones are the same.
#[derive(Clone)]
pub struct Tools {
    handle: Arc<Handle<puna_tools>>,
    info: puna_tools_info, // points into the handle
}
// The library's tools may be used by any number of threads at once.
unsafe impl Send for Tools {}
unsafe impl Sync for Tools {}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tools").field(&self.json()).finish()
    }
}

impl Tools {
    /// A JSON list of tools in OpenAI's form or the bare one, `[{"name": "f", "parameters": {...}}]`, and a format by
    /// name: `llama3_json`, `llama4_json`, `pythonic`, `function_tag`, `hermes`, `mistral`, `mistral_args`, `granite`.
    pub fn new(json: &str, format: &str) -> Result<Tools> {
        Tools::make(null(), json, Some(format))
    }

    fn make(model: *const puna_model, json: &str, format: Option<&str>) -> Result<Tools> {
        let format = format.map(c_string).transpose()?;
        let mut o: puna_tools_options = sized();
        o.format = pointer_or_null(&format);
        let make = |out| unsafe { puna_tools_create(model, json.as_ptr().cast(), json.len(), &o, out) };
        let handle = Handle::create(puna_tools_free, make)?;
        let mut info: puna_tools_info = sized();
        check(unsafe { puna_tools_get_info(handle.raw, &mut info) })?;
        Ok(Tools { handle: Arc::new(handle), info })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.info.count as usize
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The format's name.
    pub fn format(&self) -> String {
        unsafe { string(self.info.format) }
    }
    /// The list in OpenAI's form, for `"tools"` of a chat.
    pub fn json(&self) -> String {
        let bytes = unsafe { slice(self.info.json.cast::<u8>(), self.info.json_size as usize) };
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// What an answer may be that may, or must, call these tools, with arguments of their parameters: for the grammar of
    /// `GenerateOptions`. `choice` is OpenAI's tool_choice: `auto` (text and calls), `required`, `none`, or
    /// `{"type": "function", "function": {"name": "f"}}`, also just a tool's name. `None`: nothing is constrained.
    pub fn grammar(&self, choice: &str, parallel: bool) -> Result<Option<Grammar>> {
        self.grammar_with(choice, parallel, &GrammarOptions::default())
    }
    /// The same with options for the JSON of arguments.
    pub fn grammar_with(&self, choice: &str, parallel: bool, options: &GrammarOptions) -> Result<Option<Grammar>> {
        let choice = c_string(choice)?;
        let json = options.to_c();
        let mut o: puna_tools_grammar_options = sized();
        (o.tool_choice, o.one_call, o.json) = (choice.as_ptr(), (!parallel).into(), &json);
        let mut out = std::ptr::null_mut();
        check(unsafe { puna_tools_create_grammar(self.handle.raw, &o, &mut out) })?;
        if out.is_null() {
            return Ok(None);
        }
        let handle = Handle::create(puna_grammar_free, |slot| {
            unsafe { *slot = out };
            0
        })?;
        Ok(Some(Grammar { handle: Arc::new(handle) }))
    }

    /// A parser of one answer. `early`: a call is told as soon as its name is known, its arguments as they come; what
    /// then goes wrong ends incomplete. Otherwise a call is told when it is whole, and a broken one is text.
    pub fn parser(&self, early: bool) -> Result<ToolParser> {
        self.parser_with(early, Thoughts::AreText)
    }
    /// The same, and what becomes of what the model thinks before it answers.
    pub fn parser_with(&self, early: bool, thoughts: Thoughts) -> Result<ToolParser> {
        let mut o: puna_tool_parser_options = sized();
        (o.early, o.thoughts) = (early.into(), thoughts as i32);
        let make = |out| unsafe { puna_tool_parser_create(self.handle.raw, &o, out) };
        Ok(ToolParser { handle: Handle::create(puna_tool_parser_free, make)? })
    }
}

/// What becomes of what a model thinks before it answers: `<think>...</think>`, gpt-oss's channel "analysis", ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoughts {
    /// It is text, marks and all.
    AreText = 0,
    /// It comes as [`ToolEvent::Thought`], without its marks.
    Apart = 1,
    /// Likewise, and the answer begins within one: the prompt ended with the first mark.
    ApartFromTheStart = 2,
}

/// What an answer says next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolEvent {
    /// Text.
    Text(String),
    /// A call begins: its number in the answer, and the tool's name.
    CallBegin(usize, String),
    /// More of a call's arguments; joined they are a JSON object.
    Arguments(usize, String),
    /// A call ends; `false`: the answer ended, or went wrong, within the arguments.
    CallEnd(usize, bool),
    /// What the model thinks.
    Thought(String),
}

/// Reads an answer as it comes. What a model wrote is never an error: what is no call of a given tool is text.
pub struct ToolParser {
    handle: Handle<puna_tool_parser>,
}
// One thread at a time: every use takes it mutably.
unsafe impl Send for ToolParser {}

impl std::fmt::Debug for ToolParser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolParser").finish_non_exhaustive()
    }
}

impl ToolParser {
    /// The next token of an answer.
    pub fn push(&mut self, token: &Token) -> Result<Vec<ToolEvent>> {
        self.push_piece(token.id, &token.text)
    }
    /// The next piece of a text.
    pub fn push_text(&mut self, text: &str) -> Result<Vec<ToolEvent>> {
        self.push_piece(-1, text)
    }
    /// The answer is over.
    pub fn finish(&mut self) -> Result<Vec<ToolEvent>> {
        check(unsafe { puna_tool_parser_finish(self.handle.raw) })?;
        self.events()
    }

    fn push_piece(&mut self, id: i32, text: &str) -> Result<Vec<ToolEvent>> {
        check(unsafe { puna_tool_parser_push(self.handle.raw, id, text.as_ptr().cast(), text.len()) })?;
        self.events()
    }

    fn events(&mut self) -> Result<Vec<ToolEvent>> {
        let mut events = vec![];
        loop {
            let mut e: puna_tool_event = sized();
            check(unsafe { puna_tool_parser_next(self.handle.raw, &mut e) })?;
            let text = || {
                let bytes = unsafe { slice(e.text.cast::<u8>(), e.size as usize) };
                String::from_utf8_lossy(bytes).into_owned()
            };
            let call = e.call as usize;
            events.push(match e.kind {
                PUNA_TOOL_TEXT => ToolEvent::Text(text()),
                PUNA_TOOL_CALL_BEGIN => ToolEvent::CallBegin(call, text()),
                PUNA_TOOL_ARGUMENTS => ToolEvent::Arguments(call, text()),
                PUNA_TOOL_CALL_END => ToolEvent::CallEnd(call, e.complete != 0),
                PUNA_TOOL_THOUGHT => ToolEvent::Thought(text()),
                _ => return Ok(events),
            });
        }
    }
}

impl Model {
    /// Tools that this model may call, in the format its chat template teaches: see [`Tools::new`].
    pub fn tools(&self, json: &str) -> Result<Tools> {
        Tools::make(self.handle.raw, json, None)
    }
}
