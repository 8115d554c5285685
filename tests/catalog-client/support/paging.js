// Cursors, and walks from page to page.

/** What a cursor holds. */
export function decodeCursor(cursor) {
  return JSON.parse(Buffer.from(cursor, 'base64').toString());
}

export function encodeCursor(content) {
  return Buffer.from(JSON.stringify(content)).toString('base64');
}

/** Which neighbours a page has. */
export function neighboursOf({ pageInfo }) {
  return Object.keys(pageInfo).toSorted().join();
}

/** All pages from the given one on, by their cursors to the next (or the previous) one. */
export async function walk(page, follow, direction = 'nextCursor') {
  const pages = [page];
  while (page.pageInfo[direction]) {
    page = await follow({ cursor: page.pageInfo[direction] });
    pages.push(page);
  }
  return pages;
}

/** All that an asynchronous iterable yields. */
export async function collect(pages) {
  const all = [];
  for await (const page of pages) {
    all.push(page);
  }
  return all;
}
