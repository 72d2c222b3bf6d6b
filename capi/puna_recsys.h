/* puna_recsys.h -- recommenders: what a user takes next, learned from who took what and when. The rules of puna.h hold here too.
 *
 *   puna_recommender_train(NULL, users, items, times, count, NULL, &recommender);        // events -> recommender -> user -> items
 *   puna_recommender_new_user(recommender, &user);
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
/* One user's events and what was computed of them: an event costs two rows of the model, not a whole history. One thread at a time. */
typedef struct puna_user puna_user;

#define PUNA_RECOMMENDER_HSTU 0   /* arXiv:2402.17152 */
#define PUNA_RECOMMENDER_SASREC 1 /* arXiv:1808.09781 */

typedef struct puna_recommender_info {
  uint32_t struct_size;
  int32_t kind;          /* PUNA_RECOMMENDER_... */
  int64_t items;         /* ids are 1 ... items */
  int64_t max_sequence;  /* of a user's events, the latest that count */
  int64_t dim;           /* of a vector */
  int64_t blocks;
} puna_recommender_info;

/* Where training is, after a step. */
typedef struct puna_recommender_report {
  uint32_t struct_size;
  int32_t reserved;
  int64_t step;      /* 1 = the first */
  int64_t steps;     /* in all */
  double loss;       /* mean over events */
  double grad_norm;  /* not finite: the step was left out */
} puna_recommender_report;

typedef struct puna_recommender_options {
  uint32_t struct_size;
  int32_t kind;            /* PUNA_RECOMMENDER_... */
  int64_t items;           /* 0 = the largest id among the events */
  int64_t max_sequence;    /* 0 = 200 */
  int64_t epochs;          /* times through the users; 0 = 101 */
  int64_t users_per_step;  /* 0 = 128 */
  int64_t negatives;       /* items drawn for each event; 0 = 128 */
  double learning_rate;    /* 0 = 1e-3 */
  double dropout;          /* share of values; 0 = 0.2, below 0 = none */
  uint64_t seed;           /* the same seed gives the same recommender, whatever the threads and the CPU */
  /* After each step; nonzero stops and nothing is left behind. */
  int32_t (*progress)(void* user, const puna_recommender_report* report);
  void* progress_user;
} puna_recommender_options;

typedef struct puna_recommend_options {
  uint32_t struct_size;
  int32_t include_seen;      /* 1 = also items among the user's events */
  const uint64_t* allowed;   /* bit id % 64 of word id / 64 allows an item: items / 64 + 1 words; NULL = all */
} puna_recommend_options;

/* Learns from `count` events: users[i] took items[i] at times[i], in any order. PUNA_INVALID_ARGUMENT names an event that is wrong.
 * PUNA_UNSUPPORTED in builds without recommenders. context may be NULL: one of its own. */
PUNA_API puna_status puna_recommender_train(const puna_context* context, const int64_t* users, const int32_t* items, const int64_t* times, uint64_t count,
                                            const puna_recommender_options* options, puna_recommender** recommender);
/* A file that puna_recommender_save or `puna rec train` wrote. */
PUNA_API puna_status puna_recommender_open(const puna_context* context, const char* path, puna_recommender** recommender);
PUNA_API puna_status puna_recommender_save(const puna_recommender* recommender, const char* path); /* replaces the file in one step */
PUNA_API puna_status puna_recommender_get_info(const puna_recommender* recommender, puna_recommender_info* info);
PUNA_API void puna_recommender_free(puna_recommender* recommender);

PUNA_API puna_status puna_recommender_new_user(const puna_recommender* recommender, puna_user** user);
/* What the user did; times never decrease. */
PUNA_API puna_status puna_user_append(puna_user* user, int32_t item, int64_t time);
/* The best items at query_time (the last event's time or later), best first: items[capacity], scores[capacity] (cosines; may be NULL), and how many
 * in *found. PUNA_INVALID_ARGUMENT when the user has no events. */
PUNA_API puna_status puna_user_recommend(puna_user* user, int64_t query_time, const puna_recommend_options* options, int32_t* items, float* scores,
                                         uint64_t capacity, uint64_t* found);
PUNA_API void puna_user_free(puna_user* user);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_RECSYS_H */
