/* 21_labels.c -- which labels of a crowd are true, and who is reliable:  ./21_labels answers.csv
 * The file has rows of item,worker,label and, where it is known, the truth; the first row names them. */
#include <puna_label.h>
#include <stdio.h>
#include <string.h>

static char* next_cell(char** rest) {
  char* cell = *rest;
  if (cell == NULL) return NULL;
  cell[strcspn(cell, "\r\n")] = 0;
  *rest = strchr(cell, ',');
  if (*rest != NULL) *(*rest)++ = 0;
  return *cell ? cell : NULL;
}

static puna_status read_answers(puna_answers* answers, FILE* file) {
  char line[1000];
  puna_status status = PUNA_OK;
  if (fgets(line, sizeof line, file) == NULL) return status;
  while (!status && fgets(line, sizeof line, file) != NULL) {
    char* rest = line;
    const char *item = next_cell(&rest), *worker = next_cell(&rest), *label = next_cell(&rest);
    const char* truth = next_cell(&rest);
    status = puna_answers_add(answers, item, worker, label);
    if (!status && truth != NULL) status = puna_answers_set_truth(answers, item, truth);
  }
  return status;
}

int main(int argc, char** argv) {
  puna_answers* answers = NULL;
  puna_inference *truth = NULL, *majority = NULL;
  puna_infer_options by_majority = {.struct_size = sizeof by_majority, .method = PUNA_INFER_MAJORITY};
  puna_inference_info all = {.struct_size = sizeof all}, votes = {.struct_size = sizeof votes};
  FILE* file = fopen(argc > 1 ? argv[1] : "answers.csv", "r");
  if (file == NULL) return perror(argc > 1 ? argv[1] : "answers.csv"), 1;
  puna_status status = puna_answers_create(&answers);
  if (!status) status = read_answers(answers, file);
  fclose(file);
  if (!status) status = puna_answers_infer(answers, NULL, &truth);
  if (!status) status = puna_answers_infer(answers, &by_majority, &majority);
  if (!status) status = puna_inference_get_info(truth, &all);
  if (!status) status = puna_inference_get_info(majority, &votes);
  if (!status) printf("right: %.4f by Dawid and Skene, %.4f by majority\n", all.accuracy, votes.accuracy);
  for (int64_t i = 0; !status && i < all.items; ++i) {
    const char *item = NULL, *label = NULL, *vote = NULL;
    double sure = 0;
    status = puna_answers_get_name(answers, PUNA_NAME_ITEM, i, &item);
    if (!status) status = puna_inference_get_label(truth, i, &label, &sure);
    if (!status) status = puna_inference_get_label(majority, i, &vote, NULL);
    if (!status && label != NULL && vote != NULL && strcmp(label, vote) != 0)
      printf("%s: most say %s, but it is %s (%.0f %%)\n", item, vote, label, 100 * sure);
  }
  for (int64_t w = 0; !status && w < all.workers; ++w) {
    const char* worker = NULL;
    double right = 0;
    status = puna_answers_get_name(answers, PUNA_NAME_WORKER, w, &worker);
    if (!status) status = puna_inference_get_worker(truth, w, &right);
    if (!status) printf("%-8s is right in %.0f %%\n", worker, 100 * right);
  }
  if (status) fprintf(stderr, "%s\n", puna_last_error());
  puna_inference_free(majority);
  puna_inference_free(truth);
  puna_answers_free(answers);
  return status;
}
