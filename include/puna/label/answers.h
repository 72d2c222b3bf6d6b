// answers.h -- who answered what: the input of agreement and inference. Items, workers and labels are numbers here;
// labels are numbered in the order of their names, so that "the smallest label by name" is the smallest number.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace puna::label {

inline constexpr int32_t kUnknown = -1;

struct Answer {
  int32_t item, worker, label;
};

struct Answers {
  std::vector<std::string> items, workers, labels;
  std::vector<Answer> answers;  // by item; within an item in the order they were given
  std::vector<int32_t> gold;    // of every item: its label, which inference takes as certain; kUnknown
  std::vector<int32_t> truth;   // of every item: what accuracies are measured against, never looked at otherwise
  int64_t repeated = 0;         // answers of a worker to an item that it had answered before: all count
  int64_t replaced_gold = 0;    // gold labels of the store that are other than a later one of their item: that counts

  int64_t count_gold() const;
  int64_t count_truth() const;
};

// What fails adds nothing.
class AnswersBuilder {
 public:
  void add(std::string_view item, std::string_view worker, std::string_view label);
  void gold(std::string_view item, std::string_view label);
  void truth(std::string_view item, std::string_view label);
  void item(std::string_view item);    // one that nobody has answered
  void label(std::string_view label);  // one that nobody has given
  // Error{invalid_argument} when two different golds or truths were given for an item.
  Answers finish();

 private:
  class Index {
   public:
    int32_t of(std::string_view name);
    void forget_from(size_t count) noexcept;  // the names that came behind the first `count`
    std::vector<std::string> names;

   private:
    struct Hash {
      using is_transparent = void;
      size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>()(s); }
    };
    std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> number_;
  };
  template <class Work>
  void all_or_nothing(Work&& work);
  void note(std::vector<int32_t>& to, const char* what, std::string_view item, std::string_view label);

  Index items_, workers_, labels_;
  std::vector<Answer> answers_;
  std::vector<int32_t> gold_, truth_;
};

}  // namespace puna::label
