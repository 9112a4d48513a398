// Built from web/ by Vite: the service worker.
self.addEventListener("fetch", () => {});
