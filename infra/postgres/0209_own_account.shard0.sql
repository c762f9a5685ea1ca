-- What an owner does to their account that another system has to follow: another bank account, which
-- the bank is told of, and closing, which the ledger is told of. One region's shard 0.
--
-- Invariants kept here:
--   * An account that the bank may have been told of is on the audit trail before, and counts until the
--     bank's word on it is known: until then no money goes out (functions/ledger/ask_bank.py).
--   * One change at a time, and one caller at a time who tells the bank of it: a claim outlasts the
--     question many times over, so what the bank heard last is what is on file.
--   * Only a freeze by the owner, and only while it is the last move of the account, ends in its closing
--     or is taken back here. Another's freeze is the officers'.
INSERT INTO identity.audit_action (action, meaning) VALUES
  ('BANK_CHANGE_ASKED', 'another bank account was given; the bank is told of it'),
  ('BANK_CHANGE_REFUSED', 'the bank did not take the account; the one on file stays');

CREATE TABLE identity.bank_change (             -- given, and not on file yet
  user_id       bigint PRIMARY KEY REFERENCES identity.person,
  sealed        bytea NOT NULL,                 -- as identity.personal's field 'bank'
  network       text,
  claimed_until timestamptz NOT NULL            -- who claimed it tells the bank
);
CREATE INDEX bank_change_due ON identity.bank_change (claimed_until);

-- What tells that two people are paid to one account: a keyed digest of the one on file.
CREATE TABLE identity.bank_mark (
  user_id bigint PRIMARY KEY REFERENCES identity.person,
  digest  bytea NOT NULL CHECK (length(digest) = 32)
);
CREATE INDEX bank_mark_by_digest ON identity.bank_mark (digest);

-- Takes the account that an owner gives, claimed by the caller. outcome: BEGUN, UNDER_WAY (another is),
-- FROZEN (or closed: nothing of it may be changed).
CREATE FUNCTION identity.begin_bank_change(p_user_id bigint, p_sealed bytea, p_network text,
  p_claim interval, OUT outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF NOT identity.may_change(p_user_id) THEN outcome := 'FROZEN'; RETURN; END IF;
  INSERT INTO identity.bank_change (user_id, sealed, network, claimed_until)
    VALUES (p_user_id, p_sealed, p_network, clock_timestamp() + p_claim) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN outcome := 'UNDER_WAY'; RETURN; END IF;
  PERFORM identity.write_audit(p_user_id, 'user', p_user_id, 'BANK_CHANGE_ASKED', p_network);
  outcome := 'BEGUN';
END $$;

-- The account that the bank is to be told of, for the one caller that does; null: there is none, or
-- somebody is at it.
CREATE FUNCTION identity.claim_bank_change(p_user_id bigint, p_claim interval) RETURNS bytea
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  UPDATE identity.bank_change SET claimed_until = clock_timestamp() + p_claim
    WHERE user_id = p_user_id AND claimed_until <= clock_timestamp() RETURNING sealed
$$;

-- The bank's word: taken, and the account is on file; or not, and the one before stays. False when it
-- was heard before.
CREATE FUNCTION identity.end_bank_change(p_user_id bigint, p_sealed bytea, p_taken boolean,
  p_mark bytea) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE v_network text;
BEGIN
  DELETE FROM identity.bank_change WHERE user_id = p_user_id AND sealed = p_sealed
    RETURNING network INTO v_network;
  IF NOT FOUND THEN RETURN false; END IF;
  IF p_taken THEN
    PERFORM identity.put_personal(p_user_id, '{bank}', ARRAY[p_sealed], clock_timestamp());
    INSERT INTO identity.bank_mark VALUES (p_user_id, p_mark)
      ON CONFLICT (user_id) DO UPDATE SET digest = p_mark;
  END IF;
  PERFORM identity.write_audit(p_user_id, 'user', p_user_id,
    CASE WHEN p_taken THEN 'BANK_CHANGED' ELSE 'BANK_CHANGE_REFUSED' END, v_network);
  RETURN true;
END $$;

-- Freezes the owner's own active account and leaves it to be halted where it lives. audit_id null: it is
-- not active, and `state` says what it is.
CREATE FUNCTION identity.begin_closing(p_user_id bigint, p_why text, p_network text,
  OUT audit_id bigint, OUT state text, OUT ended uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE v_moved boolean;
BEGIN
  SELECT m.moved, m.state, m.ended INTO v_moved, state, ended FROM identity.move_person(
    p_user_id, '{ACTIVE}', 'FROZEN', p_user_id, 'user', p_why, p_network) m;
  IF v_moved THEN
    audit_id := lastval();                      -- of the entry that the move has just written
    PERFORM identity.leave_state(audit_id, p_user_id);
  END IF;
END $$;

-- Ends what the entry p_begun began: closes the account, or lets it be active as before. Without one it
-- closes an account that was never active. moved false: it is not the owner's to move any more.
-- audit_id: of what is to be done where the account lives.
CREATE FUNCTION identity.end_closing(p_user_id bigint, p_begun bigint, p_close boolean, p_why text,
  p_network text, OUT moved boolean, OUT audit_id bigint, OUT ended uuid[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE v_last bigint;
BEGIN
  moved := false;
  ended := '{}';
  IF p_begun IS NULL AND NOT p_close THEN RETURN; END IF;
  PERFORM FROM identity.person p WHERE p.user_id = p_user_id FOR NO KEY UPDATE;
  IF p_begun IS NOT NULL THEN
    SELECT a.audit_id INTO v_last FROM identity.audit a JOIN identity.person_move v USING (action)
      WHERE a.subject = p_user_id ORDER BY a.audit_id DESC LIMIT 1;
    PERFORM FROM identity.audit a WHERE a.audit_id = v_last AND a.audit_id = p_begun
      AND a.actor = p_user_id AND a.actor_role = 'user' AND a.action = 'ACCOUNT_FROZEN';
    IF NOT FOUND THEN RETURN; END IF;
  END IF;
  SELECT m.moved, m.ended INTO moved, ended FROM identity.move_person(p_user_id,
    CASE WHEN p_begun IS NULL THEN '{APPLIED,VERIFIED}'::text[] ELSE '{FROZEN}' END,
    CASE WHEN p_close THEN 'CLOSED' ELSE 'ACTIVE' END, p_user_id, 'user', p_why, p_network) m;
  IF NOT moved THEN RETURN; END IF;
  audit_id := lastval();
  IF NOT p_close THEN
    PERFORM identity.leave_state(audit_id, p_user_id);
  ELSE                                          -- it is halted since p_begun, if it ever was active
    INSERT INTO identity.intervention (audit_id, user_id, kind)
      VALUES (audit_id, p_user_id, 'SESSIONS');
  END IF;
END $$;

GRANT SELECT ON identity.bank_change TO outcry_app;
GRANT EXECUTE ON FUNCTION identity.begin_bank_change, identity.claim_bank_change,
  identity.end_bank_change, identity.begin_closing, identity.end_closing TO outcry_app;
