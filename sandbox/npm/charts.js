// In the page of local-slack: draw `data_visualization` blocks as Slack does, as lines with a legend.
// Only what the page receives is changed: each chart becomes an image, which the page can show.
(() => {
  const WIDTH = 460, HEIGHT = 250, LEFT = 58, RIGHT = 12, TOP = 34, BOTTOM = 74;
  const COLOURS = ["#1264a3", "#e01e5a", "#8d8d8d", "#ecb22e", "#2eb67d", "#4a154b"];

  const text = (x, y, words, anchor = "middle", colour = "#616061") =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${colour}">${words.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)}</text>`;

  const topOf = (values) => {
    const most = Math.max(...values, 1);
    const unit = 10 ** Math.floor(Math.log10(most));
    return [1, 2, 5, 10].map((each) => each * unit).find((each) => each >= most);
  };

  const svg = ({ title, chart }) => {
    const { categories, x_label, y_label } = chart.axis_config;
    const top = topOf(chart.series.flatMap((each) => each.data.map((point) => point.value)));
    const x = (at) => LEFT + (at * (WIDTH - LEFT - RIGHT)) / Math.max(1, categories.length - 1);
    const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
    const grid = [0, 0.5, 1].map((part) => [
      `<path d="M${LEFT} ${y(part * top)}H${WIDTH - RIGHT}" stroke="#dddddd"/>`,
      text(LEFT - 6, y(part * top) + 4, `${part * top} ${y_label}`, "end"),
    ]);
    const lines = chart.series.map(({ data }, at) => {
      const points = data.map((point, place) => `${x(place)},${y(point.value)}`).join(" ");
      return `<polyline points="${points}" fill="none" stroke="${COLOURS[at]}" stroke-width="2"/>`;
    });
    const legend = chart.series.map(({ name }, at) =>
      text(LEFT + (at % 2) * 190, HEIGHT - 28 + Math.floor(at / 2) * 18, `● ${name}`, "start", COLOURS[at]));
    const ends = [text(LEFT, HEIGHT - BOTTOM + 18, categories[0], "start"),
      text(WIDTH - RIGHT, HEIGHT - BOTTOM + 18, `${categories.at(-1)} ${x_label}`, "end")];
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="14">
      <rect width="100%" height="100%" fill="white"/>${text(LEFT, 18, title, "start", "#1d1c1d")}
      ${[...grid.flat(), ...ends, ...lines, ...legend].join("")}</svg>`;
  };

  const drawn = (block) => {
    const said = block.chart.series.map(({ name, data }) => `${name} ${data.at(-1).value}`).join(", ");
    const url = `data:image/svg+xml;utf8,${encodeURIComponent(svg(block))}`;
    return { type: "image", block_id: block.block_id, image_url: url, alt_text: `${block.title}: ${said}` };
  };

  const shown = (value) => {
    if (value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map(shown);
    if (value.type === "data_visualization") return drawn(value);
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shown(each)]));
  };

  const style = Object.assign(document.createElement("style"), { textContent: ".bk-image img { width: 100%; max-width: 460px }" });
  document.addEventListener("DOMContentLoaded", () => document.head.append(style));

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    set onmessage(listener) {
      super.onmessage = (event) => {
        const frame = JSON.parse(event.data);
        listener({ data: frame.t === "log" ? event.data : JSON.stringify(shown(frame)) });
      };
    }
  };
})();
