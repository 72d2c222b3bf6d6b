// svg_plot.h -- what the command's reports look like: lines and points over a number, bars side by side, or shares that
// add up to 1, as small SVG pictures.
#pragma once
#include <string>
#include <vector>

namespace puna::cli {

struct PlotSeries {
  std::string name;
  std::vector<double> x, y;  // bars: y alone, one for each label
  bool line = true, points = true;
  int colour = -1;  // its number where pictures beside each other agree; -1: its place among the series
};

// Across from 0, up from the least value to the greatest.
std::string line_plot(const std::string& title, const std::vector<PlotSeries>& series);
// What was predicted (across) and what was observed (up), and the line where they are equal. Both from 0, to 1 unless
// all values are small.
std::string calibration_plot(const std::string& title, const std::vector<PlotSeries>& series);
// Up from 0.
std::string bar_plot(const std::string& title, const std::vector<std::string>& labels,
                     const std::vector<PlotSeries>& series);
// One on top of the other, up to 1. All have the same x.
std::string share_plot(const std::string& title, const std::vector<PlotSeries>& series);
std::string xml_escaped(const std::string& text);

}  // namespace puna::cli
