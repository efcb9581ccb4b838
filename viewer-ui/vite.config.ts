import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import katex from "katex";
import { defineConfig, type Plugin } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

// The page runs its own script and nothing else: not what a trace's labels might hold.
function onlyOwnScript(): Plugin {
  return {
    name: "only-own-script",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        for (const file of Object.values(bundle)) {
          if (file.type !== "asset" || !file.fileName.endsWith(".html")) continue;
          const page = String(file.source);
          const script = /<script type="module"[^>]*>([\s\S]*?)<\/script>/.exec(page);
          if (!script) throw new Error("the page has no script");
          const hash = createHash("sha256").update(script[1]).digest("base64");
          const license = readFileSync("node_modules/driver.js/license", "utf-8").trim();
          file.source = page
            .replace("SCRIPT-HASH", `'sha256-${hash}'`)
            .replace("THIRD-PARTY", `The tour is driver.js.\n${license}`);
        }
      },
    },
  };
}

function mathOf(tex: string): string {
  const marked = tex.replace(
    /\\val\{(\w+)\}/g,
    (_, field) => `\\text{⟨${field.replaceAll("_", "-")}⟩}`,
  );
  const options = { output: "mathml", displayMode: true, strict: false } as const;
  const math = /<math[\s\S]*<\/math>/.exec(katex.renderToString(marked, options))![0];
  return math.replace(/<annotation[\s\S]*?<\/annotation>/g, "");
}

// Formulas become MathML here, so that the page needs neither a TeX reader nor fonts of its own.
// ``\\val{gates}`` becomes a text that the page replaces by the number of the step.
function formulas(): Plugin {
  const name = "virtual:formulas";
  return {
    name: "formulas",
    resolveId: (id) => (id === name ? `\0${name}` : null),
    load(id) {
      if (id !== `\0${name}`) return null;
      const all: string[] = JSON.parse(readFileSync("formulas.json", "utf-8"));
      // What stands behind \\qquad may go to a line of its own.
      const made = all.map((tex) => [tex, tex.split("\\qquad").map(mathOf).join(" ")]);
      return `export default ${JSON.stringify(Object.fromEntries(made))}`;
    },
  };
}

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    outDir: "../softmachine/traces",
    emptyOutDir: false,
    rolldownOptions: { input: "page.html" },
  },
  plugins: [formulas(), viteSingleFile({ removeViteModuleLoader: true }), onlyOwnScript()],
});
