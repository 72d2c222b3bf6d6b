// label.cpp -- puna_answers_*, puna_inference_*, puna_find_*: agreement, true labels, texts that say the same.
#include "puna_label.h"

#include "guard.h"
#include "translate.h"
#if PUNA_EVAL
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "puna/label/agreement.h"
#include "puna/label/answers.h"
#include "puna/label/infer.h"
#include "puna/label/text_overlap.h"
#include "puna/text/duplicates.h"

using namespace puna;
using namespace puna::capi;
using namespace puna::label;

struct puna_answers {
  AnswersBuilder builder;
  std::optional<Answers> finished;  // of the builder as it is

  const Answers& get() {
    if (!finished) {
      AnswersBuilder copy = builder;
      finished = copy.finish();
    }
    return *finished;
  }
};

struct puna_inference {
  Inference impl;
  std::vector<std::string> labels;
  int64_t items = 0, workers = 0;
  double accuracy = 0;
};

namespace puna::capi {

static puna_answers& use(puna_answers* answers) {
  PUNA_REQUIRE(answers != nullptr, "answers is NULL");
  return *answers;
}
static const puna_inference& use(const puna_inference* inference) {
  PUNA_REQUIRE(inference != nullptr, "inference is NULL");
  return *inference;
}

}  // namespace puna::capi

namespace {

std::string_view given_name(const char* text, const char* what) {
  PUNA_REQUIRE(text != nullptr && *text, "%s is %s, expected a name", what, text ? "empty" : "NULL");
  return text;
}

int64_t numbered(int64_t i, int64_t count, const char* what) { return in_range(i, 0, count - 1, what); }

// A watch that asks the options' callback.
template <class Options>
struct AskedWatch {
  const Options& o;
  explicit AskedWatch(const Options& options) : o(options) {}
  bool operator()() const { return o.watch(o.watch_user) == 0; }
};

std::vector<std::string_view> texts_from_c(const char* const* texts, const size_t* bytes, uint64_t count,
                                           const char* what) {
  std::vector<std::string_view> all;
  for (const char* const text : array_view(texts, count, what)) {
    PUNA_REQUIRE(text != nullptr, "%s has NULL at %zu", what, all.size());
    all.push_back(bytes ? std::string_view(text, bytes[all.size()]) : std::string_view(text));
  }
  return all;
}

}  // namespace

puna_status puna_answers_create(puna_answers** answers) {
  return guard([&] {
    PUNA_REQUIRE(answers != nullptr, "answers is NULL");
    *answers = std::make_unique<puna_answers>().release();
  });
}

void puna_answers_free(puna_answers* answers) { delete answers; }

puna_status puna_answers_add(puna_answers* answers, const char* item, const char* worker, const char* label) {
  return guard([&] {
    puna_answers& a = use(answers);
    const auto i = given_name(item, "item"), w = given_name(worker, "worker"), l = given_name(label, "label");
    a.builder.add(i, w, l);
    a.finished.reset();  // not before: the names that were given live on when this fails
  });
}

puna_status puna_answers_set_gold(puna_answers* answers, const char* item, const char* label) {
  return guard([&] {
    puna_answers& a = use(answers);
    a.builder.gold(given_name(item, "item"), given_name(label, "label"));
    a.finished.reset();
  });
}

puna_status puna_answers_set_truth(puna_answers* answers, const char* item, const char* label) {
  return guard([&] {
    puna_answers& a = use(answers);
    a.builder.truth(given_name(item, "item"), given_name(label, "label"));
    a.finished.reset();
  });
}

puna_status puna_answers_get_info(puna_answers* answers, puna_answers_info* info) {
  return guard([&] {
    const Answers& a = use(answers).get();
    puna_answers_info out{};
    out.items = int64_t(a.items.size());
    out.workers = int64_t(a.workers.size());
    out.labels = int64_t(a.labels.size());
    out.answers = int64_t(a.answers.size());
    out.repeated = a.repeated;
    out.gold = a.count_gold();
    out.truth = a.count_truth();
    write_info(out, info, "puna_answers_info");
  });
}

puna_status puna_answers_get_name(puna_answers* answers, int32_t kind, int64_t i, const char** out) {
  return guard([&] {
    PUNA_REQUIRE(out != nullptr, "name is NULL");
    const Answers& a = use(answers).get();
    in_range(kind, 0, 2, "kind");
    const std::vector<std::string>& names = kind == PUNA_NAME_ITEM     ? a.items
                                            : kind == PUNA_NAME_WORKER ? a.workers
                                                                       : a.labels;
    *out = names[size_t(numbered(i, int64_t(names.size()), "number"))].c_str();
  });
}

puna_status puna_answers_get_alpha(puna_answers* answers, int32_t measure, puna_alpha* alpha) {
  return guard([&] {
    const Answers& a = use(answers).get();
    const Alpha got = krippendorff_alpha(a, Measure(in_range(measure, 0, 3, "measure")));
    puna_alpha out{};
    out.alpha = got.alpha;
    out.items = got.units;
    out.values = got.values;
    write_info(out, alpha, "puna_alpha");
  });
}

puna_status puna_answers_infer(puna_answers* answers, const puna_infer_options* options, puna_inference** inference) {
  return guard([&] {
    PUNA_REQUIRE(inference != nullptr, "inference is NULL");
    const puna_infer_options o = read_options(options, "puna_infer_options");
    const AskedWatch go_on(o);
    const Watch watch(o.watch ? FunctionRef<bool()>(go_on) : FunctionRef<bool()>());
    constexpr Method kMethods[] = {Method::dawid_skene, Method::majority, Method::one_coin, Method::mace, Method::glad};
    InferOptions infer_options;
    infer_options.method = kMethods[in_range(o.method, 0, 4, "method")];
    if (o.iterations) infer_options.iterations = in_range(o.iterations, 1, INT64_MAX, "iterations");
    if (o.tolerance != 0) infer_options.tolerance = number_in_range(o.tolerance, 0, 1, "tolerance");
    if (o.smoothing != 0) infer_options.smoothing = number_in_range(o.smoothing, 0, 1e6, "smoothing");
    if (o.seed) infer_options.seed = o.seed;
    const Answers& a = use(answers).get();
    auto out = std::make_unique<puna_inference>();
    out->impl = infer(a, infer_options, watch);
    out->labels = a.labels;
    out->items = int64_t(a.items.size());
    out->workers = int64_t(a.workers.size());
    out->accuracy = a.count_truth() ? accuracy_of(a, out->impl) : std::numeric_limits<double>::quiet_NaN();
    *inference = out.release();
  });
}

void puna_inference_free(puna_inference* inference) { delete inference; }

puna_status puna_inference_get_info(const puna_inference* inference, puna_inference_info* info) {
  return guard([&] {
    const puna_inference& r = use(inference);
    puna_inference_info out{};
    out.converged = r.impl.converged;
    out.items = r.items;
    out.workers = r.workers;
    out.labels = int64_t(r.labels.size());
    out.iterations = r.impl.iterations;
    out.log_likelihood = r.impl.log_likelihood;
    out.accuracy = r.accuracy;
    write_info(out, info, "puna_inference_info");
  });
}

puna_status puna_inference_get_label(const puna_inference* inference, int64_t item, const char** label,
                                     double* confidence) {
  return guard([&] {
    PUNA_REQUIRE(label != nullptr, "label is NULL");
    const puna_inference& r = use(inference);
    const int64_t i = numbered(item, r.items, "item");
    const int32_t l = r.impl.label[size_t(i)];
    *label = l == kUnknown ? nullptr : r.labels[size_t(l)].c_str();
    if (confidence) *confidence = l == kUnknown ? 0 : r.impl.confidence(i);
  });
}

puna_status puna_inference_get_posterior(const puna_inference* inference, int64_t item, double* posterior,
                                         size_t capacity) {
  return guard([&] {
    PUNA_REQUIRE(posterior != nullptr, "posterior is NULL");
    const puna_inference& r = use(inference);
    const auto i = size_t(numbered(item, r.items, "item"));
    const size_t K = r.labels.size();
    PUNA_REQUIRE(capacity >= K, "capacity is %zu, there are %zu labels", capacity, K);
    std::copy_n(r.impl.posterior.begin() + int64_t(i * K), K, posterior);
  });
}

puna_status puna_inference_get_worker(const puna_inference* inference, int64_t worker, double* accuracy) {
  return guard([&] {
    PUNA_REQUIRE(accuracy != nullptr, "accuracy is NULL");
    const puna_inference& r = use(inference);
    *accuracy = r.impl.accuracy[size_t(numbered(worker, r.workers, "worker"))];
  });
}

puna_status puna_find_duplicates(const char* const* texts, const size_t* bytes, uint64_t count,
                                 const puna_overlap_options* options, int64_t* group) {
  return guard([&] {
    PUNA_REQUIRE(group != nullptr || count == 0, "group is NULL");
    const puna_overlap_options o = read_options(options, "puna_overlap_options");
    require_reserved(o.reserved, "puna_overlap_options");
    const AskedWatch go_on(o);
    const Watch watch(o.watch ? FunctionRef<bool()>(go_on) : FunctionRef<bool()>());
    DuplicateOptions d;
    if (o.similarity != 0) d.similarity = number_in_range(o.similarity, 1e-3, 1, "similarity");
    const Duplicates found = find_duplicates(texts_from_c(texts, bytes, count, "texts"), d, watch);
    std::copy(found.group.begin(), found.group.end(), group);
  });
}

puna_status puna_find_contaminated(const char* const* items, const size_t* item_bytes, uint64_t count,
                                   const char* const* documents, const size_t* document_bytes, uint64_t document_count,
                                   const puna_overlap_options* options, int64_t* document) {
  return guard([&] {
    PUNA_REQUIRE(document != nullptr || count == 0, "document is NULL");
    const puna_overlap_options o = read_options(options, "puna_overlap_options");
    require_reserved(o.reserved, "puna_overlap_options");
    const AskedWatch go_on(o);
    const Watch watch(o.watch ? FunctionRef<bool()>(go_on) : FunctionRef<bool()>());
    ContaminationOptions c;
    if (o.words) c.words = in_range(o.words, 2, 1000, "words");
    if (o.fewest) c.fewest = in_range(o.fewest, 1, c.words, "fewest");
    c.fewest = std::min(c.fewest, c.words);
    const std::vector<std::string_view> all = texts_from_c(items, item_bytes, count, "items");
    ContaminationIndex index(all, c, watch);
    const auto searched = texts_from_c(documents, document_bytes, document_count, "documents");
    for (size_t d = 0; d < searched.size(); ++d) index.search(searched[d], std::to_string(d), watch);
    std::vector<int64_t> found(all.size(), -1);
    for (const auto& hit : index.hits()) found[size_t(hit.item)] = std::stoll(hit.document);
    std::copy(found.begin(), found.end(), document);
  });
}
#else

using puna::capi::missing;

puna_status puna_answers_create(puna_answers**) { return missing("labels"); }
void puna_answers_free(puna_answers*) {}
puna_status puna_answers_add(puna_answers*, const char*, const char*, const char*) { return missing("labels"); }
puna_status puna_answers_set_gold(puna_answers*, const char*, const char*) { return missing("labels"); }
puna_status puna_answers_set_truth(puna_answers*, const char*, const char*) { return missing("labels"); }
puna_status puna_answers_get_info(puna_answers*, puna_answers_info*) { return missing("labels"); }
puna_status puna_answers_get_name(puna_answers*, int32_t, int64_t, const char**) { return missing("labels"); }
puna_status puna_answers_get_alpha(puna_answers*, int32_t, puna_alpha*) { return missing("labels"); }
puna_status puna_answers_infer(puna_answers*, const puna_infer_options*, puna_inference**) { return missing("labels"); }
void puna_inference_free(puna_inference*) {}
puna_status puna_inference_get_info(const puna_inference*, puna_inference_info*) { return missing("labels"); }
puna_status puna_inference_get_label(const puna_inference*, int64_t, const char**, double*) {
  return missing("labels");
}
puna_status puna_inference_get_posterior(const puna_inference*, int64_t, double*, size_t) { return missing("labels"); }
puna_status puna_inference_get_worker(const puna_inference*, int64_t, double*) { return missing("labels"); }
puna_status puna_find_duplicates(const char* const*, const size_t*, uint64_t, const puna_overlap_options*, int64_t*) {
  return missing("labels");
}
puna_status puna_find_contaminated(const char* const*, const size_t*, uint64_t, const char* const*, const size_t*,
                                   uint64_t, const puna_overlap_options*, int64_t*) {
  return missing("labels");
}
#endif
