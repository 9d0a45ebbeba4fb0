CREATE TABLE request (
    id          bytea PRIMARY KEY CHECK (length(id) = 16),
    node        text NOT NULL,
    head        text NOT NULL,
    body        bytea NOT NULL,
    put         timestamptz NOT NULL DEFAULT clock_timestamp(),
    change      bigint,
    answer_head text,
    answer_body bytea
);
CREATE INDEX request_open ON request (put) WHERE answer_head IS NULL;
CREATE INDEX request_answered ON request (node) WHERE answer_head IS NOT NULL;
CREATE UNLOGGED TABLE observation (
    der     bigint NOT NULL,
    node    text NOT NULL,
    written timestamptz NOT NULL,
    latest  text NOT NULL,
    PRIMARY KEY (der, node)
) WITH (fillfactor = 70);
CREATE INDEX observation_written ON observation (written);
CREATE TABLE session (
    id         bytea PRIMARY KEY CHECK (length(id) = 32),
    account    integer NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    expires_ms bigint NOT NULL
);
