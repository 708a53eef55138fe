-- Who wrote an event: the process that runs a campaign needs not be woken for what it did itself.

ALTER TABLE outbox ADD COLUMN owner VARCHAR DEFAULT '';                -- machine:process that wrote the event
