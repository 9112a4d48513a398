// The service worker: a reload works while the server that the page came from is dead. It keeps the page's own files and
// nothing else; messages never pass through it. Plain JavaScript, for it is not bundled: the build only fills in VERSION,
// so that a new page is a new worker, which replaces the old one and what that had kept.

const VERSION = "556b80ba194f60e1";
const KEPT = `page-${VERSION}`;
const FILES = ["/", "/page.js", "/page.css", "/icon.svg", "/manifest.webmanifest"];
/** Who waits longer for the server gets the copy. */
const PATIENCE_MS = 2_000;
/** Then the other files of the page are not waited for, for so long. */
const LATE_MS = 5_000;
let lateAt = -LATE_MS;

self.addEventListener("install", (event) => {
  const fresh = FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(KEPT).then((kept) => kept.addAll(fresh)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => names.filter((name) => name !== KEPT));
  event.waitUntil(old.then((names) => Promise.all(names.map((name) => caches.delete(name)))).then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.search !== "" || !FILES.includes(url.pathname)) return;
  const answered = ask(event.request, url.pathname);
  event.waitUntil(answered.catch(() => {}));
  event.respondWith(inTime(answered).catch(async () => (await copy(url.pathname)) ?? answered));
});

/** The server's answer, of which a copy is kept. Fails where there is none, and where the server is in trouble. */
async function ask(request, path) {
  const answer = await fetch(request);
  if (!answer.ok) throw new Error(`${path}: the server answers ${answer.status}`);
  const kept = await caches.open(KEPT);
  await kept.put(path, answer.clone());
  return answer;
}

function inTime(answer) {
  const patience_ms = performance.now() - lateAt < LATE_MS ? 0 : PATIENCE_MS;
  return new Promise((done, fail) => {
    const timer = setTimeout(() => {
      lateAt = performance.now();
      fail(new Error("the server is slow"));
    }, patience_ms);
    answer.then(done, fail).finally(() => clearTimeout(timer));
  });
}

async function copy(path) {
  return (await caches.open(KEPT)).match(path);
}

// Only phones show notifications through the worker: there, a page can't do it by itself.
self.addEventListener("notificationclick", (event) => {
  const hash = String(event.notification.data ?? "#/");
  event.notification.close();
  event.waitUntil(
    self.clients.matchAll({ type: "window" }).then(([page]) => {
      if (!page) return self.clients.openWindow(`/${hash}`);
      page.postMessage({ hash });
      return page.focus();
    }),
  );
});
