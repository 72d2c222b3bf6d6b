// agreement.h -- how far annotators agree: Krippendorff's alpha with missing values, and each annotator against gold.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"
#include "puna/label/answers.h"

namespace puna::label {

enum class Measure { nominal, ordinal, interval, ratio };
Measure measure_of(std::string_view name);  // Error{invalid_argument} naming the nearest

struct Alpha {
  double alpha = 0;
  int64_t units = 0;   // items with two answers or more: the others say nothing
  int64_t values = 0;  // answers of those
};

// Klaus Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): 1 - observed / expected disagreement. Two
// answers of one worker to one item count as any two. For interval and ratio labels are numbers
// (Error{invalid_argument} naming one that is none); for ordinal numbers where all are, else `order` has their names
// from low to high, or the order of their names counts. Error{invalid_argument} with the reason where alpha is not
// defined: no item has two answers, or all are the same.
Alpha krippendorff_alpha(const Answers& answers, Measure measure, const std::vector<std::string>& order = {},
                         const Watch& watch = Watch());

// Against the gold labels, which the answers of gold items show.
struct AnnotatorReport {
  int64_t answers = 0, gold_answers = 0, gold_right = 0;
  // How often another answer to the same item is the same. 0 of 0: nobody else answered its items.
  int64_t pairs = 0, equal_pairs = 0;
};
std::vector<AnnotatorReport> annotator_reports(const Answers& answers);
// [classes (reference), classes (answered)] of one worker; reference: a label of every item or kUnknown.
std::vector<int64_t> confusion_of(const Answers& answers, int32_t worker, const std::vector<int32_t>& reference);

}  // namespace puna::label
