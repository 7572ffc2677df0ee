"use strict";
// The browser of queries. What it shows, ANSWERED, is loaded before it (embedded.js beside
// embedded.html). #QID in the address shows that query alone.

{
  const { methods, counted, queries } = ANSWERED;
  const table = document.getElementById("queries");
  const filters = document.getElementById("filters");
  const alone = document.getElementById("alone");
  let only = null; // the id of the query that the address names

  const escape = text => text.replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`);
  const seconds = tenths => (tenths / 10).toFixed(1);
  const share = (tenths, query) =>
    `${Math.min(100, Math.max(0, (100 * tenths) / query.duration)).toFixed(2)}%`;
  const span = (start, end) => `${seconds(start)}–${seconds(end)} s`;

  const rows = queries.map(
    ([qid, video, sentence, start, end, duration, word, frequency, bin, rare, right, spans, tiou]) =>
      ({ qid, video, sentence, start, end, duration, word, frequency, bin, rare, right, spans, tiou,
         count: [...right].filter(sign => sign === "1").length })
  );
  const ids = new Set(rows.map(query => query.qid));

  function sentence(query) {
    const badge = query.rare ? ' <span class="badge">RARE</span>' : "";
    const id = encodeURIComponent(query.qid);
    return `<a href="#${id}">${escape(query.sentence)}</a>${badge}
      <small>${escape(query.qid)} · video of ${seconds(query.duration)} s</small>`;
  }

  function word(query) {
    const times = query.frequency === null ? "" : `<small>${query.frequency}× ${counted}</small>`;
    return `${query.word ? escape(query.word) : "–"}${times}`;
  }

  // One line for each method below the annotated moment, all on the time of the video.
  function timeline(query) {
    const lines = methods.map(({ title, color }, place) => {
      const [start, end] = query.spans.slice(2 * place, 2 * place + 2);
      const right = query.right[place] === "1";
      return line(
        title, start, end, query, color,
        `${(query.tiou[place] / 100).toFixed(2)} ${right ? "✓" : "✗"}`, right ? "right" : "wrong"
      );
    });
    const moment = line(
      "annotated", query.start, query.end, query, "var(--moment)", span(query.start, query.end),
      "annotated"
    );
    const band = `--from:${share(query.start, query)};--to:${share(query.end, query)}`;
    return `<ol class="timeline" style="${band}">${moment}${lines.join("")}</ol>`;
  }

  function line(title, start, end, query, color, says, kind) {
    const left = share(start, query);
    const right = `calc(100% - ${share(end, query)})`;
    return `<li class="${kind}" title="${escape(title)}: ${span(start, end)}">
      <span class="who">${escape(title)}</span>
      <span class="track"><i style="left:${left};right:${right};background:${color}"></i></span>
      <span class="says">${says}</span></li>`;
  }

  // A column that is drawn in one way and sorted and searched in others.
  const column = (draw, sort, search) => ({
    data: null,
    orderable: sort !== null,
    render: (query, kind) =>
      kind === "display" ? draw(query) : kind === "filter" ? search(query) : sort?.(query) ?? "",
  });

  table.tBodies[0].replaceChildren(); // the hundred that are there where scripts are off
  const live = new DataTable(table, {
    autoWidth: false,
    columns: [
      column(sentence, query => query.sentence, query => `${query.sentence} ${query.qid}`),
      { ...column(word, query => query.frequency ?? Infinity, () => ""), type: "num" },
      {
        ...column(query => `${query.count} of ${methods.length}`, query => query.count, () => ""),
        type: "num",
      },
      column(timeline, null, () => ""),
    ],
    data: rows,
    deferRender: true,
    language: {
      info: "Queries _START_ to _END_ of _TOTAL_",
      infoEmpty: "No query",
      infoFiltered: "(of _MAX_ in all)",
      paginate: { first: "First", previous: "Previous", next: "Next", last: "Last" },
      thousands: ",",
      zeroRecords: "No query is so.",
    },
    layout: { topStart: "info", topEnd: "paging", bottomStart: null, bottomEnd: "paging" },
    order: [[1, "asc"]],
    orderDescReverse: false,
    pageLength: 10,
    rowId: "qid",
  });

  const value = name => filters.elements[name].value;
  const answers = (name, outcome, query) =>
    value(name) === "" || (query.right[value(name)] === "1") === (value(outcome) === "right");
  const inGroup = query => {
    const [kind, which] = value("group").split(" ");
    return kind === "bin" ? query.bin === Number(which) : kind === "" || Boolean(query.rare) === (kind === "rare");
  };
  live.search.fixed("filters", (text, query) =>
    only !== null
      ? query.qid === only
      : inGroup(query) &&
        answers("first", "first_outcome", query) &&
        answers("second", "second_outcome", query)
  );

  function draw() {
    live.search(only === null ? value("text") : "").draw();
  }

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text; // somebody typed a lone %
    }
  }

  // What the address names: one query, or none.
  function follow() {
    const name = decoded(location.hash.slice(1));
    const element = ids.has(name) || document.getElementById(name) !== null;
    only = ids.has(name) ? name : null;
    alone.hidden = name === "" || (element && only === null);
    filters.hidden = only !== null;
    alone.querySelector("span").textContent =
      only !== null ? `Only query ${only} is shown.` : `There is no test query ${name}.`;
    draw();
    if (only !== null) document.getElementById(only).scrollIntoView();
  }

  filters.addEventListener("input", draw);
  filters.addEventListener("submit", event => event.preventDefault());
  filters.addEventListener("reset", () => setTimeout(draw)); // once the fields are empty
  alone.querySelector("button").addEventListener("click", () => {
    location.hash = "";
    follow();
  });
  window.addEventListener("hashchange", follow);
  follow();
}
