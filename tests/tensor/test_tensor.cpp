// Shapes, views and the map of tensors; block types and the bytes they take.
#include "puna/tensor/tensor.h"

#include <algorithm>

#include "puna/base/error.h"
#include "support/catch.h"

using namespace puna;

TEST_CASE("a shape counts, compares, prints, and reads from the end", "[tensor]") {
  const Shape s{2, 3, 4};
  CHECK(s.count() == 24);
  CHECK((s[0] == 2 && s[-1] == 4 && s[-3] == 2));
  CHECK(s.text() == "[2,3,4]");
  CHECK(s == Shape{2, 3, 4});
  CHECK_FALSE(s == Shape{2, 3});
  CHECK_FALSE(s == Shape{2, 3, 5});
  CHECK_FALSE(Shape{3} == Shape{3, 1});  // a rank is part of a shape
  CHECK(Shape{}.count() == 1);           // a scalar
  CHECK(Shape{}.text() == "[]");
  CHECK(Shape{5, 0}.count() == 0);
  CHECK_THROWS_AS((Shape{1, 2, 3, 4, 5}), Error);
}

TEST_CASE("a view of a shape is row-major", "[tensor]") {
  std::vector<float> data(24);
  const View v(data.data(), DType::f32, {2, 3, 4});
  CHECK((v.strides[0] == 12 && v.strides[1] == 4 && v.strides[2] == 1));
  CHECK(v.row(1) == data.data() + 12);
  CHECK(v.shape() == Shape{2, 3, 4});
  CHECK(v.dim(-1) == 4);
  CHECK(View().rank == 0);
}

TEST_CASE("tensors are found by name, kept in order, and never twice", "[tensor]") {
  TensorMap map;
  for (const char* name : {"b", "a", ""}) map.add({name, DType::f32, {1}, nullptr, 4});
  CHECK(map.size() == 3);
  CHECK(map.entries()[0].name == "b");
  CHECK(map.find("a")->name == "a");
  CHECK(map.find("") != nullptr);
  CHECK(map.find("c") == nullptr);
  CHECK_THROWS_WITH(map.add({"a", DType::f16, {2}, nullptr, 4}), Catch::Contains("'a' appears twice"));
  CHECK(map.size() == 3);
  CHECK(map.find("a")->dtype == DType::f32);
}

TEST_CASE("types have names of their own and whole blocks", "[tensor]") {
  std::vector<std::string> names;
  for (int d = 0; d < kDTypeCount; ++d) {
    const DType t = DType(d);
    const DTypeInfo& i = info(t);
    CAPTURE(i.name);
    CHECK(std::find(names.begin(), names.end(), i.name) == names.end());
    names.push_back(i.name);
    CHECK(bytes_of(i, 0) == 0);
    CHECK(bytes_of(i, 512) == 512u / i.block * i.bytes);
    CHECK(is_quantised(t) == (i.block > 1));
    if (is_quantised(t)) CHECK((is_weight(t) && i.block % 32 == 0));  // groups of 32 share an activation scale
  }
  for (const DType t : {DType::i32, DType::f64, DType::boolean, DType::u8}) CHECK_FALSE(is_weight(t));
  for (const DType t : {DType::f32, DType::f16, DType::bf16}) CHECK((is_weight(t) && !is_quantised(t)));
}
