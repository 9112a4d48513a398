import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Files end with a newline, as all others of the repository do. */
function endWithNewline(): Plugin {
  const ended = (text: string) => (text.endsWith("\n") ? text : `${text}\n`);
  return {
    name: "end-with-newline",
    apply: "build",
    enforce: "post",
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") file.code = ended(file.code);
        else if (typeof file.source === "string") file.source = ended(file.source);
      }
    },
  };
}

/** `worker.js`, with a version that is made from what it keeps: no date, so that every build gives the same bytes. */
function worker(): Plugin {
  return {
    name: "worker",
    apply: "build",
    enforce: "post",
    generateBundle(_, bundle) {
      const hash = createHash("sha256");
      for (const name of Object.keys(bundle).sort()) {
        const file = bundle[name]!;
        hash.update(name).update(file.type === "chunk" ? file.code : file.source);
      }
      for (const name of ["public/icon.svg", "public/manifest.webmanifest"]) hash.update(readFileSync(name));
      const source = readFileSync("src/worker.js", "utf8");
      this.emitFile({
        type: "asset",
        fileName: "worker.js",
        source: source.replace('"development"', `"${hash.digest("hex").slice(0, 16)}"`),
      });
    },
  };
}

// The built files are embedded in the server, which knows them by these names: see `front/page.rs`.
export default defineConfig({
  base: "/",
  plugins: [endWithNewline(), worker()],
  // Those in a real browser are not vitest's: see `tests/browser`.
  test: { include: ["src/**/*.test.ts", "tests/*.test.ts"] },
  build: {
    target: "es2022",
    outDir: "dist",
    assetsInlineLimit: 0,
    modulePreload: false,
    rollupOptions: {
      output: { entryFileNames: "page.js", chunkFileNames: "page-[name].js", assetFileNames: "page[extname]" },
    },
  },
});
