// local-slack's page shows `<!date^…>` as it stands and asks nothing: this preload puts dates.js, charts.js and manners.js into the
// page. It also remembers which replies go to the channel too, which local-slack forgets, and tells the page.
const scripts = await Promise.all(
  ["dates.js", "charts.js", "manners.js"].map(async (name) => `<script>${await Bun.file(`${import.meta.dir}/${name}`).text()}</script>`),
);
const loud = new Set<string>(); // the first block's id of each reply that goes to the channel too
const serve = Bun.serve;

async function note(request: Request) {
  if (!new URL(request.url).pathname.endsWith("/api/chat.postMessage")) return;
  const words = await request.clone().json().catch(() => ({}));
  if (words.reply_broadcast === true && words.blocks?.[0]?.block_id) loud.add(words.blocks[0].block_id);
}

Bun.serve = ((options: any) => {
  async function fetch(this: any, request: Request, server: any) {
    if (new URL(request.url).pathname === "/sandbox/loud") return Response.json([...loud]);
    await note(request);
    const response = await options.fetch.call(this, request, server);
    if (!response?.headers.get("content-type")?.startsWith("text/html")) return response;
    const page = (await response.text()).replace("<head>", () => `<head>${scripts.join("")}`);
    const headers = new Headers(response.headers);
    headers.delete("content-length");
    return new Response(page, { status: response.status, headers });
  }
  return serve({ ...options, fetch });
}) as typeof Bun.serve;
