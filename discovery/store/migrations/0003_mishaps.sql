-- Mishaps: outcomes that are bounds, not values; and experiments that cannot succeed, which teach feasibility.

ALTER TABLE measurements ADD COLUMN limits JSON DEFAULT '{}';         -- by outcome: '<' = at most the value, '>' = at least
ALTER TABLE trials ADD COLUMN is_infeasible BOOLEAN DEFAULT false;    -- abandoned because the experiment cannot succeed

CREATE OR REPLACE VIEW v_measurements AS
SELECT m.* FROM measurements m
WHERE NOT m.is_retracted AND NOT EXISTS (SELECT 1 FROM measurements later WHERE later.supersedes = m.measurement_id);
COMMENT ON VIEW v_measurements IS 'Measurements that count: superseded and retracted ones are left out.';

CREATE OR REPLACE VIEW v_calibration_inputs AS
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
       (m.outcomes ->> c.objective)::DOUBLE AS outcome,
       coalesce(m.limits ->> c.objective, '') AS side
FROM predicted p
JOIN v_measurements m ON m.proposal_id = p.proposal_id AND m.key = p.key
JOIN v_campaigns c ON c.campaign = p.campaign;
COMMENT ON VIEW v_calibration_inputs IS
    'What each hypothesis said when a proposal was made, beside what was measured there; edited proposals are left out.';
