/* puna_label.h -- what people's labels say: how far they agree, which labels are true when they do not, and which texts
 * say the same. A part of puna.h, whose rules hold here too. docs/evaluation.md has the definitions and a command for
 * each.
 *
 *     puna_answers* answers = NULL;
 *     puna_inference* truth = NULL;
 *     const char* label = NULL;
 *     double sure = 0;
 *     puna_answers_create(&answers);
 *     puna_answers_add(answers, "review-1", "ann", "good");     for every answer
 *     if (!puna_answers_infer(answers, NULL, &truth)) puna_inference_get_label(truth, 0, &label, &sure);
 *     puna_inference_free(truth);
 *     puna_answers_free(answers);
 *
 * Labels on the disk (puna label, puna label serve) need SQLite, which this library never links. */
#ifndef PUNA_LABEL_H
#define PUNA_LABEL_H

#include "puna.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

/* Who answered what. Items and workers are numbered in the order they come, labels in the order of their names. One
 * thread at a time. */
typedef struct puna_answers puna_answers;

typedef struct puna_answers_info {
  uint32_t struct_size;
  int32_t reserved;
  int64_t items, workers, labels;
  int64_t answers;
  int64_t repeated; /* of a worker to an item that it had answered before: all count */
  int64_t gold, truth;
} puna_answers_info;

#define PUNA_NAME_ITEM 0
#define PUNA_NAME_WORKER 1
#define PUNA_NAME_LABEL 2

PUNA_API puna_status puna_answers_create(puna_answers** answers);
PUNA_API void puna_answers_free(puna_answers* answers);
/* Names are UTF-8 and not empty. */
PUNA_API puna_status puna_answers_add(puna_answers* answers, const char* item, const char* worker, const char* label);
/* Certain: inference takes it so, and learns from it who is good. PUNA_INVALID_ARGUMENT when the item has another one;
 * the answers are as before. */
PUNA_API puna_status puna_answers_set_gold(puna_answers* answers, const char* item, const char* label);
/* What accuracies are measured against; nothing else looks at it. */
PUNA_API puna_status puna_answers_set_truth(puna_answers* answers, const char* item, const char* label);
PUNA_API puna_status puna_answers_get_info(puna_answers* answers, puna_answers_info* info);
/* The name of a number; it lives until the answers change. */
PUNA_API puna_status puna_answers_get_name(puna_answers* answers, int32_t kind, int64_t number, const char** name);

/* ---- Agreement --------------------------------------------------------------------------------------------------- */

#define PUNA_MEASURE_NOMINAL 0
#define PUNA_MEASURE_ORDINAL 1 /* numbers where all labels are, else in the order of their names */
#define PUNA_MEASURE_INTERVAL 2
#define PUNA_MEASURE_RATIO 3

typedef struct puna_alpha {
  uint32_t struct_size;
  int32_t reserved;
  double alpha;   /* Krippendorff's: 1 is agreement, 0 what chance gives */
  int64_t items;  /* with two answers or more: the others say nothing */
  int64_t values; /* answers of those */
} puna_alpha;

/* PUNA_INVALID_ARGUMENT with the reason where it is not defined. */
PUNA_API puna_status puna_answers_get_alpha(puna_answers* answers, int32_t measure, puna_alpha* alpha);

/* ---- True labels ------------------------------------------------------------------------------------------------- */

#define PUNA_INFER_DAWID_SKENE 0 /* a confusion matrix a worker */
#define PUNA_INFER_MAJORITY 1
#define PUNA_INFER_ONE_COIN 2 /* one accuracy a worker */
#define PUNA_INFER_MACE 3     /* a worker knows the label, or guesses */
#define PUNA_INFER_GLAD 4     /* a worker has an ability, an item a difficulty */

typedef struct puna_infer_options {
  uint32_t struct_size;
  int32_t method;               /* PUNA_INFER_... */
  int64_t iterations;           /* at most; 0 = 100 */
  double tolerance;             /* ends when no posterior changed by as much; 0 = 1e-6 */
  double smoothing;             /* added to every cell of a confusion matrix; 0 = 0.01 */
  uint64_t seed;                /* of MACE's restarts; 0 = 1234 */
  int32_t (*watch)(void* user); /* asked now and then; nonzero cancels; optional */
  void* watch_user;
} puna_infer_options;

/* The same bits on every machine. Immutable, for any thread; it does not need the answers any more. */
typedef struct puna_inference puna_inference;

typedef struct puna_inference_info {
  uint32_t struct_size;
  int32_t converged;
  int64_t items, workers, labels;
  int64_t iterations;    /* that were needed; 0 for the majority */
  double log_likelihood; /* of the answers; 0 for the majority */
  double accuracy;       /* against the truths; an item whose labels tie counts by their share. NaN without a truth */
} puna_inference_info;

PUNA_API puna_status puna_answers_infer(puna_answers* answers, const puna_infer_options* options,
                                        puna_inference** inference);
PUNA_API void puna_inference_free(puna_inference* inference);
PUNA_API puna_status puna_inference_get_info(const puna_inference* inference, puna_inference_info* info);
/* The likeliest label and its probability; NULL and 0 for an item without answers and gold. It lives as long as the
 * inference. */
PUNA_API puna_status puna_inference_get_label(const puna_inference* inference, int64_t item, const char** label,
                                              double* confidence);
/* Of every label, in the order of their names; capacity: doubles, at least as many as there are labels. */
PUNA_API puna_status puna_inference_get_posterior(const puna_inference* inference, int64_t item, double* posterior,
                                                  size_t capacity);
/* How often a worker is right, by the posteriors. */
PUNA_API puna_status puna_inference_get_worker(const puna_inference* inference, int64_t worker, double* accuracy);

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

typedef struct puna_overlap_options {
  uint32_t struct_size;
  int32_t reserved;             /* 0 */
  double similarity;            /* near-duplicates: Jaccard of the sets of five words in a row; 0 = 0.8 */
  int64_t words;                /* contamination: words in a row; 0 = 13 */
  int64_t fewest;               /* items with fewer words are not looked for; 0 = 8 */
  int32_t (*watch)(void* user); /* asked now and then; nonzero cancels; optional */
  void* watch_user;
} puna_overlap_options;

/* group[i]: the first of the texts that say nearly the same as text i; i where it is alone. bytes: of each text; NULL =
 * they end with 0. */
PUNA_API puna_status puna_find_duplicates(const char* const* texts, const size_t* bytes, uint64_t count,
                                          const puna_overlap_options* options, int64_t* group);
/* document[i]: the first document in which 13 words in a row of item i stand (of an item of 8 to 12 words: all of
 * them), or -1. */
PUNA_API puna_status puna_find_contaminated(const char* const* items, const size_t* item_bytes, uint64_t count,
                                            const char* const* documents, const size_t* document_bytes,
                                            uint64_t document_count, const puna_overlap_options* options,
                                            int64_t* document);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_LABEL_H */
