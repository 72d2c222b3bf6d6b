/* puna_engine.h -- many answers at once on one model: a game's characters, an app's windows, a server's users. Requests
 * go in, tokens come out by callback or by pulling; each step is one pass over the next rows of all of them. Prompts
 * that begin alike are read once. The rules of puna.h hold here too.
 *
 *     puna_engine* engine = NULL;
 *     puna_request* request = NULL;
 *     puna_engine_create(model, NULL, &engine);
 *     puna_engine_submit(engine, "The innkeeper says:", 19, NULL, &request);
 *     for (each frame) {
 *       puna_engine_step(engine, 2000, NULL);                      2 ms, or puna_engine_start() once instead
 *       while (!puna_request_next(request, 0, &event) && event.kind != PUNA_EVENT_NONE) ...
 *     }
 *
 * An answer's tokens and bits are those of the same request alone in a fresh session, whatever else runs, is cached,
 * waits or is cancelled, with any number of threads.
 *
 * Threads: puna_engine_step is one thread's at a time. Everything else here may be called from any thread at any time,
 * also while a step runs, and from the callbacks; only step, clear_cache, save_cache and restore_cache may not be
 * called from a callback. A request handle is one thread's at a time, but for puna_request_cancel. */
#ifndef PUNA_ENGINE_H
#define PUNA_ENGINE_H

#include "puna.h"
#include "puna_train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct puna_engine puna_engine;
typedef struct puna_request puna_request;

#define PUNA_ENGINE_NO_CACHE UINT64_MAX

typedef struct puna_engine_options {
  uint32_t struct_size;
  /* of every request's session, as in puna_session_options */
  int32_t exact;
  int32_t kv_type;       /* PUNA_KV_* */
  int32_t max_running;   /* answers that are computed at once, at most 4096; 0 = 64 */
  int64_t max_positions; /* 0 = the model's limit */
  int64_t prompt_rows;   /* rows of prompts a pass at most; 0 = 256 */
  int32_t max_queued;    /* requests that wait to be admitted: one more is PUNA_BUSY; 0 = 1024 */
  int32_t reserved;      /* 0 */
  /* of keys and values that are kept for prompts that begin alike, inside the context's memory limit; 0 = a quarter of
   * that limit, or 1 GB without one; PUNA_ENGINE_NO_CACHE = none are kept */
  uint64_t cache_bytes;
  /* what prompts may add to a pass that also decodes, in parts of that pass's time without them: with 1 the gap between
   * two tokens at most doubles while a prompt is read. 0 = 1 */
  double prompt_share;
  const puna_model* draft; /* guesses for requests with generate.draft_tokens > 0: same vocabulary; NULL = none */
} puna_engine_options;

PUNA_API puna_status puna_engine_create(const puna_model* model, const puna_engine_options* options,
                                        puna_engine** engine);
/* Requests that have not ended are cancelled; their handles stay valid until they are freed. Not while a step runs. */
PUNA_API void puna_engine_free(puna_engine* engine);

/* Goes on for about budget_us microseconds; a pass that does not fit is left between two tiles of work and gone on with
 * by the next step. 0 = one whole pass. *more (optional) = 0 when there is nothing to do until something is submitted,
 * read or cancelled. PUNA_WRONG_STATE while another step runs, or the engine's own thread. */
PUNA_API puna_status puna_engine_step(puna_engine* engine, uint64_t budget_us, int32_t* more);
/* Or a thread of the engine's own steps from now on. It sleeps while there is nothing to do. */
PUNA_API puna_status puna_engine_start(puna_engine* engine);
/* Ends that thread within a tile of work; what is unfinished stays as it is, for another start or for steps. */
PUNA_API puna_status puna_engine_stop(puna_engine* engine);

/* ---- events ------------------------------------------------------------------------------------------------------ */

#define PUNA_EVENT_NONE 0         /* there is none now, or the last was handed out before */
#define PUNA_EVENT_TOKEN 1        /* of one of the answers */
#define PUNA_EVENT_ANSWER_ENDED 2 /* puna_request_get_answer has all of it once the request has ended */
#define PUNA_EVENT_ENDED 3        /* the last event of a request, always there */

#define PUNA_OUTCOME_FINISHED 0
#define PUNA_OUTCOME_CANCELLED 1
#define PUNA_OUTCOME_DEADLINE 2 /* it passed before the last token */
#define PUNA_OUTCOME_FAILED 3   /* status and message say why: out of memory, a grammar's limit, ... */

/* Its pointers live until the next call on the request, or during the callback. */
typedef struct puna_event {
  uint32_t struct_size; /* in a callback: of the library's struct */
  int32_t kind;         /* PUNA_EVENT_* */
  int32_t answer;       /* 0 to n - 1 */
  int32_t id;           /* of a token */
  const char* text;     /* complete UTF-8 that this token made final; not NUL-terminated; size may be 0 */
  uint64_t size;
  const puna_token_probability* probabilities; /* the chosen token first; NULL unless asked for */
  uint64_t probability_count;
  int32_t stop_reason; /* of an answer that ended: PUNA_STOP_* */
  int32_t outcome;     /* of a request that ended: PUNA_OUTCOME_* */
  int32_t status;      /* PUNA_OK, or why it failed or was cancelled */
  int32_t reserved;
  const char* message; /* the sentence that goes with status; "" when it finished */
} puna_event;

/* On the stepping thread. Nonzero cancels the request; its last event comes nevertheless. What it uses has to live
 * until PUNA_EVENT_ENDED was handled: puna_request_get_info may tell other threads of the end a moment before. */
typedef int32_t (*puna_event_fn)(void* user, const puna_event* event);

/* ---- requests ---------------------------------------------------------------------------------------------------- */

typedef struct puna_request_options {
  uint32_t struct_size;
  int32_t priority; /* higher ones are admitted first and paused last */
  /* NULL = an answer by greedy choice until the model stops. Copied with all that it points to. Not taken:
   * context_policy, process_logits, draft, keep_shared. draft_tokens asks the engine's draft model. */
  const puna_generate_options* generate;
  /* that hold together, each with its weight (weights NULL = 1 each) */
  const puna_adapter* const* adapters;
  const float* weights;
  uint64_t adapter_count;
  uint64_t deadline_us; /* from submit on; 0 = none */
  const char* key;      /* whom the work is for: keys share the rows of prompts alike; NULL = "" */
  const char* salt;     /* prefixes are shared among requests of the same salt only; NULL = "" */
  int32_t no_cache;     /* 1 = its prefix is neither looked up nor kept */
  int32_t n;            /* answers, each with its own draws: answer i is what seed + i gives alone; 0 = 1 */
  /* > n = so many are computed, and the n with the highest mean log-probability are the answers; there are no token
   * events then */
  int32_t best_of;
  /* 0 = answers are drawn. Otherwise beam search over so many beginnings: the n (at most beams) answers with the best
   * score, best first; there are no token events. Score: the sum of the tokens' log-probabilities (by the sampler's
   * penalties and filters; temperature 0 is 1 here) / count of tokens ^ length_penalty. */
  int32_t beams;
  float length_penalty;   /* 0 = the sum counts, 1 = the mean; above, longer answers are favoured */
  int32_t max_events;     /* that wait to be read before the request, and no other, pauses; 0 = 1024 */
  puna_event_fn on_event; /* NULL = events are pulled with puna_request_next */
  void* user;
  /* Of each token of the prompt but the first: its own log-probability and those of the n - 1 most likely others there,
   * by the model itself: puna_request_get_prompt_probabilities; 0 = none. Not of prompts with images. This, and embed,
   * needs all of the prompt computed: no cached part of it is taken. The bits are those of puna_session_score and
   * puna_session_append. */
  int32_t prompt_log_probabilities;
  int32_t embed;       /* 1 = the prompt's final hidden states, pooled: puna_request_get_embedding */
  int32_t pooling;     /* PUNA_POOLING_* */
  int32_t normalize;   /* 1 = embeddings of length 1 */
  int32_t prompt_only; /* 1 = nothing is generated: one answer without tokens. Takes no n, best_of, beams or drafts */
  int32_t reserved;    /* 0 */
} puna_request_options;

/* Checks everything, and computes nothing but the prompt's tokens. PUNA_CONTEXT_FULL for a prompt that does not fit the
 * context, PUNA_BUSY when as many wait as max_queued says: puna_engine_info.retry_after_us says when to try again. */
PUNA_API puna_status puna_engine_submit(puna_engine* engine, const char* prompt, size_t bytes,
                                        const puna_request_options* options, puna_request** request);
PUNA_API puna_status puna_engine_submit_tokens(puna_engine* engine, const int32_t* prompt, size_t count,
                                               const puna_request_options* options, puna_request** request);
PUNA_API puna_status puna_engine_submit_chat(puna_engine* engine, const puna_chat* chat,
                                             const puna_request_options* options, puna_request** request);
/* Cancels it if it has not ended. */
PUNA_API void puna_request_free(puna_request* request);

/* The next event; set event->struct_size. Waits up to timeout_us for one (0 = does not, UINT64_MAX = as long as it
 * takes), which needs the engine to be stepped meanwhile, by another thread or its own. */
PUNA_API puna_status puna_request_next(puna_request* request, uint64_t timeout_us, puna_event* event);
/* In whatever state it is, it ends with the stepping thread's next look, within a tile of work. Others go on. */
PUNA_API puna_status puna_request_cancel(puna_request* request);

typedef struct puna_request_info {
  uint32_t struct_size;
  int32_t ended;
  int64_t prompt_tokens;
  int64_t cached_tokens; /* of the prompt, that were read before by others */
  int64_t generated_tokens;
  double queued_seconds; /* these from submit on */
  double first_token_seconds;
  double total_seconds;
  int32_t pauses;       /* for memory */
  int32_t answer_count; /* once it has ended */
} puna_request_info;

PUNA_API puna_status puna_request_get_info(const puna_request* request, puna_request_info* info);

/* Once the request has ended, as far as it came; pointers live as long as the request. */
typedef struct puna_answer {
  uint32_t struct_size;
  int32_t stop_reason; /* PUNA_STOP_*; PUNA_STOP_INTERRUPTED when it did not come to its end */
  const int32_t* tokens;
  uint64_t token_count;
  const char* text; /* NUL-terminated */
  uint64_t size;
  double mean_log_probability; /* by the model itself; 0 unless log_probabilities or best_of asked for it */
  int64_t accepted_drafts;
  int64_t rejected_drafts;
  int32_t incomplete; /* as in puna_generate_result */
  int32_t reserved;
} puna_answer;

PUNA_API puna_status puna_request_get_answer(puna_request* request, int32_t index, puna_answer* answer);

/* What prompt_log_probabilities and embed asked for. There once the prompt has been read, which is before the first
 * token's event; PUNA_WRONG_STATE until then. Probabilities of the token at `position`, 1 or more: its own, then the
 * most likely others; they live until the next call on the request. */
PUNA_API puna_status puna_request_get_prompt_probabilities(puna_request* request, int64_t position,
                                                           const puna_token_probability** probabilities, size_t* count);
/* [hidden], or [tokens, hidden] with PUNA_POOLING_NONE; as long as the request lives. `count`, of floats, is optional. */
PUNA_API puna_status puna_request_get_embedding(const puna_request* request, const float** values, size_t* count);

/* ---- the engine itself ------------------------------------------------------------------------------------------- */

typedef struct puna_engine_info {
  uint32_t struct_size;
  int32_t queued; /* now */
  int32_t running;
  int32_t paused;  /* for memory */
  int32_t stalled; /* their readers are behind */
  int32_t reserved;
  uint64_t submitted; /* since the engine was made */
  uint64_t finished;
  uint64_t cancelled;
  uint64_t timed_out;
  uint64_t failed;
  uint64_t refused;
  uint64_t passes;
  uint64_t decode_rows;
  uint64_t prompt_rows;
  uint64_t generated_tokens;
  uint64_t pauses;
  double pass_seconds;
  uint64_t cache_lookups;
  uint64_t cache_hits;
  uint64_t cache_hit_tokens;
  uint64_t cache_evictions;
  uint64_t cache_bytes; /* now */
  uint64_t cache_pages; /* now: nodes of the tree */
  uint64_t retry_after_us;
} puna_engine_info;

PUNA_API puna_status puna_engine_get_info(const puna_engine* engine, puna_engine_info* info);

PUNA_API puna_status puna_engine_clear_cache(puna_engine* engine);
/* The prefixes that were read without adapters, as bytes: a game ships its characters' prompts read already. They
 * belong to one model and mode, and are checked like any file: PUNA_BAD_FILE, or PUNA_INVALID_ARGUMENT for those of
 * another model or mode. What is restored is added to what is there. */
PUNA_API puna_status puna_engine_save_cache(puna_engine* engine, puna_buffer* bytes);
PUNA_API puna_status puna_engine_restore_cache(puna_engine* engine, const void* bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_ENGINE_H */
