// What the programs here share: where wabridge is, whom they write to, and one JSON line on standard
// output for each thing that came about.

import { once } from "node:events";
import { createInterface } from "node:readline";

export const KEY = process.env.API_KEY;
export const NUMBER = process.env.NUMBER;
export const CUSTOMER = process.env.CUSTOMER;
// A message of the customer's.
export const EARLIER = process.env.EARLIER;

export function say(fact) {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
}

// The line of standard input. Nothing listens to it before: a program that asks for none can end.
export async function hear() {
  const lines = createInterface({ input: process.stdin });
  const [line] = await once(lines, "line");
  lines.close();
  return line;
}

// Plays the kinds that the arguments name, and says what the library made of each: what `kinds`
// returns, or the code of the error it threw.
export async function play(kinds, codeOf) {
  for (const kind of process.argv.slice(2)) {
    try {
      say({ kind, gave: await kinds[kind]() });
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      say({ kind, code });
    }
  }
}
