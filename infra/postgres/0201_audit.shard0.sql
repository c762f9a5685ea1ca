-- The audit trail: who did what to whom, from where and why. One region's shard 0.
--
-- Invariants kept here:
--   * An entry is written by the transaction that does what it tells, so neither is without the other.
--   * Entries are only ever added (ASVS 5.0, 16.4.2): the database refuses to change or drop one.
--   * An entry names people by number and networks by their prefix; it holds nothing that identifies
--     a person, so erasing a person leaves the trail whole.
CREATE TABLE identity.audit_action (            -- the one list of what can be told
  action  text PRIMARY KEY CHECK (action ~ '^[A-Z][A-Z_]{2,39}$'),
  meaning text NOT NULL
);

CREATE TABLE identity.audit (
  audit_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor      bigint,                            -- user who did it; null: the system or a stranger
  actor_role text NOT NULL,                     -- the role they did it in; 'system', 'stranger'
  subject    bigint,                            -- user it was done to, where there is one
  action     text NOT NULL REFERENCES identity.audit_action,
  network    text,                              -- of the caller: an IPv4 address, or IPv6's /64
  device     bytea CHECK (length(device) = 32), -- digest of the caller's device token
  why        text CHECK (length(why) <= 500),
  detail     jsonb NOT NULL DEFAULT '{}' CHECK (length(detail::text) <= 4000)
);
CREATE INDEX audit_by_subject ON identity.audit (subject, audit_id DESC);
CREATE INDEX audit_by_actor ON identity.audit (actor, audit_id DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.audit
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- For the other functions of this schema, in their own transaction; granted to nobody.
CREATE FUNCTION identity.write_audit(
  p_actor bigint, p_actor_role text, p_subject bigint, p_action text,
  p_network text DEFAULT NULL, p_device bytea DEFAULT NULL, p_why text DEFAULT NULL,
  p_detail jsonb DEFAULT '{}'
) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  INSERT INTO identity.audit (actor, actor_role, subject, action, network, device, why, detail)
    VALUES (p_actor, p_actor_role, p_subject, p_action, p_network, p_device, p_why, p_detail)
    RETURNING audit_id
$$;

GRANT SELECT ON identity.audit, identity.audit_action TO outcry_app;
