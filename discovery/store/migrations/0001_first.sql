-- The first schema. No declared foreign keys: the store checks references inside its transactions.
-- Shapes that vary with the campaign (configurations, outcomes, predictions) are JSON. Times are UTC.

CREATE TABLE campaigns (
    campaign    VARCHAR NOT NULL,              -- the spec's name
    version     INTEGER NOT NULL,              -- 1, 2, ...: one per distinct spec in a row
    spec_hash   VARCHAR NOT NULL,
    spec        JSON NOT NULL,
    base_dir    VARCHAR NOT NULL,              -- folder that the spec's relative paths start from
    objective   VARCHAR NOT NULL,              -- name of the outcome that is optimized
    goal        VARCHAR NOT NULL,              -- maximize | minimize
    columns     JSON NOT NULL,                 -- parameters with number | text, and names of outcomes
    status      VARCHAR NOT NULL,              -- of the campaign; the latest version's row counts
    reason      VARCHAR NOT NULL DEFAULT '',
    created_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (campaign, version)
);

CREATE TABLE measurements (                    -- rows are never changed; a correction is a new row that supersedes one
    measurement_id VARCHAR PRIMARY KEY,
    campaign       VARCHAR NOT NULL,
    position       INTEGER NOT NULL,           -- 1, 2, ... in order of ingestion; a correction keeps the position
    content_key    VARCHAR NOT NULL UNIQUE,    -- makes ingestion idempotent
    row_digest     VARCHAR,                    -- of the row's content within its file, so that a file may grow
    key            VARCHAR NOT NULL,           -- identity of the configuration
    configuration  JSON NOT NULL,
    outcomes       JSON NOT NULL,
    sems           JSON NOT NULL,              -- standard errors of outcomes, where given
    extra          JSON NOT NULL,              -- other columns of the source: provenance
    proposal_id    VARCHAR,
    trial_id       VARCHAR,
    source         VARCHAR NOT NULL,
    source_hash    VARCHAR NOT NULL,
    row_number     INTEGER NOT NULL,           -- data row in the source, from 1
    supersedes     VARCHAR UNIQUE,             -- measurement_id of the row that this one corrects
    reason         VARCHAR NOT NULL DEFAULT '',
    ingested_at    TIMESTAMPTZ NOT NULL
);

CREATE TABLE rejected_rows (
    campaign    VARCHAR NOT NULL,
    source      VARCHAR NOT NULL,
    source_hash VARCHAR NOT NULL,
    row_number  INTEGER NOT NULL,
    column_name VARCHAR NOT NULL,
    value       VARCHAR NOT NULL,
    reason      VARCHAR NOT NULL,
    rejected_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (campaign, source_hash, row_number, column_name)
);

CREATE TABLE proposals (
    proposal_id            VARCHAR PRIMARY KEY,
    campaign               VARCHAR NOT NULL,
    cycle                  INTEGER NOT NULL,
    position               INTEGER NOT NULL,   -- place in the batch, from 0
    status                 VARCHAR NOT NULL,
    key                    VARCHAR NOT NULL,   -- identity of the configuration as proposed
    configuration          JSON NOT NULL,      -- as proposed
    approved_key           VARCHAR,            -- as approved: differs after an edit
    approved_configuration JSON,
    encoded                JSON NOT NULL,      -- unit cube
    candidate_row          BIGINT,             -- row position in the candidates file
    predictions            JSON NOT NULL,      -- one Gaussian mixture per hypothesis, raw units
    mean                   DOUBLE NOT NULL,
    sd                     DOUBLE NOT NULL,
    acqf_name              VARCHAR NOT NULL,
    acqf_value             DOUBLE NOT NULL,
    argued_by              VARCHAR NOT NULL,
    argument               JSON NOT NULL,      -- share of each hypothesis in the acquisition value
    is_exploring           BOOLEAN NOT NULL,
    n_measurements         INTEGER NOT NULL,   -- seen when it was made
    seed                   BIGINT NOT NULL,
    created_at             TIMESTAMPTZ NOT NULL
);

CREATE TABLE reviews (
    proposal_id VARCHAR PRIMARY KEY,
    campaign    VARCHAR NOT NULL,
    decision    VARCHAR NOT NULL,              -- approve | edit | reject | stale
    reviewer    VARCHAR NOT NULL,
    reason      VARCHAR NOT NULL,
    edited      JSON NOT NULL,                 -- values that the reviewer changed
    decided_at  TIMESTAMPTZ NOT NULL
);

CREATE TABLE trials (
    trial_id         VARCHAR PRIMARY KEY,
    proposal_id      VARCHAR NOT NULL,
    campaign         VARCHAR NOT NULL,
    attempt          INTEGER NOT NULL,
    idempotency_key  VARCHAR NOT NULL UNIQUE,  -- handed to the laboratory, so that a restart does not run it twice
    adapter          VARCHAR NOT NULL,
    owner            VARCHAR NOT NULL,
    lease_expires_at TIMESTAMPTZ NOT NULL,
    status           VARCHAR NOT NULL,
    outcomes         JSON,                     -- reported by the adapter, kept before ingestion
    extra            JSON,
    error            VARCHAR NOT NULL DEFAULT '',
    started_at       TIMESTAMPTZ NOT NULL,
    reported_at      TIMESTAMPTZ,
    finished_at      TIMESTAMPTZ
);

CREATE TABLE evidence (                        -- where the belief stood when a cycle made its proposals
    campaign       VARCHAR NOT NULL,
    cycle          INTEGER NOT NULL,
    hypothesis     VARCHAR NOT NULL,
    log_evidence   DOUBLE NOT NULL,
    weight         DOUBLE NOT NULL,
    e_value        DOUBLE NOT NULL,
    n_measurements INTEGER NOT NULL,
    checkpoint_id  VARCHAR NOT NULL,
    recorded_at    TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (campaign, cycle, hypothesis)
);

CREATE TABLE model_versions (
    version_id   VARCHAR PRIMARY KEY,
    hypothesis   VARCHAR NOT NULL,
    learner      VARCHAR NOT NULL,
    path         VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL,
    space_hash   VARCHAR NOT NULL,
    parent       VARCHAR,
    task_sources JSON NOT NULL,
    scores       JSON NOT NULL,
    status       VARCHAR NOT NULL,
    campaign     VARCHAR NOT NULL,             -- scope: the campaign it was made for, or '' for all
    created_at   TIMESTAMPTZ NOT NULL,
    promoted_at  TIMESTAMPTZ
);

CREATE TABLE metrics (
    campaign    VARCHAR NOT NULL,
    cycle       INTEGER NOT NULL,
    name        VARCHAR NOT NULL,
    value       DOUBLE,
    detail      JSON NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE leases (
    name        VARCHAR PRIMARY KEY,
    owner       VARCHAR NOT NULL,
    acquired_at TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL
);

CREATE VIEW v_campaigns AS
SELECT * FROM campaigns QUALIFY row_number() OVER (PARTITION BY campaign ORDER BY version DESC) = 1;
COMMENT ON VIEW v_campaigns IS 'The latest version of every campaign.';

CREATE VIEW v_measurements AS
SELECT m.* FROM measurements m
WHERE NOT EXISTS (SELECT 1 FROM measurements later WHERE later.supersedes = m.measurement_id);
COMMENT ON VIEW v_measurements IS 'Measurements that count: superseded ones are left out.';

CREATE VIEW v_best_so_far AS
WITH observed AS (
    SELECT m.campaign, m.position, m.measurement_id, m.proposal_id, m.ingested_at, c.objective, c.goal,
           (m.outcomes ->> c.objective)::DOUBLE AS outcome
    FROM v_measurements m JOIN v_campaigns c USING (campaign)
)
SELECT campaign, position, measurement_id, proposal_id, ingested_at, objective, goal, outcome,
       CASE goal WHEN 'minimize' THEN min(outcome) OVER so_far ELSE max(outcome) OVER so_far END AS best_so_far
FROM observed WINDOW so_far AS (PARTITION BY campaign ORDER BY position);
COMMENT ON VIEW v_best_so_far IS 'Outcome of every measurement and the best up to it, per campaign.';

CREATE VIEW v_proposals AS
SELECT p.*, r.decision, r.reviewer, r.reason, r.decided_at,
       m.measurement_id, m.position AS measured_position, m.key AS measured_key, m.outcomes
FROM proposals p
LEFT JOIN reviews r USING (proposal_id)
LEFT JOIN v_measurements m USING (proposal_id);
COMMENT ON VIEW v_proposals IS 'Proposals with their review and measurement; one row per measurement where there are several.';

CREATE VIEW v_weights AS
SELECT campaign, cycle, hypothesis, n_measurements, log_evidence, weight, e_value, checkpoint_id, recorded_at
FROM evidence;
COMMENT ON VIEW v_weights IS 'The hypothesis ledger: weight and evidence of every hypothesis over cycles.';

CREATE VIEW v_calibration_inputs AS
WITH predicted AS (
    SELECT campaign, proposal_id, cycle, key, unnest(from_json(predictions, '["JSON"]')) AS prediction FROM proposals
)
SELECT p.campaign, p.proposal_id, p.cycle, m.measurement_id, m.position,
       p.prediction ->> 'hypothesis' AS hypothesis,
       (p.prediction ->> 'weight')::DOUBLE AS weight,
       p.prediction -> 'log_weights' AS log_weights,
       p.prediction -> 'means' AS means,
       p.prediction -> 'sds' AS sds,
       p.prediction ->> 'checkpoint_id' AS checkpoint_id,
       (p.prediction ->> 'n_measurements')::INTEGER AS n_measurements,
       (m.outcomes ->> c.objective)::DOUBLE AS outcome
FROM predicted p
JOIN v_measurements m ON m.proposal_id = p.proposal_id AND m.key = p.key
JOIN v_campaigns c ON c.campaign = p.campaign;
COMMENT ON VIEW v_calibration_inputs IS
    'What each hypothesis said when a proposal was made, beside what was measured there; edited proposals are left out.';
