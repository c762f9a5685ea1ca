-- Reports of the stream `executions-refused`, which the gateway could not read, that stand there no more:
-- with what a person said became of them, or handed to the ledger (then without their trade).
CREATE TABLE venue.settled_report (
  session    text NOT NULL,                   -- the numbering that its position is of
  position   bigint NOT NULL,                 -- MsgSeqNum(34)
  raw        bytea NOT NULL,                  -- the message as it came
  trade_date text NOT NULL,                   -- TradeDate(75), YYYYMMDD; empty where it has none
  exec_id    text NOT NULL,                   -- ExecID(17), likewise
  note       text NOT NULL CHECK (note <> ''),
  settled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (session, position)
);
GRANT SELECT ON venue.settled_report TO outcry_app;
