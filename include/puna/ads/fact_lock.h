// fact_lock.h -- whether what a text claims stands in the facts: every number with its unit, price, per cent, date,
// weekday, duration, and every name. Paraphrased claims without any of these are not seen.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace puna::ads {

struct Claim {
  size_t begin = 0, end = 0;  // bytes of the text
  std::string what;           // "number", "price", "date", "name", ...
  std::string value;          // as it is compared: "3.5 EUR", "20 %", "7 day", "may", "ghent"
};

class FactLock {
 public:
  // `names`: of the business and the like, which a text may use as well.
  FactLock(std::span<const std::string> facts, std::span<const std::string> names);
  ~FactLock();
  FactLock(FactLock&&) noexcept;
  FactLock& operator=(FactLock&&) noexcept;

  // Those of the text's claims that no fact makes, from left to right.
  std::vector<Claim> unsupported(std::string_view text) const;
  // The facts that make this claim, by number.
  std::vector<size_t> facts_of(const Claim& claim) const;
  bool has_date() const noexcept;               // some fact says when
  bool has_words(std::string_view text) const;  // these words stand in a fact, one after the other
  static std::vector<Claim> claims_of(std::string_view text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace puna::ads
