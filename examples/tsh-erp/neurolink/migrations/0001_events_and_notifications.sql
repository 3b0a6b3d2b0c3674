-- Events come in, notifications go out. Safe to run again.
CREATE TABLE IF NOT EXISTS neurolink.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    idempotency_key varchar(100) UNIQUE,
    type varchar(100) NOT NULL,
    severity varchar(10) NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    title varchar(200) NOT NULL,
    body text NOT NULL DEFAULT '',
    data jsonb NOT NULL DEFAULT '{}',
    source varchar(255) NOT NULL,
    created_at timestamp NOT NULL
);
CREATE INDEX IF NOT EXISTS idx_events_type ON neurolink.events (type, id);
CREATE INDEX IF NOT EXISTS idx_events_source ON neurolink.events (source, id);

CREATE TABLE IF NOT EXISTS neurolink.notifications (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id bigint NOT NULL REFERENCES neurolink.events (id) ON DELETE CASCADE,
    recipient_id integer NOT NULL,
    created_at timestamp NOT NULL,
    read_at timestamp,
    dismissed_at timestamp,
    UNIQUE (event_id, recipient_id)
);
CREATE INDEX IF NOT EXISTS idx_notifications_recipient ON neurolink.notifications (recipient_id, id);
CREATE INDEX IF NOT EXISTS idx_notifications_unread ON neurolink.notifications (recipient_id)
    WHERE read_at IS NULL AND dismissed_at IS NULL;
