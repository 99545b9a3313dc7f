#!/bin/sh
# How far the corpora of the fuzz targets reach: lines and branches of the files that each is about, by
# clang's own coverage. One line for each target.
set -eu
build=$1
corpus=${FUZZ_CORPUS:-tests/fuzz/corpus}
about() {
    case $1 in
    frame) echo proto/wire/frame.c proto/wire/invitation.c proto/base/zip.c ;;
    handshake) echo proto/wire/noise.c ;;
    changeset) echo proto/change/changeset.c proto/change/columns_decode.c proto/change/values_decode.c ;;
    tight) echo proto/change/tight.c proto/change/coder.c proto/change/numbers.c proto/change/phrase.c ;;
    request) echo server/exchange.c server/answer.c server/ingest.c server/apply*.c proto/change/merge.c server/feed*.c server/tell.c ;;
    reply) echo client-lib/reply.c client-lib/lost.c client-lib/sync.c client-lib/pending.c ;;
    files) echo server/blobs.c client-lib/travel.c proto/data/content*.c ;;
    csv) echo server/csvfile.c server/import_columns.c ;;
    import) echo server/import*.c server/csvfile.c ;;
    evidence) echo proto/change/evidence*.c ;;
    exif) echo proto/image/exif.c ;;
    picture) echo proto/image/picture.c ;;
    png) echo server/thumbnail/png_rows.c ;;
    input) echo server/config.c server/keys.c server/keys_change.c server/ledger.c proto/data/json_set.c proto/data/json.c proto/change/record.c proto/data/media.c ;;
    json) echo proto/data/json.c proto/data/json_read.c proto/change/rules.c ;;
    esac
}
count=0
for program in "$build"/fuzz/fuzz_*; do
    [ -x "$program" ] || continue
    name=${program##*/fuzz_}
    LLVM_PROFILE_FILE=$build/$name.profraw "$program" "$corpus/$name"/* >/dev/null
    llvm-profdata-14 merge -o "$build/$name.profdata" "$build/$name.profraw"
    # shellcheck disable=SC2046
    llvm-cov-14 report "$program" -instr-profile="$build/$name.profdata" $(about "$name") |
        awk -v name="$name" -v files="$(find "$corpus/$name" -type f | wc -l)" '$1 == "TOTAL" {
            printf "%s\t%d files\tlines %s of %d\tbranches %s of %d\n", name, files, $10, $8, $13, $11
        }'
    count=$((count + 1))
done
[ "$count" -ge 15 ]
