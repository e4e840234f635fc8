// In the page of local-slack: show `<!date^UNIX^TOKENS^LINK|fallback>` as Slack does, in the reader's own time zone.
// Only what the page receives is changed, so the bot reads back what it wrote, and the page's log shows it.
(() => {
  const DAY = 24 * 60 * 60 * 1000;
  const MARK = /<!date\^(\d+)\^([^>|^]*)(?:\^[^>|]*)?(?:\|([^>]*))?>/g;

  const form = (time, options) => time.toLocaleString("en-US", options);

  const ordinal = (day) => {
    const ending = day > 10 && day < 14 ? "th" : { 1: "st", 2: "nd", 3: "rd" }[day % 10] ?? "th";
    return `${day}${ending}`;
  };

  const date = (time, month, weekday) => {
    const day = `${form(time, { month })} ${ordinal(time.getDate())}, ${time.getFullYear()}`;
    return weekday ? `${form(time, { weekday: "long" })}, ${day}` : day;
  };

  // Slack says "today", "yesterday" and "tomorrow", with a capital where nothing comes before it.
  const pretty = (time, otherwise, starts) => {
    const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);
    const away = Math.round((midnight(time) - midnight(Date.now())) / DAY);
    const word = { "-1": "yesterday", 0: "today", 1: "tomorrow" }[away];
    if (!word) return otherwise;
    return starts ? word[0].toUpperCase() + word.slice(1) : word;
  };

  const two = (number) => String(number).padStart(2, "0");

  const TOKENS = {
    date: (time) => date(time, "long"),
    date_short: (time) => date(time, "short"),
    date_long: (time) => date(time, "long", true),
    date_num: (time) => `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`,
    date_slash: (time) => `${two(time.getMonth() + 1)}/${two(time.getDate())}/${time.getFullYear()}`,
    date_pretty: (time, starts) => pretty(time, date(time, "long"), starts),
    date_short_pretty: (time, starts) => pretty(time, date(time, "short"), starts),
    date_long_pretty: (time, starts) => pretty(time, date(time, "long", true), starts),
    time: (time) => form(time, { hour: "numeric", minute: "2-digit" }),
    time_secs: (time) => form(time, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  };

  const show = (text) =>
    text.replace(MARK, (mark, seconds, tokens, fallback, at) => {
      const time = new Date(seconds * 1000);
      if (Number.isNaN(time.getTime())) return fallback ?? mark;
      const starts = at === 0 || text[at - 1] === "\n";
      return tokens.replace(/\{(\w+)\}/g, (token, name, place) =>
        TOKENS[name] ? TOKENS[name](time, starts && place === 0) : token);
    });

  const shown = (value, key) => {
    if (typeof value === "string") return show(value);
    if (key === "log" || value === null || typeof value !== "object") return value;
    if (Array.isArray(value)) return value.map((each) => shown(each));
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shown(each, name)]));
  };

  const received = (data) => {
    const frame = JSON.parse(data);
    return JSON.stringify(frame.t === "log" ? frame : shown(frame));
  };

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    set onmessage(listener) {
      super.onmessage = (event) => listener({ data: received(event.data) });
    }
  };
})();
