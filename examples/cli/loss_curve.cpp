// loss_curve.cpp -- the loss over the steps as a small SVG: the training loss smoothed, the held-out loss as points.
#include <algorithm>
#include <cstdio>

#include "training.h"

namespace puna::cli {
namespace {

constexpr double kWidth = 720, kHeight = 400, kLeft = 60, kBottom = 40, kTop = 30, kRight = 20;

std::string format(const char* pattern, double a, double b = 0, double c = 0, double d = 0) {
  char text[160];
  snprintf(text, sizeof text, pattern, a, b, c, d);
  return text;
}

struct Axes {
  double steps, low, high;
  double x(double step) const { return kLeft + (kWidth - kLeft - kRight) * step / steps; }
  double y(double loss) const { return kHeight - kBottom - (kHeight - kBottom - kTop) * (loss - low) / (high - low); }
};

}  // namespace

std::string LossCurve::svg(const std::string& title) const {
  std::string out = format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" font-size=\"12\">\n", kWidth, kHeight);
  out += "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  if (step.empty()) return out + "</svg>\n";
  std::vector<double> smooth;
  const double keep = 1 - 1 / std::clamp(double(loss.size()) / 50, 1.0, 50.0);
  for (const double x : loss) smooth.push_back(smooth.empty() ? x : keep * smooth.back() + (1 - keep) * x);
  Axes axes{std::max(1.0, step.back()), *std::min_element(smooth.begin(), smooth.end()), *std::max_element(smooth.begin(), smooth.end())};
  for (const double x : held_out) {
    axes.low = std::min(axes.low, x);
    axes.high = std::max(axes.high, x);
  }
  if (axes.high - axes.low < 1e-9) axes.high = axes.low + 1;
  for (int i = 0; i <= 4; ++i) {
    const double v = axes.low + (axes.high - axes.low) * i / 4, s = axes.steps * i / 4;
    out += format("<path d=\"M%.1f %.1fH%.1f\" stroke=\"#ddd\"/>", kLeft, axes.y(v), kWidth - kRight);
    out += format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.3f</text>", kLeft - 6, axes.y(v) + 4, v);
    out += format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n", axes.x(s), kHeight - kBottom + 18, s);
  }
  out += "<path fill=\"none\" stroke=\"#36c\" stroke-width=\"1.5\" d=\"";
  for (size_t i = 0; i < step.size(); ++i) out += format(i == 0 ? "M%.1f %.1f" : "L%.1f %.1f", axes.x(step[i]), axes.y(smooth[i]));
  out += "\"/>\n";
  for (size_t i = 0; i < held_out.size(); ++i) out += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"#c33\"/>", axes.x(held_out_step[i]), axes.y(held_out[i]));
  std::string name;
  for (const char c : title)
    if (c != '<' && c != '&') name += c;
  out += "\n<text x=\"60\" y=\"18\">" + name + ": loss (blue, smoothed)" + (held_out.empty() ? "" : ", held-out loss (red)") + " by step</text>\n</svg>\n";
  return out;
}

}  // namespace puna::cli
