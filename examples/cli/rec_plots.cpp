#include "rec_plots.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace puna::cli {
namespace {

constexpr double kWidth = 640, kHeight = 420, kLeft = 56, kBottom = 44, kTop = 56, kRight = 20;
constexpr const char* kColours[] = {"#36c", "#c33", "#2a2", "#a3a", "#c80", "#0aa"};

const char* colour(size_t i) { return kColours[i % (sizeof kColours / sizeof *kColours)]; }

__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...) {
  char text[320];
  va_list values;
  va_start(values, pattern);
  vsnprintf(text, sizeof text, pattern, values);
  va_end(values);
  return text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

struct Axis {
  double low, high, from, to;  // values, and where they are drawn
  double operator()(double v) const { return from + (to - from) * (v - low) / (high - low); }
};

Axis axis_for(const std::vector<PlotSeries>& series, bool of_x, double from, double to) {
  double high = of_x ? 0 : 1e-9;
  for (const PlotSeries& s : series)
    for (const double v : of_x ? s.x : s.y) high = std::max(high, v);
  return {0, high > 0.35 && high < 1 ? 1 : high * 1.05, from, to};
}

// Frame, title, legend and the vertical axis.
std::string begin(const std::string& title, const std::vector<PlotSeries>& series, const Axis& y) {
  std::string out = format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" font-size=\"12\">\n", kWidth, kHeight);
  out += "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"20\" y=\"20\" font-size=\"14\">" + escaped(title) + "</text>\n";
  double at = kLeft;
  for (size_t i = 0; i < series.size(); ++i) {
    out += format("<rect x=\"%.0f\" y=\"32\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%.0f\" y=\"41\">", at, colour(i), at + 14) + escaped(series[i].name) + "</text>\n";
    at += 30 + 7 * double(series[i].name.size());
  }
  for (int i = 0; i <= 4; ++i) {
    const double v = y.low + (y.high - y.low) * i / 4;
    out += format("<path d=\"M%.1f %.1fH%.1f\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n", kLeft, y(v), kWidth - kRight, kLeft - 6, y(v) + 4, v);
  }
  return out;
}

}  // namespace

std::string line_plot(const std::string& title, const std::vector<PlotSeries>& series, bool diagonal) {
  const Axis x = axis_for(series, true, kLeft, kWidth - kRight), y = axis_for(series, false, kHeight - kBottom, kTop);
  std::string out = begin(title, series, y);
  for (int i = 0; i <= 4; ++i) {
    const double v = x.high * i / 4;
    out += format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.3g</text>\n", x(v), kHeight - kBottom + 18, v);
  }
  const double end = std::min(x.high, y.high);
  if (diagonal) out += format("<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"#999\" stroke-dasharray=\"4\"/>\n", x(0), y(0), x(end), y(end));
  for (size_t i = 0; i < series.size(); ++i) {
    out += format("<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" d=\"", colour(i));
    for (size_t j = 0; j < series[i].x.size(); ++j) out += format("%s%.1f %.1f", j == 0 ? "M" : "L", x(series[i].x[j]), y(series[i].y[j]));
    out += "\"/>\n";
    for (size_t j = 0; j < series[i].x.size(); ++j) out += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>", x(series[i].x[j]), y(series[i].y[j]), colour(i));
  }
  return out + "\n</svg>\n";
}

std::string bar_plot(const std::string& title, const std::vector<std::string>& labels, const std::vector<PlotSeries>& series) {
  const Axis y = axis_for(series, false, kHeight - kBottom, kTop);
  std::string out = begin(title, series, y);
  const double room = (kWidth - kLeft - kRight) / double(std::max<size_t>(1, labels.size())), width = 0.8 * room / double(std::max<size_t>(1, series.size()));
  for (size_t l = 0; l < labels.size(); ++l) {
    const double at = kLeft + room * (double(l) + 0.1);
    for (size_t i = 0; i < series.size(); ++i)
      out += format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"><title>%.4f</title></rect>", at + width * double(i), y(series[i].y[l]), width * 0.95,
                    y(0) - y(series[i].y[l]), colour(i), series[i].y[l]);
    out += format("\n<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", at + 0.4 * room, kHeight - kBottom + 18) + escaped(labels[l]) + "</text>\n";
  }
  return out + "</svg>\n";
}

}  // namespace puna::cli
