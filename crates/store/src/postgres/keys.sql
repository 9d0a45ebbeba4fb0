CREATE SCHEMA IF NOT EXISTS wattfold_keys;
CREATE TABLE wattfold_keys.person_key (
    person bytea PRIMARY KEY CHECK (length(person) = 16),
    key    bytea CHECK (length(key) = 32)
);
