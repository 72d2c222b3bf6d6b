// grammar.cpp -- puna_grammar_*, puna_matcher_*: grammars, and matchers for hosts with a sampler of their own.
#include "puna_grammar.h"

#include "base/json.h"
#include "buffer.h"
#include "grammar_handle.h"
#include "handles.h"
#include "puna/grammar/matcher.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

struct puna_matcher {
  ModelPtr model;
  Matcher impl;
};

namespace puna::capi {

template <class Handle>  // puna_matcher, const or not
static Handle& use_matcher(Handle* matcher) {
  PUNA_REQUIRE(matcher != nullptr, "matcher is NULL");
  matcher->model->context().require_same_process();
  return *matcher;
}
static puna_matcher& use(puna_matcher* matcher) { return use_matcher(matcher); }
static const puna_matcher& use(const puna_matcher* matcher) { return use_matcher(matcher); }

}  // namespace puna::capi

namespace {

std::vector<std::string> choices_from_json(std::string_view text, const Watch& watch) {
  OrderedJson json;
  const JsonGuard guard(json);
  json = parse_json_argument(text, "choices", watch);
  PUNA_REQUIRE(json.is_array(), "choices: expected a JSON list of strings");
  std::vector<std::string> choices;
  for (size_t i = 0; i < json.size(); ++i) {
    PUNA_REQUIRE(json[i].is_string(), "choices: /%zu: expected a string", i);
    choices.push_back(json[i].get<std::string>());
  }
  return choices;
}

GrammarPtr compile(std::string_view text, int32_t kind, const JsonSchemaOptions& json, const Watch& watch) {
  switch (kind) {
    case PUNA_GRAMMAR_JSON_SCHEMA: return grammar_from_json_schema(text, json, watch);
    case PUNA_GRAMMAR_REGEX: return grammar_from_regex(text, json.limits, watch);
    case PUNA_GRAMMAR_GBNF: return grammar_from_gbnf(text, json.limits, watch);
    case PUNA_GRAMMAR_EBNF: return grammar_from_ebnf(text, json.limits, watch);
    case PUNA_GRAMMAR_CHOICES: return grammar_from_choices(choices_from_json(text, watch), json.limits, watch);
    case PUNA_GRAMMAR_ANY_JSON:
      PUNA_REQUIRE(text.empty(), "any JSON: the text has %zu bytes, expected none", text.size());
      return grammar_from_any_json(json, watch);
    default: fail(Status::invalid_argument, "kind is %d, expected 0 to 5", kind);
  }
}

}  // namespace

puna_status puna_grammar_create(const char* text, size_t bytes, const puna_grammar_options* options,
                                puna_grammar** grammar) {
  return guard([&] {
    PUNA_REQUIRE(grammar != nullptr, "grammar is NULL");
    const puna_grammar_options o = read_options(options, "puna_grammar_options");
    require_reserved(o.reserved, "puna_grammar_options");
    const auto go_on = [&] { return o.watch(o.watch_user) == 0; };
    const Watch watch(o.watch ? FunctionRef<bool()>(go_on) : FunctionRef<bool()>());
    auto out = std::make_unique<puna_grammar>();
    JsonSchemaOptions json = json_options_from_c(o);
    json.notes = &out->notes;
    out->impl = compile(text_view(text, bytes, "text"), o.kind, json, watch);
    out->show_notes();
    *grammar = out.release();
  });
}

void puna_grammar_free(puna_grammar* grammar) { delete grammar; }

puna_status puna_grammar_get_info(const puna_grammar* grammar, puna_grammar_info* info) {
  return guard([&] {
    const puna_grammar& g = capi::use(grammar);
    puna_grammar_info i{};
    i.note_count = int32_t(g.note_texts.size());
    i.notes = g.note_texts.data();
    write_info(i, info, "puna_grammar_info");
  });
}

puna_status puna_matcher_create(const puna_grammar* grammar, const puna_model* model,
                                const puna_matcher_options* options, puna_matcher** matcher) {
  return guard([&] {
    const puna_grammar& g = capi::use(grammar);
    const Model& m = capi::use(model);
    PUNA_REQUIRE(matcher != nullptr, "matcher is NULL");
    const puna_matcher_options o = read_options(options, "puna_matcher_options");
    require_reserved(o.reserved, "puna_matcher_options");
    const auto stops = array_view(o.stop_tokens, o.stop_token_count, "stop_tokens");
    *matcher = new puna_matcher{model->impl, Matcher(g.impl, m.grammar_vocabulary(), stops)};
  });
}

puna_status puna_matcher_fork(const puna_matcher* matcher, puna_matcher** fork) {
  return guard([&] {
    const puna_matcher& m = capi::use(matcher);
    PUNA_REQUIRE(fork != nullptr, "fork is NULL");
    *fork = new puna_matcher(m);
  });
}

void puna_matcher_free(puna_matcher* matcher) {
  if (matcher) free_handle(matcher, matcher->model->context());
}

puna_status puna_matcher_reset(puna_matcher* matcher) {
  return guard([&] { capi::use(matcher).impl.reset(); });
}

puna_status puna_matcher_get_info(puna_matcher* matcher, puna_matcher_info* info) {
  return guard([&] {
    Matcher& m = capi::use(matcher).impl;
    puna_matcher_info i{};
    i.whole = m.accepting();
    i.ended = m.ended();
    i.token_count = uint64_t(m.mask().count());
    write_info(i, info, "puna_matcher_info");
  });
}

puna_status puna_matcher_mask(puna_matcher* matcher, uint32_t* words, size_t capacity) {
  return guard([&] {
    puna_matcher& m = capi::use(matcher);
    PUNA_REQUIRE(words != nullptr, "words is NULL");
    const size_t needed = (size_t(m.model->config().vocab) + 31) / 32;
    PUNA_REQUIRE(capacity >= needed, "room for %zu words, %zu are needed", capacity, needed);
    const TokenMask mask = m.impl.mask();
    std::fill(words, words + capacity, 0u);
    mask.for_each(size_t(m.model->tokenizer()->size()), [&](size_t id) { words[id / 32] |= 1u << id % 32; });
  });
}

puna_status puna_matcher_accept(puna_matcher* matcher, int32_t token) {
  return guard([&] { capi::use(matcher).impl.accept(token); });
}

puna_status puna_matcher_accept_text(puna_matcher* matcher, const char* text, size_t bytes) {
  return guard([&] { capi::use(matcher).impl.accept_bytes(text_view(text, bytes, "text")); });
}

puna_status puna_matcher_forced_text(puna_matcher* matcher, puna_buffer* text) {
  return guard([&] {
    puna_buffer& out = capi::use(text, "text");
    out.store(capi::use(matcher).impl.forced());
  });
}

puna_status puna_matcher_completion(puna_matcher* matcher, puna_buffer* text) {
  return guard([&] {
    puna_buffer& out = capi::use(text, "text");
    out.store(capi::use(matcher).impl.shortest_completion());
  });
}
