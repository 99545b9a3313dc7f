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

CREATE TABLE backup (
    made_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    path TEXT NOT NULL
, sum INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE brought (
    hash BLOB NOT NULL,                -- BLAKE2b-256 of a content that is here whole
    officer BLOB NOT NULL,             -- who sent it, or proved to have it
    at_ms INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (hash, officer)
) STRICT, WITHOUT ROWID;

CREATE TABLE cases (
    id BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    record BLOB NOT NULL,
    cause INTEGER NOT NULL,
    field INTEGER NOT NULL,
    element BLOB NOT NULL,
    other BLOB,
    base_version INTEGER NOT NULL,
    theirs_version INTEGER NOT NULL,
    base TEXT NOT NULL,
    theirs TEXT NOT NULL,
    mine TEXT NOT NULL,
    mine_value BLOB NOT NULL,          -- a ChangeRow with the one field, to apply it
    opened_version INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    closed_version INTEGER,
    resolution TEXT
, set_version INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

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

CREATE TABLE chain (
    replica BLOB PRIMARY KEY,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

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

CREATE TABLE contact (
    replica BLOB PRIMARY KEY,
    last_ms INTEGER NOT NULL,
    skew_ms INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    schema INTEGER NOT NULL,
    refused INTEGER NOT NULL
, exchange INTEGER NOT NULL DEFAULT 0, program INTEGER NOT NULL DEFAULT 0, sum INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

CREATE TABLE "dangling" (
    target BLOB NOT NULL,
    version INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    field INTEGER NOT NULL,            -- the list, where an element refers
    record BLOB NOT NULL,
    kind INTEGER NOT NULL,
    PRIMARY KEY (target, version, idx, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE departure (
    anchor BLOB NOT NULL,
    version INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    PRIMARY KEY (anchor, version, kind, id)
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

CREATE TABLE history (
    record BLOB NOT NULL,
    field INTEGER NOT NULL,
    element BLOB NOT NULL,
    version INTEGER NOT NULL,          -- until when (exclusive) the value stood
    value BLOB NOT NULL,               -- a ChangeRow with the one field
    PRIMARY KEY (record, field, element, version)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE invitation (
    token_hash BLOB PRIMARY KEY,
    officer BLOB NOT NULL,
    scope BLOB NOT NULL,               -- unit ids, one after the other
    made_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    replica BLOB,
    sign_key BLOB,
    channel_key BLOB,
    refused INTEGER NOT NULL DEFAULT 0 -- how often another device tried it
, used_ms INTEGER NOT NULL DEFAULT 0, refused_ms INTEGER NOT NULL DEFAULT 0, revoked_ms INTEGER NOT NULL DEFAULT 0, sum INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

CREATE TABLE "lacking" (
    hash BLOB PRIMARY KEY,             -- BLAKE2b-256
    since_ms INTEGER NOT NULL,         -- when that was found
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE late (
    record BLOB NOT NULL,
    field INTEGER NOT NULL,
    element BLOB NOT NULL,
    version INTEGER NOT NULL,
    set_version INTEGER NOT NULL,
    PRIMARY KEY (record, field, element, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    version INTEGER PRIMARY KEY,
    replica BLOB NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    hash BLOB NOT NULL,
    signature BLOB NOT NULL,
    body BLOB NOT NULL, sum INTEGER NOT NULL DEFAULT 0,
    UNIQUE (replica, seq)
) STRICT;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
, sum INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

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

CREATE TABLE outcome (
    version INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    code INTEGER NOT NULL,
    field TEXT,
    text TEXT,
    changed_version INTEGER NOT NULL,  -- when it got this code: later than version when it waited
    replica BLOB NOT NULL,
    seq INTEGER NOT NULL, record BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (version, idx)
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

CREATE TABLE quarantine (
    replica BLOB NOT NULL,
    hash BLOB NOT NULL,
    received_ms INTEGER NOT NULL,
    signature BLOB NOT NULL,
    body BLOB NOT NULL, seq INTEGER NOT NULL DEFAULT 0, sum INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (replica, hash)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE scope (
    replica BLOB NOT NULL,
    anchor BLOB NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (replica, anchor)
) STRICT, WITHOUT ROWID;

CREATE TABLE scope_left (
    replica BLOB NOT NULL,
    anchor BLOB NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (replica, anchor)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE waiting (
    version INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    record BLOB NOT NULL,
    kind INTEGER NOT NULL, change BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (version, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX attachment_feed ON attachment (anchor, version, id);

CREATE INDEX attachment_hash ON attachment (hash);

CREATE INDEX attachment_record ON attachment (record_id);

CREATE INDEX attachment_version ON attachment (version);

CREATE INDEX cases_closed ON cases (closed_version) WHERE closed_version IS NOT NULL;

CREATE INDEX cases_open ON cases (record) WHERE closed_version IS NULL;

CREATE INDEX cases_opened ON cases (opened_version);

CREATE INDEX cases_other ON cases (other) WHERE other IS NOT NULL;

CREATE INDEX cases_record ON cases (record);

CREATE INDEX cases_set ON cases (set_version, idx);

CREATE INDEX certificate_certificate_no ON certificate (certificate_no) WHERE certificate_no IS NOT NULL;

CREATE INDEX certificate_feed ON certificate (anchor, version, id);

CREATE INDEX certificate_version ON certificate (version);

CREATE INDEX checklist_feed ON checklist (anchor, version, id);

CREATE INDEX checklist_version ON checklist (version);

CREATE INDEX code_list_code ON code_list (code);

CREATE INDEX code_list_feed ON code_list (anchor, version, id);

CREATE INDEX code_list_version ON code_list (version);

CREATE INDEX environmental_check_feed ON environmental_check (anchor, version, id);

CREATE INDEX environmental_check_minutes_no ON environmental_check (minutes_no) WHERE minutes_no IS NOT NULL;

CREATE INDEX environmental_check_version ON environmental_check (version);

CREATE INDEX inspection_feed ON inspection (anchor, version, id);

CREATE INDEX inspection_minutes_no ON inspection (minutes_no) WHERE minutes_no IS NOT NULL;

CREATE INDEX inspection_version ON inspection (version);

CREATE INDEX invitation_replica ON invitation (replica) WHERE replica IS NOT NULL;

CREATE INDEX officer_feed ON officer (anchor, version, id);

CREATE INDEX officer_version ON officer (version);

CREATE INDEX outcome_changed ON outcome (replica, changed_version) WHERE changed_version > version;

CREATE INDEX outcome_record ON outcome (record, version);

CREATE INDEX producer_feed ON producer (anchor, version, id);

CREATE INDEX producer_tax_code ON producer (tax_code) WHERE tax_code IS NOT NULL;

CREATE INDEX producer_version ON producer (version);

CREATE INDEX product_feed ON product (anchor, version, id);

CREATE INDEX product_product_code ON product (product_code) WHERE product_code IS NOT NULL;

CREATE INDEX product_version ON product (version);

CREATE INDEX registry_feed ON registry (anchor, version, id);

CREATE INDEX registry_version ON registry (version);

CREATE INDEX replica_channel ON replica (channel_key);

CREATE INDEX replica_feed ON replica (anchor, version, id);

CREATE INDEX replica_version ON replica (version);

CREATE INDEX sample_feed ON sample (anchor, version, id);

CREATE INDEX sample_sample_code ON sample (sample_code) WHERE sample_code IS NOT NULL;

CREATE INDEX sample_version ON sample (version);

CREATE INDEX scope_since ON scope (replica, since);

CREATE INDEX unit_code ON unit (code) WHERE code IS NOT NULL;

CREATE INDEX unit_feed ON unit (anchor, version, id);

CREATE INDEX unit_level ON unit (level);

CREATE INDEX unit_parent ON unit (parent_id);

CREATE INDEX unit_version ON unit (version);

CREATE INDEX unknown_kind_feed ON unknown_kind (anchor, version, id);

CREATE INDEX unknown_kind_version ON unknown_kind (version);

CREATE INDEX waiting_record ON waiting (record, kind, version, idx);

