// What the client sent, so that tests can tell by which requests an answer came.

export class Recorder {
  #base;
  #requests = [];

  constructor(base) {
    this.#base = base;
  }

  /** For the client's `fetchApi`. */
  fetch = async (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    const text = await request.clone().text();
    const response = await fetch(request);
    this.#requests.push({
      call: `${request.method} ${url.pathname.slice(new URL(this.#base).pathname.length)}`,
      search: url.search,
      body: text === '' ? undefined : JSON.parse(text),
      link: response.headers.get('link') ?? undefined,
    });
    return response;
  };

  /** The requests since the last time that somebody asked. */
  take() {
    return this.#requests.splice(0);
  }
}
