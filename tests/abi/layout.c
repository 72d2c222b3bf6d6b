/* layout.c -- the layout that puna.h has promised on 64-bit systems, field by field. A change here is an ABI break,
 * except lines added for fields at the end of a struct (and that struct's new size). */
#include <puna.h>
#include <puna_ads.h>
#include <puna_engine.h>
#include <puna_gemm.h>
#include <puna_label.h>
#include <puna_recsys.h>
#include <puna_train.h>
#include <puna_vision.h>

#if UINTPTR_MAX == UINT64_MAX
#define AT(type, field, offset) _Static_assert(offsetof(struct type, field) == (offset), #type "." #field " moved")
#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type " changed its size")

AT(puna_context_options, struct_size, 0);
AT(puna_context_options, threads, 4);
AT(puna_context_options, isa, 8);
AT(puna_context_options, memory_limit, 16);
AT(puna_context_options, alloc, 24);
AT(puna_context_options, dealloc, 32);
AT(puna_context_options, alloc_user, 40);
AT(puna_context_options, log, 48);
AT(puna_context_options, log_user, 56);
AT(puna_context_options, parallel_for, 64);
AT(puna_context_options, executor_user, 72);
AT(puna_context_options, thread_start, 80);
AT(puna_context_options, thread_user, 88);
AT(puna_context_options, executor_threads, 96);
AT(puna_context_options, reserved, 100);
AT(puna_context_options, gemm_provider, 104);
AT(puna_context_options, allow_providers, 112);
AT(puna_context_options, reserved2, 116);
SIZE(puna_context_options, 120);

AT(puna_gemm_provider, struct_size, 0);
AT(puna_gemm_provider, reserved, 4);
AT(puna_gemm_provider, name, 8);
AT(puna_gemm_provider, user, 16);
AT(puna_gemm_provider, f32, 24);
AT(puna_gemm_provider, bf16, 32);
SIZE(puna_gemm_provider, 40);

AT(puna_context_info, struct_size, 0);
AT(puna_context_info, threads, 4);
AT(puna_context_info, isa, 8);
AT(puna_context_info, memory_used, 16);
AT(puna_context_info, memory_peak, 24);
AT(puna_context_info, memory_limit, 32);
SIZE(puna_context_info, 40);

AT(puna_model_options, struct_size, 0);
AT(puna_model_options, reserved, 4);
AT(puna_model_options, progress, 8);
AT(puna_model_options, progress_user, 16);
AT(puna_model_options, packed_path, 24);
AT(puna_model_options, verify_packed, 32);
AT(puna_model_options, reserved2, 36);
AT(puna_model_options, projector_path, 40);
AT(puna_model_options, image_cache_bytes, 48);
AT(puna_model_options, no_vision, 56);
AT(puna_model_options, reserved3, 60);
SIZE(puna_model_options, 64);

AT(puna_reader, struct_size, 0);
AT(puna_reader, reserved, 4);
AT(puna_reader, size, 8);
AT(puna_reader, read_at, 16);
AT(puna_reader, user, 24);
AT(puna_reader, name, 32);
SIZE(puna_reader, 40);

AT(puna_model_info, struct_size, 0);
AT(puna_model_info, layers, 4);
AT(puna_model_info, architecture, 8);
AT(puna_model_info, parameters, 16);
AT(puna_model_info, file_bytes, 24);
AT(puna_model_info, max_positions, 32);
AT(puna_model_info, attention_chunk, 40);
AT(puna_model_info, vocabulary, 48);
AT(puna_model_info, hidden, 52);
AT(puna_model_info, heads, 56);
AT(puna_model_info, kv_heads, 60);
AT(puna_model_info, head_dim, 64);
AT(puna_model_info, experts, 68);
AT(puna_model_info, experts_used, 72);
AT(puna_model_info, has_tokenizer, 76);
AT(puna_model_info, has_chat_template, 80);
AT(puna_model_info, metadata_count, 84);
AT(puna_model_info, tensor_count, 88);
AT(puna_model_info, reserved, 92);
AT(puna_model_info, load_seconds, 96);
AT(puna_model_info, image_tile, 104);
AT(puna_model_info, image_tile_rows, 108);
AT(puna_model_info, chat_template_count, 112);
AT(puna_model_info, reserved2, 116);
SIZE(puna_model_info, 120);

AT(puna_tensor_info, struct_size, 0);
AT(puna_tensor_info, rank, 4);
AT(puna_tensor_info, name, 8);
AT(puna_tensor_info, dtype, 16);
AT(puna_tensor_info, dims, 24);
AT(puna_tensor_info, bytes, 56);
SIZE(puna_tensor_info, 64);

AT(puna_plan_options, struct_size, 0);
AT(puna_plan_options, sessions, 4);
AT(puna_plan_options, positions, 8);
AT(puna_plan_options, prefill_chunk, 16);
AT(puna_plan_options, exact, 24);
AT(puna_plan_options, kv_type, 28);
AT(puna_plan_options, packed_path, 32);
AT(puna_plan_options, projector_path, 40);
AT(puna_plan_options, no_vision, 48);
AT(puna_plan_options, reserved2, 52);
SIZE(puna_plan_options, 56);

AT(puna_chat_options, struct_size, 0);
AT(puna_chat_options, reserved, 4);
AT(puna_chat_options, date, 8);
AT(puna_chat_options, watch, 16);
AT(puna_chat_options, watch_user, 24);
AT(puna_chat_options, template_name, 32);
AT(puna_chat_options, parse_content, 40);
AT(puna_chat_options, reserved2, 44);
SIZE(puna_chat_options, 48);

AT(puna_text_span, begin, 0);
AT(puna_text_span, end, 8);
SIZE(puna_text_span, 16);

AT(puna_chat_info, struct_size, 0);
AT(puna_chat_info, reserved, 4);
AT(puna_chat_info, tokens, 8);
AT(puna_chat_info, token_count, 16);
AT(puna_chat_info, text, 24);
AT(puna_chat_info, size, 32);
AT(puna_chat_info, content, 40);
AT(puna_chat_info, content_count, 48);
AT(puna_chat_info, dropped, 56);
AT(puna_chat_info, dropped_count, 64);
AT(puna_chat_info, in_thought, 72);
AT(puna_chat_info, reserved2, 76);
SIZE(puna_chat_info, 80);

AT(puna_chat_template_info, struct_size, 0);
AT(puna_chat_template_info, reserved, 4);
AT(puna_chat_template_info, name, 8);
AT(puna_chat_template_info, error, 16);
SIZE(puna_chat_template_info, 24);

AT(puna_tools_options, struct_size, 0);
AT(puna_tools_options, reserved, 4);
AT(puna_tools_options, format, 8);
SIZE(puna_tools_options, 16);

AT(puna_tools_info, struct_size, 0);
AT(puna_tools_info, count, 4);
AT(puna_tools_info, format, 8);
AT(puna_tools_info, json, 16);
AT(puna_tools_info, json_size, 24);
SIZE(puna_tools_info, 32);

AT(puna_tools_grammar_options, struct_size, 0);
AT(puna_tools_grammar_options, one_call, 4);
AT(puna_tools_grammar_options, tool_choice, 8);
AT(puna_tools_grammar_options, json, 16);
SIZE(puna_tools_grammar_options, 24);

AT(puna_tool_parser_options, struct_size, 0);
AT(puna_tool_parser_options, early, 4);
AT(puna_tool_parser_options, most_held, 8);
AT(puna_tool_parser_options, thoughts, 16);
AT(puna_tool_parser_options, reserved, 20);
SIZE(puna_tool_parser_options, 24);

AT(puna_tool_event, struct_size, 0);
AT(puna_tool_event, kind, 4);
AT(puna_tool_event, call, 8);
AT(puna_tool_event, complete, 12);
AT(puna_tool_event, text, 16);
AT(puna_tool_event, size, 24);
AT(puna_tool_event, begin, 32);
AT(puna_tool_event, end, 40);
SIZE(puna_tool_event, 48);

AT(puna_plan, struct_size, 0);
AT(puna_plan, sessions, 4);
AT(puna_plan, positions, 8);
AT(puna_plan, mapped_bytes, 16);
AT(puna_plan, weight_bytes, 24);
AT(puna_plan, load_peak_bytes, 32);
AT(puna_plan, kv_bytes, 40);
AT(puna_plan, scratch_bytes, 48);
AT(puna_plan, logits_bytes, 56);
AT(puna_plan, total_bytes, 64);
SIZE(puna_plan, 72);

AT(puna_encode_options, struct_size, 0);
AT(puna_encode_options, parse_special, 4);
AT(puna_encode_options, add_bos, 8);
AT(puna_encode_options, reserved, 12);
AT(puna_encode_options, content, 16);
AT(puna_encode_options, content_count, 24);
AT(puna_encode_options, watch, 32);
AT(puna_encode_options, watch_user, 40);
SIZE(puna_encode_options, 48);

AT(puna_token_info, struct_size, 0);
AT(puna_token_info, kind, 4);
AT(puna_token_info, bytes, 8);
AT(puna_token_info, size, 16);
AT(puna_token_info, is_special, 24);
AT(puna_token_info, is_stop, 28);
SIZE(puna_token_info, 32);

AT(puna_tokenizer_info, struct_size, 0);
AT(puna_tokenizer_info, size, 4);
AT(puna_tokenizer_info, bos, 8);
AT(puna_tokenizer_info, eos, 12);
AT(puna_tokenizer_info, add_bos, 16);
AT(puna_tokenizer_info, reserved, 20);
SIZE(puna_tokenizer_info, 24);

AT(puna_session_options, struct_size, 0);
AT(puna_session_options, exact, 4);
AT(puna_session_options, max_positions, 8);
AT(puna_session_options, prefill_chunk, 16);
AT(puna_session_options, kv_type, 24);
AT(puna_session_options, reserved, 28);
SIZE(puna_session_options, 32);

AT(puna_session_info, struct_size, 0);
AT(puna_session_info, vocabulary, 4);
AT(puna_session_info, length, 8);
AT(puna_session_info, max_positions, 16);
AT(puna_session_info, kv_bytes, 24);
AT(puna_session_info, under_way, 32);
AT(puna_session_info, pending, 36);
SIZE(puna_session_info, 40);

AT(puna_session_timings, struct_size, 0);
AT(puna_session_timings, reserved, 4);
AT(puna_session_timings, prompt_tokens, 8);
AT(puna_session_timings, decoded_tokens, 16);
AT(puna_session_timings, prompt_seconds, 24);
AT(puna_session_timings, decode_seconds, 32);
SIZE(puna_session_timings, 40);

AT(puna_append_options, struct_size, 0);
AT(puna_append_options, keep_shared, 4);
AT(puna_append_options, images, 8);
AT(puna_append_options, image_count, 16);
AT(puna_append_options, logits, 24);
AT(puna_append_options, logits_capacity, 32);
AT(puna_append_options, embeddings, 40);
AT(puna_append_options, embeddings_capacity, 48);
AT(puna_append_options, pooling, 56);
AT(puna_append_options, normalize, 60);
SIZE(puna_append_options, 64);

AT(puna_append_result, struct_size, 0);
AT(puna_append_result, reserved, 4);
AT(puna_append_result, kept, 8);
AT(puna_append_result, appended, 16);
SIZE(puna_append_result, 24);

AT(puna_sampler_options, struct_size, 0);
AT(puna_sampler_options, temperature, 4);
AT(puna_sampler_options, top_p, 8);
AT(puna_sampler_options, min_p, 12);
AT(puna_sampler_options, typical_p, 16);
AT(puna_sampler_options, epsilon, 20);
AT(puna_sampler_options, eta, 24);
AT(puna_sampler_options, repetition_penalty, 28);
AT(puna_sampler_options, presence_penalty, 32);
AT(puna_sampler_options, frequency_penalty, 36);
AT(puna_sampler_options, top_k, 40);
AT(puna_sampler_options, penalty_window, 44);
AT(puna_sampler_options, no_repeat_ngram, 48);
AT(puna_sampler_options, reserved, 52);
AT(puna_sampler_options, seed, 56);
AT(puna_sampler_options, bias_tokens, 64);
AT(puna_sampler_options, bias_values, 72);
AT(puna_sampler_options, bias_count, 80);
SIZE(puna_sampler_options, 88);

AT(puna_token_probability, token, 0);
AT(puna_token_probability, log_probability, 4);
SIZE(puna_token_probability, 8);

AT(puna_generated_token, struct_size, 0);
AT(puna_generated_token, id, 4);
AT(puna_generated_token, text, 8);
AT(puna_generated_token, size, 16);
AT(puna_generated_token, probabilities, 24);
AT(puna_generated_token, probability_count, 32);
SIZE(puna_generated_token, 40);

AT(puna_generate_options, struct_size, 0);
AT(puna_generate_options, ignore_eos, 4);
AT(puna_generate_options, max_tokens, 8);
AT(puna_generate_options, sampler, 16);
AT(puna_generate_options, stop_tokens, 24);
AT(puna_generate_options, stop_token_count, 32);
AT(puna_generate_options, stop_strings, 40);
AT(puna_generate_options, stop_string_count, 48);
AT(puna_generate_options, keep_special, 56);
AT(puna_generate_options, parse_special, 60);
AT(puna_generate_options, log_probabilities, 64);
AT(puna_generate_options, context_policy, 68);
AT(puna_generate_options, keep_prefix, 72);
AT(puna_generate_options, process_logits, 80);
AT(puna_generate_options, process_user, 88);
AT(puna_generate_options, images, 96);
AT(puna_generate_options, image_count, 104);
AT(puna_generate_options, keep_shared, 112);
AT(puna_generate_options, close_answer, 116);
AT(puna_generate_options, draft, 120);
AT(puna_generate_options, draft_tokens, 128);
AT(puna_generate_options, lookup_tokens, 132);
AT(puna_generate_options, grammar, 136);
SIZE(puna_generate_options, 144);

AT(puna_generate_result, struct_size, 0);
AT(puna_generate_result, stop_reason, 4);
AT(puna_generate_result, prompt_tokens, 8);
AT(puna_generate_result, generated_tokens, 16);
AT(puna_generate_result, prompt_seconds, 24);
AT(puna_generate_result, generate_seconds, 32);
AT(puna_generate_result, accepted_drafts, 40);
AT(puna_generate_result, rejected_drafts, 48);
AT(puna_generate_result, incomplete, 56);
AT(puna_generate_result, reserved, 60);
SIZE(puna_generate_result, 64);

AT(puna_grammar_options, struct_size, 0);
AT(puna_grammar_options, kind, 4);
AT(puna_grammar_options, max_whitespace, 8);
AT(puna_grammar_options, reserved, 12);
AT(puna_grammar_options, max_nodes, 16);
AT(puna_grammar_options, max_states, 24);
AT(puna_grammar_options, max_bytes, 32);
AT(puna_grammar_options, watch, 40);
AT(puna_grammar_options, watch_user, 48);
SIZE(puna_grammar_options, 56);

AT(puna_grammar_info, struct_size, 0);
AT(puna_grammar_info, note_count, 4);
AT(puna_grammar_info, notes, 8);
SIZE(puna_grammar_info, 16);

AT(puna_matcher_options, struct_size, 0);
AT(puna_matcher_options, reserved, 4);
AT(puna_matcher_options, stop_tokens, 8);
AT(puna_matcher_options, stop_token_count, 16);
SIZE(puna_matcher_options, 24);

AT(puna_matcher_info, struct_size, 0);
AT(puna_matcher_info, whole, 4);
AT(puna_matcher_info, ended, 8);
AT(puna_matcher_info, reserved, 12);
AT(puna_matcher_info, token_count, 16);
SIZE(puna_matcher_info, 24);

AT(puna_finetune_report, struct_size, 0);
AT(puna_finetune_report, reserved, 4);
AT(puna_finetune_report, step, 8);
AT(puna_finetune_report, steps, 16);
AT(puna_finetune_report, tokens, 24);
AT(puna_finetune_report, loss, 32);
AT(puna_finetune_report, grad_norm, 40);
AT(puna_finetune_report, learning_rate, 48);
AT(puna_finetune_report, preferred, 56);
SIZE(puna_finetune_report, 64);

AT(puna_finetune_options, struct_size, 0);
AT(puna_finetune_options, rank, 4);
AT(puna_finetune_options, alpha, 8);
AT(puna_finetune_options, learning_rate, 16);
AT(puna_finetune_options, weight_decay, 24);
AT(puna_finetune_options, steps, 32);
AT(puna_finetune_options, epochs, 40);
AT(puna_finetune_options, warmup_steps, 48);
AT(puna_finetune_options, step_tokens, 56);
AT(puna_finetune_options, max_tokens, 64);
AT(puna_finetune_options, seed, 72);
AT(puna_finetune_options, targets, 80);
AT(puna_finetune_options, preferences, 88);
AT(puna_finetune_options, reserved, 92);
AT(puna_finetune_options, dpo_beta, 96);
AT(puna_finetune_options, progress, 104);
AT(puna_finetune_options, progress_user, 112);
AT(puna_finetune_options, no_providers, 120);
AT(puna_finetune_options, bf16, 124);
AT(puna_finetune_options, watch, 128);
AT(puna_finetune_options, watch_user, 136);
AT(puna_finetune_options, date, 144);
AT(puna_finetune_options, parse_content, 152);
AT(puna_finetune_options, reserved2, 156);
SIZE(puna_finetune_options, 160);

AT(puna_image_info, struct_size, 0);
AT(puna_image_info, rows, 4);
AT(puna_image_info, columns, 8);
AT(puna_image_info, tiles, 12);
AT(puna_image_info, tile, 16);
AT(puna_image_info, hidden, 20);
AT(puna_image_info, features, 24);
AT(puna_image_info, tokens, 32);
AT(puna_image_info, encoded, 40);
AT(puna_image_info, reserved, 44);
SIZE(puna_image_info, 48);

AT(puna_recommender_info, struct_size, 0);
AT(puna_recommender_info, kind, 4);
AT(puna_recommender_info, items, 8);
AT(puna_recommender_info, max_sequence, 16);
AT(puna_recommender_info, dim, 24);
AT(puna_recommender_info, blocks, 32);
SIZE(puna_recommender_info, 40);

AT(puna_recommender_report, struct_size, 0);
AT(puna_recommender_report, reserved, 4);
AT(puna_recommender_report, step, 8);
AT(puna_recommender_report, steps, 16);
AT(puna_recommender_report, loss, 24);
AT(puna_recommender_report, grad_norm, 32);
SIZE(puna_recommender_report, 40);

AT(puna_recommender_options, struct_size, 0);
AT(puna_recommender_options, kind, 4);
AT(puna_recommender_options, items, 8);
AT(puna_recommender_options, max_sequence, 16);
AT(puna_recommender_options, epochs, 24);
AT(puna_recommender_options, users_per_step, 32);
AT(puna_recommender_options, negatives, 40);
AT(puna_recommender_options, learning_rate, 48);
AT(puna_recommender_options, dropout, 56);
AT(puna_recommender_options, seed, 64);
AT(puna_recommender_options, progress, 72);
AT(puna_recommender_options, progress_user, 80);
AT(puna_recommender_options, item_names, 88);
SIZE(puna_recommender_options, 96);

AT(puna_recommend_options, struct_size, 0);
AT(puna_recommend_options, include_seen, 4);
AT(puna_recommend_options, allowed, 8);
SIZE(puna_recommend_options, 16);

AT(puna_ranker_options, struct_size, 0);
AT(puna_ranker_options, optimizer, 4);
AT(puna_ranker_options, learning_rate, 8);
AT(puna_ranker_options, weight_decay, 16);
AT(puna_ranker_options, table_rate, 24);
AT(puna_ranker_options, table_decay, 32);
AT(puna_ranker_options, dropout, 40);
AT(puna_ranker_options, seed, 48);
SIZE(puna_ranker_options, 56);

AT(puna_ranker_info, struct_size, 0);
AT(puna_ranker_info, table, 4);
AT(puna_ranker_info, surfaces, 8);
AT(puna_ranker_info, tasks, 16);
AT(puna_ranker_info, features, 24);
AT(puna_ranker_info, numbers, 32);
AT(puna_ranker_info, table_rows, 40);
AT(puna_ranker_info, table_bytes, 48);
AT(puna_ranker_info, steps, 56);
SIZE(puna_ranker_info, 64);

AT(puna_examples, struct_size, 0);
AT(puna_examples, reserved, 4);
AT(puna_examples, count, 8);
AT(puna_examples, surfaces, 16);
AT(puna_examples, starts, 24);
AT(puna_examples, ids, 32);
AT(puna_examples, id_count, 40);
AT(puna_examples, numbers, 48);
SIZE(puna_examples, 56);

AT(puna_outcomes, struct_size, 0);
AT(puna_outcomes, reserved, 4);
AT(puna_outcomes, values, 8);
AT(puna_outcomes, known, 16);
AT(puna_outcomes, weights, 24);
SIZE(puna_outcomes, 32);

AT(puna_ranker_report, struct_size, 0);
AT(puna_ranker_report, reserved, 4);
AT(puna_ranker_report, step, 8);
AT(puna_ranker_report, loss, 16);
AT(puna_ranker_report, grad_norm, 24);
SIZE(puna_ranker_report, 32);

AT(puna_catalogue, struct_size, 0);
AT(puna_catalogue, reserved, 4);
AT(puna_catalogue, items, 8);
AT(puna_catalogue, groups, 16);
AT(puna_catalogue, categories, 24);
AT(puna_catalogue, vectors, 32);
AT(puna_catalogue, dim, 40);
SIZE(puna_catalogue, 48);

AT(puna_pipeline_options, struct_size, 0);
AT(puna_pipeline_options, reserved, 4);
AT(puna_pipeline_options, candidates, 8);
AT(puna_pipeline_options, count, 16);
AT(puna_pipeline_options, per_category, 24);
AT(puna_pipeline_options, diversity, 32);
AT(puna_pipeline_options, explore, 40);
AT(puna_pipeline_options, explore_place, 48);
AT(puna_pipeline_options, explore_pool, 56);
AT(puna_pipeline_options, seed, 64);
AT(puna_pipeline_options, value_weights, 72);
AT(puna_pipeline_options, value_exponents, 80);
SIZE(puna_pipeline_options, 88);

AT(puna_pipeline_request, struct_size, 0);
AT(puna_pipeline_request, surface, 4);
AT(puna_pipeline_request, number, 8);
AT(puna_pipeline_request, about, 16);
AT(puna_pipeline_request, user, 24);
AT(puna_pipeline_request, query_time, 32);
AT(puna_pipeline_request, allowed, 40);
AT(puna_pipeline_request, candidates, 48);
AT(puna_pipeline_request, scores, 56);
AT(puna_pipeline_request, candidate_count, 64);
AT(puna_pipeline_request, exclude, 72);
AT(puna_pipeline_request, exclude_count, 80);
AT(puna_pipeline_request, include_seen, 88);
AT(puna_pipeline_request, reserved, 92);
SIZE(puna_pipeline_request, 96);

AT(puna_pipeline_answer, struct_size, 0);
AT(puna_pipeline_answer, reserved, 4);
AT(puna_pipeline_answer, capacity, 8);
AT(puna_pipeline_answer, items, 16);
AT(puna_pipeline_answer, values, 24);
AT(puna_pipeline_answer, propensities, 32);
AT(puna_pipeline_answer, scores, 40);
AT(puna_pipeline_answer, probabilities, 48);
AT(puna_pipeline_answer, found, 56);
AT(puna_pipeline_answer, explored, 64);
AT(puna_pipeline_answer, candidates, 72);
AT(puna_pipeline_answer, retrieve_seconds, 80);
AT(puna_pipeline_answer, rank_seconds, 88);
AT(puna_pipeline_answer, value_seconds, 96);
AT(puna_pipeline_answer, diversify_seconds, 104);
SIZE(puna_pipeline_answer, 112);

AT(puna_engine_options, struct_size, 0);
AT(puna_engine_options, exact, 4);
AT(puna_engine_options, kv_type, 8);
AT(puna_engine_options, max_running, 12);
AT(puna_engine_options, max_positions, 16);
AT(puna_engine_options, prompt_rows, 24);
AT(puna_engine_options, max_queued, 32);
AT(puna_engine_options, reserved, 36);
AT(puna_engine_options, cache_bytes, 40);
AT(puna_engine_options, prompt_share, 48);
AT(puna_engine_options, draft, 56);
SIZE(puna_engine_options, 64);

AT(puna_event, struct_size, 0);
AT(puna_event, kind, 4);
AT(puna_event, answer, 8);
AT(puna_event, id, 12);
AT(puna_event, text, 16);
AT(puna_event, size, 24);
AT(puna_event, probabilities, 32);
AT(puna_event, probability_count, 40);
AT(puna_event, stop_reason, 48);
AT(puna_event, outcome, 52);
AT(puna_event, status, 56);
AT(puna_event, reserved, 60);
AT(puna_event, message, 64);
SIZE(puna_event, 72);

AT(puna_request_options, struct_size, 0);
AT(puna_request_options, priority, 4);
AT(puna_request_options, generate, 8);
AT(puna_request_options, adapters, 16);
AT(puna_request_options, weights, 24);
AT(puna_request_options, adapter_count, 32);
AT(puna_request_options, deadline_us, 40);
AT(puna_request_options, key, 48);
AT(puna_request_options, salt, 56);
AT(puna_request_options, no_cache, 64);
AT(puna_request_options, n, 68);
AT(puna_request_options, best_of, 72);
AT(puna_request_options, beams, 76);
AT(puna_request_options, length_penalty, 80);
AT(puna_request_options, max_events, 84);
AT(puna_request_options, on_event, 88);
AT(puna_request_options, user, 96);
AT(puna_request_options, prompt_log_probabilities, 104);
AT(puna_request_options, embed, 108);
AT(puna_request_options, pooling, 112);
AT(puna_request_options, normalize, 116);
AT(puna_request_options, prompt_only, 120);
AT(puna_request_options, reserved, 124);
SIZE(puna_request_options, 128);

AT(puna_request_info, struct_size, 0);
AT(puna_request_info, ended, 4);
AT(puna_request_info, prompt_tokens, 8);
AT(puna_request_info, cached_tokens, 16);
AT(puna_request_info, generated_tokens, 24);
AT(puna_request_info, queued_seconds, 32);
AT(puna_request_info, first_token_seconds, 40);
AT(puna_request_info, total_seconds, 48);
AT(puna_request_info, pauses, 56);
AT(puna_request_info, answer_count, 60);
SIZE(puna_request_info, 64);

AT(puna_answer, struct_size, 0);
AT(puna_answer, stop_reason, 4);
AT(puna_answer, tokens, 8);
AT(puna_answer, token_count, 16);
AT(puna_answer, text, 24);
AT(puna_answer, size, 32);
AT(puna_answer, mean_log_probability, 40);
AT(puna_answer, accepted_drafts, 48);
AT(puna_answer, rejected_drafts, 56);
AT(puna_answer, incomplete, 64);
AT(puna_answer, reserved, 68);
SIZE(puna_answer, 72);

AT(puna_engine_info, struct_size, 0);
AT(puna_engine_info, queued, 4);
AT(puna_engine_info, running, 8);
AT(puna_engine_info, paused, 12);
AT(puna_engine_info, stalled, 16);
AT(puna_engine_info, reserved, 20);
AT(puna_engine_info, submitted, 24);
AT(puna_engine_info, finished, 32);
AT(puna_engine_info, cancelled, 40);
AT(puna_engine_info, timed_out, 48);
AT(puna_engine_info, failed, 56);
AT(puna_engine_info, refused, 64);
AT(puna_engine_info, passes, 72);
AT(puna_engine_info, decode_rows, 80);
AT(puna_engine_info, prompt_rows, 88);
AT(puna_engine_info, generated_tokens, 96);
AT(puna_engine_info, pauses, 104);
AT(puna_engine_info, pass_seconds, 112);
AT(puna_engine_info, cache_lookups, 120);
AT(puna_engine_info, cache_hits, 128);
AT(puna_engine_info, cache_hit_tokens, 136);
AT(puna_engine_info, cache_evictions, 144);
AT(puna_engine_info, cache_bytes, 152);
AT(puna_engine_info, cache_pages, 160);
AT(puna_engine_info, retry_after_us, 168);
SIZE(puna_engine_info, 176);

AT(puna_balance, struct_size, 0);
AT(puna_balance, reserved, 4);
AT(puna_balance, limit, 8);
AT(puna_balance, spent, 16);
AT(puna_balance, open, 24);
AT(puna_balance, refused_late, 32);
AT(puna_balance, left, 40);
SIZE(puna_balance, 48);

AT(puna_ads_day, struct_size, 0);
AT(puna_ads_day, reserved, 4);
AT(puna_ads_day, count, 8);
AT(puna_ads_day, at, 16);
AT(puna_ads_day, values, 24);
AT(puna_ads_day, prices, 32);
SIZE(puna_ads_day, 40);

AT(puna_hindsight, struct_size, 0);
AT(puna_hindsight, reserved, 4);
AT(puna_hindsight, value, 8);
AT(puna_hindsight, spent, 16);
AT(puna_hindsight, won, 24);
AT(puna_hindsight, multiplier, 32);
SIZE(puna_hindsight, 40);

AT(puna_pacer_options, struct_size, 0);
AT(puna_pacer_options, method, 4);
AT(puna_pacer_options, budget, 8);
AT(puna_pacer_options, expected_auctions, 16);
AT(puna_pacer_options, pace_by, 24);
AT(puna_pacer_options, has_multiplier, 28);
AT(puna_pacer_options, multiplier, 32);
AT(puna_pacer_options, least_return, 40);
AT(puna_pacer_options, seed, 48);
AT(puna_pacer_options, at, 56);
AT(puna_pacer_options, spent, 64);
AT(puna_pacer_options, plan, 72);
SIZE(puna_pacer_options, 80);

AT(puna_pacer_info, struct_size, 0);
AT(puna_pacer_info, reserved, 4);
AT(puna_pacer_info, multiplier, 8);
AT(puna_pacer_info, lambda, 16);
AT(puna_pacer_info, trust, 24);
SIZE(puna_pacer_info, 32);

AT(puna_chooser_options, struct_size, 0);
AT(puna_chooser_options, method, 4);
AT(puna_chooser_options, segments, 8);
AT(puna_chooser_options, variants, 12);
AT(puna_chooser_options, floor, 16);
AT(puna_chooser_options, discount, 24);
AT(puna_chooser_options, temper, 32);
AT(puna_chooser_options, early_temper, 40);
AT(puna_chooser_options, early_clicks, 48);
AT(puna_chooser_options, variant_spread, 56);
AT(puna_chooser_options, cell_spread, 64);
AT(puna_chooser_options, base_rate, 72);
AT(puna_chooser_options, prior_shown, 80);
AT(puna_chooser_options, deviations, 88);
AT(puna_chooser_options, noise, 96);
AT(puna_chooser_options, ridge, 104);
AT(puna_chooser_options, rates, 112);
SIZE(puna_chooser_options, 120);

AT(puna_chooser_info, struct_size, 0);
AT(puna_chooser_info, segments, 4);
AT(puna_chooser_info, variants, 8);
AT(puna_chooser_info, retired, 12);
SIZE(puna_chooser_info, 16);

AT(puna_shown_and_clicked, segment, 0);
AT(puna_shown_and_clicked, variant, 4);
AT(puna_shown_and_clicked, shown, 8);
AT(puna_shown_and_clicked, clicks, 16);
SIZE(puna_shown_and_clicked, 24);

AT(puna_reward_counts, struct_size, 0);
AT(puna_reward_counts, reserved, 4);
AT(puna_reward_counts, shown, 8);
AT(puna_reward_counts, clicked, 16);
AT(puna_reward_counts, waiting, 24);
AT(puna_reward_counts, repeated, 32);
AT(puna_reward_counts, late, 40);
SIZE(puna_reward_counts, 48);

AT(puna_off_policy_options, struct_size, 0);
AT(puna_off_policy_options, reserved, 4);
AT(puna_off_policy_options, shrink, 8);
AT(puna_off_policy_options, clips, 16);
AT(puna_off_policy_options, clip_count, 24);
AT(puna_off_policy_options, switches, 32);
AT(puna_off_policy_options, switch_count, 40);
AT(puna_off_policy_options, shrinkages, 48);
AT(puna_off_policy_options, shrinkage_count, 56);
SIZE(puna_off_policy_options, 64);

AT(puna_logged_choices, struct_size, 0);
AT(puna_logged_choices, reserved, 4);
AT(puna_logged_choices, count, 8);
AT(puna_logged_choices, contexts, 16);
AT(puna_logged_choices, actions, 24);
AT(puna_logged_choices, propensities, 32);
AT(puna_logged_choices, rewards, 40);
SIZE(puna_logged_choices, 48);

AT(puna_estimate, name, 0);
AT(puna_estimate, value, 8);
AT(puna_estimate, standard_error, 16);
SIZE(puna_estimate, 24);

AT(puna_off_policy_report, struct_size, 0);
AT(puna_off_policy_report, reserved, 4);
AT(puna_off_policy_report, rows, 8);
AT(puna_off_policy_report, contexts, 16);
AT(puna_off_policy_report, actions, 24);
AT(puna_off_policy_report, rewarded, 32);
AT(puna_off_policy_report, log_value, 40);
AT(puna_off_policy_report, log_standard_error, 48);
AT(puna_off_policy_report, ess, 56);
AT(puna_off_policy_report, mean_weight, 64);
AT(puna_off_policy_report, largest_weight, 72);
AT(puna_off_policy_report, largest_share, 80);
AT(puna_off_policy_report, worst_action, 88);
AT(puna_off_policy_report, worst_ratio, 96);
AT(puna_off_policy_report, worst_errors, 104);
AT(puna_off_policy_report, estimates, 112);
AT(puna_off_policy_report, estimate_count, 120);
AT(puna_off_policy_report, refusals, 128);
AT(puna_off_policy_report, refusal_count, 136);
AT(puna_off_policy_report, warnings, 144);
AT(puna_off_policy_report, warning_count, 152);
SIZE(puna_off_policy_report, 160);

AT(puna_answers_info, struct_size, 0);
AT(puna_answers_info, reserved, 4);
AT(puna_answers_info, items, 8);
AT(puna_answers_info, workers, 16);
AT(puna_answers_info, labels, 24);
AT(puna_answers_info, answers, 32);
AT(puna_answers_info, repeated, 40);
AT(puna_answers_info, gold, 48);
AT(puna_answers_info, truth, 56);
SIZE(puna_answers_info, 64);

AT(puna_alpha, struct_size, 0);
AT(puna_alpha, reserved, 4);
AT(puna_alpha, alpha, 8);
AT(puna_alpha, items, 16);
AT(puna_alpha, values, 24);
SIZE(puna_alpha, 32);

AT(puna_infer_options, struct_size, 0);
AT(puna_infer_options, method, 4);
AT(puna_infer_options, iterations, 8);
AT(puna_infer_options, tolerance, 16);
AT(puna_infer_options, smoothing, 24);
AT(puna_infer_options, seed, 32);
AT(puna_infer_options, watch, 40);
AT(puna_infer_options, watch_user, 48);
SIZE(puna_infer_options, 56);

AT(puna_inference_info, struct_size, 0);
AT(puna_inference_info, converged, 4);
AT(puna_inference_info, items, 8);
AT(puna_inference_info, workers, 16);
AT(puna_inference_info, labels, 24);
AT(puna_inference_info, iterations, 32);
AT(puna_inference_info, log_likelihood, 40);
AT(puna_inference_info, accuracy, 48);
SIZE(puna_inference_info, 56);

AT(puna_overlap_options, struct_size, 0);
AT(puna_overlap_options, reserved, 4);
AT(puna_overlap_options, similarity, 8);
AT(puna_overlap_options, words, 16);
AT(puna_overlap_options, fewest, 24);
AT(puna_overlap_options, watch, 32);
AT(puna_overlap_options, watch_user, 40);
SIZE(puna_overlap_options, 48);
#endif

/* Numbers that are part of the promise as well. */
#define IS(name, value) _Static_assert((name) == (value), #name " changed its value")
IS(PUNA_OK, 0);
IS(PUNA_INVALID_ARGUMENT, 1);
IS(PUNA_OUT_OF_MEMORY, 2);
IS(PUNA_IO, 3);
IS(PUNA_BAD_FILE, 4);
IS(PUNA_UNSUPPORTED, 5);
IS(PUNA_CANCELLED, 6);
IS(PUNA_CONTEXT_FULL, 7);
IS(PUNA_WRONG_STATE, 8);
IS(PUNA_PROVIDERS_NEVER, 0);
IS(PUNA_PROVIDERS_F32, 1);
IS(PUNA_PROVIDERS_BF16, 2);
IS(PUNA_GEMM_TRANSPOSED_A, 1);
IS(PUNA_GEMM_TRANSPOSED_B, 2);
IS(PUNA_GEMM_ADD, 4);
IS(PUNA_INTERNAL, 9);
IS(PUNA_BUSY, 10);
IS(PUNA_TOKEN_NORMAL, 0);
IS(PUNA_TOKEN_UNKNOWN, 1);
IS(PUNA_TOKEN_CONTROL, 2);
IS(PUNA_TOKEN_USER_DEFINED, 3);
IS(PUNA_TOKEN_UNUSED, 4);
IS(PUNA_TOKEN_BYTE, 5);
IS(PUNA_POOLING_MEAN, 0);
IS(PUNA_POOLING_LAST, 1);
IS(PUNA_POOLING_NONE, 2);
IS(PUNA_GENERATION_PAUSED, 0);
IS(PUNA_GENERATION_TOKEN, 1);
IS(PUNA_GENERATION_ENDED, 2);
IS(PUNA_CONTEXT_ERROR, 0);
IS(PUNA_CONTEXT_DROP_OLDEST, 1);
IS(PUNA_STOP_MAX_TOKENS, 0);
IS(PUNA_STOP_TOKEN, 1);
IS(PUNA_STOP_STRING, 2);
IS(PUNA_STOP_CONTEXT_FULL, 3);
IS(PUNA_STOP_CALLBACK, 4);
IS(PUNA_STOP_INTERRUPTED, 5);
IS(PUNA_RECOMMENDER_HSTU, 0);
IS(PUNA_RECOMMENDER_SASREC, 1);
IS(PUNA_RANKER_TABLE_F32, 0);
IS(PUNA_RANKER_TABLE_F16, 1);
IS(PUNA_RANKER_TABLE_I8, 2);
IS(PUNA_RANKER_ADAMW, 0);
IS(PUNA_RANKER_ADAGRAD, 1);
IS(PUNA_CALIBRATE_NONE, 0);
IS(PUNA_CALIBRATE_PLATT, 1);
IS(PUNA_CALIBRATE_ISOTONIC, 2);
IS(PUNA_EVENT_NONE, 0);
IS(PUNA_EVENT_TOKEN, 1);
IS(PUNA_EVENT_ANSWER_ENDED, 2);
IS(PUNA_EVENT_ENDED, 3);
IS(PUNA_OUTCOME_FINISHED, 0);
IS(PUNA_OUTCOME_CANCELLED, 1);
IS(PUNA_OUTCOME_DEADLINE, 2);
IS(PUNA_OUTCOME_FAILED, 3);
IS(PUNA_SETTLED_BOOKED, 0);
IS(PUNA_SETTLED_BOOKED_LATE, 1);
IS(PUNA_SETTLED_REFUSED_LATE, 2);
IS(PUNA_SETTLED_UNKNOWN, 3);
IS(PUNA_PACING_DUAL, 0);
IS(PUNA_PACING_PI, 1);
IS(PUNA_PACING_THROTTLE, 2);
IS(PUNA_PACING_NONE, 3);
IS(PUNA_PACE_BY_TIME, 0);
IS(PUNA_PACE_BY_AUCTIONS, 1);
IS(PUNA_PRICE_SEEN, 0);
IS(PUNA_PRICE_WON, 1);
IS(PUNA_PRICE_LOST, 2);
IS(PUNA_AUCTION_SECOND_PRICE, 0);
IS(PUNA_AUCTION_FIRST_PRICE, 1);
IS(PUNA_SLOTS_GSP, 0);
IS(PUNA_SLOTS_VCG, 1);
IS(PUNA_CHOICE_HIERARCHICAL, 0);
IS(PUNA_CHOICE_THOMPSON, 1);
IS(PUNA_CHOICE_LIN_TS, 2);
IS(PUNA_CHOICE_LIN_UCB, 3);
IS(PUNA_CHOICE_UNIFORM, 4);
IS(PUNA_DAY_PLAIN, 0);
IS(PUNA_DAY_DRIFTING, 1);
IS(PUNA_DAY_SPIKING, 2);
IS(PUNA_DAY_HEAVY_TAILED, 3);
IS(PUNA_DAY_TRAFFIC, 4);
IS(PUNA_NAME_ITEM, 0);
IS(PUNA_NAME_WORKER, 1);
IS(PUNA_NAME_LABEL, 2);
IS(PUNA_MEASURE_NOMINAL, 0);
IS(PUNA_MEASURE_ORDINAL, 1);
IS(PUNA_MEASURE_INTERVAL, 2);
IS(PUNA_MEASURE_RATIO, 3);
IS(PUNA_INFER_DAWID_SKENE, 0);
IS(PUNA_INFER_MAJORITY, 1);
IS(PUNA_INFER_ONE_COIN, 2);
IS(PUNA_INFER_MACE, 3);
IS(PUNA_INFER_GLAD, 4);
