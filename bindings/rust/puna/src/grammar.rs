use crate::error::{check, Result};
use crate::model::Model;
use crate::raw::{pointer, sized, string, text_of, Handle};
use puna_sys::*;
use std::sync::Arc;

/// What an answer may be: a JSON Schema, a regular expression, GBNF, EBNF or choices. Of any model, for any thread;
/// clones are the same grammar.
#[derive(Clone)]
pub struct Grammar {
    pub(crate) handle: Arc<Handle<puna_grammar>>,
}
// The library's grammars are immutable.
unsafe impl Send for Grammar {}
unsafe impl Sync for Grammar {}

/// How a grammar is compiled; zero is the default of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct GrammarOptions {
    /// Of JSON: between two lexemes there is nothing, one space, or a line break and at most this many spaces or tabs;
    /// 0 = 24; -1 = always nothing.
    pub max_whitespace: i32,
    /// Most expressions and rules; 0 = 500,000.
    pub max_nodes: u64,
    /// Most states of automata, a step; 0 = 250,000.
    pub max_states: u64,
    /// Most memory; 0 = 64 MiB.
    pub max_bytes: u64,
}

impl GrammarOptions {
    pub(crate) fn to_c(self) -> puna_grammar_options {
        let mut o: puna_grammar_options = sized();
        o.max_whitespace = self.max_whitespace;
        (o.max_nodes, o.max_states, o.max_bytes) = (self.max_nodes, self.max_states, self.max_bytes);
        o
    }
}

impl Grammar {
    fn create(kind: i32, text: &str, options: &GrammarOptions) -> Result<Self> {
        let mut o = options.to_c();
        o.kind = kind;
        let handle = Handle::create(puna_grammar_free, |out| unsafe {
            puna_grammar_create(pointer(text.as_bytes()).cast(), text.len(), &o, out)
        })?;
        Ok(Grammar { handle: Arc::new(handle) })
    }

    /// JSON by a JSON Schema. A keyword that exists and is not supported is
    /// [`Unsupported`](crate::Status::Unsupported), with its JSON pointer.
    pub fn json_schema(schema: impl AsRef<str>) -> Result<Self> {
        Self::create(PUNA_GRAMMAR_JSON_SCHEMA, schema.as_ref(), &GrammarOptions::default())
    }
    /// The same with options.
    pub fn json_schema_with(schema: impl AsRef<str>, options: &GrammarOptions) -> Result<Self> {
        Self::create(PUNA_GRAMMAR_JSON_SCHEMA, schema.as_ref(), options)
    }
    /// Any JSON.
    pub fn any_json(options: &GrammarOptions) -> Result<Self> {
        Self::create(PUNA_GRAMMAR_ANY_JSON, "", options)
    }
    /// The whole answer matches a regular expression (ECMA-262).
    pub fn regex(pattern: impl AsRef<str>) -> Result<Self> {
        Self::create(PUNA_GRAMMAR_REGEX, pattern.as_ref(), &GrammarOptions::default())
    }
    /// llama.cpp's GBNF, from the rule `root`.
    pub fn gbnf(text: impl AsRef<str>) -> Result<Self> {
        Self::create(PUNA_GRAMMAR_GBNF, text.as_ref(), &GrammarOptions::default())
    }
    /// W3C's or ISO 14977's EBNF, from the first rule.
    pub fn ebnf(text: impl AsRef<str>) -> Result<Self> {
        Self::create(PUNA_GRAMMAR_EBNF, text.as_ref(), &GrammarOptions::default())
    }
    /// One of these texts.
    pub fn choices<T: AsRef<str>>(choices: impl IntoIterator<Item = T>) -> Result<Self> {
        let list: Vec<String> = choices.into_iter().map(|c| json_string(c.as_ref())).collect();
        Self::create(PUNA_GRAMMAR_CHOICES, &format!("[{}]", list.join(",")), &GrammarOptions::default())
    }

    /// What the text says that constrains nothing: unknown keywords, formats that are not checked.
    pub fn notes(&self) -> Result<Vec<String>> {
        let mut info: puna_grammar_info = sized();
        check(unsafe { puna_grammar_get_info(self.handle.raw, &mut info) })?;
        // They live as long as the grammar.
        Ok((0..info.note_count as usize).map(|i| unsafe { string(*info.notes.add(i)) }).collect())
    }

    /// A matcher for answers of `model` that follows this grammar.
    pub fn matcher(&self, model: &Model) -> Result<Matcher> {
        Matcher::new(self, model, &[])
    }
}
impl std::fmt::Debug for Grammar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Grammar")
    }
}

fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out += &format!("\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out + "\""
}

/// Follows one answer through a grammar, for programs with a sampler of their own. Used by one thread at a time; it
/// keeps its model and its grammar.
pub struct Matcher {
    handle: Handle<puna_matcher>,
    words: usize, // of a mask
    _model: Arc<Handle<puna_model>>,
}
unsafe impl Send for Matcher {}

impl Matcher {
    /// `stop_tokens` may come where the answer may end; none = the model's own.
    pub fn new(grammar: &Grammar, model: &Model, stop_tokens: &[i32]) -> Result<Self> {
        let mut o: puna_matcher_options = sized();
        (o.stop_tokens, o.stop_token_count) = (pointer(stop_tokens), stop_tokens.len() as u64);
        let handle = Handle::create(puna_matcher_free, |out| unsafe {
            puna_matcher_create(grammar.handle.raw, model.handle.raw, &o, out)
        })?;
        let words = (model.info()?.vocabulary as usize + 31) / 32;
        Ok(Matcher { handle, words, _model: model.handle.clone() })
    }

    fn info(&self) -> Result<puna_matcher_info> {
        let mut info: puna_matcher_info = sized();
        check(unsafe { puna_matcher_get_info(self.handle.raw, &mut info) })?;
        Ok(info)
    }
    /// What came so far is a whole answer.
    pub fn is_whole(&self) -> Result<bool> {
        Ok(self.info()?.whole != 0)
    }
    /// Nothing may follow.
    pub fn is_ended(&self) -> Result<bool> {
        Ok(self.info()?.ended != 0)
    }
    /// How many tokens may come next.
    pub fn token_count(&self) -> Result<u64> {
        Ok(self.info()?.token_count)
    }

    /// Which tokens may come next: bit `id % 32` of word `id / 32`.
    pub fn mask(&mut self) -> Result<Vec<u32>> {
        let mut words = vec![0; self.words];
        check(unsafe { puna_matcher_mask(self.handle.raw, words.as_mut_ptr(), words.len()) })?;
        Ok(words)
    }
    /// A token came. An error when it may not: the matcher is as before.
    pub fn accept(&mut self, token: i32) -> Result<()> {
        check(unsafe { puna_matcher_accept(self.handle.raw, token) })
    }
    /// A text came.
    pub fn accept_text(&mut self, text: impl AsRef<[u8]>) -> Result<()> {
        let text = text.as_ref();
        check(unsafe { puna_matcher_accept_text(self.handle.raw, pointer(text).cast(), text.len()) })
    }
    /// Text that comes next whatever is drawn; empty where there is a choice.
    pub fn forced_text(&mut self) -> Result<String> {
        text_of(|buffer| unsafe { puna_matcher_forced_text(self.handle.raw, buffer) })
    }
    /// The shortest text that makes the answer whole; empty when it is.
    pub fn completion(&mut self) -> Result<String> {
        text_of(|buffer| unsafe { puna_matcher_completion(self.handle.raw, buffer) })
    }
    /// An independent copy.
    pub fn fork(&self) -> Result<Matcher> {
        let handle = Handle::create(puna_matcher_free, |out| unsafe { puna_matcher_fork(self.handle.raw, out) })?;
        Ok(Matcher { handle, words: self.words, _model: self._model.clone() })
    }
    /// Back to the start.
    pub fn reset(&mut self) -> Result<()> {
        check(unsafe { puna_matcher_reset(self.handle.raw) })
    }
}
