-- Several outcomes: what a proposal says beside the first objective's outcome; an experiment may lack an outcome for now.

ALTER TABLE proposals ADD COLUMN detail JSON DEFAULT '{}';  -- outcomes: mean, sd, predictions of each further one; numbers

CREATE OR REPLACE VIEW v_proposals AS
SELECT p.*, r.decision, r.reviewer, r.reason, r.decided_at,
       m.measurement_id, m.position AS measured_position, m.key AS measured_key, m.outcomes
FROM proposals p
LEFT JOIN reviews r USING (proposal_id)
LEFT JOIN v_measurements m USING (proposal_id);
COMMENT ON VIEW v_proposals IS 'Proposals with their review and measurement; one row per measurement where there are several.';

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
JOIN v_campaigns c ON c.campaign = p.campaign
WHERE m.outcomes ->> c.objective IS NOT NULL;
COMMENT ON VIEW v_calibration_inputs IS
    'What each hypothesis said when a proposal was made, beside what was measured there; edited proposals are left out.';
