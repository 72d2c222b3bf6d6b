#include "ads/ope_log.h"

#include <algorithm>
#include <unordered_map>

#include "ads/rows.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
};

// Numbers for names, in the order in which they come.
class Numbering {
 public:
  explicit Numbering(const char* what, size_t most) : what_(what), most_(most) {}
  int32_t of(std::string_view name, const Rows& rows) {
    const auto found = numbers_.find(name);
    if (found != numbers_.end()) return found->second;
    if (names_.size() == most_) fail(Status::bad_file, "%s: more than %zu %s", rows.where().c_str(), most_, what_);
    names_.emplace_back(name);
    return numbers_.emplace(std::string(name), int32_t(names_.size()) - 1).first->second;
  }
  int32_t find(std::string_view name) const {
    const auto found = numbers_.find(name);
    return found == numbers_.end() ? -1 : found->second;
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  const char* what_;
  size_t most_;
  std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>> numbers_;
  std::vector<std::string> names_;
};

constexpr size_t kShownColumns = 8;
constexpr size_t kMostActions = 100'000, kMostContexts = 1'000'000, kMostPolicyCells = 1 << 22;

int column_of(const Rows& rows, const std::string& given, const char* option,
              std::initializer_list<std::string_view> usual, bool required) {
  if (!given.empty()) return rows.column(given);
  const int at = rows.one_of(usual, option);
  return at >= 0 || !required ? at : rows.column(*usual.begin());
}

// The rows of a log as numbers.
class Choices {
 public:
  Choices(const TextFile& log, const LogColumns& columns, const Watch& watch)
      : rows_(log.text, log.name, watch),
        action_(column_of(rows_, columns.action, "--action", {"action", "item_id", "variant"}, true)),
        reward_(column_of(rows_, columns.reward, "--reward", {"reward", "click", "clicked"}, true)),
        propensity_(column_of(rows_, columns.propensity, "--propensity",
                              {"propensity", "propensity_score", "pscore", "p"}, false)) {
    std::string_view names = columns.context;
    if (names.empty()) {
      const int at = column_of(rows_, "", "--context", {"position", "segment", "context"}, false);
      if (at >= 0) context_.push_back(at);
    }
    while (!names.empty()) {
      const size_t end = std::min(names.find(','), names.size());
      context_.push_back(rows_.column(names.substr(0, end)));
      names.remove_prefix(std::min(end + 1, names.size()));
    }
    std::vector<ColumnRole> roles = {{action_, "--action"}, {reward_, "--reward"}, {propensity_, "--propensity"}};
    for (const int c : context_) roles.push_back({c, "--context"});
    rows_.require_one_role(roles);
  }
  bool next(LoggedChoice& row) {
    if (!rows_.next()) return false;
    std::string_view context = context_.empty() ? std::string_view("") : rows_.text(context_[0]);
    if (context_.size() > 1) {
      key_ = context;
      for (size_t i = 1; i < context_.size(); ++i) (key_ += ',') += rows_.text(context_[i]);
      context = key_;
    }
    row.context = contexts.of(context, rows_);
    row.action = actions.of(rows_.text(action_), rows_);
    row.reward = rows_.number(reward_, -1e12, 1e12);
    // Rows without one are counted and the log is refused as a whole; a number that is no probability is an error here.
    row.propensity = propensity_ < 0 || rows_.text(propensity_).empty() ? 0 : rows_.number(propensity_, 0, 1);
    return true;
  }
  void rewind() { rows_.rewind(); }
  // "action 'item_id', reward 'click', ...; not looked at: 'timestamp', ..."
  std::string columns() const {
    std::string all, others;
    const auto add = [](std::string& to, const std::string& what) { to += (to.empty() ? "" : ", ") + what; };
    const auto name = [&](size_t column) { return "'" + shown(rows_.columns()[column]).substr(0, 40) + "'"; };
    add(all, "action " + name(size_t(action_)));
    add(all, "reward " + name(size_t(reward_)));
    if (propensity_ >= 0) add(all, "propensity " + name(size_t(propensity_)));
    for (const int c : context_) add(all, "context " + name(size_t(c)));
    size_t left_out = 0;
    for (size_t i = 0; i < rows_.columns().size(); ++i) {
      const int at = int(i);
      if (at == action_ || at == reward_ || at == propensity_ ||
          std::find(context_.begin(), context_.end(), at) != context_.end())
        continue;
      if (++left_out <= kShownColumns) add(others, name(i));
    }
    if (left_out > kShownColumns) others += " and " + std::to_string(left_out - kShownColumns) + " more";
    return others.empty() ? all : all + "; not looked at: " + others;
  }
  size_t position() const { return rows_.position(); }

  Numbering contexts{"contexts", kMostContexts}, actions{"actions", kMostActions};

 private:
  Rows rows_;
  int action_, reward_, propensity_;
  std::vector<int> context_;
  std::string key_;
};

std::vector<double> policy_table(const TextFile& file, const Choices& log, const Watch& watch) {
  Rows rows(file.text, file.name, watch);
  rows.only({"action", "probability", "context"});
  const int action = rows.column("action"), probability = rows.column("probability"), context = rows.find("context");
  const auto& actions = log.actions.names();
  if (log.contexts.names().size() * actions.size() > kMostPolicyCells)
    fail(Status::unsupported, "%s: %zu contexts and %zu actions of the log are more than %zu probabilities",
         file.name.c_str(), log.contexts.names().size(), actions.size(), kMostPolicyCells);
  std::vector<double> table(log.contexts.names().size() * actions.size(), -1);
  while (rows.next()) {
    const double p = rows.number(probability, 0, 1);
    const int32_t a = log.actions.find(rows.text(action));
    if (a < 0) {
      if (p == 0) continue;
      fail(Status::bad_file,
           "%s, column 'action': the log never took action '%s'%s; it cannot say what that would earn",
           rows.where().c_str(), shown(rows.text(action)).c_str(), did_you_mean(rows.text(action), actions).c_str());
    }
    const int32_t x = context < 0 ? 0 : log.contexts.find(rows.text(context));
    if (x < 0) continue;  // of a context that never came
    for (size_t i = size_t(x); i < log.contexts.names().size(); i += context < 0 ? 1 : log.contexts.names().size()) {
      double& cell = table[i * actions.size() + size_t(a)];
      if (cell >= 0)
        fail(Status::bad_file, "%s: a second probability of action '%s'", rows.where().c_str(),
             shown(rows.text(action)).c_str());
      cell = p;
    }
  }
  for (size_t x = 0; x < log.contexts.names().size(); ++x) {
    double sum = 0;
    for (size_t a = 0; a < actions.size(); ++a) {
      double& cell = table[x * actions.size() + a];
      cell = std::max(cell, 0.0);
      sum += cell;
    }
    if (!(sum > 1 - 1e-6 && sum < 1 + 1e-6))
      fail(Status::bad_file, "%s: the probabilities in context '%s' add up to %g, expected 1", file.name.c_str(),
           shown(log.contexts.names()[x]).c_str(), sum);
  }
  return table;
}

}  // namespace

LogReport evaluate_log(const TextFile& log, const LogColumns& columns, const TextFile* policy,
                       const OpeOptions& options, const Watch& watch, const std::function<void(size_t bytes)>& read) {
  OffPolicy evaluation(options);
  Choices choices(log, columns, watch);
  LoggedChoice row;
  constexpr int64_t kRowsBetween = 1 << 14;
  const auto every_row = [&](auto use) {
    for (int64_t i = 0; choices.next(row); ++i) {
      use();
      if (read && i % kRowsBetween == 0) read(choices.position());
    }
    if (read) read(log.text.size());
  };
  every_row([&] { evaluation.count(row); });
  if (evaluation.contexts() == 0) fail(Status::bad_file, "%s: there are no rows below the names", log.name.c_str());
  std::vector<double> table;
  if (policy) table = policy_table(*policy, choices, watch);
  evaluation.begin_estimates(policy ? &table : nullptr);
  choices.rewind();
  every_row([&] { evaluation.estimate(row); });
  LogReport report{evaluation.report(), "", choices.columns()};
  if (report.worst_action >= 0) report.worst_action_name = choices.actions.names()[size_t(report.worst_action)];
  return report;
}

}  // namespace puna::ads
