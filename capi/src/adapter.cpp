// adapter.cpp -- puna_adapter_*: LoRA adapters, from PEFT's files or from fine-tuning in the program itself.
#include "puna_train.h"

#include "base/shared_watch.h"
#include "handles.h"
#include "puna/runtime/adapter_file.h"
#include "translate.h"

#if PUNA_TRAIN
#include "puna/train/data.h"
#include "puna/train/trainer.h"
#endif

using namespace puna;
using namespace puna::capi;

puna_status puna_adapter_open(const puna_model* model, const char* folder, puna_adapter** adapter) {
  return guard([&] {
    const Model& m = use(model);
    PUNA_REQUIRE(folder != nullptr, "folder is NULL");
    PUNA_REQUIRE(adapter != nullptr, "adapter is NULL");
    *adapter = new puna_adapter{load_adapter(m, folder), model->impl};
  });
}

puna_status puna_adapter_save(const puna_adapter* adapter, const char* folder) {
  return guard([&] {
    const Adapter& a = use(adapter);
    PUNA_REQUIRE(folder != nullptr, "folder is NULL");
    save_adapter(a, folder);
  });
}

void puna_adapter_free(puna_adapter* adapter) {
  if (adapter) free_handle(adapter, adapter->model->context());
}

puna_status puna_session_use_adapter(puna_session* session, const puna_adapter* adapter) {
  return guard([&] {
    Session& s = use(session);
    if (!adapter) return s.use(nullptr);
    use(adapter);
    PUNA_REQUIRE(adapter->model.get() == &s.model(), "the adapter was made for another model than the session's");
    s.use(adapter->impl);
  });
}

#if PUNA_TRAIN
namespace {

train::TrainerOptions trainer_options(const puna_finetune_options& o) {
  constexpr int64_t kMost = int64_t(1) << 40;  // products of two stay exact
  train::TrainerOptions t;
  t.steps = in_range(o.steps, 0, kMost, "steps");
  if (in_range(o.epochs, 0, 1 << 20, "epochs") != 0) t.epochs = o.epochs;
  if (in_range(o.step_tokens, 0, kMost, "step_tokens") != 0) t.tokens_per_step = t.tokens_per_pass = o.step_tokens;
  if (number_in_range(o.learning_rate, 0, 1e3, "learning_rate") != 0) t.optimizer.learning_rate = o.learning_rate;
  t.optimizer.weight_decay = number_in_range(o.weight_decay, 0, 1e3, "weight_decay");
  t.schedule.warmup = in_range(o.warmup_steps, 0, kMost, "warmup_steps");
  t.seed = o.seed;
  t.pass.exact = false;
  const bool bf16 = flag(o.bf16, "bf16");
  t.pass.providers = flag(o.no_providers, "no_providers") ? AllowProviders::never
                     : bf16                               ? AllowProviders::bf16
                                                          : AllowProviders::f32;
  if (number_in_range(o.dpo_beta, 0, 1e6, "dpo_beta") != 0) t.dpo_beta = o.dpo_beta;
  return t;
}

AdapterOptions adapter_options(const puna_finetune_options& o) {
  AdapterOptions a;
  if (in_range(o.rank, 0, 1 << 16, "rank") != 0) a.rank = o.rank;
  number_in_range(o.alpha, 0, 1e6, "alpha");
  a.alpha = o.alpha != 0 ? o.alpha : 2.0 * double(a.rank);
  a.seed = o.seed;
  if (!o.targets) return a;
  a.targets.clear();
  for (std::string_view rest = o.targets; !rest.empty();) {
    const size_t end = std::min(rest.find(','), rest.size());
    a.targets.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return a;
}

// Runs `work(should_stop)` while the host may stop it.
void watched(FunctionRef<bool()> go_on, const Context& context, FunctionRef<void(FunctionRef<bool()>)> work) {
  SharedWatch stop(go_on, context.executor().caller_works());
  try {
    work(stop);
  } catch (const Error&) {
    stop.rethrow();  // what the host's callback threw, if that was it
    throw;
  }
}

puna_finetune_report report_of(const train::StepReport& r, int64_t steps) {
  puna_finetune_report report{};
  report.struct_size = sizeof report;
  report.step = r.step;
  report.steps = steps;
  report.loss = r.loss;
  report.grad_norm = r.grad_norm;
  report.learning_rate = r.learning_rate;
  report.tokens = r.tokens;
  report.preferred = r.preferred;
  return report;
}

}  // namespace
#endif

puna_status puna_model_finetune(const puna_model* model, const char* jsonl, size_t bytes,
                                const puna_finetune_options* options, puna_adapter** adapter) {
  return guard([&] {
    const Model& m = use(model);
    const std::string_view lines = text_view(jsonl, bytes, "jsonl");
    PUNA_REQUIRE(adapter != nullptr, "adapter is NULL");
    const puna_finetune_options o = read_options(options, "puna_finetune_options");
    require_reserved(o.reserved, "puna_finetune_options");
    require_reserved(o.reserved2, "puna_finetune_options");
#if PUNA_TRAIN
    const auto go_on = [&] { return !o.watch || o.watch(o.watch_user) == 0; };
    const Watch watch(go_on);
    train::TextCodec codec;
    codec.tokenizer = &m.require_tokenizer();
    codec.watch = &watch;
    if (m.chat_template()) {
      codec.render_chat = [&](std::string_view json, std::string_view date) {
        return m.render_chat(json, date, watch);
      };
      codec.chat_reads = [&](std::string_view name) { return m.chat_templates().reads(name); };
    }
    train::DataOptions data;
    if (in_range(o.max_tokens, 0, int64_t(1) << 40, "max_tokens") != 0) data.max_tokens = o.max_tokens;
    if (o.date) data.date = o.date;
    data.parse_content = flag(o.parse_content, "parse_content");
    train::DataReport read;
    const auto log_report = [&] {
      for (const std::string& sentence : read.sentences())
        m.context().logger().write(LogLevel::warning, "training data: %s", sentence.c_str());
      if (read.left_out)
        m.context().logger().write(LogLevel::warning, "training data: %jd rows are longer than max_tokens and left out",
                                   read.left_out);
    };
    const bool pairs = flag(o.preferences, "preferences");
    const train::TrainerOptions learning = trainer_options(o);  // refused before anything is computed
    const std::shared_ptr<Adapter> made = Adapter::create(m.context(), m.llama(), adapter_options(o), watch);
    train::Parameters parameters(m.context_ptr());
    parameters.track(*made);
    train::Trainer trainer(parameters, m.llama(), made.get(), learning);
    if (pairs) {
      std::vector<train::Preference> all;
      train::add_preferences(all, codec, lines, "jsonl", data, &read);
      log_report();
      watched(go_on, m.context(), [&](FunctionRef<bool()> stop) { trainer.learn(std::move(all), stop); });
    } else {
      std::vector<train::Sequence> all;
      train::add_jsonl(all, codec, lines, "jsonl", data, &read);
      log_report();
      trainer.learn(std::move(all));
    }
    while (trainer.done_steps() < trainer.total_steps()) {
      train::StepReport step;
      watched(go_on, m.context(), [&](FunctionRef<bool()> stop) { step = trainer.step(stop); });
      const puna_finetune_report report = report_of(step, trainer.total_steps());
      if (o.progress && o.progress(o.progress_user, &report) != 0)
        fail(Status::cancelled, "fine-tuning was cancelled after step %jd of %jd", report.step, report.steps);
    }
    *adapter = new puna_adapter{made, model->impl};
#else
    (void)m;
    (void)lines;
    (void)o;
    fail(Status::unsupported, "this library was built without training");
#endif
  });
}
