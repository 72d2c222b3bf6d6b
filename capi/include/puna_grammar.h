/* puna_grammar.h -- answers that always parse: a JSON Schema, a regular expression, a GBNF or EBNF text, choices, any
 * JSON. A part of puna.h, which includes it; its rules hold here too.
 *
 *     puna_grammar* grammar = NULL;
 *     schema = "{\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}, \"required\": [\"city\"]}";
 *     if (!puna_grammar_create(schema, strlen(schema), NULL, &grammar)) {
 *       options.grammar = grammar;    of puna_generate_options, for puna_chat_generate and all others
 *       ...
 *     }
 *     puna_grammar_free(grammar);
 *
 *   docs/grammars.md has what is supported. */
#ifndef PUNA_GRAMMAR_H
#define PUNA_GRAMMAR_H

#include "puna.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PUNA_GRAMMAR_JSON_SCHEMA 0 /* 2020-12, or the draft that $schema names, down to 4 */
#define PUNA_GRAMMAR_REGEX 1       /* ECMA-262; the whole answer matches */
#define PUNA_GRAMMAR_GBNF 2        /* llama.cpp's; the rule `root` */
#define PUNA_GRAMMAR_EBNF 3        /* W3C's or ISO 14977's; the first rule */
#define PUNA_GRAMMAR_CHOICES 4     /* a JSON list of strings: one of them */
#define PUNA_GRAMMAR_ANY_JSON 5    /* the text is "" */

typedef struct puna_grammar_options {
  uint32_t struct_size;
  int32_t kind; /* PUNA_GRAMMAR_... */
  /* of JSON: between two lexemes there is nothing, one space, or a line break and at most this many spaces or tabs, at
   * most 1000; 0 = 24; -1 = always nothing, so that the answer is as short as can be */
  int32_t max_whitespace;
  int32_t reserved; /* 0 */
  /* Bounds of what compiling and matching may build; the same text passes or fails alike on every machine. 0 = ours */
  uint64_t max_nodes;           /* of expressions and rules; 0 = 500,000 */
  uint64_t max_states;          /* of automata, a step; 0 = 250,000 */
  uint64_t max_bytes;           /* 0 = 64 MiB */
  int32_t (*watch)(void* user); /* about once a millisecond while it compiles; nonzero cancels; optional */
  void* watch_user;
} puna_grammar_options;

/* puna_grammar is immutable, for any thread, and knows no model. */

typedef struct puna_grammar_info {
  uint32_t struct_size;
  int32_t note_count;
  /* what the text says that constrains nothing: a keyword that is none ("maxLenght"), a format that is not checked. A
   * sentence each, with its JSON pointer; they live as long as the grammar */
  const char* const* notes;
} puna_grammar_info;

/* PUNA_INVALID_ARGUMENT for a text that is malformed or that nothing satisfies, PUNA_UNSUPPORTED for a keyword that
 * exists and is not supported: the message has its JSON pointer, or line and column. An answer is never constrained by
 * less than was asked for. */
PUNA_API puna_status puna_grammar_create(const char* text, size_t bytes, const puna_grammar_options* options,
                                         puna_grammar** grammar);
PUNA_API void puna_grammar_free(puna_grammar* grammar);
PUNA_API puna_status puna_grammar_get_info(const puna_grammar* grammar, puna_grammar_info* info);

/* ---- Matcher: for hosts with a sampler of their own -------------------------------------------------------------- */

/* Follows one answer. One thread at a time. */
typedef struct puna_matcher puna_matcher;

typedef struct puna_matcher_options {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  /* may come where the answer may end; NULL = the model's own */
  const int32_t* stop_tokens;
  uint64_t stop_token_count;
} puna_matcher_options;

typedef struct puna_matcher_info {
  uint32_t struct_size;
  int32_t whole; /* 1 = what came so far is a whole answer */
  int32_t ended; /* 1 = and nothing may follow */
  int32_t reserved;
  uint64_t token_count; /* that may come next */
} puna_matcher_info;

PUNA_API puna_status puna_matcher_create(const puna_grammar* grammar, const puna_model* model,
                                         const puna_matcher_options* options, puna_matcher** matcher);
/* An independent copy. */
PUNA_API puna_status puna_matcher_fork(const puna_matcher* matcher, puna_matcher** fork);
PUNA_API void puna_matcher_free(puna_matcher* matcher);
PUNA_API puna_status puna_matcher_reset(puna_matcher* matcher); /* to the start */
PUNA_API puna_status puna_matcher_get_info(puna_matcher* matcher, puna_matcher_info* info);
/* Bit id % 32 of words[id / 32] is 1 where the token may come next. `capacity`: words; at least (vocab + 31) / 32 of
 * puna_model_info. */
PUNA_API puna_status puna_matcher_mask(puna_matcher* matcher, uint32_t* words, size_t capacity);
/* The token came. PUNA_INVALID_ARGUMENT when it may not: the matcher is as before. */
PUNA_API puna_status puna_matcher_accept(puna_matcher* matcher, int32_t token);
PUNA_API puna_status puna_matcher_accept_text(puna_matcher* matcher, const char* text, size_t bytes);
/* Text that comes next whatever is drawn; "" where there is a choice. */
PUNA_API puna_status puna_matcher_forced_text(puna_matcher* matcher, puna_buffer* text);
/* The shortest text that makes the answer whole; "" when it is. */
PUNA_API puna_status puna_matcher_completion(puna_matcher* matcher, puna_buffer* text);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_GRAMMAR_H */
