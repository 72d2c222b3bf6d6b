/* nulls.c -- every function of puna.h, called from C99 with nothing at all: a status with a message, never a crash. It
 * also proves that C programs link: it needs every symbol. */
#include <puna.h>
#include <puna_ads.h>
#include <puna_engine.h>
#include <puna_label.h>
#include <puna_eval.h>
#include <puna_recsys.h>
#include <puna_train.h>
#include <puna_vision.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

static void refused(const char* call, puna_status status) {
  if (status == PUNA_INVALID_ARGUMENT && strstr(puna_last_error(), "NULL") != NULL) return;
  printf("%s: %d (%s), expected an invalid argument that names a NULL\n", call, (int)status, puna_last_error());
  ++failures;
}
#define REFUSED(call) refused(#call, call)

int main(void) {
  puna_answers_info answers_info = {.struct_size = sizeof answers_info};
  puna_alpha alpha = {.struct_size = sizeof alpha};
  puna_inference* inference = NULL;
  puna_inference_info inference_info = {.struct_size = sizeof inference_info};
  int64_t group = 0;
  puna_model_info model_info = {.struct_size = sizeof model_info};
  puna_session_info session_info = {.struct_size = sizeof session_info};
  puna_context_info context_info = {.struct_size = sizeof context_info};
  puna_token_info token_info = {.struct_size = sizeof token_info};
  puna_tensor_info tensor_info = {.struct_size = sizeof tensor_info};
  puna_plan plan = {.struct_size = sizeof plan};
  puna_tokenizer_info tokenizer_info = {.struct_size = sizeof tokenizer_info};
  puna_session_timings timings = {.struct_size = sizeof timings};
  puna_generate_result result = {.struct_size = sizeof result};
  puna_image_info image_info = {.struct_size = sizeof image_info};
  puna_image* image = NULL;
  const uint8_t rgb[3] = {0};
  puna_context* context = NULL;
  puna_tokenizer* tokenizer = NULL;
  puna_chat* chat = NULL;
  puna_chat_info chat_info = {.struct_size = sizeof chat_info};
  puna_chat_template_info template_info = {.struct_size = sizeof template_info};
  puna_tools* tools = NULL;
  puna_tools_info tools_info = {.struct_size = sizeof tools_info};
  puna_tool_parser* parser = NULL;
  puna_tool_event tool_event = {.struct_size = sizeof tool_event};
  puna_generation* generation = NULL;
  double doubles[4] = {0};
  int64_t number = 0;
  puna_evaluation* evaluation = NULL;
  puna_evaluation_info evaluation_info = {.struct_size = sizeof evaluation_info};
  puna_grammar* grammar = NULL;
  puna_grammar_info grammar_info = {.struct_size = sizeof grammar_info};
  puna_matcher* matcher = NULL;
  puna_engine* engine = NULL;
  puna_engine_info engine_info = {.struct_size = sizeof engine_info};
  puna_request* request = NULL;
  puna_request_info request_info = {.struct_size = sizeof request_info};
  puna_answer answer = {.struct_size = sizeof answer};
  puna_event event = {.struct_size = sizeof event};
  puna_matcher_info matcher_info = {.struct_size = sizeof matcher_info};
  uint32_t words[1] = {0};
  puna_model* model = NULL;
  puna_session* session = NULL;
  puna_sampler* sampler = NULL;
  puna_session* no_sessions[1] = {NULL};
  const int32_t* no_tokens[1] = {NULL};
  const size_t one[1] = {1};
  const char* key = NULL;
  const float* logits = NULL;
  const int32_t* tokens = NULL;
  const puna_tokenizer* of_model = NULL;
  puna_buffer* buffer = NULL;
  float floats[4] = {0};
  int32_t token = 0;
  const puna_token_probability* likely = NULL;
  const float* vector = NULL;
  size_t n = 0;

  REFUSED(puna_image_create(NULL, rgb, 1, 1, 0, &image));
  REFUSED(puna_image_create_from_pixels(NULL, floats, 4, 1, 1, &image));
  REFUSED(puna_image_get_info(NULL, &image_info));
  REFUSED(puna_image_get_pixels(NULL, &logits, &n));
  REFUSED(puna_image_get_tokens(NULL, &tokens, &n));
  REFUSED(puna_image_encode(NULL, NULL, NULL));
  puna_image_free(NULL);
  puna_buffer_free(NULL);
  REFUSED(puna_buffer_create(NULL));
  REFUSED(puna_context_create(NULL, NULL));
  REFUSED(puna_context_get_info(NULL, &context_info));
  REFUSED(puna_model_open(NULL, NULL, NULL, &model));
  REFUSED(puna_model_open(NULL, "path", NULL, NULL));
  REFUSED(puna_model_open_memory(NULL, NULL, 0, NULL, &model));
  REFUSED(puna_model_open_memory(NULL, "x", 1, NULL, NULL));
  REFUSED(puna_model_open_reader(NULL, NULL, NULL, &model));
  REFUSED(puna_model_get_info(NULL, &model_info));
  REFUSED(puna_model_get_metadata_key(NULL, 0, &key));
  REFUSED(puna_model_get_metadata(NULL, "key", buffer));
  REFUSED(puna_model_get_metadata(NULL, NULL, buffer));
  REFUSED(puna_model_get_unused(NULL, buffer));
  REFUSED(puna_model_get_tensor_info(NULL, 0, &tensor_info));
  REFUSED(puna_model_plan(NULL, NULL, &plan));
  REFUSED(puna_model_plan_memory(NULL, 1, NULL, &plan));
  REFUSED(puna_model_plan_reader(NULL, NULL, &plan));
  REFUSED(puna_session_plan(NULL, NULL, &plan));
  REFUSED(puna_tokenizer_open(NULL, &tokenizer));
  REFUSED(puna_model_get_tokenizer(NULL, &of_model));
  REFUSED(puna_tokenizer_get_info(NULL, &tokenizer_info));
  REFUSED(puna_tokenizer_encode(NULL, "x", 1, NULL, buffer));
  REFUSED(puna_tokenizer_decode(NULL, &token, 1, 0, buffer));
  REFUSED(puna_tokenizer_get_token_info(NULL, 0, &token_info));
  REFUSED(puna_tokenizer_find_token(NULL, "x", 1, &token));
  REFUSED(puna_chat_create(NULL, "{}", 2, NULL, &chat));
  REFUSED(puna_chat_generate(NULL, NULL, NULL, NULL, NULL, NULL));
  REFUSED(puna_chat_get_info(NULL, &chat_info));
  REFUSED(puna_model_get_chat_template_info(NULL, 0, &template_info));
  REFUSED(puna_tools_create(NULL, "[]", 2, NULL, &tools));
  REFUSED(puna_tools_create(NULL, "[]", 2, NULL, NULL));
  REFUSED(puna_tools_get_info(NULL, &tools_info));
  REFUSED(puna_tools_write(NULL, "[]", 2, buffer));
  REFUSED(puna_tools_create_grammar(NULL, NULL, &grammar));
  REFUSED(puna_tool_parser_create(NULL, NULL, &parser));
  REFUSED(puna_tool_parser_push(NULL, -1, "x", 1));
  REFUSED(puna_tool_parser_finish(NULL));
  REFUSED(puna_tool_parser_next(NULL, &tool_event));
  REFUSED(puna_session_create(NULL, NULL, &session));
  REFUSED(puna_session_get_info(NULL, &session_info));
  REFUSED(puna_session_get_timings(NULL, &timings));
  REFUSED(puna_session_begin(NULL, &token, 1, NULL));
  REFUSED(puna_session_step(NULL, 0, &token));
  REFUSED(puna_session_snapshot(NULL, NULL, 0, &n));
  REFUSED(puna_session_restore(NULL, "x", 1, &session));
  REFUSED(puna_generation_create(NULL, "x", 1, NULL, &generation));
  REFUSED(puna_generation_create_tokens(NULL, &token, 1, NULL, &generation));
  REFUSED(puna_generation_step(NULL, 0, NULL, &token));
  REFUSED(puna_generation_get_result(NULL, &result));
  REFUSED(puna_session_get_tokens(NULL, &tokens, &n));
  REFUSED(puna_session_append(NULL, &token, 1, NULL, NULL));
  REFUSED(puna_grammar_create("{}", 2, NULL, NULL));
  REFUSED(puna_grammar_create(NULL, 2, NULL, &grammar));
  REFUSED(puna_grammar_get_info(NULL, &grammar_info));
  REFUSED(puna_engine_create(NULL, NULL, &engine));
  REFUSED(puna_engine_step(NULL, 0, NULL));
  REFUSED(puna_engine_start(NULL));
  REFUSED(puna_engine_stop(NULL));
  REFUSED(puna_engine_submit(NULL, "a", 1, NULL, &request));
  REFUSED(puna_engine_submit_tokens(NULL, &token, 1, NULL, &request));
  REFUSED(puna_engine_submit_chat(NULL, NULL, NULL, &request));
  REFUSED(puna_request_next(NULL, 0, &event));
  REFUSED(puna_request_cancel(NULL));
  REFUSED(puna_request_get_info(NULL, &request_info));
  REFUSED(puna_request_get_answer(NULL, 0, &answer));
  REFUSED(puna_request_get_prompt_probabilities(NULL, 1, &likely, &n));
  REFUSED(puna_request_get_embedding(NULL, &vector, &n));
  REFUSED(puna_engine_get_info(NULL, &engine_info));
  REFUSED(puna_engine_clear_cache(NULL));
  REFUSED(puna_engine_save_cache(NULL, buffer));
  REFUSED(puna_engine_restore_cache(NULL, words, 4));
  puna_engine_free(NULL);
  puna_request_free(NULL);
  REFUSED(puna_matcher_create(NULL, NULL, NULL, &matcher));
  REFUSED(puna_matcher_fork(NULL, &matcher));
  REFUSED(puna_matcher_reset(NULL));
  REFUSED(puna_matcher_get_info(NULL, &matcher_info));
  REFUSED(puna_matcher_mask(NULL, words, 1));
  REFUSED(puna_matcher_accept(NULL, 0));
  REFUSED(puna_matcher_accept_text(NULL, "a", 1));
  REFUSED(puna_matcher_forced_text(NULL, NULL));
  REFUSED(puna_matcher_completion(NULL, NULL));
  REFUSED(puna_session_plan_append(NULL, &token, 1, NULL, NULL));
  REFUSED(puna_session_append_batch(NULL, NULL, NULL, 1));
  REFUSED(puna_session_append_batch(no_sessions, no_tokens, one, 1));
  REFUSED(puna_session_begin_batch(NULL, NULL, NULL, 1));
  REFUSED(puna_session_begin_batch(no_sessions, no_tokens, one, 1));
  REFUSED(puna_session_get_logits(NULL, &logits, &n));
  REFUSED(puna_session_truncate(NULL, 0));
  REFUSED(puna_session_fork(NULL, &session));
  REFUSED(puna_session_cancel(NULL));
  REFUSED(puna_session_clear_cancel(NULL));
  REFUSED(puna_session_score(NULL, &token, 1, floats, 4));
  REFUSED(puna_adapter_open(NULL, "x", NULL));
  REFUSED(puna_adapter_save(NULL, "x"));
  REFUSED(puna_session_use_adapter(NULL, NULL));
  REFUSED(puna_model_finetune(NULL, "x", 1, NULL, NULL));
  REFUSED(puna_recommender_train(NULL, NULL, NULL, NULL, 1, NULL, NULL));
  REFUSED(puna_recommender_open(NULL, NULL, NULL));
  REFUSED(puna_recommender_save(NULL, "x"));
  REFUSED(puna_recommender_get_info(NULL, NULL));
  REFUSED(puna_recommender_get_item_name(NULL, 1, NULL, NULL));
  REFUSED(puna_recommender_find_item(NULL, NULL, NULL));
  REFUSED(puna_ranker_find_id(NULL, 0, NULL, NULL));
  REFUSED(puna_ranker_set_names(NULL, 0, NULL, 1));
  REFUSED(puna_user_create(NULL, NULL));
  REFUSED(puna_user_append(NULL, 1, 0));
  REFUSED(puna_user_recommend(NULL, 0, NULL, &token, NULL, 1, NULL));
  REFUSED(puna_ranker_create(NULL, NULL, NULL, NULL));
  REFUSED(puna_ranker_create(NULL, "{}", NULL, NULL));
  REFUSED(puna_ranker_open(NULL, NULL, NULL, NULL));
  REFUSED(puna_ranker_save(NULL, "x"));
  REFUSED(puna_ranker_copy(NULL, 0, NULL));
  REFUSED(puna_ranker_get_info(NULL, NULL));
  REFUSED(puna_ranker_get_config(NULL, buffer));
  REFUSED(puna_ranker_score(NULL, NULL, floats, 4));
  REFUSED(puna_ranker_learn(NULL, NULL, NULL, NULL, NULL, 0));
  REFUSED(puna_ranker_save_state(NULL, "x"));
  REFUSED(puna_ranker_restore_state(NULL, "x"));
  REFUSED(puna_ranker_calibrate(NULL, 0, 0, 0, floats, floats, 1));
  REFUSED(puna_pipeline_create(NULL, NULL, NULL, NULL));
  REFUSED(puna_pipeline_use(NULL, NULL));
  REFUSED(puna_pipeline_recommend(NULL, NULL, NULL));
  REFUSED(puna_ledger_create(NULL));
  REFUSED(puna_ledger_add_account(NULL, 1, &token));
  REFUSED(puna_ledger_add_campaign(NULL, 0, 1, &token));
  REFUSED(puna_ledger_reserve(NULL, 0, 1, 0, 0, &number));
  REFUSED(puna_ledger_settle(NULL, 1, 0, &token));
  REFUSED(puna_ledger_expire(NULL, 0, &number));
  REFUSED(puna_ledger_forget_late(NULL));
  REFUSED(puna_ledger_restore(NULL, 0, 0, 1));
  REFUSED(puna_ledger_get_campaign(NULL, 0, NULL));
  REFUSED(puna_ledger_get_account(NULL, 0, NULL));
  REFUSED(puna_spend_plan_create(NULL, 1, NULL));
  REFUSED(puna_spend_plan_create(doubles, 4, NULL));
  REFUSED(puna_spend_plan_learn(NULL, 1, NULL, NULL));
  REFUSED(puna_spend_plan_spent_by(NULL, 0, doubles));
  REFUSED(puna_pacer_create(NULL, NULL));
  REFUSED(puna_pacer_bid(NULL, 0, 1, 1, &number));
  REFUSED(puna_pacer_won(NULL, 1, 1));
  REFUSED(puna_pacer_get_info(NULL, NULL));
  REFUSED(puna_clearing_prices_create(24, 1, 1, NULL));
  REFUSED(puna_clearing_prices_observe(NULL, 0, 0, 1));
  REFUSED(puna_clearing_prices_bid(NULL, 0, 1, doubles, NULL));
  REFUSED(puna_auction_sell(0, NULL, 1, 0, &token, doubles));
  REFUSED(puna_auction_sell(0, doubles, 1, 0, NULL, NULL));
  REFUSED(puna_auction_sell_slots(0, doubles, NULL, 1, doubles, 1, &token, doubles, doubles));
  REFUSED(puna_auction_sell_slots(0, doubles, doubles, 1, doubles, 1, NULL, NULL, NULL));
  REFUSED(puna_chooser_create(NULL, NULL));
  REFUSED(puna_chooser_choose(NULL, 0, 0, 0, &token, doubles));
  REFUSED(puna_chooser_get_propensities(NULL, 0, doubles, 4));
  REFUSED(puna_chooser_get_rates(NULL, 0, doubles, 4));
  REFUSED(puna_chooser_update(NULL, NULL, 1));
  REFUSED(puna_chooser_get_sums(NULL, doubles, doubles, 4));
  REFUSED(puna_chooser_add_variant(NULL, NULL, 0, &token));
  REFUSED(puna_chooser_retire(NULL, 0));
  REFUSED(puna_chooser_get_info(NULL, NULL));
  REFUSED(puna_reward_book_create(1, NULL));
  REFUSED(puna_reward_book_shown(NULL, 1, 0, 0, 0));
  REFUSED(puna_reward_book_clicked(NULL, 1, 0, NULL));
  REFUSED(puna_reward_book_collect(NULL, 0, NULL, NULL));
  REFUSED(puna_reward_book_get_counts(NULL, NULL));
  REFUSED(puna_off_policy_create(NULL, NULL));
  REFUSED(puna_off_policy_count(NULL, NULL));
  REFUSED(puna_off_policy_begin(NULL, NULL, 0));
  REFUSED(puna_off_policy_estimate(NULL, NULL));
  REFUSED(puna_off_policy_report_on(NULL, NULL));
  REFUSED(puna_simulate_day(0, 1, 1, NULL, NULL, NULL));
  REFUSED(puna_simulate_world(1, 1, 1, 0, NULL, NULL));
  REFUSED(puna_simulate_stream(1, 1, 1, NULL, NULL));
  REFUSED(puna_model_score(NULL, &token, NULL, NULL, 0, NULL, NULL, NULL));
  REFUSED(puna_evaluation_create(NULL, "{}", 2, "{}", 2, NULL, 0, NULL, &evaluation));
  REFUSED(puna_evaluation_get_info(NULL, &evaluation_info));
  REFUSED(puna_evaluation_run(NULL, NULL, NULL));
  REFUSED(puna_evaluation_cancel(NULL));
  REFUSED(puna_evaluation_restore(NULL, "{}", 2, NULL));
  REFUSED(puna_evaluation_result(NULL, NULL));
  REFUSED(puna_evaluation_samples(NULL, NULL));
  REFUSED(puna_evaluation_report(NULL, NULL));
  REFUSED(puna_compare_samples("{}", 2, "{}", 2, NULL, NULL));
  REFUSED(puna_sampler_create(NULL, NULL));
  REFUSED(puna_sampler_sample(NULL, floats, 4, NULL, 0, 0, &token, NULL));
  REFUSED(puna_sampler_distribution(NULL, floats, 4, NULL, 0, floats));
  REFUSED(puna_session_generate(NULL, "x", 1, NULL, NULL, NULL, NULL));
  REFUSED(puna_answers_create(NULL));
  REFUSED(puna_answers_add(NULL, "i", "w", "l"));
  REFUSED(puna_answers_set_gold(NULL, "i", "l"));
  REFUSED(puna_answers_set_truth(NULL, "i", "l"));
  REFUSED(puna_answers_get_info(NULL, &answers_info));
  REFUSED(puna_answers_get_name(NULL, 0, 0, &key));
  REFUSED(puna_answers_get_alpha(NULL, 0, &alpha));
  REFUSED(puna_answers_infer(NULL, NULL, &inference));
  REFUSED(puna_inference_get_info(NULL, &inference_info));
  REFUSED(puna_inference_get_label(NULL, 0, &key, NULL));
  REFUSED(puna_inference_get_posterior(NULL, 0, NULL, 0));
  REFUSED(puna_inference_get_worker(NULL, 0, NULL));
  REFUSED(puna_find_duplicates(NULL, NULL, 1, NULL, &group));
  REFUSED(puna_find_contaminated(NULL, NULL, 1, NULL, NULL, 0, NULL, &group));
  REFUSED(puna_session_generate_tokens(NULL, &token, 1, NULL, NULL, NULL, NULL));

  /* NULL outputs and infos of handles that are there. */
  if (puna_context_create(NULL, &context) != PUNA_OK || puna_sampler_create(NULL, &sampler) != PUNA_OK) {
    printf("%s\n", puna_last_error());
    return 1;
  }
  REFUSED(puna_context_get_info(context, NULL));
  REFUSED(puna_sampler_sample(sampler, floats, 4, NULL, 0, 0, NULL, NULL));
  REFUSED(puna_sampler_distribution(sampler, floats, 4, NULL, 0, NULL));
  REFUSED(puna_sampler_sample(sampler, floats, 4, NULL, 1, 0, &token, NULL));

  if (grammar != NULL || matcher != NULL || model != NULL || session != NULL || tokenizer != NULL || chat != NULL ||
      tools != NULL || parser != NULL || generation != NULL || key != NULL || logits != NULL || tokens != NULL ||
      inference != NULL || group != 0 || of_model != NULL || n != 0) {
  if (evaluation != NULL || grammar != NULL || matcher != NULL || model != NULL || session != NULL ||
      tokenizer != NULL || chat != NULL || tools != NULL || parser != NULL || generation != NULL || key != NULL ||
      logits != NULL || tokens != NULL || of_model != NULL || n != 0) {
    printf("a refused call wrote to an output\n");
    ++failures;
  }
  puna_context_free(context);
  puna_sampler_free(sampler);
  puna_answers_free(NULL);
  puna_inference_free(NULL);
  puna_context_free(NULL);
  puna_model_free(NULL);
  puna_session_free(NULL);
  puna_tokenizer_free(NULL);
  puna_generation_free(NULL);
  puna_sampler_free(NULL);
  puna_tools_free(NULL);
  puna_tool_parser_free(NULL);
  puna_adapter_free(NULL);
  puna_recommender_free(NULL);
  puna_ranker_free(NULL);
  puna_ledger_free(NULL);
  puna_spend_plan_free(NULL);
  puna_pacer_free(NULL);
  puna_clearing_prices_free(NULL);
  puna_chooser_free(NULL);
  puna_reward_book_free(NULL);
  puna_off_policy_free(NULL);
  puna_pipeline_free(NULL);
  puna_evaluation_free(NULL);
  puna_user_free(NULL);
  if (puna_version() == 0 || puna_version_string()[0] == '\0' || puna_status_name(PUNA_OK)[0] == '\0') ++failures;
  return failures != 0;
}
