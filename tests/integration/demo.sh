#!/usr/bin/env bash
# The main job, shown: demo.sh BUILD [stay]. Two field clients record offline, sync, and the centre
# holds one registry with one contradiction waiting for a person. Every figure shown is held against
# what it must be; the first that is wrong ends the demonstration with 1.
set -eu
build=$(cd "$1" && pwd)
stay=${2:-}
data=$(cd "$(dirname "$0")/../data/demo" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/ocop-demo.XXXXXX")
server=
finish() {
    status=$?
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$dir"
    exit $status
}
trap finish EXIT
trap 'exit 0' INT TERM
registry=$dir/registry.db

say() { printf '\n== %s\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }
# expect WHAT IS MUST
expect() { [ "$2" = "$3" ] || fail "$1: \"$2\", not \"$3\""; }
office() { "$build/ocopd" "$@" --db "$registry"; }
an() { "$build/ocop" --store "$dir/an.ocop" "$@"; }
binh() { "$build/ocop" --store "$dir/binh.ocop" "$@"; }
# The id on the first line of a listing as CSV; a member of a JSON object of one line; the state of a
# record on a device.
first_id() { sed -n 2p | cut -d, -f1; }
member() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"; }
status_of() { "$1" status "$2" --json | member state; }
rows() { office show | sed -n "s/^$1\t//p"; }

# Sync a device, show what it did and hold it: sync_of DEVICE PUSHED APPLIED IN_CASE
sync_of() {
    local summary sent received
    summary=$("$1" sync --json)
    sent=$(echo "$summary" | member bytesSent)
    received=$(echo "$summary" | member bytesReceived)
    echo "$1: $(echo "$summary" | member pushed) changes sent, $(echo "$summary" | member pulled)" \
        "records received, $(echo "$summary" | member roundTrips) round trip," \
        "$sent bytes sent, $received bytes received"
    expect "$1, changes sent" "$(echo "$summary" | member pushed)" "$2"
    expect "$1, changes applied" "$(echo "$summary" | member applied)" "$3"
    expect "$1, changes in a case" "$(echo "$summary" | member inCase)" "$4"
    expect "$1, changes refused" "$(echo "$summary" | member refused)" 0
    expect "$1, round trips" "$(echo "$summary" | member roundTrips)" 1
    expect "$1, all sent and received" "$(echo "$summary" | member complete)" true
    [ "$sent" -gt 0 ] && [ "$received" -gt 0 ] || fail "$1: no bytes went over the line"
}

# Start the server on a free port of the loopback.
serve() {
    local try
    for try in 1 2 3 4 5; do
        address=tcp://127.0.0.1:$((20000 + (RANDOM * 32768 + RANDOM) % 40000))
        "$build/ocopd" run --db "$registry" --listen "$address" 2>"$dir/server.log" &
        server=$!
        while kill -0 "$server" 2>/dev/null; do
            ! grep -q event=listening "$dir/server.log" || return 0
        done
        wait "$server" || true
        server=
    done
    cat "$dir/server.log" >&2
    fail "the server does not start"
}

invitation() { office invite "$@" --address "$address" --no-qr | head -n 1; }

say "A registry of what was Đắk Nông: eight districts, their communes, and what became of them in 2025"
office init --name "Sổ đăng ký OCOP (minh hoạ)"
office import units "$data/units-before.csv" --from 2004-01-01
office import units "$data/units-2025.csv" --from 2025-07-01 --mapping "$data/mapping-2025.csv"
office import producers "$data/producers.csv"
office import products "$data/products.csv"
office import certificates "$data/certificates.tsv"
office show
expect "units" "$(rows unit)" 46
expect "producers" "$(rows producer)" 10
expect "products" "$(rows product)" 20
expect "certificates" "$(rows certificate)" 14
office show unit 663 | grep -e name -e effective_to
expect "last day of the district Đắk Mil" \
    "$(office show unit 663 | sed -n 's/.*effective_to = "\(.*\)"/\1/p')" 2025-06-30
expect "expiry of a certificate of 05/8/2026" \
    "$(office show certificate 01/GCN-2026 | sed -n 's/.*expiry_date = "\(.*\)"/\1/p')" 2029-08-05

say "Two officers, two invitations, two field clients for the communes of the former district Đắk Mil"
serve
communes=24664,24670,24678,24682
code_an=$(invitation --new-officer "Nguyễn Thị An" --role inspector,sampler,environment_officer \
    --agency "Chi cục QLCL NLS&TS" --unit $communes)
code_binh=$(invitation --new-officer "Trần Văn Bình" --role inspector,sampler,reconciler \
    --agency "Sở NN&MT" --unit $communes)
an init && binh init
printf '%s\n' "$code_an" | an enrol - --name "Điện thoại An"
printf '%s\n' "$code_binh" | binh enrol - --name "Điện thoại Bình"
sync_of an 0 0 0
sync_of binh 0 0 0
expect "producers of these communes" "$(an list producer --csv | tail -n +2 | wc -l)" 5
expect "certificates of these communes" "$(an list certificate --csv | tail -n +2 | wc -l)" 7

say "Without a network: An records an inspection, a sample and an environmental check in Đức Lập"
producer=$(an find --kind producer --text "ca phe duc lap" --csv | first_id)
product=$(an find --kind product --text "ca phe bot" --csv | first_id)
unit=$(an find --kind unit --text "xa duc lap" --csv | first_id)
[ -n "$producer" ] && [ -n "$product" ] && [ -n "$unit" ] || fail "search without diacritics found nothing"
inspection=$(an new inspection --set unit_id="$unit" --set producer_id="$producer" \
    --set product_id="$product" --set inspection_type=unannounced --set conclusion=pass --set score=82 \
    --set 'answers[NC.1].answer=pass' --set 'answers[CT.1].answer=fail' \
    --set 'notes=Khu rang sạch; nước thải chưa có bể lắng' --submit)
an new sample --set unit_id="$unit" --set producer_id="$producer" --set product_id="$product" \
    --set inspection_id="$inspection" --set quantity=1.5 --set quantity_unit=kg \
    --set lot_code=CF-2611 --set taken_ms="$(date +%s)000" --submit >"$dir/sample"
an new environmental_check --set unit_id="$unit" --set producer_id="$producer" \
    --set inspection_type=planned --set conclusion=conditional --set wastewater_m3_day=1.2 --submit \
    >"$dir/check"
say "Without a network: Bình inspects another producer in Thuận An"
other=$(binh find --kind producer --text "ca cao" --csv | first_id)
thuan_an=$(binh find --kind unit --text "xa thuan an" --csv | first_id)
binh new inspection --set unit_id="$thuan_an" --set producer_id="$other" \
    --set inspection_type=planned --set conclusion=pass --submit >"$dir/other"
for device in an binh; do
    echo "$device: $($device status --json | member waiting) records saved, waiting for signal"
done
expect "an, waiting" "$(an status --json | member waiting)" 3
expect "binh, waiting" "$(binh status --json | member waiting)" 1
expect "state of the inspection" "$(status_of an "$inspection")" waiting
expect "inspections at the centre" "$(rows inspection)" 0

say "With signal again: both sync"
sync_of an 3 3 0
sync_of binh 1 1 0
expect "state of the inspection" "$(status_of an "$inspection")" accepted
binh list inspection
expect "inspections that Bình sees" "$(binh list inspection --csv | tail -n +2 | wc -l)" 2

say "A photo: its record goes first, then the file in chunks; Bình fetches it; lost at the centre, it comes back"
{ printf '\377\330\377'; head -c 100000 /dev/urandom; } >"$dir/photo.jpg"
photo=$(an attach "$inspection" "$dir/photo.jpg" --caption "Khu rang")
an files "$inspection"
an sync --no-files >/dev/null
office files --missing
expect "files that the centre waits for" "$(office files --missing | wc -l)" 1
office files --by-device
expect "devices that have files to bring" "$(office files --by-device | grep -c "^device 1.*1 files.*0 of 98 KiB")" 1
expect "files that wait on An's device" "$(an status --json | member filesWaiting)" 1
expect "state of the photo on An's device" "$(an files --csv | grep -c ,waiting,)" 1
an sync | grep files
office show inspection "$inspection" | grep attached
expect "files that the centre waits for" "$(office files --missing | wc -l)" 0
expect "files that wait on An's device" "$(an status --json | member filesWaiting)" 0
expect "state of the photo on An's device" "$(an files --csv | grep -c ,stored,)" 1
binh sync >/dev/null
binh fetch "$photo" --output "$dir/fetched.jpg"
expect "files that are whole at the centre" "$(office files --record "$inspection" | grep -c 'whole, 98 KiB')" 1
expect "the photo that Bình has" "$(cksum <"$dir/fetched.jpg")" "$(cksum <"$dir/photo.jpg")"
office files verify
: >"$registry.blobs/$(cd "$registry.blobs" && ls -d ??/* | head -n 1)" # the centre's disk loses it
! office files verify >/dev/null 2>&1 || fail "a lost photo was not found"
office files verify --mend
an sync | grep files
office files verify

say "Without a network again: both amend the conclusion of An's inspection, differently"
an amend "$inspection" --set conclusion=fail --reason "Kết quả kiểm nghiệm không đạt"
binh amend "$inspection" --set conclusion=conditional --reason "Cho khắc phục trong 30 ngày"
sync_of an 1 1 0
sync_of binh 1 0 1

say "The centre: one registry, and one contradiction that waits for a person"
office show
expect "inspections" "$(rows inspection)" 2
expect "samples" "$(rows sample)" 1
expect "environmental checks" "$(rows environmental_check)" 1
office cases
expect "open cases" "$(office cases --json | grep -c '"id"')" 1
case_id=$(office cases | cut -f1)
office case show "$case_id"
expect "the registry's value" \
    "$(office show inspection "$inspection" | sed -n 's/.*conclusion = "\(.*\)"/\1/p')" fail
expect "the case's values" "$(office case show "$case_id" | sed -n 's/^\(base\|theirs\|mine\) *"\(.*\)"/\2/p' | tr '\n' ' ')" \
    "pass fail conditional "
expect "Bình sees the case" "$(status_of binh "$inspection")" in_case
office verify

if [ "$stay" = stay ]; then
    invitation --new-officer "Khách" --role inspector --agency "Demo" --unit $communes \
        >"$dir/invitation.txt"
    say "The server stays up at $address; Ctrl-C stops it and removes $dir"
    echo "One more client, in another terminal:"
    echo "    $build/ocop --store my.ocop init"
    echo "    $build/ocop --store my.ocop enrol - <$dir/invitation.txt"
    echo "    $build/ocop --store my.ocop sync"
    echo "    $build/ocop --store my.ocop list inspection"
    echo "Reconcile the case (or --take mine):"
    echo "    $build/ocopd case resolve $case_id --take theirs --reason \"as the laboratory says\" --db $registry"
    wait "$server"
    exit
fi

say "Reconciled: the reviewer takes the second officer's value; it travels to both"
office case resolve "$case_id" --take mine --reason "Hội đồng thống nhất" --officer "Trần Văn Bình" \
    >"$dir/resolved"
for device in an binh; do
    sync_of $device 0 0 0
    expect "conclusion that $device sees" \
        "$($device show "$inspection" | sed -n 's/^conclusion: *//p')" conditional
    expect "state that $device sees" "$(status_of $device "$inspection")" merged
done
expect "open cases" "$(office cases --json | grep -c '"id"' || true)" 0
office verify

say "A dispute: the story of the inspection, proven on a computer that has no registry"
office export evidence "$inspection" --out "$dir/evidence"
"$build/ocop" verify-evidence "$dir/evidence" --root-key "$(office export root-key)" \
    --extract "$dir/proof" >"$dir/story"
cat "$dir/story"
apart='log ended|the content|written to'
expect "what the registry and the bundle tell" "$(office log show "$inspection" | grep -Ev "$apart" | cksum)" \
    "$(grep -Ev "$apart" "$dir/story" | cksum)"
expect "good signatures of changes" "$(grep -c 'signature good, chain good' "$dir/story")" 5
expect "the photo in the bundle" "$(grep -c 'whole: the content in the bundle has this hash' "$dir/story")" 1
expect "the photo out of the bundle" "$(cat "$dir"/proof/01-photo-*.jpg | cksum)" "$(cksum <"$dir/photo.jpg")"
cp "$dir/evidence" "$dir/altered-photo"
printf '!' | dd of="$dir/altered-photo" bs=1 seek=$(($(wc -c <"$dir/evidence") - 9)) conv=notrunc 2>/dev/null
! "$build/ocop" verify-evidence "$dir/altered-photo" >"$dir/story" 2>/dev/null || fail "an altered photo was taken"
grep 'BAD: file' "$dir/story"
printf '!' | dd of="$dir/evidence" bs=1 seek=900 conv=notrunc 2>/dev/null
! "$build/ocop" verify-evidence "$dir/evidence" 2>"$dir/altered" || fail "altered evidence was taken"
cat "$dir/altered"
kill "$server"
wait "$server" || fail "the server did not stop cleanly"
server=
echo "demo: all as it should be"
