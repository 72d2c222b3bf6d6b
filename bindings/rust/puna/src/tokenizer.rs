use crate::error::{check, Result};
use crate::raw::{bytes_of, c_path, ids_of, pointer, sized, slice, stopped, Handle};
use puna_sys::*;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// Text to token ids and back. Clones are the same tokenizer.
#[derive(Clone)]
pub struct Tokenizer {
    raw: *const puna_tokenizer,
    _owner: Owner,
}
// Who frees it: it is held for its Drop.
#[derive(Clone)]
#[allow(dead_code)]
enum Owner {
    Tokenizer(Arc<Handle<puna_tokenizer>>),
    Model(Arc<Handle<puna_model>>),
}
// Immutable in the library.
unsafe impl Send for Tokenizer {}
unsafe impl Sync for Tokenizer {}

/// How a text becomes ids; the default takes all of it as ordinary text.
#[derive(Clone, Debug, Default)]
pub struct EncodeOptions {
    /// `<|eot|>` is the special token, else ordinary text.
    pub parse_special: bool,
    /// Put the beginning-of-text token first, if the model's metadata asks for one and it is not there.
    pub add_bos: bool,
    /// With `parse_special`, bytes of the text that are ordinary text all the same, in order and apart: what users
    /// wrote.
    pub content: Vec<Range<usize>>,
    /// Any thread sets it to end the call within milliseconds.
    pub stop: Option<Arc<AtomicBool>>,
}

/// The numbers that define a tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenizerInfo {
    /// Ids are 0 ... size - 1.
    pub size: i32,
    /// Beginning of text.
    pub bos: Option<i32>,
    /// End of text.
    pub eos: Option<i32>,
    /// A plain prompt begins with `bos`, says the metadata.
    pub add_bos: bool,
}

/// A token of the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenInfo<'a> {
    /// What it stands for; of a special token, its name.
    pub bytes: &'a [u8],
    /// What it is for.
    pub kind: TokenKind,
    /// It is written only where special tokens are parsed.
    pub is_special: bool,
    /// It ends an answer.
    pub is_stop: bool,
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // they are called what they are
#[non_exhaustive]
pub enum TokenKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

impl Tokenizer {
    /// From a GGUF file, a Hugging Face folder, a tokenizer.json or a tokenizer.model.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = c_path(path.as_ref())?;
        let handle = Handle::create(puna_tokenizer_free, |out| unsafe { puna_tokenizer_open(path.as_ptr(), out) })?;
        Ok(Tokenizer { raw: handle.raw, _owner: Owner::Tokenizer(Arc::new(handle)) })
    }
    pub(crate) fn of_model(model: &Arc<Handle<puna_model>>) -> Result<Self> {
        let mut raw = std::ptr::null();
        check(unsafe { puna_model_get_tokenizer(model.raw, &mut raw) })?;
        Ok(Tokenizer { raw, _owner: Owner::Model(model.clone()) })
    }

    /// The numbers that define it.
    pub fn info(&self) -> Result<TokenizerInfo> {
        let mut i: puna_tokenizer_info = sized();
        check(unsafe { puna_tokenizer_get_info(self.raw, &mut i) })?;
        let id = |id| (id >= 0).then_some(id);
        Ok(TokenizerInfo { size: i.size, bos: id(i.bos), eos: id(i.eos), add_bos: i.add_bos != 0 })
    }

    /// The ids of a text, which need not be UTF-8; all of it is ordinary text.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<i32>> {
        self.encode_with(text, &EncodeOptions::default())
    }

    /// The same with options.
    pub fn encode_with(&self, text: impl AsRef<[u8]>, options: &EncodeOptions) -> Result<Vec<i32>> {
        let content: Vec<_> =
            options.content.iter().map(|r| puna_text_span { begin: r.start as u64, end: r.end as u64 }).collect();
        let mut o: puna_encode_options = sized();
        o.parse_special = options.parse_special.into();
        o.add_bos = options.add_bos.into();
        (o.content, o.content_count) = (pointer(&content), content.len() as u64);
        if let Some(stop) = &options.stop {
            o.watch = Some(stopped);
            o.watch_user = Arc::as_ptr(stop).cast_mut().cast();
        }
        let text = text.as_ref();
        ids_of(|buffer| unsafe { puna_tokenizer_encode(self.raw, pointer(text).cast(), text.len(), &o, buffer) })
    }

    /// The bytes of all tokens joined: a text, or invalid UTF-8 when they end within a character.
    pub fn decode(&self, tokens: &[i32], keep_special: bool) -> Result<Vec<u8>> {
        bytes_of(|buffer| unsafe {
            puna_tokenizer_decode(self.raw, pointer(tokens), tokens.len(), keep_special.into(), buffer)
        })
    }

    /// What is known of a token.
    pub fn token(&self, id: i32) -> Result<TokenInfo<'_>> {
        let mut i: puna_token_info = sized();
        check(unsafe { puna_tokenizer_get_token_info(self.raw, id, &mut i) })?;
        let kind = match i.kind {
            PUNA_TOKEN_UNKNOWN => TokenKind::Unknown,
            PUNA_TOKEN_CONTROL => TokenKind::Control,
            PUNA_TOKEN_USER_DEFINED => TokenKind::UserDefined,
            PUNA_TOKEN_UNUSED => TokenKind::Unused,
            PUNA_TOKEN_BYTE => TokenKind::Byte,
            _ => TokenKind::Normal,
        };
        // Lives as long as the tokenizer.
        let bytes = unsafe { slice(i.bytes.cast(), i.size as usize) };
        Ok(TokenInfo { bytes, kind, is_special: i.is_special != 0, is_stop: i.is_stop != 0 })
    }

    /// The id of a special token or piece.
    pub fn find(&self, piece: impl AsRef<[u8]>) -> Result<Option<i32>> {
        let (piece, mut id) = (piece.as_ref(), -1);
        check(unsafe { puna_tokenizer_find_token(self.raw, pointer(piece).cast(), piece.len(), &mut id) })?;
        Ok((id >= 0).then_some(id))
    }
}
