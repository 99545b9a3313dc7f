#!/usr/bin/env bash
# The main job, shown: demo.sh BUILD [stay]. Two field clients record offline, sync, and the centre
# holds one registry with one contradiction waiting for a person. Every step is checked.
set -eu
build=$(cd "$1" && pwd)
stay=${2:-}
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
cd "$dir"
say() { printf '\n== %s\n' "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }
ocopd() { "$build/ocopd" "$@" --db registry.db; }
a() { "$build/ocop" --store an.ocop "$@"; }
b() { "$build/ocop" --store binh.ocop "$@"; }
# The id on the first line of a listing as CSV.
first_id() { sed -n 2p | cut -d, -f1 | tr -d '"'; }

say "A registry of Đắk Nông: eight former districts, some of their communes, producers, products"
ocopd init --name "Sổ đăng ký OCOP Đắk Nông (minh hoạ)"
cat >units.csv <<'CSV'
code,name,level,parent_code
67,Tỉnh Đắk Nông,province,
660,Thành phố Gia Nghĩa,district,67
661,Huyện Đăk Glong,district,67
662,Huyện Cư Jút,district,67
663,Huyện Đắk Mil,district,67
664,Huyện Krông Nô,district,67
665,Huyện Đắk Song,district,67
666,Huyện Đắk R'Lấp,district,67
667,Huyện Tuy Đức,district,67
24611,Phường Nghĩa Thành,commune,660
24664,Thị trấn Đắk Mil,commune,663
24670,Xã Đắk Gằn,commune,663
24679,Xã Đức Mạnh,commune,663
24688,Thị trấn Đắk Mâm,commune,664
24717,Thị trấn Đức An,commune,665
CSV
cat >producers.csv <<'CSV'
Tên chủ thể;Loại hình;Mã số thuế;Người đại diện;Địa chỉ;Điện thoại;Mã xã
HTX Cà phê Đức Mạnh;cooperative;6400000001;Nguyễn Văn Hoà;Thôn 4;0901000001;24679
HTX Nông sản Đắk Gằn;cooperative;6400000002;Trần Thị Lan;Bon Đắk Krai;0901000002;24670
Hộ kinh doanh Mật ong Bảy;household;6400000003;Lê Văn Bảy;Tổ 2;0901000003;24664
Công ty TNHH Ca cao Đắk Mil;company;6400000004;Phạm Minh Tuấn;Tổ 5;0901000004;24664
HTX Hồ tiêu Đức An;cooperative;6400000005;Hoàng Thị Mai;Tổ 1;0901000005;24717
THT Gạo Buôn Choáh;cooperative_group;6400000006;Y Bliu;Thôn Ninh Giang;0901000006;24688
HTX Sầu riêng Gia Nghĩa;cooperative;6400000007;Vũ Đình Phú;Tổ 6;0901000007;24611
Trang trại Bơ Đức Mạnh;farm;6400000008;Đỗ Thị Hạnh;Thôn 7;0901000008;24679
Hộ kinh doanh Rượu cần H'Lan;household;6400000009;H'Lan;Bon Bu Đắk;0901000009;24670
HTX Mắc ca Đắk Mil;cooperative;6400000010;Bùi Quốc Việt;Tổ 9;0901000010;24664
CSV
cat >products.csv <<'CSV'
Tên sản phẩm,Chủ thể,Mã xã,Hạng sao,Năm,Bộ tiêu chí
Cà phê bột Đức Mạnh,6400000001,24679,4,2025,13
Cà phê hạt rang Đức Mạnh,6400000001,24679,3,2025,13
Đậu xanh Đắk Gằn,6400000002,24670,3,2025,3
Chuối sấy Đắk Gằn,6400000002,24670,3,2025,7
Mật ong hoa cà phê,6400000003,24664,4,2025,4
Mật ong nghệ,6400000003,24664,3,2025,8
Bột ca cao,6400000004,24664,4,2025,13
Sô-cô-la đen,6400000004,24664,3,2025,13
Tiêu đen Đức An,6400000005,24717,3,2025,10
Tiêu sọ Đức An,6400000005,24717,4,2025,10
Gạo Buôn Choáh,6400000006,24688,4,2025,3
Bún gạo Buôn Choáh,6400000006,24688,3,2025,6
Sầu riêng sấy,6400000007,24611,3,2025,7
Sầu riêng cấp đông,6400000007,24611,3,2025,7
Bơ sấy dẻo,6400000008,24679,3,2025,7
Tinh dầu bơ,6400000008,24679,3,2025,20
Rượu cần H'Lan,6400000009,24670,3,2025,15
Men lá H'Lan,6400000009,24670,3,2025,10
Mắc ca sấy nứt vỏ,6400000010,24664,4,2025,7
Bơ mắc ca,6400000010,24664,3,2025,7
CSV
ocopd import units units.csv --from 2004-01-01
ocopd import producers producers.csv
ocopd import products products.csv
ocopd show

say "Two officers, two invitations, two field clients"
port=$((20000 + $$ % 20000))
address="tcp://127.0.0.1:$port"
code_an=$(ocopd invite --new-officer "Nguyễn Thị An" --role inspector,sampler,environment_officer \
    --agency "Chi cục QLCL NLS&TS" --unit 663 --address "$address" --no-qr | head -n 1)
code_binh=$(ocopd invite --new-officer "Trần Văn Bình" --role inspector,sampler,reconciler \
    --agency "Sở NN&MT" --unit 663 --address "$address" --no-qr | head -n 1)
"$build/ocopd" run --db registry.db --listen "$address" 2>server.log &
server=$!
a init && b init
printf '%s\n' "$code_an" | a enrol - --name "Điện thoại An"
printf '%s\n' "$code_binh" | b enrol - --name "Điện thoại Bình"
a sync && b sync

say "Offline: An records an inspection, a sample and an environmental check in Đức Mạnh"
producer=$(a find --kind producer --text "ca phe duc manh" --csv | first_id)
product=$(a find --kind product --text "ca phe bot" --csv | first_id)
unit=$(a show "$producer" --json | sed -n 's/.*"unitId": *"\([0-9a-f-]*\)".*/\1/p' | head -n 1)
[ -n "$producer" ] && [ -n "$product" ] && [ -n "$unit" ] || fail "search without diacritics found nothing"
a new inspection --set unit_id="$unit" --set producer_id="$producer" --set product_id="$product" \
    --set inspection_type=unannounced --set conclusion=pass --set score=82 \
    --set 'answers[NC.1].answer=pass' --set 'answers[CT.1].answer=fail' \
    --set 'notes=Khu rang sạch; nước thải chưa có bể lắng' --submit
a new sample --set unit_id="$unit" --set producer_id="$producer" --set product_id="$product" \
    --set quantity=1.5 --set quantity_unit=kg --set lot_code=CF-2611 \
    --set taken_ms="$(date +%s)000" --submit
a new environmental_check --set unit_id="$unit" --set producer_id="$producer" \
    --set inspection_type=planned --set conclusion=conditional --set wastewater_m3_day=1.2 --submit
inspection=$(a find --kind inspection --csv | first_id)
a sync
b sync
b list inspection

say "Offline again: both amend the conclusion of the same inspection, differently"
a amend "$inspection" --set conclusion=fail --reason "Kết quả kiểm nghiệm không đạt"
b amend "$inspection" --set conclusion=conditional --reason "Cho khắc phục trong 30 ngày"
a sync
b sync

say "The centre: one registry, and one contradiction that waits for a person"
ocopd show
ocopd cases
case_id=$(ocopd cases | cut -f1)
[ "$(ocopd cases | wc -l)" -eq 1 ] || fail "exactly one case was expected"
ocopd case show "$case_id"
ocopd show inspection "$inspection" | grep -q 'conclusion = "fail"' || fail "the first result must stand"
b show "$inspection" | grep -q 'status: *in_case' || fail "the second officer must see the case"
ocopd verify

if [ "$stay" = stay ]; then
    say "The server stays up at $address; stop it with Ctrl-C"
    echo "An invitation for one more client:"
    ocopd invite --new-officer "Khách" --role inspector --agency "Demo" --unit 663 \
        --address "$address" --no-qr | head -n 1
    echo "    $build/ocop --store my.ocop init"
    echo "    $build/ocop --store my.ocop enrol CODE && $build/ocop --store my.ocop sync"
    echo "Reconcile the case:"
    echo "    $build/ocopd case resolve $case_id --take theirs|mine --reason R \\"
    echo "        --officer 'Trần Văn Bình' --db $dir/registry.db"
    wait "$server"
else
    say "Reconciled: the reviewer takes the second officer's value; it travels to both"
    ocopd case resolve "$case_id" --take mine --reason "Hội đồng thống nhất" --officer "Trần Văn Bình" >/dev/null
    a sync >/dev/null && b sync >/dev/null
    a show "$inspection" | grep -q 'conclusion: *conditional' || fail "the resolution did not reach An"
    b show "$inspection" | grep -q 'conclusion: *conditional' || fail "the resolution did not reach Bình"
    b show "$inspection" | grep -q 'status: *in_case' && fail "the case must be closed on the device"
    ocopd verify
    kill "$server"
    wait "$server" || fail "the server did not stop cleanly"
    server=
    echo "demo: all as it should be"
fi
