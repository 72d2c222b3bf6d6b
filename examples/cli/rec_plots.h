// rec_plots.h -- what a recommender's reports look like: lines over a number, or bars side by side, as small SVG pictures.
#pragma once
#include <string>
#include <vector>

namespace puna::cli {

struct PlotSeries {
  std::string name;
  std::vector<double> x, y;  // bars: y alone, one for each label
};

// Both axes from 0 to 1 unless the values need more; `diagonal`: the line of y = x (a calibration curve).
std::string line_plot(const std::string& title, const std::vector<PlotSeries>& series, bool diagonal);
std::string bar_plot(const std::string& title, const std::vector<std::string>& labels, const std::vector<PlotSeries>& series);

}  // namespace puna::cli
