CREATE VIEW checklist_questions AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'question') AS question,
        (SELECT value FROM json_each(e.value) WHERE key = 'position') AS position,
        (SELECT value FROM json_each(e.value) WHERE key = 'section') AS section,
        (SELECT value FROM json_each(e.value) WHERE key = 'text') AS text,
        (SELECT value FROM json_each(e.value) WHERE key = 'clause') AS clause,
        (SELECT value FROM json_each(e.value) WHERE key = 'severity') AS severity,
        (SELECT value FROM json_each(e.value) WHERE key = 'required') AS required
    FROM checklist AS t, json_each(t.questions) AS e;

CREATE VIEW code_list_items AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'code') AS code,
        (SELECT value FROM json_each(e.value) WHERE key = 'title') AS title,
        (SELECT value FROM json_each(e.value) WHERE key = 'effectiveFrom') AS effective_from,
        (SELECT value FROM json_each(e.value) WHERE key = 'effectiveTo') AS effective_to,
        (SELECT value FROM json_each(e.value) WHERE key = 'supersededBy') AS superseded_by
    FROM code_list AS t, json_each(t.items) AS e;

CREATE VIEW environmental_check_answers AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'question') AS question,
        (SELECT value FROM json_each(e.value) WHERE key = 'answer') AS answer,
        (SELECT value FROM json_each(e.value) WHERE key = 'remark') AS remark
    FROM environmental_check AS t, json_each(t.answers) AS e;

CREATE VIEW environmental_check_findings AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'code') AS code,
        (SELECT value FROM json_each(e.value) WHERE key = 'description') AS description,
        (SELECT value FROM json_each(e.value) WHERE key = 'clause') AS clause,
        (SELECT value FROM json_each(e.value) WHERE key = 'severity') AS severity,
        (SELECT value FROM json_each(e.value) WHERE key = 'remedy') AS remedy,
        (SELECT value FROM json_each(e.value) WHERE key = 'deadlineDate') AS deadline_date,
        (SELECT CAST(value AS INTEGER) FROM json_each(e.value) WHERE key = 'fineVnd') AS fine_vnd,
        (SELECT value FROM json_each(e.value) WHERE key = 'remediedDate') AS remedied_date,
        (SELECT value FROM json_each(e.value) WHERE key = 'remedyNote') AS remedy_note,
        (SELECT value FROM json_each(e.value) WHERE key = 'question') AS question
    FROM environmental_check AS t, json_each(t.findings) AS e;

CREATE VIEW environmental_check_measurements AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'medium') AS medium,
        (SELECT value FROM json_each(e.value) WHERE key = 'parameter') AS parameter,
        (SELECT value FROM json_each(e.value) WHERE key = 'qualifier') AS qualifier,
        (SELECT value FROM json_each(e.value) WHERE key = 'value') AS value,
        (SELECT value FROM json_each(e.value) WHERE key = 'valueUnit') AS value_unit,
        (SELECT value FROM json_each(e.value) WHERE key = 'limitValue') AS limit_value,
        (SELECT value FROM json_each(e.value) WHERE key = 'regulation') AS regulation,
        (SELECT value FROM json_each(e.value) WHERE key = 'verdict') AS verdict,
        (SELECT value FROM json_each(e.value) WHERE key = 'point') AS point,
        (SELECT value FROM json_each(e.value) WHERE key = 'text') AS text,
        (SELECT value FROM json_each(e.value) WHERE key = 'method') AS method
    FROM environmental_check AS t, json_each(t.measurements) AS e;

CREATE VIEW environmental_check_participants AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'name') AS name,
        (SELECT value FROM json_each(e.value) WHERE key = 'title') AS title,
        (SELECT value FROM json_each(e.value) WHERE key = 'side') AS side,
        (SELECT value FROM json_each(e.value) WHERE key = 'officerId') AS officer_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'leader') AS leader
    FROM environmental_check AS t, json_each(t.participants) AS e;

CREATE VIEW inspection_answers AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'question') AS question,
        (SELECT value FROM json_each(e.value) WHERE key = 'answer') AS answer,
        (SELECT value FROM json_each(e.value) WHERE key = 'remark') AS remark
    FROM inspection AS t, json_each(t.answers) AS e;

CREATE VIEW inspection_findings AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'code') AS code,
        (SELECT value FROM json_each(e.value) WHERE key = 'description') AS description,
        (SELECT value FROM json_each(e.value) WHERE key = 'clause') AS clause,
        (SELECT value FROM json_each(e.value) WHERE key = 'severity') AS severity,
        (SELECT value FROM json_each(e.value) WHERE key = 'remedy') AS remedy,
        (SELECT value FROM json_each(e.value) WHERE key = 'deadlineDate') AS deadline_date,
        (SELECT CAST(value AS INTEGER) FROM json_each(e.value) WHERE key = 'fineVnd') AS fine_vnd,
        (SELECT value FROM json_each(e.value) WHERE key = 'remediedDate') AS remedied_date,
        (SELECT value FROM json_each(e.value) WHERE key = 'remedyNote') AS remedy_note,
        (SELECT value FROM json_each(e.value) WHERE key = 'question') AS question
    FROM inspection AS t, json_each(t.findings) AS e;

CREATE VIEW inspection_participants AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'name') AS name,
        (SELECT value FROM json_each(e.value) WHERE key = 'title') AS title,
        (SELECT value FROM json_each(e.value) WHERE key = 'side') AS side,
        (SELECT value FROM json_each(e.value) WHERE key = 'officerId') AS officer_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'leader') AS leader
    FROM inspection AS t, json_each(t.participants) AS e;

CREATE VIEW officer_roles AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'role') AS role,
        (SELECT value FROM json_each(e.value) WHERE key = 'fromDate') AS from_date,
        (SELECT value FROM json_each(e.value) WHERE key = 'toDate') AS to_date
    FROM officer AS t, json_each(t.roles) AS e;

CREATE VIEW registry_lineages AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'lineage') AS lineage,
        (SELECT value FROM json_each(e.value) WHERE key = 'parent') AS parent,
        (SELECT CAST(value AS INTEGER) FROM json_each(e.value) WHERE key = 'forkVersion') AS fork_version
    FROM registry AS t, json_each(t.lineages) AS e;

CREATE VIEW replica_records AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'assignedId') AS assigned_id
    FROM replica AS t, json_each(t.records) AS e;

CREATE VIEW replica_scope AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'unitId') AS unit_id
    FROM replica AS t, json_each(t.scope) AS e;

CREATE VIEW replica_sign_keys AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'fromSeq') AS from_seq,
        (SELECT value FROM json_each(e.value) WHERE key = 'signature') AS signature,
        (SELECT value FROM json_each(e.value) WHERE key = 'number') AS number,
        (SELECT value FROM json_each(e.value) WHERE key = 'channelKey') AS channel_key,
        (SELECT value FROM json_each(e.value) WHERE key = 'madeMs') AS made_ms,
        (SELECT value FROM json_each(e.value) WHERE key = 'root') AS root
    FROM replica AS t, json_each(t.sign_keys) AS e;

CREATE VIEW sample_custody AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'partKey') AS part_key,
        (SELECT value FROM json_each(e.value) WHERE key = 'fromHolder') AS from_holder,
        (SELECT value FROM json_each(e.value) WHERE key = 'toHolder') AS to_holder,
        (SELECT CAST(value AS INTEGER) FROM json_each(e.value) WHERE key = 'atMs') AS at_ms,
        (SELECT value FROM json_each(e.value) WHERE key = 'sealState') AS seal_state,
        (SELECT value FROM json_each(e.value) WHERE key = 'note') AS note
    FROM sample AS t, json_each(t.custody) AS e;

CREATE VIEW sample_parameters AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'parameter') AS parameter,
        (SELECT value FROM json_each(e.value) WHERE key = 'method') AS method,
        (SELECT value FROM json_each(e.value) WHERE key = 'limitText') AS limit_text
    FROM sample AS t, json_each(t.parameters) AS e;

CREATE VIEW sample_participants AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'name') AS name,
        (SELECT value FROM json_each(e.value) WHERE key = 'title') AS title,
        (SELECT value FROM json_each(e.value) WHERE key = 'side') AS side,
        (SELECT value FROM json_each(e.value) WHERE key = 'officerId') AS officer_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'leader') AS leader
    FROM sample AS t, json_each(t.participants) AS e;

CREATE VIEW sample_parts AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'role') AS role,
        (SELECT value FROM json_each(e.value) WHERE key = 'sealNo') AS seal_no,
        (SELECT value FROM json_each(e.value) WHERE key = 'quantity') AS quantity,
        (SELECT value FROM json_each(e.value) WHERE key = 'quantityUnit') AS quantity_unit,
        (SELECT value FROM json_each(e.value) WHERE key = 'holder') AS holder,
        (SELECT value FROM json_each(e.value) WHERE key = 'retainUntilDate') AS retain_until_date,
        (SELECT value FROM json_each(e.value) WHERE key = 'preservation') AS preservation
    FROM sample AS t, json_each(t.parts) AS e;

CREATE VIEW unit_successors AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'unitId') AS unit_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'extent') AS extent
    FROM unit AS t, json_each(t.successors) AS e;

CREATE TABLE attachment (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    record_id BLOB,
    role TEXT,
    caption TEXT,
    taken_ms INTEGER,
    lat_e6 INTEGER,
    lon_e6 INTEGER,
    media_type TEXT,
    size INTEGER,
    hash BLOB,
    file_name TEXT
, original_hash BLOB, removed_ms INTEGER, removed_by BLOB, removed_reason TEXT, hold_reason TEXT) STRICT;

CREATE TABLE base (
    record BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    fields BLOB,                       -- ChangeRow; NULL: not in the registry
    departed INTEGER NOT NULL DEFAULT 0,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cases (
    id BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    record BLOB NOT NULL,
    cause INTEGER NOT NULL,
    field TEXT NOT NULL,
    base TEXT NOT NULL,
    theirs TEXT NOT NULL,
    mine TEXT NOT NULL,
    other BLOB,
    resolution TEXT,                   -- NULL: open
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE certificate (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    certificate_no TEXT,
    product_id BLOB,
    producer_id BLOB,
    stars INTEGER,
    decision_no TEXT,
    decision_date TEXT,
    issuer TEXT,
    issue_date TEXT,
    expiry_date TEXT,
    extended_to_date TEXT,
    revoked_date TEXT,
    revocation_ground TEXT,
    revocation_decision_no TEXT
) STRICT;

CREATE TABLE checklist (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    code TEXT,
    title TEXT,
    applies_to TEXT,
    effective_from TEXT,
    effective_to TEXT,
    superseded_by BLOB,
    suspended_from TEXT,
    suspended_to TEXT,
    questions TEXT
) STRICT;

CREATE TABLE code_list (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    code TEXT,
    title TEXT,
    items TEXT
) STRICT;

CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE environmental_check (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    producer_id BLOB,
    inspection_type TEXT,
    decision_no TEXT,
    decision_date TEXT,
    checked_date TEXT,
    minutes_no TEXT,
    environment_group TEXT,
    instrument_type TEXT,
    instrument_no TEXT,
    instrument_date TEXT,
    instrument_issuer TEXT,
    wastewater_m3_day TEXT,
    treatment TEXT,
    outlet_lat_e6 INTEGER,
    outlet_lon_e6 INTEGER,
    receiving_water TEXT,
    discharge_column TEXT,
    gas_sources TEXT,
    gas_m3_hour TEXT,
    solid_waste_kg_day TEXT,
    waste_contract TEXT,
    hazardous_waste_kg_month TEXT,
    transfer_documents TEXT,
    noise_source TEXT,
    measurements TEXT,
    findings TEXT,
    conclusion TEXT,
    participants TEXT,
    producer_opinion TEXT,
    lat_e6 INTEGER,
    lon_e6 INTEGER,
    checklist_id BLOB,
    answers TEXT,
    notes TEXT
, facility TEXT, plan_no TEXT, recommendations TEXT) STRICT;

CREATE TABLE file (
    hash BLOB PRIMARY KEY,             -- BLAKE2b-256
    size INTEGER NOT NULL,
    here INTEGER NOT NULL,             -- 1: all of it is in the folder
    central INTEGER NOT NULL,          -- 1: the registry has said that it holds all of it
    wanted INTEGER NOT NULL,           -- 1: to be fetched from the registry
    done INTEGER NOT NULL,             -- bytes that have travelled, either way
    tried_ms INTEGER NOT NULL,         -- when they last did, or were to; 0: never
    sum INTEGER NOT NULL
) STRICT;

CREATE TABLE inspection (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    producer_id BLOB,
    product_id BLOB,
    facility TEXT,
    plan_no TEXT,
    inspection_type TEXT,
    decision_no TEXT,
    decision_date TEXT,
    inspected_date TEXT,
    started_ms INTEGER,
    ended_ms INTEGER,
    minutes_no TEXT,
    checklist_id BLOB,
    lot_code TEXT,
    lat_e6 INTEGER,
    lon_e6 INTEGER,
    accuracy_m INTEGER,
    conclusion TEXT,
    score INTEGER,
    grade TEXT,
    answers TEXT,
    findings TEXT,
    participants TEXT,
    producer_opinion TEXT,
    recommendations TEXT,
    notes TEXT,
    follow_up_required INTEGER,
    follow_up_date TEXT,
    sanction_decision_no TEXT,
    sanction_decision_date TEXT,
    total_fine_vnd INTEGER,
    copies INTEGER
, plan_item TEXT, basis TEXT, goods TEXT, capacity TEXT, worker_count INTEGER, market TEXT, sampled INTEGER, follow_up_scope TEXT, follow_up_result TEXT) STRICT;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE officer (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    name TEXT,
    agency TEXT,
    title TEXT,
    phone TEXT,
    email TEXT,
    roles TEXT
) STRICT;

CREATE TABLE outbox (
    n INTEGER PRIMARY KEY,             -- in the order of submission
    record BLOB NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,            -- 1 draft, 2 ready, 3 sealed, 4 refused, 5 waiting at the registry
    seq INTEGER,                       -- of the set it was sealed in
    idx INTEGER,
    change BLOB NOT NULL,              -- ChangeRow
    reason TEXT,                       -- why it was refused, or what it waits for
    field TEXT,
    sum INTEGER NOT NULL
) STRICT;

CREATE TABLE own (
    record BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    merged INTEGER NOT NULL,           -- others changed it after this device did
    version INTEGER NOT NULL,          -- of this device's last change that the registry took; 0: none
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE producer (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    name TEXT,
    producer_type TEXT,
    tax_code TEXT,
    representative TEXT,
    representative_title TEXT,
    address TEXT,
    phone TEXT,
    email TEXT,
    registration_no TEXT,
    registration_date TEXT,
    lat_e6 INTEGER,
    lon_e6 INTEGER,
    notes TEXT
) STRICT;

CREATE TABLE product (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    name TEXT,
    producer_id BLOB,
    product_code TEXT,
    criteria_set INTEGER,
    stars INTEGER,
    rated_year INTEGER,
    packaging TEXT,
    standard TEXT,
    declaration_no TEXT,
    barcode TEXT,
    ingredients TEXT,
    notes TEXT
) STRICT;

CREATE TABLE registry (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    name TEXT,
    epoch INTEGER,
    lineages TEXT
) STRICT;

CREATE TABLE replica (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    replica_type TEXT,
    number INTEGER,
    name TEXT,
    sign_key BLOB,
    channel_key BLOB,
    scope TEXT,
    state TEXT,
    state_reason TEXT,
    predecessor BLOB,
    predecessor_seq INTEGER
, records TEXT, sign_keys TEXT, certificate BLOB, rekey_ms INTEGER) STRICT;

CREATE TABLE sample (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    producer_id BLOB,
    product_id BLOB,
    inspection_id BLOB,
    sample_code TEXT,
    taken_ms INTEGER,
    place TEXT,
    decision_no TEXT,
    decision_date TEXT,
    lot_code TEXT,
    lot_size TEXT,
    lot_unit TEXT,
    manufacture_date TEXT,
    expiry_date TEXT,
    quantity TEXT,
    quantity_unit TEXT,
    method TEXT,
    method_departure TEXT,
    storage_conditions TEXT,
    state TEXT,
    declaration_no TEXT,
    parts TEXT,
    parameters TEXT,
    custody TEXT,
    participants TEXT,
    destination TEXT,
    deliver_by_date TEXT,
    lat_e6 INTEGER,
    lon_e6 INTEGER,
    notes TEXT
, lot_origin TEXT, supplier TEXT, manufacturer TEXT, environmental_check_id BLOB) STRICT;

CREATE TABLE sealed (
    replica BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    signature BLOB NOT NULL,
    body BLOB NOT NULL,
    acked INTEGER NOT NULL,            -- 0, or the version the registry gave it
    sum INTEGER NOT NULL,                       -- of what hash and signature do not vouch for
    PRIMARY KEY (replica, seq)
) STRICT;

CREATE TABLE searched (
    kind INTEGER PRIMARY KEY,
    n INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT;

CREATE TABLE stub (
    id BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    label TEXT NOT NULL,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sums (
    row INTEGER PRIMARY KEY,           -- n * 64 + kind of the record, as in search
    sum INTEGER NOT NULL
) STRICT;

CREATE TABLE thumbnail (
    hash BLOB PRIMARY KEY,             -- BLAKE2b-256 of the content that it is of
    state INTEGER NOT NULL,            -- 0 wanted, 1 here, 2 the registry has none of it
    image BLOB,                        -- a JPEG; NULL: not here
    at_ms INTEGER NOT NULL,            -- when it was asked for, or came
    sum INTEGER NOT NULL
) STRICT;

CREATE TABLE unit (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    code TEXT,
    name TEXT,
    level TEXT,
    parent_id BLOB,
    effective_from TEXT,
    effective_to TEXT,
    successors TEXT
) STRICT;

CREATE TABLE unknown_kind (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    kind INTEGER NOT NULL
) STRICT;

CREATE TABLE unseen (
    record BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE words (
    kind INTEGER NOT NULL,
    block INTEGER NOT NULL,            -- n / 512
    word BLOB NOT NULL,                -- folded by text_fold (no diacritics); or what the row refers to
    rows BLOB NOT NULL,                -- which n % 512 have it: store_words.c
    PRIMARY KEY (kind, block, word)
) STRICT, WITHOUT ROWID;

CREATE INDEX attachment_day ON attachment (recorded_ms);

CREATE INDEX attachment_hash ON attachment (hash);

CREATE INDEX attachment_record ON attachment (record_id);

CREATE INDEX cases_other ON cases (other) WHERE other IS NOT NULL;

CREATE INDEX cases_record ON cases (record);

CREATE INDEX certificate_day ON certificate (issue_date);

CREATE INDEX code_list_code ON code_list (code);

CREATE INDEX environmental_check_day ON environmental_check (checked_date);

CREATE INDEX file_to_fetch ON file (size, hash) WHERE here = 0 AND wanted = 1;

CREATE INDEX file_to_send ON file (size, hash) WHERE here = 1 AND central = 0;

CREATE INDEX inspection_day ON inspection (inspected_date);

CREATE INDEX outbox_record ON outbox (record, n);

CREATE INDEX outbox_set ON outbox (seq, idx) WHERE seq IS NOT NULL;

CREATE INDEX sample_day ON sample (taken_ms);

CREATE INDEX thumbnail_at ON thumbnail (state, at_ms);

CREATE INDEX unit_parent ON unit (parent_id);

