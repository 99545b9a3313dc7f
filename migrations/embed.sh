#!/bin/sh
# Print migrations.c: each NNNN_name.SIDE.sql as one struct migration (proto/data/migrate.h).
set -eu
echo '#include <stddef.h>'
echo '#include "migrate.h"'
echo 'const struct migration migrations[] = {'
for file in "$@"; do
    name=$(basename "$file" .sql)
    side=${name##*.}
    case $side in
        both) sides='MIGRATE_REGISTRY | MIGRATE_STORE' ;;
        registry) sides=MIGRATE_REGISTRY ;;
        store) sides=MIGRATE_STORE ;;
        *) echo "$file: the side must be both, registry or store" >&2; exit 1 ;;
    esac
    number=$(echo "$name" | sed 's/^0*\([0-9]*\)_.*/\1/')
    echo "    {$number, $sides, \"${name%.*}\","
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/     "/' -e 's/$/\\n"/' "$file"
    echo '    },'
done
echo '    {0, 0, NULL, NULL}};'
