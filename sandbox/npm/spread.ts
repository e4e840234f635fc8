// local-slack sends each command, click and event to every connection of an app. Slack chooses one: this preload does
// the same, in turn.
const serve = Bun.serve;
const connections = new Set<any>();
let turns = 0;
let last = { envelope: "", to: undefined as any };

function chosen(envelope: string): any {
  if (envelope !== last.envelope) last = { envelope, to: [...connections][turns++ % connections.size] };
  return last.to;
}

function limited(ws: any) {
  const send = ws.send.bind(ws);
  ws.send = (data: any, ...more: any[]) => {
    const message = typeof data === "string" && data.startsWith("{") ? JSON.parse(data) : {};
    if (message.type === "hello") connections.add(ws);
    if (message.envelope_id && chosen(message.envelope_id) !== ws) return 0;
    return send(data, ...more);
  };
}

Bun.serve = ((options: any) => {
  const heard = options.websocket;
  if (!heard) return serve(options);
  const websocket = {
    ...heard,
    open(ws: any) {
      limited(ws);
      return heard.open?.(ws);
    },
    close(ws: any, ...more: any[]) {
      connections.delete(ws);
      return heard.close?.(ws, ...more);
    },
  };
  return serve({ ...options, websocket });
}) as typeof Bun.serve;
