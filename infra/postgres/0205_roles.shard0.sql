-- What officers do: support freezes, risk officers halt and limit, and what is dangerous needs two.
-- One region's shard 0.
--
-- Numbers of people and of entries are not foreign keys: who applied and never confirmed is forgotten,
-- and the trail can't be truncated beneath another table.
--
-- Invariants kept here:
--   * Who acts holds the role, is active, and acts on somebody else; the database looks, whatever a
--     token says. The application may call what one officer does alone, and ask and decide; what
--     takes two it reaches through identity.decide_request alone, what the machine's operator does
--     (no actor) not at all: that is the owner's connection's.
--   * What is decided is written with its audit entry, in one transaction. What of it is to be done on a
--     shard is an intervention under the entry's number, done once and marked done; whatever is not
--     marked is done again (functions/audit/carry_out.py). Numbers are given under the lock of what
--     they are about, so the highest is the latest word.
--   * Nobody approves what they asked for. A request is carried out once, in the transaction that
--     approves it, or not at all.
INSERT INTO identity.audit_action (action, meaning) VALUES
  ('HALT_SET', 'a symbol, the market or an account takes fewer orders, or all again'),
  ('LIMITS_SET', 'the most that an account may ask for'),
  ('ROLE_GRANTED', 'holds one role more'),
  ('ROLE_REVOKED', 'holds one role less'),
  ('REQUEST_ASKED', 'asked for what needs a second officer'),
  ('REQUEST_APPROVED', 'the second officer agreed, and it was done'),
  ('REQUEST_REJECTED', 'the second officer did not agree'),
  ('USER_READ', 'an officer looked at a user'),
  ('TRAIL_READ', 'an officer read the audit trail');

CREATE TABLE identity.officer_rule (            -- what risk officers say of one account
  user_id bigint PRIMARY KEY,
  halt    text NOT NULL DEFAULT 'ACTIVE' CHECK (halt IN ('ACTIVE', 'REDUCING', 'HALTED')),
  limits  jsonb                                 -- an array as ledger.account's; null: those of everybody
);

CREATE TABLE identity.halt (                    -- and of a symbol; '' is the whole market
  symbol   text PRIMARY KEY,
  state    text NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED')),
  audit_id bigint                               -- of the entry; so in the tables below
);

CREATE TABLE identity.intervention (            -- what is to be done to an account where it lives
  audit_id bigint PRIMARY KEY,
  user_id  bigint NOT NULL,
  kind     text NOT NULL CHECK (kind IN ('STATE', 'LIMITS', 'SESSIONS')),
  value    jsonb,
  done_at  timestamptz,
  seq      bigint                               -- the event that it became; 0: a later one came first
);
CREATE INDEX intervention_open ON identity.intervention (audit_id) WHERE done_at IS NULL;

CREATE TABLE identity.request (                 -- for what needs four eyes
  request_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  action      text NOT NULL CHECK (action IN ('UNFREEZE', 'LIFT_HALT', 'RAISE_LIMITS', 'GRANT_ROLE',
                                              'REVOKE_ROLE', 'ERASE', 'LIFT_BREAKER')),
  user_id     bigint,
  detail      jsonb NOT NULL,                   -- symbol and state; limits; role; the market's phase
  role        text NOT NULL                     -- that both officers hold
    CHECK (role = CASE WHEN action IN ('UNFREEZE', 'ERASE') THEN 'support' ELSE 'risk_officer' END),
  why         text NOT NULL CHECK (length(why) BETWEEN 1 AND 500),
  asked_by    bigint NOT NULL,
  asked_at    timestamptz NOT NULL,
  expires_at  timestamptz NOT NULL,
  state       text NOT NULL DEFAULT 'OPEN'
                CHECK (state IN ('OPEN', 'APPROVED', 'REJECTED', 'EXPIRED')),
  decided_by  bigint,
  decided_at  timestamptz,
  decided_why text CHECK (length(decided_why) <= 500),
  CHECK (decided_by <> asked_by),
  CHECK ((state IN ('APPROVED', 'REJECTED')) = (decided_by IS NOT NULL AND decided_at IS NOT NULL))
);
CREATE UNIQUE INDEX request_open ON identity.request
  (action, coalesce(user_id, 0), coalesce(detail ->> 'symbol', detail ->> 'role', ''))
  WHERE state = 'OPEN';

-- Why the actor may not do it in that role to that user (null: nobody's account), or null. Nobody
-- (no actor) is no officer, and `user`, which everybody is, no officer's role.
CREATE FUNCTION identity.officer_refused(p_actor bigint, p_role text, p_user bigint) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM identity.login l JOIN identity.person p USING (user_id)
      WHERE l.user_id = p_actor AND p_role = ANY (l.roles) AND p_role <> 'user'
        AND p.state = 'ACTIVE') THEN
    RETURN 'ROLE_MISSING';
  ELSIF p_user = p_actor THEN
    RETURN 'OWN_ACCOUNT';
  END IF;
  RETURN CASE WHEN p_user IS NOT NULL
    AND NOT EXISTS (SELECT FROM identity.person p WHERE p.user_id = p_user) THEN 'NOT_FOUND' END;
END $$;

CREATE FUNCTION identity.strictness(p_state text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_state WHEN 'HALTED' THEN 2 WHEN 'REDUCING' THEN 1 ELSE 0 END
$$;

-- Leaves the account's state to be set where it lives: the stricter of what its person's state and the
-- risk officers' word allow. The caller holds the lock of the person's row.
CREATE FUNCTION identity.leave_state(p_audit_id bigint, p_user bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO identity.intervention (audit_id, user_id, kind, value)
  SELECT p_audit_id, p_user, 'STATE', jsonb_build_object('state',
    CASE WHEN p.state IN ('FROZEN', 'CLOSED') THEN 'HALTED' ELSE coalesce(r.halt, 'ACTIVE') END)
  FROM identity.person p LEFT JOIN identity.officer_rule r USING (user_id) WHERE p.user_id = p_user
$$;

-- Freezes, or unfreezes, where the person's state allows it. outcome: DONE, STATE_MOVED (it does not),
-- or why the officer may not. This and the next two, and what changes roles, are granted to nobody.
CREATE FUNCTION identity.put_freeze(p_user bigint, p_to text, p_actor bigint, p_role text, p_why text,
  p_network text, OUT outcome text, OUT audit_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  outcome := identity.officer_refused(p_actor, p_role, p_user);
  IF outcome IS NOT NULL THEN RETURN; END IF;
  IF p_to NOT IN ('FROZEN', 'ACTIVE') THEN RAISE EXCEPTION 'no such freeze: %', p_to; END IF;
  IF NOT (SELECT m.moved FROM identity.move_person(p_user,
      ARRAY[CASE p_to WHEN 'FROZEN' THEN 'ACTIVE' ELSE 'FROZEN' END], p_to, p_actor, p_role, p_why,
      p_network) m) THEN
    outcome := 'STATE_MOVED';
    RETURN;
  END IF;
  audit_id := lastval();                        -- of the entry that the move has just written
  PERFORM identity.leave_state(audit_id, p_user);
  outcome := 'DONE';
END $$;

-- Sets what a symbol (p_user null; '' is the market) or an account takes. outcome: DONE, UNCHANGED,
-- NEEDS_TWO for a state that is less strict unless p_approved, or why the officer may not.
CREATE FUNCTION identity.put_halt(p_symbol text, p_user bigint, p_state text, p_actor bigint,
  p_role text, p_why text, p_network text, p_approved boolean, OUT outcome text, OUT audit_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE v_state text;
BEGIN
  outcome := identity.officer_refused(p_actor, p_role, p_user);
  IF outcome IS NOT NULL THEN RETURN; END IF;
  IF p_user IS NULL THEN
    INSERT INTO identity.halt (symbol, state) VALUES (p_symbol, 'ACTIVE') ON CONFLICT DO NOTHING;
    SELECT h.state INTO v_state FROM identity.halt h WHERE h.symbol = p_symbol FOR UPDATE;
  ELSE
    PERFORM FROM identity.person p WHERE p.user_id = p_user FOR NO KEY UPDATE;
    INSERT INTO identity.officer_rule (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
    SELECT r.halt INTO v_state FROM identity.officer_rule r WHERE r.user_id = p_user FOR UPDATE;
  END IF;
  outcome := CASE WHEN v_state = p_state THEN 'UNCHANGED'
    WHEN identity.strictness(p_state) < identity.strictness(v_state) AND NOT p_approved
      THEN 'NEEDS_TWO' ELSE 'DONE' END;
  IF outcome <> 'DONE' THEN RETURN; END IF;
  audit_id := identity.write_audit(p_actor, p_role, p_user, 'HALT_SET', p_network, NULL, p_why,
    jsonb_strip_nulls(jsonb_build_object('symbol', CASE WHEN p_user IS NULL THEN p_symbol END,
      'from', v_state, 'to', p_state)));
  IF p_user IS NULL THEN
    UPDATE identity.halt h SET state = p_state, audit_id = put_halt.audit_id WHERE h.symbol = p_symbol;
  ELSE
    UPDATE identity.officer_rule r SET halt = p_state WHERE r.user_id = p_user;
    PERFORM identity.leave_state(audit_id, p_user);
  END IF;
END $$;

-- Whether any limit of the array would be higher than it was, or gone.
CREATE FUNCTION identity.raises(p_old jsonb, p_new jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT EXISTS (SELECT FROM jsonb_array_elements_text(coalesce(p_old, '[]')) WITH ORDINALITY o
    WHERE o.value IS NOT NULL
      AND coalesce((p_new ->> (o.ordinality - 1)::integer)::bigint > o.value::bigint, true))
$$;

-- Sets an account's limits (null: those of everybody). outcome as identity.put_halt.
CREATE FUNCTION identity.put_limits(p_user bigint, p_limits jsonb, p_actor bigint, p_role text, p_why text,
  p_network text, p_approved boolean, OUT outcome text, OUT audit_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE v_limits jsonb;
BEGIN
  outcome := identity.officer_refused(p_actor, p_role, p_user);
  IF outcome IS NOT NULL THEN RETURN; END IF;
  PERFORM FROM identity.person p WHERE p.user_id = p_user FOR NO KEY UPDATE;
  INSERT INTO identity.officer_rule (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
  SELECT r.limits INTO v_limits FROM identity.officer_rule r WHERE r.user_id = p_user FOR UPDATE;
  outcome := CASE WHEN v_limits IS NOT DISTINCT FROM p_limits THEN 'UNCHANGED'
    WHEN identity.raises(v_limits, p_limits) AND NOT p_approved THEN 'NEEDS_TWO' ELSE 'DONE' END;
  IF outcome <> 'DONE' THEN RETURN; END IF;
  audit_id := identity.write_audit(p_actor, p_role, p_user, 'LIMITS_SET', p_network, NULL, p_why,
    jsonb_build_object('from', v_limits, 'to', p_limits));
  UPDATE identity.officer_rule r SET limits = p_limits WHERE r.user_id = p_user;
  INSERT INTO identity.intervention (audit_id, user_id, kind, value)
    VALUES (audit_id, p_user, 'LIMITS', p_limits);
END $$;

-- Grants a role, or takes it away; the user's sessions end, for their tokens name roles. outcome: DONE,
-- UNCHANGED, STATE_MOVED (only who is active gets one), or why the officer may not; the machine's
-- operator (no actor) may.
CREATE FUNCTION identity.change_role(p_user bigint, p_changed text, p_grant boolean, p_actor bigint,
  p_role text, p_why text, p_network text, OUT outcome text, OUT audit_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE v_state text; v_roles text[];
BEGIN
  IF p_actor IS NOT NULL THEN outcome := identity.officer_refused(p_actor, p_role, p_user); END IF;
  IF outcome IS NOT NULL THEN RETURN; END IF;
  SELECT p.state INTO v_state FROM identity.person p WHERE p.user_id = p_user FOR NO KEY UPDATE;
  SELECT l.roles INTO v_roles FROM identity.login l WHERE l.user_id = p_user FOR NO KEY UPDATE;
  outcome := CASE WHEN v_roles IS NULL THEN 'NOT_FOUND'
    WHEN (p_changed = ANY (v_roles)) = p_grant THEN 'UNCHANGED'
    WHEN p_grant AND v_state <> 'ACTIVE' THEN 'STATE_MOVED' ELSE 'DONE' END;
  IF outcome <> 'DONE' THEN RETURN; END IF;
  UPDATE identity.login l SET roles = CASE WHEN p_grant THEN v_roles || p_changed
    ELSE array_remove(v_roles, p_changed) END WHERE l.user_id = p_user;
  PERFORM identity.end_sessions(p_user, NULL, clock_timestamp());
  audit_id := identity.write_audit(p_actor, p_role, p_user,
    CASE WHEN p_grant THEN 'ROLE_GRANTED' ELSE 'ROLE_REVOKED' END, p_network, NULL, p_why,
    jsonb_build_object('role', p_changed));
  INSERT INTO identity.intervention (audit_id, user_id, kind) VALUES (audit_id, p_user, 'SESSIONS');
END $$;

-- What one officer does alone: each of them in the role that it takes, and nothing less strict than
-- it was. outcome as above.
CREATE FUNCTION identity.freeze_person(p_user bigint, p_actor bigint, p_why text, p_network text,
  OUT outcome text, OUT audit_id bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT x.* FROM identity.put_freeze(p_user, 'FROZEN', p_actor, 'support', p_why, p_network) x
$$;

CREATE FUNCTION identity.set_halt(p_symbol text, p_user bigint, p_state text, p_actor bigint,
  p_why text, p_network text, OUT outcome text, OUT audit_id bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT x.* FROM identity.put_halt(p_symbol, p_user, p_state, p_actor, 'risk_officer', p_why,
    p_network, false) x
$$;

CREATE FUNCTION identity.set_limits(p_user bigint, p_limits jsonb, p_actor bigint, p_why text,
  p_network text, OUT outcome text, OUT audit_id bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT x.* FROM identity.put_limits(p_user, p_limits, p_actor, 'risk_officer', p_why, p_network,
    false) x
$$;

-- Asks for what needs two. The same again while it is open is the first one's. outcome: ASKED, OPEN (a
-- like one is), or why the officer may not.
CREATE FUNCTION identity.ask_request(p_action text, p_user bigint, p_detail jsonb, p_actor bigint,
  p_role text, p_why text, p_network text, p_lives interval, OUT outcome text, OUT request_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_column
BEGIN
  outcome := identity.officer_refused(p_actor, p_role, p_user);
  IF outcome IS NOT NULL THEN RETURN; END IF;
  UPDATE identity.request r SET state = 'EXPIRED'
    WHERE r.state = 'OPEN' AND r.expires_at <= clock_timestamp();
  INSERT INTO identity.request AS r (action, user_id, detail, role, why, asked_by, asked_at, expires_at)
    VALUES (p_action, p_user, p_detail, p_role, p_why, p_actor, clock_timestamp(),
      clock_timestamp() + p_lives) ON CONFLICT DO NOTHING RETURNING r.request_id INTO ask_request.request_id;
  IF ask_request.request_id IS NULL THEN
    outcome := 'OPEN';
    RETURN;
  END IF;
  PERFORM identity.write_audit(p_actor, p_role, p_user, 'REQUEST_ASKED', p_network, NULL, p_why,
    p_detail || jsonb_build_object('request', ask_request.request_id, 'asks', p_action));
  outcome := 'ASKED';
END $$;

-- What an approved request asks for, done in the approver's name. outcome as of what does it.
CREATE FUNCTION identity.do_request(r identity.request, p_actor bigint, p_network text,
  OUT outcome text, OUT audit_id bigint) LANGUAGE plpgsql AS $$
BEGIN
  CASE r.action
    WHEN 'UNFREEZE' THEN
      SELECT x.* INTO outcome, audit_id FROM identity.put_freeze(r.user_id, 'ACTIVE', p_actor,
        r.role, r.why, p_network) x;
    WHEN 'LIFT_HALT' THEN
      SELECT x.* INTO outcome, audit_id FROM identity.put_halt(r.detail ->> 'symbol', r.user_id,
        r.detail ->> 'state', p_actor, r.role, r.why, p_network, true) x;
    WHEN 'LIFT_BREAKER' THEN
      SELECT x.* INTO outcome, audit_id FROM identity.put_breaker(r.detail, p_actor, r.role, r.why,
        p_network, NULL) x;
    WHEN 'RAISE_LIMITS' THEN
      SELECT x.* INTO outcome, audit_id FROM identity.put_limits(r.user_id,
        nullif(r.detail -> 'limits', 'null'), p_actor, r.role, r.why, p_network, true) x;
    WHEN 'ERASE' THEN
      outcome := coalesce(identity.officer_refused(p_actor, r.role, r.user_id), CASE WHEN (SELECT e.erased
        FROM identity.erase_person(r.user_id, p_actor, r.role, r.why, p_network) e) THEN 'DONE'
        ELSE 'STATE_MOVED' END);
      IF outcome = 'DONE' THEN
        audit_id := lastval();
        INSERT INTO identity.intervention (audit_id, user_id, kind)
          VALUES (audit_id, r.user_id, 'SESSIONS');
      END IF;
    ELSE
      SELECT x.* INTO outcome, audit_id FROM identity.change_role(r.user_id, r.detail ->> 'role',
        r.action = 'GRANT_ROLE', p_actor, r.role, r.why, p_network) x;
  END CASE;
END $$;

-- The second officer's word. outcome: DONE, NOT_FOUND, DECIDED (it was, before), EXPIRED, OWN_REQUEST,
-- ASKER_LEFT (who asked may not any more), STATE_MOVED or UNCHANGED (there is nothing to do: it stays
-- open until it expires or is rejected), or why the officer may not. audit_id: of what was done.
CREATE FUNCTION identity.decide_request(p_request bigint, p_approve boolean, p_actor bigint, p_why text,
  p_network text, OUT outcome text, OUT audit_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE r identity.request;
BEGIN
  SELECT x.* INTO r FROM identity.request x WHERE x.request_id = p_request FOR UPDATE;
  IF NOT FOUND THEN outcome := 'NOT_FOUND'; RETURN; END IF;
  outcome := CASE WHEN identity.officer_refused(p_actor, r.role, NULL) IS NOT NULL THEN 'ROLE_MISSING'
    WHEN r.state IN ('APPROVED', 'REJECTED') THEN 'DECIDED'
    WHEN r.state = 'EXPIRED' OR r.expires_at <= clock_timestamp() THEN 'EXPIRED'
    WHEN r.asked_by = p_actor THEN 'OWN_REQUEST'
    WHEN r.user_id = p_actor THEN 'OWN_ACCOUNT'
    WHEN p_approve AND identity.officer_refused(r.asked_by, r.role, NULL) IS NOT NULL
      THEN 'ASKER_LEFT' END;
  IF outcome IS NOT NULL THEN RETURN; END IF;
  IF p_approve THEN
    SELECT d.* INTO outcome, audit_id FROM identity.do_request(r, p_actor, p_network) d;
    IF outcome <> 'DONE' THEN RETURN; END IF;
  END IF;
  UPDATE identity.request x SET state = CASE WHEN p_approve THEN 'APPROVED' ELSE 'REJECTED' END,
    decided_by = p_actor, decided_at = clock_timestamp(), decided_why = p_why
    WHERE x.request_id = p_request;
  PERFORM identity.write_audit(p_actor, r.role, r.user_id,
    CASE WHEN p_approve THEN 'REQUEST_APPROVED' ELSE 'REQUEST_REJECTED' END, p_network, NULL, p_why,
    jsonb_strip_nulls(jsonb_build_object('request', p_request, 'asks', r.action,
      'asked_by', r.asked_by::text, 'entry', audit_id)));
  outcome := 'DONE';
END $$;

-- An officer's look at a user, or at the trail; null, or why they may not.
CREATE FUNCTION identity.note_reading(p_actor bigint, p_role text, p_user bigint, p_action text,
  p_network text, p_detail jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE v_refused text := identity.officer_refused(p_actor, p_role, NULL);
BEGIN
  IF p_action NOT IN ('USER_READ', 'TRAIL_READ') THEN RAISE EXCEPTION 'no reading: %', p_action; END IF;
  IF v_refused IS NULL AND NOT EXISTS (SELECT FROM identity.person p
      WHERE p.user_id = p_user OR p_user IS NULL) THEN v_refused := 'NOT_FOUND'; END IF;
  IF v_refused IS NULL THEN
    PERFORM identity.write_audit(p_actor, p_role, p_user, p_action, p_network, NULL, NULL, p_detail);
  END IF;
  RETURN v_refused;
END $$;

CREATE FUNCTION identity.finish_intervention(p_audit_id bigint, p_seq bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  UPDATE identity.intervention SET done_at = clock_timestamp(), seq = p_seq
    WHERE audit_id = p_audit_id AND done_at IS NULL
$$;

GRANT SELECT ON identity.officer_rule, identity.halt, identity.intervention, identity.request
  TO outcry_app;
GRANT EXECUTE ON FUNCTION identity.officer_refused, identity.freeze_person, identity.set_halt,
  identity.set_limits, identity.ask_request, identity.decide_request, identity.note_reading,
  identity.finish_intervention TO outcry_app;
