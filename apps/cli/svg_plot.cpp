#include "svg_plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/format.h"

namespace puna::cli {
namespace {

constexpr double kWidth = 640, kHeight = 420, kLeft = 64, kBottom = 44, kTop = 56, kRight = 20;
constexpr double kLegendRow = 18, kLetter = 7;
constexpr const char* kColours[] = {"#36c", "#c33", "#2a2", "#a3a", "#c80", "#0aa",
                                    "#555", "#852", "#e6a", "#791", "#124"};

const char* colour(const std::vector<PlotSeries>& series, size_t i) {
  return kColours[(series[i].colour >= 0 ? size_t(series[i].colour) : i) % (sizeof kColours / sizeof *kColours)];
}

const auto escaped = xml_escaped;

// Where the name of each series stands in the legend: as many in a row as there is room for.
struct LegendPlace {
  double x, row;
};
std::vector<LegendPlace> legend_of(const std::vector<PlotSeries>& series) {
  std::vector<LegendPlace> places;
  double x = kLeft, row = 0;
  for (const PlotSeries& s : series) {
    const double width = 30 + kLetter * double(s.name.size());
    if (x > kLeft && x + width > kWidth) x = kLeft, ++row;
    places.push_back({x, row});
    x += width;
  }
  return places;
}
double legend_height(const std::vector<PlotSeries>& series) {
  return series.empty() ? 0 : kLegendRow * legend_of(series).back().row;
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void take(const std::vector<double>& values) {
    for (const double v : values) {
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  // From 0, with room above; shares are seen on a whole axis unless they are small.
  Range from_zero() const { return {0, high > 0.5 && high < 1 ? 1 : std::max(high, 1e-9) * 1.05}; }
};

Range range_of(const std::vector<PlotSeries>& series, std::vector<double> PlotSeries::*values) {
  Range r;
  for (const PlotSeries& s : series) r.take(s.*values);
  return r;
}

// Values, where they are drawn, and the round numbers that are named: at most nine, multiples of 1, 2 or 5 times a
// power of ten.
struct Axis {
  double low, high, from, to;
  Axis(const Range& r, double start, double end) : low(r.low), high(r.high), from(start), to(end) {
    if (!(low <= high)) low = 0, high = 1;  // nothing to draw
    if (high - low < 1e-9 * std::max(1.0, std::fabs(high))) high = low + std::max(1.0, std::fabs(low));
  }
  double operator()(double v) const { return from + (to - from) * (v - low) / (high - low); }
  std::vector<double> ticks() const {
    const double power = std::pow(10, std::floor(std::log10((high - low) / 8)));
    double step = 10 * power;
    for (const double m : {5.0, 2.0, 1.0})
      if (m * power * 8 >= high - low) step = m * power;
    std::vector<double> at;
    const double first = std::ceil(low / step);
    for (int i = 0; i < 9 && (first + i) * step <= high + 1e-9 * step; ++i) at.push_back((first + i) * step);
    return at;
  }
};

// Frame, title, legend and the vertical axis.
std::string begin(const std::string& title, const std::vector<PlotSeries>& series, const Axis& y) {
  std::string out = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
      "font-family=\"sans-serif\" font-size=\"12\"",
      kWidth, kHeight, kWidth, kHeight);
  out += " aria-label=\"" + escaped(title) +
         "\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"20\" y=\"20\" font-size=\"14\">" +
         escaped(title) + "</text>\n";
  const std::vector<LegendPlace> legend = legend_of(series);
  for (size_t i = 0; i < series.size(); ++i) {
    const double at = legend[i].x, down = 32 + kLegendRow * legend[i].row;
    out += format("<rect x=\"%.0f\" y=\"%.0f\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%.0f\" y=\"%.0f\">",
                  at, down, colour(series, i), at + 14, down + 9) +
           escaped(series[i].name) + "</text>\n";
  }
  for (const double v : y.ticks())
    out += format(
        "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n",
        kLeft, y(v), kWidth - kRight, kLeft - 6, y(v) + 4, v);
  return out;
}

std::string under(double x) {
  return format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x, kHeight - kBottom + 18);
}

Axis across(const Range& r) { return {r, kLeft, kWidth - kRight}; }
Axis up(const Range& r, const std::vector<PlotSeries>& series) {
  return {r, kHeight - kBottom, kTop + legend_height(series)};
}

std::string drawn(const std::vector<PlotSeries>& series, const Axis& x, const Axis& y) {
  std::string out;
  for (const double v : x.ticks()) out += under(x(v)) + format("%.6g</text>\n", v);
  for (size_t i = 0; i < series.size(); ++i) {
    const PlotSeries& s = series[i];
    if (s.line) {
      out += format("<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" d=\"", colour(series, i));
      for (size_t j = 0; j < s.x.size(); ++j) out += format("%s%.1f %.1f", j == 0 ? "M" : "L", x(s.x[j]), y(s.y[j]));
      out += "\"/>\n";
    }
    for (size_t j = 0; s.points && j < s.x.size(); ++j)
      out +=
          format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n", x(s.x[j]), y(s.y[j]), colour(series, i));
  }
  return out;
}

}  // namespace

std::string xml_escaped(const std::string& text) {
  std::string out;
  for (const char c : text)
    out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return out;
}

std::string share_plot(const std::string& title, const std::vector<PlotSeries>& series) {
  const Axis x = across({0, range_of(series, &PlotSeries::x).high}), y = up({0, 1}, series);
  std::string out = begin(title, series, y);
  for (const double v : x.ticks()) out += under(x(v)) + format("%.6g</text>\n", v);
  std::vector<double> below(series.empty() ? 0 : series[0].x.size());
  for (size_t i = 0; i < series.size(); ++i) {
    const PlotSeries& s = series[i];
    std::string there, back;
    for (size_t j = 0; j < below.size(); ++j) {
      back = format("L%.1f %.1f", x(s.x[j]), y(below[j])) + back;
      below[j] += s.y[j];
      there += format("%s%.1f %.1f", j == 0 ? "M" : "L", x(s.x[j]), y(below[j]));
    }
    out += format("<path fill=\"%s\" stroke=\"white\" stroke-width=\".5\" d=\"", colour(series, i)) + there + back +
           "Z\"/>\n";
  }
  return out + "</svg>\n";
}

std::string line_plot(const std::string& title, const std::vector<PlotSeries>& series) {
  const Axis x = across({0, range_of(series, &PlotSeries::x).high}), y = up(range_of(series, &PlotSeries::y), series);
  return begin(title, series, y) + drawn(series, x, y) + "</svg>\n";
}

std::string calibration_plot(const std::string& title, const std::vector<PlotSeries>& series) {
  const Axis x = across(range_of(series, &PlotSeries::x).from_zero()),
             y = up(range_of(series, &PlotSeries::y).from_zero(), series);
  const double end = std::min(x.high, y.high);
  return begin(title, series, y) +
         format("<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"#999\" stroke-dasharray=\"4\"/>\n", x(0), y(0), x(end),
                y(end)) +
         drawn(series, x, y) + "</svg>\n";
}

std::string bar_plot(const std::string& title, const std::vector<std::string>& labels,
                     const std::vector<PlotSeries>& series) {
  const Axis y = up(range_of(series, &PlotSeries::y).from_zero(), series);
  std::string out = begin(title, series, y);
  const double room = (kWidth - kLeft - kRight) / double(std::max<size_t>(1, labels.size())),
               width = 0.8 * room / double(std::max<size_t>(1, series.size()));
  for (size_t l = 0; l < labels.size(); ++l) {
    const double at = kLeft + room * (double(l) + 0.1);
    for (size_t i = 0; i < series.size(); ++i)
      out +=
          format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"><title>%.4f</title></rect>\n",
                 at + width * double(i), y(series[i].y[l]), width * 0.95, y(0) - y(series[i].y[l]), colour(series, i),
                 series[i].y[l]);
    out += under(at + 0.4 * room) + escaped(labels[l]) + "</text>\n";
  }
  return out + "</svg>\n";
}

}  // namespace puna::cli
