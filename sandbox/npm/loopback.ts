// local-slack listens on every interface and has no option for it: this preload keeps it on loopback.
const serve = Bun.serve;
Bun.serve = ((options: any) => serve({ ...options, hostname: "127.0.0.1" })) as typeof Bun.serve;
