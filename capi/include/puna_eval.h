/* puna_eval.h -- measuring models: how likely continuations are, tasks of lm-evaluation-harness, paired comparisons. A
 * part of puna.h, whose rules hold here too.
 *
 *     puna_evaluation* run = NULL;
 *     if (!puna_evaluation_create(model, task, strlen(task), items, items_size, NULL, 0, NULL, &run) &&
 *         !puna_evaluation_run(run, keep_answer, file))
 *       puna_evaluation_result(run, json);
 *     puna_evaluation_free(run);
 *
 *   docs/evaluation.md says what the numbers mean. A library that was built without evaluation answers
 *   PUNA_UNSUPPORTED, but for puna_model_score. */
#ifndef PUNA_EVAL_H
#define PUNA_EVAL_H

#include "puna.h"
#include "puna_train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Continuations ----------------------------------------------------------------------------------------------- */

typedef struct puna_score_options {
  uint32_t struct_size;
  int32_t exact; /* as in puna_session_options, with the next two */
  int64_t max_positions;
  int32_t kv_type;
  int32_t unshared;            /* 1 = what requests have in common is computed for each of them; same bits */
  int64_t rows;                /* of a pass, at most 65536; 0 = ours; same bits */
  const puna_adapter* adapter; /* optional */
  /* After each pass that ended a request; nonzero cancels; optional */
  int32_t (*progress)(void* user, uint64_t done, uint64_t total);
  void* progress_user;
} puna_score_options;

/* How likely the last scored[i] of request i's lengths[i] tokens are, given those before them, one at least. `tokens`:
 * those of all requests, one behind the other. What requests begin with alike is computed once, and pieces of many fill
 * each pass: the bits are those of each alone. log_likelihoods[i]: the sum of their log-probabilities by the model
 * itself. greedy[i], optional: 1 = each was the likeliest (the lowest id of several). When it fails, what was computed
 * before is written and the rest is not touched; PUNA_BAD_FILE when a log-probability is no finite number. */
PUNA_API puna_status puna_model_score(const puna_model* model, const int32_t* tokens, const uint64_t* lengths,
                                      const uint64_t* scored, uint64_t count, const puna_score_options* options,
                                      double* log_likelihoods, int32_t* greedy);

/* ---- Tasks ------------------------------------------------------------------------------------------------------- */

/* A task on a model. One thread at a time, but for puna_evaluation_cancel. */
typedef struct puna_evaluation puna_evaluation;

typedef struct puna_evaluation_options {
  uint32_t struct_size;
  int32_t exact; /* as in puna_session_options, with the next two */
  int64_t max_positions;
  int32_t kv_type;
  int32_t unshared; /* as in puna_score_options, with `rows` */
  int64_t rows;
  int64_t limit;               /* the first so many items; 0 = all */
  int32_t num_fewshot;         /* examples before each item; 0 = the task's, -1 = none */
  int32_t chat;                /* 1 = by the model's chat template */
  int32_t multiturn;           /* with chat, 1 = examples are turns of their own */
  int32_t parallel;            /* texts generated at once; 0 = 8 */
  uint64_t seed;               /* of the draw of examples and of sampled texts; 0 = 1234 */
  const char* system;          /* with chat: a system message; optional */
  const char* date;            /* YYYY-MM-DD, for chat templates that ask; optional */
  const char* cluster;         /* a field of the items: those with one value count as one draw; optional */
  const char* name;            /* of the model, for reports; optional */
  const puna_adapter* adapter; /* optional */
} puna_evaluation_options;

typedef struct puna_evaluation_info {
  uint32_t struct_size;
  int32_t reserved;
  int64_t items;
  int64_t requests;
  int64_t answered;     /* of the requests */
  uint64_t fingerprint; /* of all that the answers depend on, but for the model */
} puna_evaluation_info;

/* `task`: one task as JSON, with the keys of lm-evaluation-harness; `items`: what is asked, a JSON object each;
 * `shots`: what examples are drawn from, empty = the items. Filters by regular expressions are PUNA_UNSUPPORTED: the
 * command has them. Everything is rendered and tokenized here: an error names the item and the field. */
PUNA_API puna_status puna_evaluation_create(const puna_model* model, const char* task, size_t task_bytes,
                                            const char* items, size_t items_bytes, const char* shots,
                                            size_t shots_bytes, const puna_evaluation_options* options,
                                            puna_evaluation** evaluation);
PUNA_API void puna_evaluation_free(puna_evaluation* evaluation);
PUNA_API puna_status puna_evaluation_get_info(const puna_evaluation* evaluation, puna_evaluation_info* info);

/* An answer as it comes, one line of JSON without its end. */
typedef int32_t (*puna_answer_fn)(void* user, const char* json, size_t bytes);

/* Computes what is not answered yet. Each answer is told once: what was told counts, however the run ends. After
 * PUNA_CANCELLED, and any failure, the next run goes on. */
PUNA_API puna_status puna_evaluation_run(puna_evaluation* evaluation, puna_answer_fn on_answer, void* user);
/* Ends the run under way within milliseconds, or else the next. Any thread. */
PUNA_API puna_status puna_evaluation_cancel(puna_evaluation* evaluation);
/* An answer of another run: it is not computed again. *taken, optional: 1 = it answers a request that was open. */
PUNA_API puna_status puna_evaluation_restore(puna_evaluation* evaluation, const char* json, size_t bytes,
                                             int32_t* taken);

/* Once all is answered, PUNA_WRONG_STATE before: scores with errors and intervals as JSON; a line an item, as
 * lm-evaluation-harness logs its samples; a page of HTML. */
PUNA_API puna_status puna_evaluation_result(const puna_evaluation* evaluation, puna_buffer* json);
PUNA_API puna_status puna_evaluation_samples(const puna_evaluation* evaluation, puna_buffer* lines);
PUNA_API puna_status puna_evaluation_report(const puna_evaluation* evaluation, puna_buffer* html);

/* ---- Comparisons ------------------------------------------------------------------------------------------------- */

typedef struct puna_compare_options {
  uint32_t struct_size;
  int32_t lower_is_better; /* 1 = the metric is a loss; known ones need not be told */
  const char* metric;      /* optional: the samples' first */
  const char* filter;      /* optional: the only one */
  const char* cluster;     /* optional: a field of the lines or of their "doc" */
  double level;            /* of intervals and the verdict; 0 = 0.95 */
  int64_t draws;           /* of the bootstrap; 0 = 10,000 */
  uint64_t seed;           /* of the bootstrap; 0 = 1234 */
} puna_compare_options;

/* Whether B is better than A, item by item: differences, intervals, tests, a verdict, as JSON. `a`, `b`: samples of
 * puna_evaluation_samples or of lm-evaluation-harness, or lines of answers. Runs that were asked other questions are
 * refused. */
PUNA_API puna_status puna_compare_samples(const char* a, size_t a_bytes, const char* b, size_t b_bytes,
                                          const puna_compare_options* options, puna_buffer* json);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_EVAL_H */
