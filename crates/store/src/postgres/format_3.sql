CREATE TABLE rollup (
    resolution  smallint NOT NULL,
    hour        bigint NOT NULL,
    der         bigint NOT NULL,
    quantity    smallint NOT NULL,
    start_ms    bigint NOT NULL,
    samples     bigint NOT NULL,
    total       double precision NOT NULL,
    min_value   double precision NOT NULL,
    max_value   double precision NOT NULL,
    first_value double precision NOT NULL,
    last_value  double precision NOT NULL,
    quality     smallint NOT NULL,
    PRIMARY KEY (resolution, hour, der, quantity, start_ms)
);
CREATE TABLE horizon (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    hour bigint NOT NULL
);
INSERT INTO horizon (hour) VALUES (-9223372036854775808);
CREATE TABLE rolled_up (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    hour bigint NOT NULL,
    der  bigint NOT NULL
);
INSERT INTO rolled_up (hour, der) VALUES (-9223372036854775808, -1);
