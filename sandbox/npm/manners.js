// In the page of local-slack: four things that Slack does and this page does not do by itself.
//   It asks before a button with `confirm` acts. A private answer is seen only by the person to whom it was given.
//   A reply that goes to the channel too is seen in the channel. Text between two lines of ``` is a block of code.
(() => {
  const messages = new Map(); // by ts: each message as it was received last
  const actor = () => document.querySelector("select")?.value;

  // --- private answers

  const style = document.createElement("style");
  const hideOthers = () => {
    const others = [...messages.values()].filter((one) => one.ephemeral_to && one.ephemeral_to !== actor());
    const hidden = others.map((one) => `.msg[data-ts="${one.ts}"] { display: none }`).join("\n");
    if (style.textContent !== hidden) style.textContent = hidden;
  };
  document.addEventListener("change", hideOthers);
  document.addEventListener("DOMContentLoaded", () => {
    document.head.append(style);
    new MutationObserver(hideOthers).observe(document.body, { childList: true, subtree: true });
  });

  // --- blocks of code

  const FENCE = /^```\n?|\n?```$/g;
  const showCode = () => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, (node) =>
      node.nodeValue.startsWith("```") ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_SKIP);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const block = node.parentElement;
      if (!block.closest(".msg") || block.dataset.code) continue;
      block.dataset.code = "yes";
      block.style.cssText +=
        "display: block; white-space: pre; overflow-x: auto; font: 12px/1.5 monospace; background: #f4f4f4; padding: 8px";
      const inside = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
      for (let text = inside.nextNode(); text; text = inside.nextNode()) {
        text.nodeValue = text.nodeValue.replace(FENCE, "");
        const beside = text.previousSibling ?? text.nextSibling;
        if (!text.nodeValue && beside?.nodeName === "BR") beside.style.display = "none"; // a line that had only a fence
      }
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(showCode).observe(document.body, { childList: true, subtree: true });
  });

  // --- replies that go to the channel too

  const note = { type: "context", elements: [{ type: "mrkdwn", text: "replied to a thread:" }] };
  const copyTs = (ts) => `${ts}1`;
  const inChannel = ({ thread_ts, ...message }) =>
    ({ ...message, ts: copyTs(message.ts), blocks: [note, ...message.blocks] });

  const isLoud = (message, loud) => Boolean(message.thread_ts) && loud.has(message.blocks?.[0]?.block_id);

  const withCopies = (frame, loud) => {
    switch (frame.t) {
      case "init": {
        const both = (all) => all.flatMap((one) => (isLoud(one, loud) ? [one, inChannel(one)] : [one]));
        const all = Object.entries(frame.state.messages ?? {}).map(([channel, each]) => [channel, both(each)]);
        return [{ ...frame, state: { ...frame.state, messages: Object.fromEntries(all) } }];
      }
      case "message":
      case "message_update":
        return isLoud(frame.message, loud) ? [frame, { ...frame, message: inChannel(frame.message) }] : [frame];
      case "message_delete":
        return [frame, { ...frame, ts: copyTs(frame.ts) }];
      default:
        return [frame];
    }
  };

  const remember = (frame) => {
    const received = frame.t === "init" ? Object.values(frame.state.messages ?? {}).flat() : [frame.message];
    for (const message of received) if (message) messages.set(message.ts, message);
  };

  // --- the question before a button acts

  const element = ({ messageTs, action }) => {
    const block = messages.get(messageTs)?.blocks?.find((one) => one.block_id === action.block_id);
    return [...(block?.elements ?? []), block?.accessory].find((one) => one?.action_id === action.action_id);
  };

  const ask = ({ title, text, confirm, deny }, yes) => {
    const dialog = document.createElement("dialog");
    dialog.style.cssText = "border: 1px solid #ccc; border-radius: 8px; padding: 20px; max-width: 480px";
    const add = (tag, words) => dialog.appendChild(Object.assign(document.createElement(tag), { textContent: words.text }));
    add("h3", title);
    add("p", text);
    const answer = (words, then) => add("button", words).addEventListener("click", () => (dialog.remove(), then()));
    answer(deny, () => {});
    answer(confirm, yes);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.appendChild(dialog);
    dialog.showModal();
  };

  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    set onmessage(listener) {
      let last = Promise.resolve();
      const pass = async (frame) => {
        const loud = JSON.stringify(frame).includes("thread_ts") ? await (await fetch("/sandbox/loud")).json() : [];
        remember(frame);
        for (const each of withCopies(frame, new Set(loud))) listener({ data: JSON.stringify(each) });
      };
      super.onmessage = (event) => {
        last = last.then(() => pass(JSON.parse(event.data))).catch(console.error);
      };
    }

    send(data) {
      const frame = JSON.parse(data);
      const confirm = frame.t === "block_action" ? element(frame)?.confirm : undefined;
      if (confirm) ask(confirm, () => super.send(data));
      else super.send(data);
    }
  };
})();
