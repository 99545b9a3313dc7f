-- Lists as rows, for people who ask in SQL. json_each alone, whose columns SQLite takes for harmless
-- in every version: json_extract in a view is refused where the schema is not trusted, as on our own
-- connections.

DROP VIEW unit_successors;
CREATE VIEW unit_successors AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'unitId') AS unit_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'extent') AS extent
    FROM unit AS t, json_each(t.successors) AS e;

DROP VIEW officer_roles;
CREATE VIEW officer_roles AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'role') AS role,
        (SELECT value FROM json_each(e.value) WHERE key = 'fromDate') AS from_date,
        (SELECT value FROM json_each(e.value) WHERE key = 'toDate') AS to_date
    FROM officer AS t, json_each(t.roles) AS e;

DROP VIEW checklist_questions;
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

DROP VIEW code_list_items;
CREATE VIEW code_list_items AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'code') AS code,
        (SELECT value FROM json_each(e.value) WHERE key = 'title') AS title,
        (SELECT value FROM json_each(e.value) WHERE key = 'effectiveFrom') AS effective_from,
        (SELECT value FROM json_each(e.value) WHERE key = 'effectiveTo') AS effective_to,
        (SELECT value FROM json_each(e.value) WHERE key = 'supersededBy') AS superseded_by
    FROM code_list AS t, json_each(t.items) AS e;

DROP VIEW inspection_answers;
CREATE VIEW inspection_answers AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'question') AS question,
        (SELECT value FROM json_each(e.value) WHERE key = 'answer') AS answer,
        (SELECT value FROM json_each(e.value) WHERE key = 'remark') AS remark
    FROM inspection AS t, json_each(t.answers) AS e;

DROP VIEW inspection_findings;
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

DROP VIEW inspection_participants;
CREATE VIEW inspection_participants AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'name') AS name,
        (SELECT value FROM json_each(e.value) WHERE key = 'title') AS title,
        (SELECT value FROM json_each(e.value) WHERE key = 'side') AS side,
        (SELECT value FROM json_each(e.value) WHERE key = 'officerId') AS officer_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'leader') AS leader
    FROM inspection AS t, json_each(t.participants) AS e;

DROP VIEW sample_parts;
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

DROP VIEW sample_parameters;
CREATE VIEW sample_parameters AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'parameter') AS parameter,
        (SELECT value FROM json_each(e.value) WHERE key = 'method') AS method,
        (SELECT value FROM json_each(e.value) WHERE key = 'limitText') AS limit_text
    FROM sample AS t, json_each(t.parameters) AS e;

DROP VIEW sample_custody;
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

DROP VIEW sample_participants;
CREATE VIEW sample_participants AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'name') AS name,
        (SELECT value FROM json_each(e.value) WHERE key = 'title') AS title,
        (SELECT value FROM json_each(e.value) WHERE key = 'side') AS side,
        (SELECT value FROM json_each(e.value) WHERE key = 'officerId') AS officer_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'leader') AS leader
    FROM sample AS t, json_each(t.participants) AS e;

DROP VIEW environmental_check_measurements;
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

DROP VIEW environmental_check_findings;
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

DROP VIEW environmental_check_participants;
CREATE VIEW environmental_check_participants AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'name') AS name,
        (SELECT value FROM json_each(e.value) WHERE key = 'title') AS title,
        (SELECT value FROM json_each(e.value) WHERE key = 'side') AS side,
        (SELECT value FROM json_each(e.value) WHERE key = 'officerId') AS officer_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'leader') AS leader
    FROM environmental_check AS t, json_each(t.participants) AS e;

DROP VIEW environmental_check_answers;
CREATE VIEW environmental_check_answers AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'question') AS question,
        (SELECT value FROM json_each(e.value) WHERE key = 'answer') AS answer,
        (SELECT value FROM json_each(e.value) WHERE key = 'remark') AS remark
    FROM environmental_check AS t, json_each(t.answers) AS e;

DROP VIEW replica_scope;
CREATE VIEW replica_scope AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'unitId') AS unit_id
    FROM replica AS t, json_each(t.scope) AS e;

DROP VIEW registry_lineages;
CREATE VIEW registry_lineages AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'lineage') AS lineage,
        (SELECT value FROM json_each(e.value) WHERE key = 'parent') AS parent,
        (SELECT CAST(value AS INTEGER) FROM json_each(e.value) WHERE key = 'forkVersion') AS fork_version
    FROM registry AS t, json_each(t.lineages) AS e;
