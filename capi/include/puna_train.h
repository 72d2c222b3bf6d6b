/* puna_train.h -- adapters (LoRA) and fine-tuning: a program teaches the model that it ships. The rules of puna.h hold
 * here too.
 *
 *   puna_adapter* adapter = NULL;                                        // examples -> adapter -> session
 *   puna_model_finetune(model, jsonl, jsonl_bytes, NULL, &adapter);
 *   puna_session_use_adapter(session, adapter);
 *   puna_adapter_save(adapter, "my-adapter");
 */
#ifndef PUNA_TRAIN_H
#define PUNA_TRAIN_H

#include "puna.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Small trained matrices beside a model's frozen ones, whatever their type. Immutable; any number of sessions may use
 * one. */
typedef struct puna_adapter puna_adapter;

/* A folder as PEFT writes it (adapter_config.json and adapter_model.safetensors), or a GGUF file as llama.cpp's
 * converter writes it. PUNA_BAD_FILE when it does not fit the model. */
PUNA_API puna_status puna_adapter_open(const puna_model* model, const char* folder, puna_adapter** adapter);
/* Writes such a folder; each file is replaced in one step. PEFT and transformers read it. */
PUNA_API puna_status puna_adapter_save(const puna_adapter* adapter, const char* folder);
PUNA_API void puna_adapter_free(puna_adapter* adapter);
/* From now on the session answers with this adapter, or with none (NULL). PUNA_WRONG_STATE unless the session holds no
 * tokens. Sessions of one batch must use the same. A session with an adapter has no snapshot. */
PUNA_API puna_status puna_session_use_adapter(puna_session* session, const puna_adapter* adapter);

/* Where fine-tuning is, after a step. */
typedef struct puna_finetune_report {
  uint32_t struct_size;
  int32_t reserved;
  int64_t step;     /* 1 = the first */
  int64_t steps;    /* in all */
  int64_t tokens;   /* of this step */
  double loss;      /* mean over the tokens that count, or over pairs */
  double grad_norm; /* before clipping to 1; not finite: the step was left out */
  double learning_rate;
  double preferred; /* share of pairs in which the chosen answer is ahead; 0 without pairs */
} puna_finetune_report;

typedef struct puna_finetune_options {
  uint32_t struct_size;
  int32_t rank;         /* 0 = 8 */
  double alpha;         /* 0 = twice the rank */
  double learning_rate; /* 0 = 3e-4; falls in half a cosine after the warm-up */
  double weight_decay;
  int64_t steps;  /* 0 = what the epochs take */
  int64_t epochs; /* 0 = 1 */
  int64_t warmup_steps;
  int64_t step_tokens; /* 0 = 2048; bounds memory */
  int64_t max_tokens;  /* of an example; longer ones are left out, longer texts cut. 0 = 512 */
  /* the same seed gives the same adapter, whatever the threads (and the CPU, without a provider) */
  uint64_t seed;
  const char* targets; /* ends of weights' names, with commas between: "q_proj,v_proj" (NULL), "all" */
  int32_t preferences; /* 1 = the lines are pairs, learned by direct preference optimisation */
  int32_t reserved;    /* 0 */
  double dpo_beta;     /* 0 = 0.1 */
  /* After each step; nonzero stops and nothing is left behind. */
  int32_t (*progress)(void* user, const puna_finetune_report* report);
  void* progress_user;
  int32_t no_providers; /* 1 = leave the context's provider alone: the same bits on every machine */
  /* 1 = where the provider takes bfloat16, factors of products may be rounded to it; what is trained stays in f32 */
  int32_t bf16;
  /* About once a millisecond, within a step and while examples are read too; nonzero stops and nothing is left behind.
   * On the calling thread, but on one of the host's own with a parallel_for of the host's; never two at once. */
  int32_t (*watch)(void* user);
  void* watch_user;
  /* YYYY-MM-DD: today's date for chat templates that ask for it (strftime_now); NULL = such a template is
   * PUNA_INVALID_ARGUMENT */
  const char* date;
  /* 1 = names of special tokens inside messages and texts become those tokens; 0 = they stay text */
  int32_t parse_content;
  int32_t reserved2; /* 0 */
} puna_finetune_options;

/* Teaches the model by examples: makes an adapter, the model stays as it is and may be used meanwhile. `jsonl`: JSON,
 * an object a line or a list of objects:
 *   {"text": ...}
 *   {"prompt": ..., "completion": ...}, both texts or lists of messages
 *   {"messages": [{"role": "user", "content": ...}, ...]}
 *   {"instruction": ..., "input": ..., "output": ...} (Alpaca)
 *   {"conversations": [{"from": "human", "value": ...}, ...]} (ShareGPT)
 * or, with preferences = 1, {"prompt": ..., "chosen": ..., "rejected": ...}, texts or lists of messages, or {"chosen",
 * "rejected"} that begin alike. Of prompts nothing is learned, of chats what the assistant says, but for messages with
 * "weight": 0. Chats are written by the model's chat template as puna_chat_create writes them, with "tools",
 * "documents", "chat_template_kwargs" and what else it reads from the row; special tokens in what messages say are
 * text. Unused columns, what the template leaves out, rows left out: warnings to the context's logger, as
 * warnings. PUNA_BAD_FILE names a wrong line. PUNA_UNSUPPORTED in builds without training, for data that are no JSON,
 * and for chats without a chat template. */
PUNA_API puna_status puna_model_finetune(const puna_model* model, const char* jsonl, size_t bytes,
                                         const puna_finetune_options* options, puna_adapter** adapter);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_TRAIN_H */
