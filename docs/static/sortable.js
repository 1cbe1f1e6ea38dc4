// Tables of class "sortable" are sorted by a click on a header cell: first upward, then downward.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => sort(table, heads, column));
      head.replaceChildren(button);
      head.setAttribute("aria-sort", "none");
    });
  }
});

function sort(table, heads, column) {
  const down = heads[column].getAttribute("aria-sort") === "ascending";
  heads.forEach((head, other) =>
    head.setAttribute("aria-sort", other !== column ? "none" : down ? "descending" : "ascending"));
  const figures = heads[column].classList.contains("number");
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => {
    const cell = row.cells[column];
    return [figures ? parseFloat(cell.dataset.sort) : cell.textContent, row];
  });
  keyed.sort(([a], [b]) => {
    // Cells without a figure come last, whichever way.
    if (figures && (isNaN(a) || isNaN(b))) return isNaN(a) - isNaN(b);
    return (down ? -1 : 1) * (figures ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  });
  body.append(...keyed.map(([, row]) => row));
}
