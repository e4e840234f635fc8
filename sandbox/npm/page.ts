// local-slack's page shows `<!date^…>` as it stands: this preload puts dates.js into the page, and nothing else.
const script = `<script>${await Bun.file(`${import.meta.dir}/dates.js`).text()}</script>`;
const serve = Bun.serve;

Bun.serve = ((options: any) => {
  async function fetch(this: any, request: Request, server: any) {
    const response = await options.fetch.call(this, request, server);
    if (!response?.headers.get("content-type")?.startsWith("text/html")) return response;
    const page = (await response.text()).replace("<head>", () => `<head>${script}`);
    const headers = new Headers(response.headers);
    headers.delete("content-length");
    return new Response(page, { status: response.status, headers });
  }
  return serve({ ...options, fetch });
}) as typeof Bun.serve;
