// loss_curve.cpp -- the training loss over the steps, smoothed, and the held-out loss as points.
#include <algorithm>
#include <cmath>

#include "svg_plot.h"
#include "training.h"

namespace puna::cli {

void LossCurve::add(double at, double value) {
  if (!std::isfinite(value)) return;
  step.push_back(at);
  loss.push_back(value);
}

void LossCurve::add_held_out(double at, double value) {
  if (!std::isfinite(value)) return;
  held_out_step.push_back(at);
  held_out.push_back(value);
}

std::string LossCurve::svg(const std::string& title) const {
  std::vector<double> smooth;
  const double keep = 1 - 1 / std::clamp(double(loss.size()) / 50, 1.0, 50.0);
  for (const double x : loss) smooth.push_back(smooth.empty() ? x : keep * smooth.back() + (1 - keep) * x);
  std::vector<PlotSeries> series{{"loss, smoothed", step, smooth, true, false}};
  if (!held_out.empty()) series.push_back({"held-out loss", held_out_step, held_out, false, true});
  return line_plot(title + ": loss by step", series);
}

}  // namespace puna::cli
