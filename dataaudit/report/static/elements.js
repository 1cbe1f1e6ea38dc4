// Elements of the page, and texts of others in them: always as text, never as HTML.

const SHOWN_AS = { '\u0000': '\\x00' };

/** A text in which characters that cannot be seen, or turn the line round, are spelled out. */
function visible(text) {
  return String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (one) => SHOWN_AS[one] || (one < '\u0100' ? '\\x' + one.charCodeAt(0).toString(16).padStart(2, '0')
      : '\\u' + one.charCodeAt(0).toString(16).padStart(4, '0')));
}

/** An element with attributes and children; children that are texts are shown as they are. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A stranger's text, which keeps its direction to itself. */
function own(text, kind) {
  return element('bdi', { class: kind }, visible(text));
}

function shortened(text, most) {
  return text.length <= most ? text : text.slice(0, most - 1) + '…';
}

/** What is shown of an example, as one text. */
function textOf(shown, most = Infinity) {
  return shown.text !== undefined ? shown.text
    : (shown.values || []).slice(0, most).map(([name, value]) => `${name} ${value}`.trim()).join(', ');
}

function percent(share) {
  if (share === null) return '';
  const hundred = 100 * share;
  return (hundred >= 99.5 ? '> 99' : hundred < 1 && hundred > 0 ? '< 1' : hundred.toFixed(0)) + ' %';
}

/** A line of values from 0 to 1. */
function sparkline(values) {
  const space = 'http://www.w3.org/2000/svg';
  const drawing = document.createElementNS(space, 'svg'), path = document.createElementNS(space, 'path');
  let way = '', pen = 'M';
  values.forEach((value, place) => {
    if (value === null) { pen = 'M'; return; }
    way += `${pen}${(1 + 98 * place / (values.length - 1)).toFixed(1)} ${(23 - 22 * value).toFixed(1)}`;
    pen = 'L';
  });
  path.setAttribute('d', way);
  drawing.setAttribute('class', 'spark');
  drawing.setAttribute('viewBox', '0 0 100 24');
  drawing.setAttribute('preserveAspectRatio', 'none');
  drawing.setAttribute('role', 'img');
  const last = values[values.length - 1];
  drawing.setAttribute('aria-label', `probability of the given label by epoch, at the end ${percent(last) || 'not known'}`);
  drawing.append(path);
  return drawing;
}
