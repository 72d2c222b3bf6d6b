// similar.cpp -- which of these sentences say the same? Their embeddings as a matrix of Eigen's:
//   ./similar model.gguf "The cat sleeps." "A cat is asleep." "Stocks fell."
#include <iomanip>
#include <iostream>
#include <vector>

#include "puna/base/error.h"
#include "puna/eigen.h"
#include "puna/runtime/session.h"

int main(int argc, char** argv) try {
  const puna::ModelPtr model = puna::Model::open(puna::make_context({}), argc > 1 ? argv[1] : "model.gguf");
  const int64_t sentences = argc - 2, hidden = model->config().hidden;
  if (sentences < 1) return 2;
  std::vector<float> embeddings(size_t(sentences * hidden));
  puna::Session session(model, {});
  for (int64_t i = 0; i < sentences; ++i) {
    puna::AppendOptions options{
        .kept = 0, .embeddings = std::span(embeddings).subspan(size_t(i * hidden), size_t(hidden)), .normalise = true};
    session.append(session.encode(argv[2 + i], /*parse_special=*/false, /*whole=*/true), options);
  }
  const auto rows = puna::eigen_rows(std::span<const float>(embeddings), hidden);  // no copy
  const Eigen::MatrixXf cosines = rows * rows.transpose();                         // rows have length 1
  std::cout << std::fixed << std::setprecision(3) << cosines << "\n";
} catch (const puna::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
