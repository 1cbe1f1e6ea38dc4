// The list of examples: of however many, only those in sight are elements of the page.

const BEYOND = 4;

function makeQueue(height, describe, choose, over) {
  const spacer = element('div', { class: 'spacer', role: 'presentation' });
  const box = element('div', {
    class: 'queue', id: 'queue', role: 'listbox', tabindex: '0', 'aria-label': 'Examples',
  }, spacer);
  const drawn = new Map();
  let items = [], current = -1, asked = false;

  function draw() {
    asked = false;
    const first = Math.max(0, Math.floor(box.scrollTop / height) - BEYOND);
    const last = Math.min(items.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + BEYOND);
    const free = [];
    for (const [at, node] of drawn) if (at < first || at >= last) { free.push(node); drawn.delete(at); }
    const added = document.createDocumentFragment();
    for (let at = first; at < last; at += 1) if (!drawn.has(at)) fill(free.pop() ?? made(added), at);
    for (const node of free) node.remove();
    spacer.append(added);
    if (drawn.has(current)) box.setAttribute('aria-activedescendant', `option-${current}`);
    else box.removeAttribute('aria-activedescendant');
  }

  function made(added) {
    const node = element('div', { class: 'option', role: 'option' });
    added.append(node);
    return node;
  }

  /** Elements that have left the sight are used again. */
  function fill(node, at) {
    node.id = `option-${at}`;
    node.setAttribute('aria-selected', String(at === current));
    node.setAttribute('aria-setsize', items.length);
    node.setAttribute('aria-posinset', at + 1);
    node.replaceChildren(...describe(items[at]).filter(Boolean));
    node.style.top = `${at * height}px`;
    node.dataset.at = at;
    drawn.set(at, node);
  }

  function redraw() {
    for (const node of drawn.values()) node.remove();
    drawn.clear();
    draw();
  }

  /** Pixels of the list that the bar of decisions lies over; a row is left at least. */
  function covered() {
    const mine = box.getBoundingClientRect(), bar = over().getBoundingClientRect();
    const hidden = bar.bottom > mine.top ? mine.bottom - Math.max(bar.top, mine.top) : 0;
    return Math.min(Math.max(hidden, 0), Math.max(box.clientHeight - height, 0));
  }

  function show(at) {
    current = at;
    if (at >= 0) {
      if (at * height < box.scrollTop) box.scrollTop = at * height;
      const below = (at + 1) * height - box.clientHeight + covered();
      if (below > box.scrollTop) box.scrollTop = below;
    }
    redraw();
  }

  box.addEventListener('click', (event) => {
    const node = event.target.closest('.option');
    if (node) { choose(Number(node.dataset.at)); box.focus(); }
  });
  box.addEventListener('scroll', () => { if (!asked) { asked = true; requestAnimationFrame(draw); } });
  new ResizeObserver(() => draw()).observe(box);
  return {
    box, show, redraw, set(list) { items = list; spacer.style.height = `${items.length * height}px`; },
    atTop() { box.scrollTop = 0; },
  };
}
