-- What running campaigns need: who changed a campaign and what, corrections that say who and retract, the laboratory's
-- own number of a trial, and an outbox of events that were decided in a transaction and are told afterwards.

ALTER TABLE campaigns ADD COLUMN changed_by VARCHAR DEFAULT '';        -- who registered the version
ALTER TABLE campaigns ADD COLUMN changes JSON DEFAULT '[]';            -- what differs from the version before
ALTER TABLE measurements ADD COLUMN is_retracted BOOLEAN DEFAULT false; -- a correction that leaves nothing in its place
ALTER TABLE measurements ADD COLUMN corrected_by VARCHAR DEFAULT '';   -- who corrected or retracted
ALTER TABLE trials ADD COLUMN external_id VARCHAR DEFAULT '';          -- the laboratory's own id of the experiment

CREATE TABLE outbox (
    event_key  VARCHAR PRIMARY KEY,            -- the same event is written once, however often it is decided
    campaign   VARCHAR NOT NULL,
    name       VARCHAR NOT NULL,
    payload    JSON NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    sent_at    TIMESTAMPTZ                     -- when it was told; empty until then
);

CREATE OR REPLACE VIEW v_campaigns AS
SELECT * FROM campaigns QUALIFY row_number() OVER (PARTITION BY campaign ORDER BY version DESC) = 1;
COMMENT ON VIEW v_campaigns IS 'The latest version of every campaign.';

CREATE OR REPLACE VIEW v_measurements AS
SELECT m.* FROM measurements m
WHERE NOT m.is_retracted AND NOT EXISTS (SELECT 1 FROM measurements later WHERE later.supersedes = m.measurement_id);
COMMENT ON VIEW v_measurements IS 'Measurements that count: superseded and retracted ones are left out.';
