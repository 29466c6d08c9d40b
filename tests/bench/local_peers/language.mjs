// AURA's engine and llama.cpp's Node binding on the same weights, threads and questions, in turns.
//
//   npm install && node language.mjs ENGINE MODEL.gguf [ROUNDS] [THREADS]
//
// ENGINE: the program aura-engine. Each round starts both programs anew. Prints the median of each figure.

import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const CONTEXT = 8192;
const ANSWER = 128;
const question = (round) => [{ role: "user", content: `Round ${round}. What is the capital of France?` }];
const story = (round) => [{ role: "user", content: `Round ${round}. Tell me a long story about a fox and a hen.` }];
const long = (round) => [
  { role: "user", content: `Round ${round}. ` + "The fox and the hen went for a walk along the river. ".repeat(80) + "Who walked?" },
];

const peak = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** The figures of one round of AURA's engine. */
async function ours(engine, model, round, threads) {
  const start = performance.now();
  const child = spawn(engine, [], { stdio: ["pipe", "pipe", "ignore"] });
  const frames = read(child.stdout);
  const send = (request) => {
    const json = Buffer.from(JSON.stringify(request));
    const head = Buffer.alloc(8);
    head.writeUInt32LE(json.length, 0);
    child.stdin.write(Buffer.concat([head, json]));
  };
  send({ request: "load", engine: "llama", files: { model }, threads, context: CONTEXT });
  const ready = (await frames.next()).value;
  if (ready.event !== "ready") throw new Error(JSON.stringify(ready));
  const load = performance.now() - start;
  let id = 0;
  const ask = async (messages, max_tokens) => {
    const begin = performance.now();
    const texts = messages.map(({ role, content }) => ({ role, text: content }));
    send({ request: "generate", id: ++id, messages: texts, images: [], sampling: { max_tokens, temperature: 0 } });
    let first;
    for (;;) {
      const event = (await frames.next()).value;
      first ??= performance.now();
      if (event.event === "end") {
        const end = performance.now();
        return { first: first - begin, after: end - first, prompt: event.prompt_tokens, answer: event.completion_tokens };
      }
      if (event.event !== "text") throw new Error(JSON.stringify(event));
    }
  };
  const figures = await measure(ask, round);
  const memory = peak(child.pid);
  child.stdin.end();
  await new Promise((done) => child.on("exit", done));
  return { load, ...figures, memory };
}

async function* read(stream) {
  let bytes = Buffer.alloc(0);
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 8) {
      const [json, payload] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
      if (bytes.length < 8 + json + payload) break;
      yield JSON.parse(bytes.subarray(8, 8 + json));
      bytes = bytes.subarray(8 + json + payload);
    }
  }
}

/** The figures of one round of the Node binding, in a process of its own. */
async function theirs(model, round, threads) {
  const { loadModel } = await import("@fugood/llama.node");
  const start = performance.now();
  const context = await loadModel({
    model,
    n_ctx: CONTEXT,
    n_batch: 512,
    n_ubatch: 512,
    n_parallel: 1,
    n_threads: threads,
    n_gpu_layers: 0,
    use_mmap: true,
  });
  const load = performance.now() - start;
  const ask = async (messages, n_predict) => {
    const begin = performance.now();
    let first;
    const result = await context.completion({ messages, jinja: true, n_predict, temperature: 0 }, () => {
      first ??= performance.now();
    });
    const end = performance.now();
    first ??= end;
    const { tokens_evaluated: prompt, tokens_predicted: answer } = result;
    return { first: first - begin, after: end - first, prompt, answer };
  };
  return { load, ...(await measure(ask, round)), memory: peak(process.pid) };
}

async function measure(ask, round) {
  const short = await ask(question(round), 32);
  const read = await ask(long(round), 1);
  const written = await ask(story(round), ANSWER);
  return {
    first: short.first,
    read: (read.prompt / read.first) * 1000,
    written: ((written.answer - 1) / written.after) * 1000,
    tokens: `${short.prompt}/${read.prompt}/${written.answer}`,
  };
}

if (process.argv[2] === "--theirs") {
  const [model, round, threads] = process.argv.slice(3);
  console.log(JSON.stringify(await theirs(model, Number(round), Number(threads))));
  process.exit(0);
}
const [engine, model, rounds = "5", threads = "2"] = process.argv.slice(2);
if (!model) {
  console.error("usage: node language.mjs ENGINE MODEL.gguf [ROUNDS] [THREADS]");
  process.exit(2);
}
const results = { "aura-engine": [], "llama.node": [] };
for (let round = 1; round <= Number(rounds); round += 1) {
  results["aura-engine"].push(await ours(engine, model, round, Number(threads)));
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), "--theirs", model, String(round), threads], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  results["llama.node"].push(JSON.parse(child.stdout.trim().split("\n").at(-1)));
}
for (const [name, figures] of Object.entries(results)) {
  const of = (key) => median(figures.map((figure) => figure[key])).toFixed(1);
  console.log(
    `${name.padEnd(12)} load ${of("load")} ms, first token ${of("first")} ms, read ${of("read")} tokens/s, ` +
      `write ${of("written")} tokens/s, peak ${of("memory")} MiB (tokens of question/long question/answer ${figures[0].tokens})`,
  );
}
