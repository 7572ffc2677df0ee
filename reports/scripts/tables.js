"use strict";
// Tables of numbers sort by their headings, and long tables of either kind can be filtered. Without
// scripts they are what they were: plain tables.

{
  const LONG = 12; // rows above which a table can be filtered
  const NUMBER = /^(?:[×<>]|more than )?\s*[+-]?[\d.,]*\d/;

  // The number that a cell begins with, as "57.9 ± 5.2", "−0.3" or "1,024"; NaN for a dash or a word.
  const number = cell => {
    const start = plain(cell).replace("−", "-").match(NUMBER);
    return start ? parseFloat(start[0].replace(/[^\d.+-]/g, "")) : NaN;
  };
  // Words without their case; null for a dash.
  const word = cell => (/\p{L}|\d/u.test(plain(cell)) ? plain(cell).toLowerCase() : null);
  const plain = cell =>
    String(cell).replace(/<[^>]*>/g, " ").replace("&lt;", "<").replace("&gt;", ">").trim();
  const dashed = value => value === null || Number.isNaN(value);
  // Dashes come last, whichever way a column is sorted.
  const dashesLast = compare => (a, b) =>
    dashed(a) || dashed(b) ? dashed(a) - dashed(b) : compare(a, b);

  DataTable.type("numbers", {
    order: {
      pre: number,
      asc: dashesLast((a, b) => a - b),
      desc: dashesLast((a, b) => b - a),
    },
  });
  DataTable.type("words", {
    order: {
      pre: word,
      asc: dashesLast((a, b) => a.localeCompare(b, "en", { numeric: true })),
      desc: dashesLast((a, b) => b.localeCompare(a, "en", { numeric: true })),
    },
  });

  function columnsOf(rows) {
    return [...rows[0].cells].map((cell, column) => {
      const values = rows.map(row => row.cells[column].innerHTML).filter(text => word(text) !== null);
      const numbers = values.filter(text => !Number.isNaN(number(text))).length;
      return numbers && numbers * 2 >= values.length
        ? { type: "numbers", orderSequence: ["desc", "asc", ""] }
        : { type: "words", orderSequence: ["asc", "desc", ""] };
    });
  }

  // Returns how a text filters the table.
  function sortable(table) {
    const rows = [...table.tBodies[0].rows];
    for (const heading of table.tHead.rows[0].cells) { // those of several columns sort none
      if (heading.rowSpan < table.tHead.rows.length) heading.dataset.dtOrder = "disable";
    }
    const live = new DataTable(table, {
      autoWidth: false,
      columns: columnsOf(rows),
      info: false,
      language: { zeroRecords: "No row has these words." },
      layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
      order: [],
      orderDescReverse: false, // equal rows stay in their order
      paging: false,
    });
    return text => live.search(text).draw();
  }

  // The same for a table whose rows stand below headings, which are hidden with the last of them.
  function grouped(table) {
    return text => {
      const words = text.toLowerCase().split(/\s+/);
      for (const { rows: [heading, ...rows] } of table.tBodies) {
        for (const row of rows) {
          const content = `${heading.textContent} ${row.textContent}`.toLowerCase();
          row.hidden = !words.every(word => content.includes(word));
        }
        heading.hidden = rows.every(row => row.hidden);
      }
    };
  }

  for (const table of document.querySelectorAll("figure.table table, figure.register table")) {
    const figure = table.closest("figure");
    const long = table.rows.length > LONG;
    const filter = figure.matches(".table") ? sortable(table) : grouped(table);
    if (long) {
      const input = Object.assign(document.createElement("input"), { type: "search" });
      const label = document.createElement("label");
      label.className = "filter";
      label.append("Filter rows ", input);
      input.addEventListener("input", () => filter(input.value));
      (figure.querySelector(":scope > .scroll") ?? table).before(label);
    }
  }
}
