// The simulated week: what was spent of each day's budget, hour by hour, what was clicked, and which variant was shown.

import { h } from '../shared/dom.js';
import { count, percent } from '../shared/format.js';

const NS = 'http://www.w3.org/2000/svg';

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const money = (micros, currency) => `${(micros / 1e6).toFixed(2)} ${currency}`;

// Bars of an hour each, a day beside the other; and the share of the day's budget that is spent, as a line.
function spendPlot(week) {
  const [width, height, base] = [700, 180, 160];
  const hours = week.days.flatMap((d) => d.by_hour);
  const most = Math.max(1, ...hours);
  const step = width / hours.length;
  const bars = hours.map((x, i) => {
    const tall = (x / most) * (base - 10);
    return svg('rect', {
      x: i * step,
      y: base - tall,
      width: Math.max(0.5, step * 0.85),
      height: tall,
      class: 'bar-hour',
    });
  });
  const lines = week.days.map((d, i) => {
    let spent = 0;
    const points = d.by_hour.map((x, j) => {
      spent += x;
      return `${(i * 24 + j + 1) * step},${base - (spent / Math.max(1, d.budget)) * (base - 10)}`;
    });
    return svg('polyline', { points: `${i * 24 * step},${base} ${points.join(' ')}`, class: 'line-spent' });
  });
  const names = week.days.map((_, i) =>
    svg('text', { x: (i * 24 + 12) * step, y: height - 4, class: 'name' }, `day ${i + 1}`),
  );
  const label = 'Spend by hour as bars, share of the day’s budget that is spent as a line';
  return svg(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label },
    ...bars,
    ...lines,
    ...names,
  );
}

export function weekView(week, names, again) {
  const { currency } = week;
  const rows = week.days.map((d, i) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, `${i + 1}`),
      ...[money(d.budget, currency), money(d.spent, currency), count(d.impressions), count(d.clicks)].map((x) =>
        h('td', {}, x),
      ),
      h('td', {}, percent(d.impressions ? d.clicks / d.impressions : 0)),
    ),
  );
  const heads = ['Day', 'Budget', 'Spent', 'Shown', 'Clicks', 'Of those shown'].map((x) =>
    h('th', { scope: 'col' }, x),
  );
  const shares = week.tomorrow.map((p, s) =>
    h('tr', {}, h('th', { scope: 'row' }, week.segments[s]), ...p.map((x) => h('td', {}, percent(x)))),
  );
  const variants = names.map((n) => h('th', { scope: 'col' }, n));
  const table = (label, head, body) =>
    h(
      'div',
      { class: 'table', tabindex: 0, role: 'region', 'aria-label': label },
      h('table', {}, h('thead', {}, h('tr', {}, ...head)), h('tbody', {}, ...body)),
    );
  return h(
    'section',
    { class: 'week', 'aria-labelledby': 'week-title' },
    h('h1', { id: 'week-title' }, 'A simulated week'),
    h(
      'p',
      { class: 'hint' },
      'Auctions and readers are made up. It shows how the budget is spread and how the choice learns, not what these texts will earn.',
    ),
    h('figure', {}, spendPlot(week)),
    table('Days', heads, rows),
    h('h2', {}, 'What each segment would see on the next day'),
    table('Choice by segment', [h('th', { scope: 'col' }, 'Segment'), ...variants], shares),
    h('button', { type: 'button', class: 'quiet', onclick: again }, 'Another week'),
  );
}
