CREATE TABLE person (
    person     bytea PRIMARY KEY CHECK (length(person) = 16),
    version    bigint NOT NULL,
    nonce      bytea NOT NULL CHECK (length(nonce) = 12),
    ciphertext bytea NOT NULL
);
