// Speaks as the native Solidity compiler does, with the compiler of the npm package behind it: `--version` and
// `--standard-json` on standard input, with imports read from the folder that it runs in. py-solc-x, Brownie and Slither
// need no more; other flags are accepted and ignored.
"use strict";

const { readFileSync, writeSync } = require("node:fs");
const solc = require("solc");

function write(text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

// Brownie compiles only what changed and leaves what that imports to the compiler.
function imported(path) {
  try {
    return { contents: readFileSync(path, "utf8") };
  } catch (error) {
    return { error: error.message };
  }
}

if (process.argv.includes("--version")) {
  write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (process.argv.includes("--standard-json")) {
  write(solc.compile(readFileSync(0, "utf8"), { import: imported }));
} else {
  process.stderr.write("Only --version and --standard-json are supported.\n");
  process.exitCode = 1;
}
