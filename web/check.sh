#!/usr/bin/env bash
# Builds the page again and fails if that is not what is committed in dist; before that, types and unit tests.
set -euo pipefail
cd "$(dirname "$0")"
prepared=0
bash tests/prepare.sh build || prepared=$?
if [ "$prepared" = 77 ] && [ -z "${CI:-}" ]; then
    echo 'SKIPPED: the page was not rebuilt'
    exit 0
fi
[ "$prepared" = 0 ]
npx tsc --noEmit
npx vitest run
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
npx vite build --logLevel warn --emptyOutDir --outDir "$built"
if ! diff -rq dist "$built"; then
    echo 'web/dist is not what web/src makes: npm run build in web/, and commit dist, too'
    exit 1
fi
echo "The page: $(cat "$built"/* | wc -c) bytes, $(for file in "$built"/*; do gzip -9c "$file"; done | wc -c) compressed."
