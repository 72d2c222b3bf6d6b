/* puna_recsys.h -- recommenders: what a user takes next, learned from who took what and when. The rules of puna.h hold
 * here too.
 *
 *   // events -> recommender -> user -> items
 *   puna_recommender_train(NULL, users, items, times, count, NULL, &recommender);
 *   puna_user_create(recommender, &user);
 *   puna_user_append(user, item, time);
 *   puna_user_recommend(user, now, NULL, best, scores, 10, &found);
 *
 * Everything stays on the device. Items are numbered 1, 2, ...; times are seconds of any epoch.
 */
#ifndef PUNA_RECSYS_H
#define PUNA_RECSYS_H

#include "puna.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A sequence model and its items. Immutable; any number of users and threads may use one. */
typedef struct puna_recommender puna_recommender;
/* One user's events and what was computed of them: an event costs two rows of the model, not a whole history. One
 * thread at a time. */
typedef struct puna_user puna_user;

#define PUNA_RECOMMENDER_HSTU 0   /* arXiv:2402.17152 */
#define PUNA_RECOMMENDER_SASREC 1 /* arXiv:1808.09781 */

typedef struct puna_recommender_info {
  uint32_t struct_size;
  int32_t kind;         /* PUNA_RECOMMENDER_... */
  int64_t items;        /* ids are 1 ... items */
  int64_t max_sequence; /* of a user's events, the latest that count */
  int64_t dim;          /* of a vector */
  int64_t blocks;
} puna_recommender_info;

/* Where training is, after a step. */
typedef struct puna_recommender_report {
  uint32_t struct_size;
  int32_t reserved;
  int64_t step;     /* steps done, this one too */
  int64_t steps;    /* in all */
  double loss;      /* mean over events */
  double grad_norm; /* not finite: the step was left out */
} puna_recommender_report;

typedef struct puna_recommender_options {
  uint32_t struct_size;
  int32_t kind;           /* PUNA_RECOMMENDER_... */
  int64_t items;          /* 0 = the largest id among the events */
  int64_t max_sequence;   /* 0 = 200 */
  int64_t epochs;         /* times through the users; 0 = 101 */
  int64_t users_per_step; /* 0 = 128 */
  int64_t negatives;      /* items drawn for each event; 0 = 128 */
  double learning_rate;   /* 0 = 1e-3 */
  double dropout;         /* share of values that a step leaves out; 0 = none; 0.2 is usual */
  uint64_t seed;          /* the same seed gives the same recommender, whatever the threads and the CPU */
  /* After each step; nonzero stops and nothing is left behind. */
  int32_t (*progress)(void* user, const puna_recommender_report* report);
  void* progress_user;
  /* [items]: what items 1, 2, ... are called, different UTF-8 texts of 1 to 256 bytes; the file keeps them. `items` has
   * to be given. NULL = they have no names. */
  const char* const* item_names;
} puna_recommender_options;

typedef struct puna_recommend_options {
  uint32_t struct_size;
  int32_t include_seen;    /* 1 = also items among the user's events */
  const uint64_t* allowed; /* bit id % 64 of word id / 64 allows an item: items / 64 + 1 words; NULL = all */
} puna_recommend_options;

/* Learns from `count` events: users[i] took items[i] at times[i], in any order. PUNA_INVALID_ARGUMENT names an event
 * that is wrong. PUNA_UNSUPPORTED in builds without recommenders. context may be NULL: one of its own. */
PUNA_API puna_status puna_recommender_train(const puna_context* context, const int64_t* users, const int32_t* items,
                                            const int64_t* times, size_t count, const puna_recommender_options* options,
                                            puna_recommender** recommender);
/* A file that puna_recommender_save or `puna rec train` wrote. */
PUNA_API puna_status puna_recommender_open(const puna_context* context, const char* path,
                                           puna_recommender** recommender);
/* replaces the file in one step */
PUNA_API puna_status puna_recommender_save(const puna_recommender* recommender, const char* path);
PUNA_API puna_status puna_recommender_get_info(const puna_recommender* recommender, puna_recommender_info* info);
/* The name of an item: `size` bytes, not NUL-terminated, which live as long as the recommender. PUNA_INVALID_ARGUMENT
 * when the items have no names. */
PUNA_API puna_status puna_recommender_get_item_name(const puna_recommender* recommender, int32_t item,
                                                    const char** name, size_t* size);
/* The item of a name. PUNA_INVALID_ARGUMENT, with the nearest name in its message, when there is none. Another
 * catalogue has other numbers: look its items up by their names. */
PUNA_API puna_status puna_recommender_find_item(const puna_recommender* recommender, const char* name, int32_t* item);
PUNA_API void puna_recommender_free(puna_recommender* recommender);

PUNA_API puna_status puna_user_create(const puna_recommender* recommender, puna_user** user);
/* What the user did; times never decrease. */
PUNA_API puna_status puna_user_append(puna_user* user, int32_t item, int64_t time);
/* The best items at query_time (the last event's time or later), best first: items[capacity], scores[capacity]
 * (cosines; may be NULL), and how many in *found. PUNA_INVALID_ARGUMENT when the user has no events. */
PUNA_API puna_status puna_user_recommend(puna_user* user, int64_t query_time, const puna_recommend_options* options,
                                         int32_t* items, float* scores, size_t capacity, size_t* found);
PUNA_API void puna_user_free(puna_user* user);

/* ---- rankers: the probable outcomes of showing an item to a user on a surface ----
 *
 *   puna_ranker_create(NULL, config, NULL, &ranker);                  // config: JSON, see below
 *   puna_ranker_learn(ranker, &examples, &outcomes, NULL, NULL);      // a batch, or one event as it happens
 *   puna_ranker_copy(ranker, PUNA_RANKER_TABLE_I8, &serving);         // goes on serving while `ranker` learns
 *   puna_ranker_score(serving, &examples, probabilities, capacity);   // [count][tasks]
 */

/* One model for all surfaces and tasks. Scored by any number of threads while it is not trained; learning, restoring
 * and calibrating are for one thread, without scoring meanwhile. */
typedef struct puna_ranker puna_ranker;

#define PUNA_RANKER_TABLE_F32 0
#define PUNA_RANKER_TABLE_F16 1
#define PUNA_RANKER_TABLE_I8 2 /* embeddings as 8-bit codes with a scale a row, first-order weights in f16 */

#define PUNA_RANKER_ADAMW 0
#define PUNA_RANKER_ADAGRAD 1

#define PUNA_CALIBRATE_NONE 0
#define PUNA_CALIBRATE_PLATT 1
#define PUNA_CALIBRATE_ISOTONIC 2

/* How it learns. The same options, examples and batches give the same bits, whatever the threads and the CPU. */
typedef struct puna_ranker_options {
  uint32_t struct_size;
  int32_t optimizer;    /* PUNA_RANKER_ADAMW or _ADAGRAD, of all weights but the tables' */
  double learning_rate; /* its; 0 = 1e-3 */
  double weight_decay;  /* its */
  double table_rate;    /* of the tables' row-wise Adagrad; 0 = 0.05 */
  double table_decay;   /* pulls the rows that a batch names to zero */
  double dropout;       /* share of hidden values that a step leaves out; 0 = none */
  uint64_t seed;        /* of new weights and of dropout */
} puna_ranker_options;

typedef struct puna_ranker_info {
  uint32_t struct_size;
  int32_t table; /* PUNA_RANKER_TABLE_... */
  int64_t surfaces;
  int64_t tasks;
  int64_t features; /* categorical */
  int64_t numbers;
  int64_t table_rows;
  int64_t table_bytes;
  int64_t steps; /* that it has learned since it was made, opened or restored to */
} puna_ranker_info;

/* What was or would be shown, `count` times. Categorical feature f of example i has the ids [starts[i * features + f],
 * starts[i * features + f + 1]): none, one or several. */
typedef struct puna_examples {
  uint32_t struct_size;
  int32_t reserved;
  uint64_t count;
  const int32_t* surfaces; /* [count] */
  const int64_t* starts;   /* [count * features + 1], ascending from 0 */
  const int64_t* ids;      /* [id_count] */
  uint64_t id_count;
  const float* numbers; /* [count][numbers]; NULL when the ranker has none */
} puna_examples;

/* What came of them: 0 or 1, or a fraction. */
typedef struct puna_outcomes {
  uint32_t struct_size;
  int32_t reserved;
  const float* values;   /* [count][tasks] */
  const uint32_t* known; /* [count], bit t: task t was observed; NULL = all were */
  const float* weights;  /* [count]; NULL = all 1 */
} puna_outcomes;

typedef struct puna_ranker_report {
  uint32_t struct_size;
  int32_t reserved;
  int64_t step;
  double loss;      /* sum over tasks, each with its weight; mean over examples */
  double grad_norm; /* not finite: the step was left out */
} puna_ranker_report;

/* Random weights. options may be NULL, as may context. PUNA_INVALID_ARGUMENT names what is wrong with the
 * configuration, a JSON object:
 *   "surfaces"      texts: where things are shown; at least one
 *   "tasks"         1 to 32 of {"name": ..., "kind": "binary" (did it happen) or "fraction" (how much of it), "weight":
 *                   of its loss, 1, "kept_negatives": the share of negatives that training is shown, 1}
 *   "features"      {"name": ..., "rows": of its table, "hashed": true = any id, else ids are 0 ... rows - 1, "divide":
 *                   above 0, names are numbers and whole parts of number / divide share an id}
 *   "numbers"       texts, or {"name": ..., "mean": 0, "scale": 1}: the network is given (number - mean) / scale
 *   "interaction"   "linear", "fm", "concat", "cross" (DCN-V2; the default) or "dot" (DLRM)
 *   "dim": 16, "cross_layers": 3, "experts": 1 (above 1: MMoE), "hidden": [128, 64],
 *   "tower": [] (each task's own layers)
 *
 *   {"surfaces": ["reels"], "tasks": [{"name": "like"}], "numbers": ["hour"],
 *    "features": [{"name": "user", "rows": 1000000, "hashed": true}]} */
PUNA_API puna_status puna_ranker_create(const puna_context* context, const char* config,
                                        const puna_ranker_options* options, puna_ranker** ranker);
/* A file that puna_ranker_save or `puna rec rank` wrote; `options` are for learning on. */
PUNA_API puna_status puna_ranker_open(const puna_context* context, const char* path, const puna_ranker_options* options,
                                      puna_ranker** ranker);
PUNA_API puna_status puna_ranker_save(const puna_ranker* ranker, const char* path); /* replaces the file in one step */
/* As it is now, independent of `ranker`. A smaller table serves only: it cannot learn, nor become larger again. */
PUNA_API puna_status puna_ranker_copy(const puna_ranker* ranker, int32_t table, puna_ranker** copy);
PUNA_API puna_status puna_ranker_get_info(const puna_ranker* ranker, puna_ranker_info* info);
/* The configuration as a JSON text. */
PUNA_API puna_status puna_ranker_get_config(const puna_ranker* ranker, puna_buffer* json);
/* probabilities[count * tasks]; capacity says how many values there is room for. */
PUNA_API puna_status puna_ranker_score(const puna_ranker* ranker, const puna_examples* examples, float* probabilities,
                                       size_t capacity);
/* One step. predicted [count][tasks] is what it predicted before it learned, not calibrated; capacity says how many
 * values there is room for. report and predicted may be NULL. */
PUNA_API puna_status puna_ranker_learn(puna_ranker* ranker, const puna_examples* examples,
                                       const puna_outcomes* outcomes, puna_ranker_report* report, float* predicted,
                                       size_t capacity);
/* Everything that the next step depends on, to and from a file; it must be of the same configuration and options. */
PUNA_API puna_status puna_ranker_save_state(puna_ranker* ranker, const char* path);
PUNA_API puna_status puna_ranker_restore_state(puna_ranker* ranker, const char* path);
/* Learns the last step of scoring from `count` scores of examples it has not learned, and what came of them, of one
 * surface and task. */
PUNA_API puna_status puna_ranker_calibrate(puna_ranker* ranker, size_t surface, size_t task, int32_t kind,
                                           const float* probabilities, const float* outcomes, size_t count);
/* The id of a name of feature `feature` (its place in the configuration): one that `puna rec rank` or
 * puna_ranker_set_names gave; where the configuration says "divide", the number as text, whose whole part of number /
 * divide has the id; of a hashed feature any name has one. *id is -1 for an unknown name: leave it out of the
 * example, then the feature is missing. PUNA_INVALID_ARGUMENT when the feature has no names. */
PUNA_API puna_status puna_ranker_find_id(const puna_ranker* ranker, size_t feature, const char* name, int64_t* id);
/* names[i] is what id i is called, different UTF-8 texts of 1 to 256 bytes, at most as many as the feature has rows;
 * kept by copies and in the file. Before anybody else uses the ranker. PUNA_INVALID_ARGUMENT for a hashed feature. */
PUNA_API puna_status puna_ranker_set_names(puna_ranker* ranker, size_t feature, const char* const* names, size_t count);
PUNA_API void puna_ranker_free(puna_ranker* ranker);

/* ---- pipelines: one request, start to end ----
 *
 *   retrieve    a few hundred candidates: a user's sequence recommender, items of the host's own, or both
 *   rank        the probable outcomes of showing each: the ranker, given the features of the request and those of the
 *               item in the catalogue
 *   value       one number from that: sum over tasks of weight[surface][task] * p[task] ^ exponent[task]
 *   diversify   nothing twice, caps for a category, unlike its neighbours; one place for exploring
 *
 *   puna_pipeline_create(serving, &catalogue, NULL, &pipeline);
 *   puna_pipeline_recommend(pipeline, &request, &answer);  // answer.items[0 ... answer.found - 1], seconds a stage
 *   puna_pipeline_use(pipeline, newer);                    // requests that begin from now on are ranked by this one
 */

/* Immutable but for its ranker. Any number of threads may ask, each with a user of its own, while another exchanges the
 * ranker. */
typedef struct puna_pipeline puna_pipeline;

/* What is known of items 0 ... items->count - 1 (those of recommenders begin at 1: item 0 is unused). It is copied. */
typedef struct puna_catalogue {
  uint32_t struct_size;
  int32_t reserved;
  /* example i: the features of item i, on every surface (its surfaces are not looked at and may be NULL)
   */
  const puna_examples* items;
  /* [items->count]: items of one group are the same thing and are shown once; NULL = each is its own */
  const int64_t* groups;
  const int32_t* categories; /* [items->count]; NULL = none */
  const float* vectors;      /* [items->count][dim], of unit length: what is alike; NULL = nothing is */
  uint64_t dim;
} puna_catalogue;

typedef struct puna_pipeline_options {
  uint32_t struct_size;
  int32_t reserved;
  int64_t candidates;   /* ranked at most; 0 = 200 */
  int64_t count;        /* of a list; 0 = 10 */
  int64_t per_category; /* of a list, at most; 0 = any number */
  /* 0 = by value alone ... 1 = by being unlike what is above alone (maximal marginal relevance) */
  double diversity;
  double explore;                /* how often one place shows something drawn by chance: 0 = never ... 1 */
  int64_t explore_place;         /* which, from 0 */
  int64_t explore_pool;          /* candidates by value that may be drawn; 0 = 50 */
  uint64_t seed;                 /* the same seed and request number draw the same */
  const double* value_weights;   /* [surfaces][tasks]; NULL = all 1 */
  const double* value_exponents; /* [tasks], above 0; NULL = all 1 */
} puna_pipeline_options;

/* Candidates are `candidates` first, then what `user` would take next; those that are named twice or excluded count
 * once or not at all. */
typedef struct puna_pipeline_request {
  uint32_t struct_size;
  int32_t surface;
  uint64_t number; /* unique: what exploring draws from */
  /* one example: what is known of the request (who asks, when); each candidate gets its ids before the item's, and its
   * numbers added to the item's. Surfaces are not looked at. NULL = nothing is known */
  const puna_examples* about;
  puna_user* user;           /* NULL = candidates are the host's alone */
  int64_t query_time;        /* of the user, as in puna_user_recommend */
  const uint64_t* allowed;   /* of what the user's recommender finds, as in puna_recommend_options */
  const int64_t* candidates; /* [candidate_count], best first */
  const float* scores;       /* [candidate_count], kept for the answer; NULL = all 0 */
  uint64_t candidate_count;
  const int64_t* exclude; /* [exclude_count]: not to be shown */
  uint64_t exclude_count;
  int32_t include_seen; /* 1 = the user's recommender may find what is among the user's events */
  int32_t reserved;
} puna_pipeline_request;

/* You set struct_size, the arrays (all but items may be NULL) and their capacity; a call fills the rest. The list is in
 * the order to be shown. */
typedef struct puna_pipeline_answer {
  uint32_t struct_size;
  int32_t reserved;
  /* lists of this length fit into each array (probabilities: times tasks); at least options.count */
  uint64_t capacity;
  int64_t* items; /* [found] */
  double* values; /* [found] */
  /* [found]: the chance that this request shows this here; below 1 at the place that explores. 1 / it weighs what came
   * of it (puna_outcomes.weights) */
  double* propensities;
  float* scores;        /* [found], of retrieval */
  float* probabilities; /* [found][tasks] */
  uint64_t found;
  int64_t explored;   /* the place, from 0, that chance filled; -1 = none */
  int64_t candidates; /* that were ranked */
  double retrieve_seconds;
  double rank_seconds;
  double value_seconds;
  double diversify_seconds;
} puna_pipeline_answer;

/* The ranker is used as it is: serve a copy of one that learns. options may be NULL. */
PUNA_API puna_status puna_pipeline_create(const puna_ranker* ranker, const puna_catalogue* catalogue,
                                          const puna_pipeline_options* options, puna_pipeline** pipeline);
/* Exchanges the ranker for one of the same configuration; requests under way end with the one they began with. From any
 * thread. */
PUNA_API puna_status puna_pipeline_use(puna_pipeline* pipeline, const puna_ranker* ranker);
/* PUNA_INVALID_ARGUMENT names the surface, the feature or the item that is wrong; then the answer is as it was. */
PUNA_API puna_status puna_pipeline_recommend(const puna_pipeline* pipeline, const puna_pipeline_request* request,
                                             puna_pipeline_answer* answer);
PUNA_API void puna_pipeline_free(puna_pipeline* pipeline);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_RECSYS_H */
