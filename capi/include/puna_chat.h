/* puna_chat.h -- chats: from messages to a prompt, by the model's own template. A part of puna.h, which includes it;
 * its rules hold here too.
 *
 * A conversation is its messages. Each turn renders all of them; what the session holds of them already is not computed
 * again:
 *
 *     puna_chat* chat = NULL;
 *     messages = "[{\"role\":\"user\",\"content\":\"Hello!\"}]", later with the answer and the next question behind it
 *     if (!puna_chat_create(model, messages, strlen(messages), NULL, &chat))
 *       puna_chat_generate(chat, session, &options, print_piece, stdout, &result);
 *     puna_chat_free(chat);
 *
 *   examples/02_stream_chat.c is a whole program.
 */
#ifndef PUNA_CHAT_H
#define PUNA_CHAT_H

#include "puna.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct puna_chat_options {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  /* YYYY-MM-DD: today, for templates that ask. Without one such a template is an error: this library reads no clock */
  const char* date;
  int32_t (*watch)(void* user); /* about once a millisecond while it works; nonzero cancels; optional */
  void* watch_user;
  /* which of the model's templates. NULL or "": "tool_use" where the chat has tools and there is one of that name, else
   * "default" */
  const char* template_name;
  /* 1 = special tokens are parsed inside messages, too: only for messages without text from untrusted users */
  int32_t parse_content;
  int32_t reserved2; /* 0 */
} puna_chat_options;

/* A rendered chat: its text, its token ids and what is known of them. Immutable; any thread. */
typedef struct puna_chat puna_chat;

typedef struct puna_chat_info {
  uint32_t struct_size;
  int32_t reserved;
  /* the ids: a prompt for puna_session_generate_tokens and the like; everything here lives as long as the chat */
  const int32_t* tokens;
  uint64_t token_count; /* 0 when the model has no tokenizer */
  /* NUL-terminated: to look at. Encoded with parse_special and without `content`, it makes special tokens of what users
   * wrote */
  const char* text;
  uint64_t size;                 /* of text */
  const puna_text_span* content; /* what the template did not write itself, for puna_encode_options */
  uint64_t content_count;
  /* fields of which nothing reached the text: "messages[0].content", "messages[2].tool_calls", "tools" */
  const char* const* dropped;
  uint64_t dropped_count;
  /* 1 = the text ends with a mark behind which the model thinks ("<think>"): the answer begins with a thought */
  int32_t in_thought;
  int32_t reserved2;
} puna_chat_info;

/* Renders and encodes. `json` is a list of messages, [{"role": "user", "content": "..."}, ...], or what transformers'
 * apply_chat_template passes: {"messages": [...], "add_generation_prompt": true, "tools": [...] or null, ...}. With a
 * list alone the answer's beginning is asked for (add_generation_prompt). The special tokens that the model's files
 * name (bos_token, pad_token, ...) are filled in where the JSON does not give them itself. What the messages, tools and
 * other variables say is text, whatever it looks like: "<|eot|>" typed by a user ends no turn. PUNA_UNSUPPORTED when
 * the model has no such template. */
PUNA_API puna_status puna_chat_create(const puna_model* model, const char* json, size_t bytes,
                                      const puna_chat_options* options, puna_chat** chat);
PUNA_API void puna_chat_free(puna_chat* chat);
PUNA_API puna_status puna_chat_get_info(const puna_chat* chat, puna_chat_info* info);
/* Answers a chat: puna_session_generate_tokens with its tokens and keep_shared, so that earlier turns, when this
 * session answered them, are not computed again. Images of the options are for its <|image|> places, in order. */
PUNA_API puna_status puna_chat_generate(const puna_chat* chat, puna_session* session,
                                        const puna_generate_options* options, puna_token_fn on_token, void* user,
                                        puna_generate_result* result);

typedef struct puna_chat_template_info {
  uint32_t struct_size;
  int32_t reserved;
  const char* name;  /* "default", "tool_use", ...; lives as long as the model, like error */
  const char* error; /* why it cannot be used; "" = it can */
} puna_chat_template_info;

/* The model's templates, 0 .. chat_template_count - 1 (puna_model_info). */
PUNA_API puna_status puna_model_get_chat_template_info(const puna_model* model, int32_t index,
                                                       puna_chat_template_info* info);

/* ---- Tools: what a model may call, and the calls in its answers ------------------------------------------------- */
/*     json = "[{\"type\": \"function\", \"function\": {\"name\": \"get_weather\", ...}}]"
 *     puna_tools_create(model, json, strlen(json), NULL, &tools);
 *     puna_chat_create with "tools": the same list; puna_tool_parser_create(tools, NULL, &parser);
 *     of every token of the answer: puna_tool_parser_push(parser, id, piece, bytes), and at the end
 *     puna_tool_parser_finish(parser); after each: while (!puna_tool_parser_next(parser, &event) && event.kind) ... */

/* A list of tools and the format in which calls of them are written. Immutable; any thread. */
typedef struct puna_tools puna_tools;

typedef struct puna_tools_options {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  /* llama3_json, llama4_json, pythonic, function_tag, hermes, mistral, mistral_args, granite, harmony, gemma, tool_code
   * or phi. NULL or "": the model's, by its chat template, or its special tokens where it has none */
  const char* format;
} puna_tools_options;

typedef struct puna_tools_info {
  uint32_t struct_size;
  int32_t count;
  const char* format; /* NUL-terminated, like json; both live as long as the tools */
  const char* json;   /* the list in OpenAI's form, for "tools" of a chat */
  uint64_t json_size;
} puna_tools_info;

/* `json`: a list of {"type": "function", "function": {"name", "description", "parameters", "strict"}}, or of what
 * stands inside. Names are 1 to 64 letters, digits, _, - and dots. Errors name the tool and the place,
 * "tools: /2/function/name: ...". `model` may be NULL where the options name a format; then nothing knows what special
 * tokens are. */
PUNA_API puna_status puna_tools_create(const puna_model* model, const char* json, size_t bytes,
                                       const puna_tools_options* options, puna_tools** tools);
PUNA_API void puna_tools_free(puna_tools* tools);
PUNA_API puna_status puna_tools_get_info(const puna_tools* tools, puna_tools_info* info);
/* The text of calls, [{"name": "f", "arguments": {...}}, ...], as a model of this format writes them: for training
 * data. A parser reads it back. */
PUNA_API puna_status puna_tools_write(const puna_tools* tools, const char* calls, size_t bytes, puna_buffer* text);

typedef struct puna_tools_grammar_options {
  uint32_t struct_size;
  int32_t one_call; /* 1 = at most one call an answer, which OpenAI calls parallel_tool_calls: false */
  /* OpenAI's: "auto", "required", "none", or {"type": "function", "function": {"name": "f"}}; any other word is a
   * tool's name. NULL or "" = "auto" */
  const char* tool_choice;
  const struct puna_grammar_options* json; /* of the arguments: white space, bounds, watch; kind is 0; NULL = ours */
} puna_tools_grammar_options;

/* What an answer may be that may, or must, call these tools: for `grammar` of puna_generate_options. Calls are of the
 * format and their arguments keep to the tool's parameters; a parser of the same tools reads them.
 *
 *   "auto"       text, in which nothing is read as a call that was not checked, and calls
 *   "required"   one call or more, and nothing else
 *   a name       the same, of this tool
 *   "none"       *grammar is NULL: nothing is constrained, and nothing is to be parsed
 *
 * Where parameters list properties and say nothing of others, there are no others. Types such as "dict" and "float",
 * which lists of tools have from other languages, are read as JSON Schema's; puna_grammar_get_info has a note of each.
 * Errors name the tool and the place: "tools: tool 'f': parameters: JSON Schema, at /properties/x/pattern: ...". */
PUNA_API puna_status puna_tools_create_grammar(const puna_tools* tools, const puna_tools_grammar_options* options,
                                               puna_grammar** grammar);

/* Reads one answer. One thread at a time. */
typedef struct puna_tool_parser puna_tool_parser;

typedef struct puna_tool_parser_options {
  uint32_t struct_size;
  /* 1 = a call is told as soon as its name is known, and its arguments as they come. When it then goes wrong, it has
   * been told all the same and ends incomplete. 0 = it is told when it is whole, and a broken one is text */
  int32_t early;
  uint64_t most_held; /* bytes; a longer call is text; 0 = 1 MiB */
  /* 1 = what the model thinks before it answers (<think>...</think>, [THINK]...[/THINK], Gemma 4's channel "thought",
   * gpt-oss's "analysis") comes as PUNA_TOOL_THOUGHT, without its marks; 2 = likewise, and the answer begins within one
   * (in_thought of puna_chat_info). 0 = it is text, marks and all; gpt-oss's headers are never text */
  int32_t thoughts;
  int32_t reserved; /* 0 */
} puna_tool_parser_options;

#define PUNA_TOOL_NONE 0       /* nothing more for now */
#define PUNA_TOOL_TEXT 1       /* text: said by the model */
#define PUNA_TOOL_CALL_BEGIN 2 /* text: the tool's name */
#define PUNA_TOOL_ARGUMENTS 3  /* text: more of the arguments, which joined are a JSON object */
#define PUNA_TOOL_CALL_END 4
#define PUNA_TOOL_THOUGHT 5 /* text: what the model thinks, which APIs call reasoning_content */

typedef struct puna_tool_event {
  uint32_t struct_size;
  int32_t kind;
  int32_t call;     /* the number of the call in the answer, from 0 */
  int32_t complete; /* of CALL_END: 0 = the answer ended or went wrong within the arguments */
  const char* text; /* NUL-terminated; lives until the parser is given more, or freed */
  uint64_t size;    /* of text */
  uint64_t begin;   /* TEXT, THOUGHT and CALL_END: it is the bytes [begin, end) of what was pushed */
  uint64_t end;
} puna_tool_event;

/* What a model wrote is never an error: what is no call of one of the tools is text, byte for byte. It is held back
 * only while it can still become a call. The events are the same however an answer is cut into pieces. */
PUNA_API puna_status puna_tool_parser_create(const puna_tools* tools, const puna_tool_parser_options* options,
                                             puna_tool_parser** parser);
/* The next piece, as puna_token_fn is given it: `token` tells special tokens, of which the text has nothing, and which
 * may begin or end a call; -1 = a text alone. */
PUNA_API puna_status puna_tool_parser_push(puna_tool_parser* parser, int32_t token, const char* text, size_t bytes);
PUNA_API puna_status puna_tool_parser_finish(puna_tool_parser* parser); /* the answer is over; the next may begin */
PUNA_API puna_status puna_tool_parser_next(puna_tool_parser* parser, puna_tool_event* event);
PUNA_API void puna_tool_parser_free(puna_tool_parser* parser);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_CHAT_H */
