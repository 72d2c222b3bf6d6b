// puna/eigen.h: maps show our memory, with its strides, and writes through them arrive there; what is no matrix of that
// type is refused.
#include "puna/eigen.h"

#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;

TEST_CASE("spans and pointers are rows and columns of Eigen's, in place", "[tensor]") {
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  const auto rows = eigen_rows(std::span(values), 3);
  CHECK(rows.data() == values.data());
  CHECK((rows.rows() == 2 && rows.cols() == 3 && rows(1, 0) == 4));
  auto same = eigen_rows(values.data(), 3, 2);  // as from the C API
  same(2, 1) = 60;
  CHECK(values[5] == 60);
  const auto logits = eigen_vector(std::span<const float>(values));
  static_assert(!std::is_assignable_v<decltype(logits(0)), float>);  // what is const stays so
  Eigen::Index best = 0;
  CHECK((logits.maxCoeff(&best) == 60 && best == 5));
  CHECK((rows * logits.head(3)).isApprox(Eigen::Vector2f(14, 4 + 10 + 180)));
  CHECK(status_of([&] { eigen_rows(std::span(values), 4); }) == Status::invalid_argument);
  CHECK(status_of([&] { eigen_rows(std::span(values), 0); }) == Status::invalid_argument);
  CHECK(eigen_rows(std::span<float>(), 4).rows() == 0);
}

TEST_CASE("a view of two dimensions is a matrix, with its strides; of one a row", "[tensor]") {
  std::vector<float> values(24);
  for (size_t i = 0; i < 24; ++i) values[i] = float(i);
  const View whole(values.data(), DType::f32, {4, 6});
  const auto m = eigen_matrix(whole);
  CHECK((m.data() == values.data() && m.rows() == 4 && m.cols() == 6 && m(3, 5) == 23 && m(1, 0) == 6));
  View part = whole;  // every second column of rows 1 and 2
  part.data = values.data() + 6;
  part.dims[0] = 2;
  part.dims[1] = 3;
  part.strides[1] = 2;
  auto strided = eigen_matrix(part);
  CHECK((strided.rows() == 2 && strided.cols() == 3 && strided(0, 1) == 8 && strided(1, 2) == 16));
  View turned = whole;  // the transpose
  std::swap(turned.dims[0], turned.dims[1]);
  std::swap(turned.strides[0], turned.strides[1]);
  CHECK(eigen_matrix(turned) == m.transpose());
  strided.setZero();
  CHECK((values[8] == 0 && values[9] == 9));
  const auto row = eigen_matrix<const float>(View(values.data(), DType::f32, {5}));
  CHECK((row.rows() == 1 && row.cols() == 5));
  CHECK(eigen_matrix(View(values.data(), DType::f32, {})).size() == 1);
}

TEST_CASE("views of half precision and integers are maps of those, and of nothing else", "[tensor]") {
  uint16_t halves[2] = {0x3C00, 0xC000}, brains[2] = {0x3F80, 0xC000};
  int32_t ids[3] = {7, -1, 2};
  CHECK(eigen_matrix<Eigen::half>(View(halves, DType::f16, {1, 2})).cast<float>() == Eigen::RowVector2f(1, -2));
  CHECK(eigen_matrix<Eigen::bfloat16>(View(brains, DType::bf16, {1, 2})).cast<float>() == Eigen::RowVector2f(1, -2));
  CHECK(eigen_matrix<const int32_t>(View(ids, DType::i32, {3})).sum() == 8);
  CHECK(status_of([&] { eigen_matrix(View(ids, DType::i32, {3})); }) == Status::invalid_argument);
  CHECK(status_of([&] { eigen_matrix<Eigen::half>(View(brains, DType::bf16, {2})); }) == Status::invalid_argument);
  CHECK(status_of([&] { eigen_matrix(View(ids, DType::f32, {1, 1, 3})); }) == Status::invalid_argument);
}
