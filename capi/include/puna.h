/* puna.h -- Puna from C: the one promised interface, and its manual. Compiles as C99 and as C++.
 *
 *   puna_generate_options options = {.struct_size = sizeof options, .max_tokens = 64};
 *   puna_model* model = NULL;                                   // a GGUF file or a Hugging Face folder
 *   puna_session* session = NULL;                               // one conversation
 *   if (puna_model_open(NULL, path, NULL, &model) || puna_session_create(model, NULL, &session) ||
 *       puna_session_generate(session, "Once upon a time", 16, &options, print_piece, stdout, NULL))
 *     fprintf(stderr, "%s\n", puna_last_error());
 *   puna_session_free(session);
 *   puna_model_free(model);
 *
 * Rules that hold for every function, so that the comments below need not repeat them:
 *  Status     Functions return a puna_status. Anything but PUNA_OK left a sentence in puna_last_error(), left the
 *             outputs as they were (unless said otherwise), and left the receiver usable. Nothing here aborts, exits or
 *             prints.
 *  NULL       A NULL receiver, input or output is PUNA_INVALID_ARGUMENT. Exceptions: options may be NULL (all
 *             defaults), data may be NULL when its length is 0, free functions ignore NULL, and what a comment calls
 *             optional.
 *  Options    Set struct_size = sizeof(the struct) and zero the rest: zero is the default of every field. A program
 *             built with a longer (newer) struct than this library knows gets PUNA_UNSUPPORTED if the unknown part is
 *             not zero.
 *  Infos      Structs the library fills also start with struct_size, set by you: it fills what fits and zeroes what it
 *             does not know.
 *  Text       UTF-8, paths too. Inputs are pointer and length, or NUL-terminated where no length is asked.
 *  Arrays     An array of yours that is filled comes with its capacity, in elements. Too small: PUNA_INVALID_ARGUMENT,
 *             which says both sizes, and nothing is computed or written. Sizes known only afterwards: the output is
 *             a puna_buffer.
 *  Ownership  Handles are yours until you free them. They keep what they were made from alive: free in any order.
 *             Pointers returned into a handle live as long as a comment says; never free them.
 *  Threads    Contexts, models, tokenizers and samplers may be used by any number of threads at once; a session by one
 *             at a time, together with its generation, except puna_session_cancel. Nothing depends on the locale or on
 *             the caller's floating-point mode.
 *  Callbacks  Get the `user` pointer given beside them and run on the calling thread unless a comment says otherwise. A
 *             nonzero return stops the call, which reports PUNA_CANCELLED. They must not leave by longjmp and must not
 *             call into the session that is calling them, except puna_session_cancel. A C++ exception out of one is
 *             caught: the call reports PUNA_INTERNAL with its text; out of alloc, PUNA_OUT_OF_MEMORY; out of a gemm
 *             provider, its product is made without it; out of the others that return nothing, the work goes on.
 *  fork()     In the child, handles made before the fork report PUNA_WRONG_STATE; freeing them does nothing. Tokenizers
 *             and samplers hold no threads and go on working.
 *  Since      Everything is of version 0.1 unless a comment says otherwise. Names, numbers and layouts never change
 *             meaning within 0.x; new fields go to the end of structs, new functions beside the old ones.
 */
#ifndef PUNA_H
#define PUNA_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && !defined(PUNA_STATIC)
#ifdef PUNA_BUILDING
#define PUNA_API __declspec(dllexport)
#else
#define PUNA_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define PUNA_API __attribute__((visibility("default")))
#else
#define PUNA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ------------------------------------------------------------------------------------------------------ */

typedef int32_t puna_status;
#define PUNA_OK 0
#define PUNA_INVALID_ARGUMENT 1 /* this call does not take what was passed */
#define PUNA_OUT_OF_MEMORY 2    /* an allocation failed, or the context's memory_limit would be passed */
#define PUNA_IO 3               /* the system or a read_at callback could not deliver the bytes */
#define PUNA_BAD_FILE 4         /* the bytes are there and are wrong: malformed, truncated, inconsistent */
#define PUNA_UNSUPPORTED 5      /* well formed, but not something this build or this CPU does */
#define PUNA_CANCELLED 6        /* a callback or puna_session_cancel asked to stop; the handle stays usable */
#define PUNA_CONTEXT_FULL 7     /* the session's max_positions is reached */
#define PUNA_WRONG_STATE 8      /* the call does not fit the handle's state (no logits yet, used after fork, ...) */
#define PUNA_INTERNAL 9         /* a broken promise of ours; please report it */
#define PUNA_BUSY 10            /* an engine's queue is full: try again later (puna_engine.h) */

/* "out of memory", ...; never NULL, also for numbers this version does not know. Static. */
PUNA_API const char* puna_status_name(puna_status status);
/* The message of the last failed call on this thread: one sentence, never NULL, at most 511 bytes. "" before the first
 * failure; a successful call leaves it alone. Valid until the next failure on this thread. */
PUNA_API const char* puna_last_error(void);

/* ---- Version ----------------------------------------------------------------------------------------------------- */

#define PUNA_VERSION_MAJOR 0
#define PUNA_VERSION_MINOR 1
#define PUNA_VERSION_PATCH 0
/* Of the library that is running: major << 16 | minor << 8 | patch. */
PUNA_API uint32_t puna_version(void);
/* "0.1.0". Static. */
PUNA_API const char* puna_version_string(void);

/* ---- Buffer: a text or ids that a call computed, as long as they turn out ---------------------------------------- */

/* Filled by calls that take a puna_buffer*, anew each time; its memory is kept for the next. One thread at a time. A
 * call that fails leaves it as it was. */
typedef struct puna_buffer puna_buffer;

PUNA_API puna_status puna_buffer_create(puna_buffer** buffer);
/* What the last call stored: const char* (a NUL stands behind the text) or const int32_t* (ids), by what the call says.
 * Valid until the buffer is filled again or freed; never NULL, but for a NULL buffer. */
PUNA_API const void* puna_buffer_data(const puna_buffer* buffer);
/* How many: bytes of a text, without the NUL, or ids. 0 for a new buffer and for NULL. */
PUNA_API size_t puna_buffer_size(const puna_buffer* buffer);
PUNA_API void puna_buffer_free(puna_buffer* buffer);

/* ---- Context: threads, instruction set, memory, log -------------------------------------------------------------- */

typedef struct puna_context puna_context;

/* How far sessions may leave the promise of equal bits for a provider's speed, in default mode and with float weights.
 * Exact mode never does, but for pictures, which are encoded once for all sessions. */
#define PUNA_PROVIDERS_NEVER 0
#define PUNA_PROVIDERS_F32 1  /* products of f32 values in any order */
#define PUNA_PROVIDERS_BF16 2 /* and of values rounded to bfloat16, where the provider takes those */

typedef struct puna_context_options {
  uint32_t struct_size;
  /* 0 = one a CPU given to this process, at most 4096; counts the calling thread. They sleep when idle */
  int32_t threads;
  /* NULL = the best this CPU has; else "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "neon". PUNA_UNSUPPORTED
   * when this CPU lacks it. Every level gives the same bits */
  const char* isa;
  uint64_t memory_limit; /* bytes of tensors, KV and scratch; 0 = none. Mapped files do not count */
  /* The host's allocator, both or neither, thread-safe. alloc returns NULL when it cannot. Must outlive every handle
   * made with this context. */
  void* (*alloc)(void* user, size_t bytes, size_t alignment);
  void (*dealloc)(void* user, void* memory, size_t bytes);
  void* alloc_user;
  /* One line without newline; from any thread. Level: 1 error, 2 warning, 3 info, 4 debug. NULL = silence. */
  void (*log)(void* user, int32_t level, const char* message);
  void* log_user;
  /* The host's threads instead of ours: must call task(task_data, i) once for every 0 <= i < n, on any threads, and
   * return when all have returned. executor_threads says how many may run at once (at most 4096). */
  void (*parallel_for)(void* user, int64_t n, void (*task)(void* task_data, int64_t i), void* task_data);
  void* executor_user;
  /* Called once on each thread of our pool as it starts: for its name, affinity, priority. Index 1, 2, ... */
  void (*thread_start)(void* user, int32_t thread_index);
  void* thread_user;
  int32_t executor_threads;
  int32_t reserved; /* 0 */
  /* Copied; what it points to must outlive every handle made with this context. NULL = none. Fine-tuning uses it unless
   * an option forbids it; sessions in default mode and the vision encoder as allow_providers says. Where it is used is
   * measured, once a size. */
  const struct puna_gemm_provider* gemm_provider;
  int32_t allow_providers; /* PUNA_PROVIDERS_... */
  int32_t reserved2;       /* 0 */
} puna_context_options;

typedef struct puna_context_info {
  uint32_t struct_size;
  int32_t threads;      /* that may compute at once, the caller included */
  const char* isa;      /* the level in use. Static */
  uint64_t memory_used; /* bytes allocated now, as counted against memory_limit */
  uint64_t memory_peak;
  uint64_t memory_limit; /* 0 = none */
} puna_context_info;

PUNA_API puna_status puna_context_create(const puna_context_options* options, puna_context** context);
PUNA_API puna_status puna_context_get_info(const puna_context* context, puna_context_info* info);
PUNA_API void puna_context_free(puna_context* context);

/* ---- Model: immutable, shared by sessions and threads ------------------------------------------------------------ */

typedef struct puna_model puna_model;
typedef struct puna_image puna_image; /* a picture made ready for one model: puna_vision.h */

typedef struct puna_model_options {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  /* Bytes done and bytes in total while loading; nonzero cancels and nothing is left behind. Asked again every few
   * milliseconds with the numbers of before, wherever the load is: at first, while the header is read, 0 of 1. */
  int32_t (*progress)(void* user, uint64_t done, uint64_t total);
  void* progress_user;
  /* Where the packed form of the weights is kept (UTF-8; NULL = nowhere; puna_model_open only): mapped when the file is
   * there and belongs to the model's files as they are now, made first otherwise, in one step: never half a file. The
   * next start then takes milliseconds, and a model can be larger than memory: the system may take its pages back and
   * reads them again. The file may be replaced or deleted while the model is open, but not written to or cut short. A
   * file of another kind at this path is PUNA_BAD_FILE and left alone. */
  const char* packed_path;
  int32_t verify_packed; /* 1 = read all of the packed file and compare hashes; 0 = its structure only */
  int32_t reserved2;     /* 0 */
  /* an "mmproj" GGUF with the vision encoder of a text model's GGUF (UTF-8); NULL = none */
  const char* projector_path;
  /* for encoded images, found again by content; 0 = 256 MB, at most an eighth of the memory_limit; 1 = none */
  uint64_t image_cache_bytes;
  int32_t no_vision; /* 1 = leave the model's vision encoder out */
  int32_t reserved3; /* 0 */
} puna_model_options;

/* Where a file's bytes come from when they are in no file of their own: pak files, archives, object stores. */
typedef struct puna_reader {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  uint64_t size;    /* bytes in total */
  /* Copies [offset, offset + bytes), always within size, to destination. Returns 0 when all of them were delivered;
   * anything else fails the open with PUNA_IO. Called during the open only. */
  int32_t (*read_at)(void* user, uint64_t offset, uint64_t bytes, void* destination);
  void* user;
  const char* name; /* for error messages; optional */
} puna_reader;

/* Opens a GGUF file (the other parts of a split one are found beside it) or a Hugging Face folder. Transactional: a
 * complete model, or a status and nothing left behind. context is optional: NULL = one with default options that lives
 * as long as the model. */
PUNA_API puna_status puna_model_open(const puna_context* context, const char* path, const puna_model_options* options,
                                     puna_model** model);
/* A complete GGUF in memory. Borrowed: the bytes must stay as they are until the model and all its sessions are freed.
 */
PUNA_API puna_status puna_model_open_memory(const puna_context* context, const void* data, size_t bytes,
                                            const puna_model_options* options, puna_model** model);
/* A complete GGUF through a callback. */
PUNA_API puna_status puna_model_open_reader(const puna_context* context, const puna_reader* reader,
                                            const puna_model_options* options, puna_model** model);
PUNA_API void puna_model_free(puna_model* model);

typedef struct puna_model_info {
  uint32_t struct_size;
  int32_t layers;
  const char* architecture; /* "llama", "llama4". Lives as long as the model */
  uint64_t parameters;      /* weights, counted one each whatever their format */
  uint64_t file_bytes;
  int64_t max_positions;   /* tokens a session can hold at most */
  int64_t attention_chunk; /* positions local layers see together; 0 = every layer sees everything */
  int32_t vocabulary;      /* token ids are 0 .. vocabulary - 1; logits have this length */
  int32_t hidden;          /* width of the residual stream */
  int32_t heads;           /* query heads a layer */
  int32_t kv_heads;
  int32_t head_dim;
  int32_t experts;           /* routed experts a mixture layer; 0 = a dense model */
  int32_t experts_used;      /* of them, by each token */
  int32_t has_tokenizer;     /* 1 = texts can be read and written */
  int32_t has_chat_template; /* 1 = there is one for chats without tools, and it can be used */
  int32_t metadata_count;    /* entries for puna_model_get_metadata_key */
  int32_t tensor_count;      /* entries for puna_model_get_tensor_info */
  int32_t reserved;
  double load_seconds;         /* what the open took */
  int32_t image_tile;          /* pixels a side of the tiles its vision encoder reads; 0 = the model does not see */
  int32_t image_tile_rows;     /* positions that one tile takes */
  int32_t chat_template_count; /* entries for puna_model_get_chat_template_info, with those that cannot be used */
  int32_t reserved2;
} puna_model_info;

PUNA_API puna_status puna_model_get_info(const puna_model* model, puna_model_info* info);
/* The key of metadata entry `index` (sorted by key), NUL-terminated, living as long as the model. GGUF keys keep their
 * names; a Hugging Face config.json is flattened with dots: "text_config.rope_parameters.factor". */
PUNA_API puna_status puna_model_get_metadata_key(const puna_model* model, int32_t index, const char** key);
/* The value of a key as a JSON text: 32, 0.5, "text", true, null, [1,2]. Bytes that are not UTF-8 become U+FFFD.
 * PUNA_INVALID_ARGUMENT when there is no such key. */
PUNA_API puna_status puna_model_get_metadata(const puna_model* model, const char* key, puna_buffer* json);
/* The unused keys and tensors of the model's files, as a JSON text: {"tensors":[{"name":"extra.scale","note":"F32
 * [4]"}],"keys":[...]}. It changes no number: a tensor or key that would has refused the model. A key's note, ""
 * mostly, names the known key that it resembles. */
PUNA_API puna_status puna_model_get_unused(const puna_model* model, puna_buffer* json);

/* A tensor of the file, in the file's order. */
typedef struct puna_tensor_info {
  uint32_t struct_size;
  int32_t rank;      /* 0 to 4 */
  const char* name;  /* "blk.0.attn_q.weight"; lives as long as the model, like dtype */
  const char* dtype; /* "F32", "F16", "BF16", "Q4_0", "Q4_K", ... */
  int64_t dims[4];   /* outermost first; 1 from rank on */
  uint64_t bytes;    /* in the file */
} puna_tensor_info;

PUNA_API puna_status puna_model_get_tensor_info(const puna_model* model, int32_t index, puna_tensor_info* info);

/* ---- Plan: how much memory, before any of it is taken ------------------------------------------------------------ */

typedef struct puna_plan_options {
  uint32_t struct_size;
  int32_t sessions;        /* that will be open at once; 0 = 1 */
  int64_t positions;       /* tokens each of them will hold; 0 = the model's limit, which may be a lot */
  int64_t prefill_chunk;   /* as in puna_session_options */
  int32_t exact;           /* as in puna_session_options */
  int32_t kv_type;         /* as in puna_session_options */
  const char* packed_path; /* as in puna_model_options, and so the next two; not for puna_session_plan */
  const char* projector_path;
  int32_t no_vision;
  int32_t reserved2; /* 0 */
} puna_plan_options;

/* Bytes. All but mapped_bytes go through the context's allocator and count against its memory_limit. What is then
 * allocated is never more, and within 1 % of it when every session takes in `positions` tokens at the same time.
 * Scoring, embedding, logits of every token and images take buffers of their own; where the limit leaves room, an
 * append also keeps what it drops (an attention chunk's end, DROP_OLDEST) until it has succeeded. */
typedef struct puna_plan {
  uint32_t struct_size;
  int32_t sessions;
  int64_t positions;
  /* the model's files, and the packed one: read-only, the system drops and shares them as it likes */
  uint64_t mapped_bytes;
  uint64_t weight_bytes;    /* held by the model */
  uint64_t load_peak_bytes; /* the most while it is opened, weights included */
  uint64_t kv_bytes;        /* keys and values of all sessions */
  uint64_t scratch_bytes;   /* of all sessions */
  uint64_t logits_bytes;    /* of all sessions */
  uint64_t total_bytes;     /* the most at once: the least memory_limit that will do */
} puna_plan;

/* What opening this path, and sessions on it, will take. Reads the file's header and checks it as an open would; reads
 * no matrix. */
PUNA_API puna_status puna_model_plan(const char* path, const puna_plan_options* options, puna_plan* plan);
/* The same for puna_model_open_memory and puna_model_open_reader. Of the reader only the header and small pieces are
 * read. */
PUNA_API puna_status puna_model_plan_memory(const void* data, size_t bytes, const puna_plan_options* options,
                                            puna_plan* plan);
PUNA_API puna_status puna_model_plan_reader(const puna_reader* reader, const puna_plan_options* options,
                                            puna_plan* plan);
/* What sessions will add to a model that is open: the first three sizes are 0. */
PUNA_API puna_status puna_session_plan(const puna_model* model, const puna_plan_options* options, puna_plan* plan);

/* ---- Text: a tokenizer, of a model or by itself ------------------------------------------------------------------ */

typedef struct puna_tokenizer puna_tokenizer;

typedef struct puna_text_span {
  uint64_t begin, end; /* bytes [begin, end) of a text */
} puna_text_span;

typedef struct puna_encode_options {
  uint32_t struct_size;
  int32_t parse_special; /* 1 = text such as "<|eot|>" becomes the special token; 0 = it is ordinary text */
  /* 1 = put the beginning-of-text token first, if the model's metadata asks for one and it is not there */
  int32_t add_bos;
  int32_t reserved; /* 0 */
  /* With parse_special, parts of the text that are ordinary text all the same, in order and apart: what users wrote
   * (puna_chat_info). A special token is parsed only where none of its bytes is in them. Optional. */
  const puna_text_span* content;
  uint64_t content_count;
  int32_t (*watch)(void* user); /* about once a millisecond in a long text; nonzero cancels; optional */
  void* watch_user;
} puna_encode_options;

#define PUNA_TOKEN_NORMAL 0
#define PUNA_TOKEN_UNKNOWN 1
#define PUNA_TOKEN_CONTROL 2
#define PUNA_TOKEN_USER_DEFINED 3
#define PUNA_TOKEN_UNUSED 4
#define PUNA_TOKEN_BYTE 5

typedef struct puna_token_info {
  uint32_t struct_size;
  int32_t kind; /* PUNA_TOKEN_* */
  /* what the token stands for (a special token: its name); not NUL-terminated; lives as long as the tokenizer */
  const char* bytes;
  uint64_t size; /* of bytes */
  int32_t is_special;
  int32_t is_stop; /* 1 = ends an answer */
} puna_token_info;

typedef struct puna_tokenizer_info {
  uint32_t struct_size;
  int32_t size;     /* ids are 0 .. size - 1 */
  int32_t bos, eos; /* beginning and end of text; -1 = there is none */
  int32_t add_bos;  /* 1 = a plain prompt begins with bos, says the metadata */
  int32_t reserved;
} puna_tokenizer_info;

/* The model's own, which lives as long as the model: it is not freed. PUNA_UNSUPPORTED when the model's files bring
 * none. */
PUNA_API puna_status puna_model_get_tokenizer(const puna_model* model, const puna_tokenizer** tokenizer);
/* Without any weights: from a GGUF file, a Hugging Face folder, a tokenizer.json or a tokenizer.model (Llama 3 and 4).
 */
PUNA_API puna_status puna_tokenizer_open(const char* path, puna_tokenizer** tokenizer);
PUNA_API void puna_tokenizer_free(puna_tokenizer* tokenizer);
PUNA_API puna_status puna_tokenizer_get_info(const puna_tokenizer* tokenizer, puna_tokenizer_info* info);
/* The ids of a text. Any bytes are taken; nothing is lost where the vocabulary has the bytes. */
PUNA_API puna_status puna_tokenizer_encode(const puna_tokenizer* tokenizer, const char* text, size_t bytes,
                                           const puna_encode_options* options, puna_buffer* tokens);
/* The bytes of all tokens joined: a text, or invalid UTF-8 when tokens end within a character. Special tokens are left
 * out unless keep_special is 1. */
PUNA_API puna_status puna_tokenizer_decode(const puna_tokenizer* tokenizer, const int32_t* tokens, size_t count,
                                           int32_t keep_special, puna_buffer* text);
PUNA_API puna_status puna_tokenizer_get_token_info(const puna_tokenizer* tokenizer, int32_t token,
                                                   puna_token_info* info);
/* The id of a special token or piece, -1 when there is none. */
PUNA_API puna_status puna_tokenizer_find_token(const puna_tokenizer* tokenizer, const char* piece, size_t bytes,
                                               int32_t* token);

/* ---- Session: one conversation, one thread at a time ------------------------------------------------------------- */

/* A session holds tokens. One that a generation drew is held at once and is "pending" until it is computed, which the
 * next append or answer does first.
 *
 * What may be called when. A session is idle, or an append is under way in it: begun by puna_session_begin..., or by a
 * puna_generation_step that paused. Whatever computes with the session, changes or copies it is PUNA_WRONG_STATE unless
 * it is idle; reading (puna_session_get_...) shows it as before the append. An append is over when what began it has
 * been stepped to its end; it is dropped, and the session as before, by puna_session_truncate (to its own length, too),
 * a step that fails or is cancelled, and the free of its session, its generation or a session of its batch; by nothing
 * else. A session has one generation at a time: until that has ended or is freed, another, or puna_session_generate, is
 * PUNA_WRONG_STATE. Between a generation's steps, when it is idle, the session may be used like any other; if that
 * changed it (append, truncate to fewer tokens, an adapter), the generation's steps are PUNA_WRONG_STATE from then on,
 * and another may begin. From callbacks of a call that is running the session can be cancelled and read, nothing
 * else. */
typedef struct puna_session puna_session;

#define PUNA_KV_DEFAULT 0 /* 16-bit floats */
#define PUNA_KV_F16 1
/* 8 bits and a scale for every 32 numbers: 0.53 of the memory. PUNA_UNSUPPORTED unless 32 divides head_dim */
#define PUNA_KV_Q8_0 2

typedef struct puna_session_options {
  uint32_t struct_size;
  int32_t exact;         /* 1 = float32 activations and KV against dequantised weights: the reference, slower */
  int64_t max_positions; /* 0 = the model's limit */
  int64_t prefill_chunk; /* most tokens computed together, at most 65536; 0 = ours. Does not change the bits */
  /* PUNA_KV_*: how keys and values are kept. An exact session keeps float32 and takes PUNA_KV_DEFAULT only */
  int32_t kv_type;
  int32_t reserved; /* 0 */
} puna_session_options;

typedef struct puna_session_info {
  uint32_t struct_size;
  int32_t vocabulary;
  int64_t length; /* tokens held, a pending one too */
  int64_t max_positions;
  uint64_t kv_bytes; /* memory of keys and values now */
  int32_t under_way; /* 1 = an append was begun and is not finished */
  int32_t pending;   /* 1 = the last token was generated and is not computed yet: the next append does it */
} puna_session_info;

/* What a session has computed since it was made. Tokens of calls that succeeded; wall-clock seconds of all of them. */
typedef struct puna_session_timings {
  uint32_t struct_size;
  int32_t reserved;
  int64_t prompt_tokens;  /* appended several at once */
  int64_t decoded_tokens; /* appended one at a time */
  double prompt_seconds;
  double decode_seconds;
} puna_session_timings;

PUNA_API puna_status puna_session_create(const puna_model* model, const puna_session_options* options,
                                         puna_session** session);
PUNA_API void puna_session_free(puna_session* session);
PUNA_API puna_status puna_session_get_info(const puna_session* session, puna_session_info* info);
PUNA_API puna_status puna_session_get_timings(const puna_session* session, puna_session_timings* timings);
/* The tokens held, in the session's own memory: valid until the next call that changes it. */
PUNA_API puna_status puna_session_get_tokens(const puna_session* session, const int32_t** tokens, size_t* count);
/* The logits [vocabulary] that predict the next token, valid until the next call that changes it. PUNA_WRONG_STATE when
 * nothing was appended since the session was created or truncated to fewer tokens, and while the last token is pending.
 * `count` is optional. */
PUNA_API puna_status puna_session_get_logits(const puna_session* session, const float** logits, size_t* count);

#define PUNA_POOLING_MEAN 0 /* over the tokens */
#define PUNA_POOLING_LAST 1 /* the last token's, which has seen all others */
#define PUNA_POOLING_NONE 2 /* one vector a token: [appended, hidden], row-major */

typedef struct puna_append_options {
  uint32_t struct_size;
  /* 1 = the tokens are all that the session shall hold: what it shares with them stays, the rest is replaced. At least
   * the last token is computed again, so that there are logits. What is replaced stays until the append has succeeded,
   * unless memory does not suffice for both: then a failure leaves what is shared */
  int32_t keep_shared;
  /* for the <|image|> ids, in order: each becomes that image's tokens (puna_image_get_tokens); or, where there are
   * <|patch|> ids already, for these */
  const puna_image* const* images;
  uint64_t image_count;
  /* What to store besides, when the append has succeeded; it must stay until then. NULL = nothing. Capacities count
   * floats. */
  float* logits; /* behind every token that is appended: [appended, vocabulary], row-major */
  uint64_t logits_capacity;
  float* embeddings; /* the final hidden states (after the last norm), pooled: [hidden] */
  uint64_t embeddings_capacity;
  int32_t pooling;   /* PUNA_POOLING_* */
  int32_t normalize; /* 1 = embeddings of length 1 */
} puna_append_options;

typedef struct puna_append_result {
  uint32_t struct_size;
  int32_t reserved;
  int64_t kept;     /* positions held before that stay */
  int64_t appended; /* positions that the tokens took, or, with keep_shared, the part of them behind `kept` */
} puna_append_result;

/* Computes tokens and adds them. All or nothing: a failed or cancelled call leaves the session exactly as it was. A
 * pending token is computed on the way, and `count` may be 0 when there is one. Without options the ids are taken as
 * they are. `result` is optional. */
PUNA_API puna_status puna_session_append(puna_session* session, const int32_t* tokens, size_t count,
                                         const puna_append_options* options, puna_append_result* result);
/* What that append would keep and add; nothing is computed, and whether the session takes it (room, ids, an append
 * under way) the append says. */
PUNA_API puna_status puna_session_plan_append(const puna_session* session, const int32_t* tokens, size_t count,
                                              const puna_append_options* options, puna_append_result* result);
/* One pass over several different sessions of one model and mode: counts[i] tokens at tokens[i] are appended to
 * sessions[i]. Faster than one by one, same bits. */
PUNA_API puna_status puna_session_append_batch(puna_session* const* sessions, const int32_t* const* tokens,
                                               const size_t* counts, size_t session_count);

/* The same append in slices of time, for hosts with a frame budget: begin checks the tokens and remembers them, each
 * step computes and returns when budget_us microseconds are over (0 = no limit) or everything is appended (*finished =
 * 1). Time is looked at between tiles of work, which take some tens of microseconds each; a step always gets at least
 * one tile done. The bits are those of one append. A generation's append is stepped by puna_generation_step alone. */
PUNA_API puna_status puna_session_begin(puna_session* session, const int32_t* tokens, size_t count,
                                        const puna_append_options* options);
PUNA_API puna_status puna_session_step(puna_session* session, uint64_t budget_us, int32_t* finished);
/* The same for several different sessions of one model and mode, as in append_batch: from now on a step of any of them
 * computes for all, and they are finished, cancelled or dropped together. Freeing one drops it too. Until then all of
 * them belong to one thread at a time. */
PUNA_API puna_status puna_session_begin_batch(puna_session* const* sessions, const int32_t* const* tokens,
                                              const size_t* counts, size_t session_count);

/* Keeps the first `length` tokens and drops the rest, exactly as if they had never been there; drops an append under
 * way and withdraws a cancel that has ended no call yet. */
PUNA_API puna_status puna_session_truncate(puna_session* session, int64_t length);
/* An independent copy; shares memory with the original until either goes on. */
PUNA_API puna_status puna_session_fork(const puna_session* session, puna_session** copy);
/* The session as bytes: tokens, keys and values, logits, options. The same session gives the same bytes; they take
 * about what kv_bytes says. *size is always stored; `data` NULL asks for it alone, which costs nothing.
 * PUNA_UNSUPPORTED, also when only the size is asked, for a session with an adapter. */
PUNA_API puna_status puna_session_snapshot(const puna_session* session, void* data, size_t capacity, size_t* size);
/* A session that goes on exactly where the snapshot was taken, on any machine. PUNA_BAD_FILE when the bytes are
 * damaged, PUNA_INVALID_ARGUMENT when they belong to another model (configuration and weights count, not the path),
 * PUNA_UNSUPPORTED when a newer library wrote them. */
PUNA_API puna_status puna_session_restore(const puna_model* model, const void* data, size_t bytes,
                                          puna_session** session);
/* Asks the call that computes on this session to end with PUNA_CANCELLED; when none does, the next one that computes: a
 * stop button takes effect before, within and between steps; it ends one call. One that comes too late
 * for an answer that ends is withdrawn with it. Any thread, any time before the free. */
PUNA_API puna_status puna_session_cancel(puna_session* session);
/* Withdraws a cancel that ended no call yet: for the start of a turn, before other threads know of it, so that a late
 * stop is not taken for a new one. */
PUNA_API puna_status puna_session_clear_cancel(puna_session* session);
/* Appends `count` >= 2 tokens to an empty session and stores the count - 1 negative log-likelihoods (natural log) of
 * token i + 1 given tokens 0 .. i. `capacity` counts floats. A call that fails leaves the session empty. */
PUNA_API puna_status puna_session_score(puna_session* session, const int32_t* tokens, size_t count, float* nll,
                                        size_t capacity);

/* ---- Sampler: from logits to a token ----------------------------------------------------------------------------- */

/* Filters in the order in which transformers applies them. Zero switches each off; all zero is greedy. Where the
 * neutral value is 1 (top_p, typical_p, repetition_penalty), 0 means 1. */
typedef struct puna_sampler_options {
  uint32_t struct_size;
  float temperature;          /* 0 = greedy: the largest logit, lowest id on a tie */
  float top_p;                /* (0, 1] */
  float min_p;                /* [0, 1): keeps p >= min_p * the largest p */
  float typical_p;            /* (0, 1]: locally typical sampling */
  float epsilon;              /* [0, 1): keeps p >= epsilon */
  float eta;                  /* [0, 1): entropy-dependent cut-off */
  float repetition_penalty;   /* > 0: logits of seen tokens are divided (if positive) or multiplied by it */
  float presence_penalty;     /* subtracted once from every seen token */
  float frequency_penalty;    /* subtracted once an occurrence */
  int32_t top_k;              /* keeps every logit >= the k-th largest */
  int32_t penalty_window;     /* last tokens that count as seen; 0 = all */
  int32_t no_repeat_ngram;    /* no n-gram of this size twice */
  int32_t reserved;           /* 0 */
  uint64_t seed;              /* the same seed, model and input draw the same tokens on every machine */
  const int32_t* bias_tokens; /* bias_values[i] is added to the logit of bias_tokens[i]; -infinity forbids it. Copied */
  const float* bias_values;
  uint64_t bias_count;
} puna_sampler_options;

typedef struct puna_sampler puna_sampler;

/* PUNA_INVALID_ARGUMENT names the option that is out of range. */
PUNA_API puna_status puna_sampler_create(const puna_sampler_options* options, puna_sampler** sampler);
PUNA_API void puna_sampler_free(puna_sampler* sampler);
/* Draws a token. `history` = all tokens so far, prompt included. The draw depends on (seed, draw_index, logits,
 * history) alone: count draw_index up from 0. `log_probability` (after all filters) is optional. */
PUNA_API puna_status puna_sampler_sample(const puna_sampler* sampler, const float* logits, size_t vocabulary,
                                         const int32_t* history, size_t history_count, uint64_t draw_index,
                                         int32_t* token, float* log_probability);
/* The log-probability of every token after all filters, -infinity where one was removed. `out` may be `logits`. */
PUNA_API puna_status puna_sampler_distribution(const puna_sampler* sampler, const float* logits, size_t vocabulary,
                                               const int32_t* history, size_t history_count, float* out);

/* ---- Generation: sample, stream, stop ---------------------------------------------------------------------------- */

typedef struct puna_token_probability {
  int32_t token;
  float log_probability; /* natural log */
} puna_token_probability;

/* What on_token receives; valid during the callback only. */
typedef struct puna_generated_token {
  uint32_t struct_size; /* in a callback: of the library's struct */
  int32_t id;
  const char* text; /* complete UTF-8 that this token made final; not NUL-terminated; size may be 0 */
  uint64_t size;
  /* the chosen token, then the most likely others; NULL unless asked for */
  const puna_token_probability* probabilities;
  uint64_t probability_count;
} puna_generated_token;

typedef int32_t (*puna_token_fn)(void* user, const puna_generated_token* token);

#define PUNA_CONTEXT_ERROR 0       /* a full session ends the answer; a prompt that does not fit is PUNA_CONTEXT_FULL */
#define PUNA_CONTEXT_DROP_OLDEST 1 /* keep the first keep_prefix tokens, drop the oldest others until half is free */

typedef struct puna_grammar puna_grammar; /* what an answer may be: puna_grammar.h */

typedef struct puna_generate_options {
  uint32_t struct_size;
  int32_t ignore_eos;                  /* 1 = do not stop at the model's own stop tokens */
  int64_t max_tokens;                  /* 0 = until something else stops it */
  const puna_sampler_options* sampler; /* NULL = greedy */
  const int32_t* stop_tokens;          /* besides the model's own */
  uint64_t stop_token_count;
  const char* const* stop_strings; /* the answer ends before the first of them; no part of one is ever streamed */
  uint64_t stop_string_count;
  int32_t keep_special;  /* 1 = special tokens appear in the text */
  int32_t parse_special; /* 1 = special tokens in a text prompt are parsed. Chats: puna_chat.h */
  /* n, at most the vocabulary = report the chosen token's and the n - 1 most likely others', by the model itself:
   * before penalties, temperature and filters; 0 = none */
  int32_t log_probabilities;
  int32_t context_policy; /* PUNA_CONTEXT_* */
  int64_t keep_prefix;    /* tokens PUNA_CONTEXT_DROP_OLDEST never drops: the system prompt */
  /* May edit the logits in place after the penalties, before the temperature; history = prompt and answer so far. */
  int32_t (*process_logits)(void* user, float* logits, uint64_t vocabulary, const int32_t* history,
                            uint64_t history_count);
  void* process_user;
  /* for the prompt's <|image|> places, in order (parse_special = 1), or for ids that are expanded already */
  const puna_image* const* images;
  uint64_t image_count;
  /* 1 = the prompt is all that the session shall hold before the answer, as in puna_append_options: a conversation's
   * next turn */
  int32_t keep_shared;
  /* 1 = where max_tokens, or the context, would cut an answer in the middle of what its grammar asks for, the last
   * tokens write the shortest end that it has. What cannot be ended from the start stays incomplete */
  int32_t close_answer;
  /* Speculation: next tokens are guessed and computed in one pass with the last one drawn. The answer is the same,
   * token for token and bit for bit, whatever is guessed; guessing that does not pay is left off by itself.
   *
   * `draft`: a session of a smaller model with the same vocabulary, which guesses; NULL = none. It is the answer's
   * alone until that has ended or is freed; it follows the conversation by itself and keeps what it computed of it. */
  puna_session* draft;
  int32_t draft_tokens;  /* most that it guesses at once, at most 64; 0 = ours */
  int32_t lookup_tokens; /* most guessed at once from what stood in prompt or answer before, at most 64; 0 = none */
  /* What the answer may be (puna_grammar.h); NULL = anything. Only tokens that keep it possible are drawn, after
   * process_logits; what it leaves no choice about is guessed, as above. Not together with ignore_eos. */
  const puna_grammar* grammar;
} puna_generate_options;

#define PUNA_STOP_MAX_TOKENS 0
#define PUNA_STOP_TOKEN 1
#define PUNA_STOP_STRING 2
#define PUNA_STOP_CONTEXT_FULL 3
#define PUNA_STOP_CALLBACK 4
/* puna_session_generate reported another failure: a cancel, process_logits, an exception of the host's, ... */
#define PUNA_STOP_INTERRUPTED 5
#define PUNA_STOP_GRAMMAR 6 /* the answer is whole by its grammar, and nothing may follow */

typedef struct puna_generate_result {
  uint32_t struct_size;
  int32_t stop_reason;      /* PUNA_STOP_* */
  int64_t prompt_tokens;    /* appended by this call; 0 while they are not */
  int64_t generated_tokens; /* the one that stopped the answer included */
  double prompt_seconds;
  double generate_seconds;
  int64_t accepted_drafts; /* tokens that were guessed right and needed no pass of their own */
  int64_t rejected_drafts; /* guesses that were computed in vain */
  int32_t incomplete;      /* 1 = the answer ended in the middle of what its grammar asks for (max_tokens, ...) */
  int32_t reserved;
} puna_generate_result;

/* Appends a text prompt and generates an answer; each token goes to on_token (optional). The prompt may be empty when
 * the session has logits or a pending token. An empty session gets the beginning-of-text token first if the model's
 * metadata asks for it. When on_token returns nonzero the call reports PUNA_CANCELLED. The session ends holding the
 * prompt and every generated token; the last of them is pending: the next append or answer computes it first. (One that
 * is drawn when the session is full is handed out and not held.) That holds, and result (optional) is filled, when a
 * cancel or a failure ends the answer, too; a prompt that could not be appended is not there (prompt_tokens 0). A seed
 * draws by position, so a forked session repeats the draws of its original. */
PUNA_API puna_status puna_session_generate(puna_session* session, const char* prompt, size_t bytes,
                                           const puna_generate_options* options, puna_token_fn on_token, void* user,
                                           puna_generate_result* result);
/* The same with a prompt of token ids, taken literally. */
PUNA_API puna_status puna_session_generate_tokens(puna_session* session, const int32_t* prompt, size_t count,
                                                  const puna_generate_options* options, puna_token_fn on_token,
                                                  void* user, puna_generate_result* result);

/* An answer that you pull: token by token, or in slices of time. Same options, same tokens and bits as the functions
 * above. The generation keeps the session alive; use the two from one thread at a time, by the rules above
 * puna_session. Freed early, it drops its own append, and the session holds what was generated. */
typedef struct puna_generation puna_generation;

#define PUNA_GENERATION_PAUSED 0 /* the budget is used up: call again */
#define PUNA_GENERATION_TOKEN 1  /* *token is filled; its pointers live until the next call on this generation */
#define PUNA_GENERATION_ENDED 2  /* the last token was handed out before */

/* Checks and remembers; computes nothing. What options point to is copied, but for process_user. */
PUNA_API puna_status puna_generation_create(puna_session* session, const char* prompt, size_t bytes,
                                            const puna_generate_options* options, puna_generation** generation);
PUNA_API puna_status puna_generation_create_tokens(puna_session* session, const int32_t* prompt, size_t count,
                                                   const puna_generate_options* options, puna_generation** generation);
PUNA_API void puna_generation_free(puna_generation* generation);
/* Goes on for about budget_us microseconds (0 = no limit) or until there is a token. Set token->struct_size; `token` is
 * optional. Drawing a token is not interrupted: 10 us for greedy, up to a few ms with filters and 200,000 tokens of
 * vocabulary. A call that fails or is cancelled may be repeated: the append that it dropped is begun again. */
PUNA_API puna_status puna_generation_step(puna_generation* generation, uint64_t budget_us, puna_generated_token* token,
                                          int32_t* state);
/* Of the answer so far; stop_reason means something once it has ended. */
PUNA_API puna_status puna_generation_get_result(const puna_generation* generation, puna_generate_result* result);

/* ---- Chats: from messages to a prompt, by the model's own template: puna_chat.h, which stands here --------------- */
/* ---- Grammars: answers that always parse: puna_grammar.h --------------------------------------------------------- */

#include "puna_chat.h"
#include "puna_grammar.h"

#ifdef __cplusplus
}
#endif

#endif /* PUNA_H */
