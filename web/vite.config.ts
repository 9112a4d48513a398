import { defineConfig } from "vite";

// The built files are embedded in the server, which knows them by these names: see `front/page.rs`.
export default defineConfig({
  base: "/",
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
