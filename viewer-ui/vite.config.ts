import { createHash } from "node:crypto";
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
          file.source = page.replace("SCRIPT-HASH", `'sha256-${hash}'`);
        }
      },
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
  plugins: [viteSingleFile({ removeViteModuleLoader: true }), onlyOwnScript()],
});
