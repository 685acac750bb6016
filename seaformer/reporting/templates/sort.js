for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), row = head.parentNode, place = [...row.children].indexOf(head);
    const order = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
    for (const other of row.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order === 1 ? "ascending" : "descending");
    const value = line => line.children[place].dataset.value;
    const body = head.closest("table").tBodies[0];
    const compare = place === 0
      ? (a, b) => -value(a).localeCompare(value(b))
      : (a, b) => value(a) - value(b);
    body.append(...[...body.rows].sort((a, b) => order * compare(a, b)));
  });
}
