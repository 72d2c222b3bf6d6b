/* 22_evaluate.c -- a small test of one's own: which of some answers a model finds likeliest, and how sure that is.
 *   ./22_evaluate model.gguf */
#include <puna.h>
#include <puna_eval.h>
#include <stdio.h>
#include <string.h>

/* A task of lm-evaluation-harness, as JSON, and what is asked, a line each. */
static const char* const task =
    "{\"task\": \"manners\", \"output_type\": \"multiple_choice\", \"doc_to_text\": \"{{said}}\","
    " \"doc_to_choice\": \"{{answers}}\", \"doc_to_target\": \"right\"}";
static const char* const items =
    "{\"said\": \"Once upon a\", \"answers\": [\"time\", \"table\"], \"right\": 0}\n"
    "{\"said\": \"The day after Monday is\", \"answers\": [\"green\", \"Tuesday\"], \"right\": 1}\n"
    "{\"said\": \"She opened the door and went\", \"answers\": [\"out\", \"seven\"], \"right\": 0}\n"
    "{\"said\": \"It is a truth universally\", \"answers\": [\"acknowledged\", \"potato\"], \"right\": 0}\n";

/* A program that keeps these lines can go on with them after a crash: puna_evaluation_restore. */
static int32_t keep_answer(void* file, const char* json, size_t bytes) {
  fwrite(json, 1, bytes, file);
  return fputc('\n', file) == EOF;
}

int main(int argc, char** argv) {
  puna_model* model = NULL;
  puna_evaluation* run = NULL;
  puna_buffer* scores = NULL;
  puna_status status = puna_model_open(NULL, argc > 1 ? argv[1] : "model.gguf", NULL, &model);
  if (!status) status = puna_evaluation_create(model, task, strlen(task), items, strlen(items), NULL, 0, NULL, &run);
  if (!status) status = puna_evaluation_run(run, keep_answer, stderr);
  if (!status) status = puna_buffer_create(&scores);
  if (!status) status = puna_evaluation_result(run, scores);
  if (!status) printf("%s", (const char*)puna_buffer_data(scores));
  if (status) fprintf(stderr, "%s\n", puna_last_error());
  puna_buffer_free(scores);
  puna_evaluation_free(run);
  puna_model_free(model);
  return status;
}
