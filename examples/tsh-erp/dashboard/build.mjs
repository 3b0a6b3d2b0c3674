// Bundles src/ into dist/: one script and one style sheet with the hash of their content in the name, and the page that
// names them.
import { readFile, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { build } from "esbuild";

const BASE = "/tds-admin";

await rm("dist", { recursive: true, force: true });
const result = await build({
  entryPoints: ["src/main.js", "src/style.css"],
  entryNames: "[name]-[hash]",
  outdir: "dist/assets",
  bundle: true,
  minify: true,
  target: "es2022",
  metafile: true,
});

let page = await readFile("src/index.html", "utf8");
for (const [file, output] of Object.entries(result.metafile.outputs)) {
  page = page.replaceAll(`%${basename(output.entryPoint)}%`, `${BASE}/assets/${basename(file)}`);
}
await writeFile("dist/index.html", page);
console.log(Object.entries(result.metafile.outputs).map(([file, { bytes }]) => `${file} ${bytes} bytes`).join("\n"));
