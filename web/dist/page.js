// Built from web/ by Vite.
export {};
