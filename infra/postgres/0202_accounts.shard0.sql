-- The life of a person's account: applying, being known, closing, being erased. One region's
-- shard 0.
--
-- Invariants kept here:
--   * A person's state moves only along identity.person_move, and each move is on the audit trail.
--     Moving and erasing as such are granted to nobody; the application moves whom the provider knows
--     or who enrolled, and those who close their own account (0209).
--   * Who is frozen or closed has no session left: they end in the transaction of the move.
--   * What identifies a person is in identity.personal alone, under their own key; what it is found
--     by is a keyed digest.
--   * A mailed token is stored as a digest and used once.
CREATE TABLE identity.person_move (             -- the one table of an account's life
  state     text NOT NULL,
  following text NOT NULL,
  action    text NOT NULL REFERENCES identity.audit_action,
  PRIMARY KEY (state, following)
);

INSERT INTO identity.audit_action (action, meaning) VALUES
  ('ACCOUNT_VERIFIED', 'the person is who they say'),
  ('ACCOUNT_ACTIVATED', 'enrolled: the account may trade'),
  ('ACCOUNT_FROZEN', 'may read and cancel, nothing else'),
  ('ACCOUNT_UNFROZEN', 'may trade again'),
  ('ACCOUNT_CLOSED', 'closed for good'),
  ('ACCOUNT_APPLIED', 'signed up; the mail address is not confirmed yet'),
  ('MAIL_CONFIRMED', 'the mail address is the person''s'),
  ('KYC_REFUSED', 'the person could not be verified'),
  ('APPLICATION_CORRECTED', 'applied again with other particulars'),
  ('BANK_CHANGED', 'another bank account is on file'),
  ('NOMINEES_CHANGED', 'other nominees are on file'),
  ('PERSON_ERASED', 'the person''s key and particulars are destroyed');

INSERT INTO identity.person_move (state, following, action) VALUES
  ('APPLIED', 'VERIFIED', 'ACCOUNT_VERIFIED'),
  ('VERIFIED', 'ACTIVE', 'ACCOUNT_ACTIVATED'),
  ('ACTIVE', 'FROZEN', 'ACCOUNT_FROZEN'),
  ('FROZEN', 'ACTIVE', 'ACCOUNT_UNFROZEN'),
  ('APPLIED', 'CLOSED', 'ACCOUNT_CLOSED'),
  ('VERIFIED', 'CLOSED', 'ACCOUNT_CLOSED'),
  ('ACTIVE', 'CLOSED', 'ACCOUNT_CLOSED'),
  ('FROZEN', 'CLOSED', 'ACCOUNT_CLOSED');

-- The sessions that were live and have ended with this; p_keep, where given, goes on. Whoever calls
-- announces them, so that copies and sockets of theirs end too.
CREATE FUNCTION identity.end_sessions(p_user_id bigint, p_keep uuid, p_at timestamptz)
RETURNS uuid[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_ended uuid[];
BEGIN
  -- A session that is being opened holds its login by the foreign key: it is waited for, and ends.
  PERFORM FROM identity.login WHERE user_id = p_user_id FOR UPDATE;
  WITH ended AS (
    UPDATE identity.session SET ended_at = p_at
      WHERE user_id = p_user_id AND ended_at IS NULL AND session_id IS DISTINCT FROM p_keep
      RETURNING session_id, expires_at)
  SELECT array_agg(session_id) FILTER (WHERE expires_at > p_at) INTO v_ended FROM ended;
  RETURN coalesce(v_ended, '{}');
END $$;

-- Moves a person from one of the states p_from, if the table above knows the move. `state` is what
-- they are in now (null: there is no such person), `ended` the sessions that ended with it.
CREATE FUNCTION identity.move_person(
  p_user_id bigint, p_from text[], p_to text, p_actor bigint, p_actor_role text, p_why text,
  p_network text, OUT moved boolean, OUT state text, OUT ended uuid[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_action text;
BEGIN
  moved := false;
  ended := '{}';
  SELECT p.state INTO state FROM identity.person p WHERE p.user_id = p_user_id FOR NO KEY UPDATE;
  SELECT m.action INTO v_action FROM identity.person_move m
    WHERE m.state = move_person.state AND m.following = p_to AND m.state = ANY (p_from);
  IF NOT FOUND THEN
    RETURN;
  END IF;
  UPDATE identity.person p SET state = p_to,
      -- Whoever closes an account may apply for another.
      mail_digest = CASE WHEN p_to <> 'CLOSED' THEN p.mail_digest END,
      pan_digest = CASE WHEN p_to <> 'CLOSED' THEN p.pan_digest END
    WHERE p.user_id = p_user_id;
  IF p_to IN ('FROZEN', 'CLOSED') THEN
    ended := identity.end_sessions(p_user_id, NULL, clock_timestamp());
  END IF;
  PERFORM identity.write_audit(p_actor, p_actor_role, p_user_id, v_action, p_network, NULL, p_why,
                               jsonb_build_object('from', state));
  moved := true;
  state := p_to;
END $$;

CREATE TABLE identity.personal (
  user_id    bigint NOT NULL REFERENCES identity.person,
  field      text NOT NULL CHECK (field IN
    ('name', 'mail', 'phone', 'pan', 'date_of_birth', 'bank', 'nominees')),
  sealed     bytea NOT NULL,                  -- under the person's key, bound to the field
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, field)
);

CREATE FUNCTION identity.put_personal(
  p_user_id bigint, p_fields text[], p_sealed bytea[], p_at timestamptz
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  INSERT INTO identity.personal (user_id, field, sealed, changed_at)
    SELECT p_user_id, x.field, x.sealed, p_at FROM unnest(p_fields, p_sealed) x (field, sealed)
    ON CONFLICT (user_id, field) DO UPDATE
      SET sealed = excluded.sealed, changed_at = excluded.changed_at
$$;

-- Activates a verified person who has an authenticator and a bank account.
CREATE FUNCTION identity.activate_person(
  p_user_id bigint, OUT moved boolean, OUT state text, OUT ended uuid[]
) LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT m.* FROM identity.move_person(p_user_id, CASE WHEN EXISTS (
      SELECT FROM identity.login l JOIN identity.personal x USING (user_id)
        WHERE l.user_id = p_user_id AND l.totp_secret IS NOT NULL AND x.field = 'bank')
    THEN '{VERIFIED}'::text[] ELSE '{}' END, 'ACTIVE', NULL, 'system', 'enrolled', NULL) m
$$;

-- Whether the person may change what is on file, now and until this transaction ends: a freeze waits.
CREATE FUNCTION identity.may_change(p_user_id bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE v_state text;
BEGIN
  SELECT p.state INTO v_state FROM identity.person p WHERE p.user_id = p_user_id FOR NO KEY UPDATE;
  RETURN coalesce(v_state NOT IN ('FROZEN', 'CLOSED'), false);
END $$;

-- A field that its owner sets: the nominees. (The bank account: identity.begin_bank_change.) False, and
-- nothing is changed, when the account is frozen or closed, whatever the request was admitted with.
CREATE FUNCTION identity.change_personal(
  p_user_id bigint, p_field text, p_sealed bytea, p_network text, p_at timestamptz
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF p_field <> 'nominees' THEN RAISE EXCEPTION 'not changed here: %', p_field; END IF;
  IF NOT identity.may_change(p_user_id) THEN RETURN false; END IF;
  PERFORM identity.put_personal(p_user_id, ARRAY[p_field], ARRAY[p_sealed], p_at);
  PERFORM identity.write_audit(p_user_id, 'user', p_user_id, 'NOMINEES_CHANGED', p_network);
  RETURN true;
END $$;

CREATE TABLE identity.mailed_token (
  digest      bytea PRIMARY KEY CHECK (length(digest) = 32),   -- sha256; the token is never stored
  user_id     bigint NOT NULL REFERENCES identity.person,
  purpose     text NOT NULL CHECK (purpose IN ('CONFIRM', 'RESET')),
  mail_digest bytea CHECK (length(mail_digest) = 32),          -- of the mail that CONFIRM proves
  expires_at  timestamptz NOT NULL,
  tries       integer NOT NULL DEFAULT 0,
  CHECK ((purpose = 'CONFIRM') = (mail_digest IS NOT NULL))
);
CREATE INDEX mailed_token_by_user ON identity.mailed_token (user_id);
CREATE INDEX mailed_token_by_time ON identity.mailed_token (expires_at);

-- Whether a person is who they say, as the provider is asked. UNCONFIRMED until the mail is theirs.
CREATE TABLE identity.kyc_check (
  user_id  bigint PRIMARY KEY REFERENCES identity.person,
  state    text NOT NULL CHECK (state IN ('UNCONFIRMED', 'WAITING', 'VERIFIED', 'REFUSED')),
  number   integer NOT NULL DEFAULT 1,        -- of the application: a corrected one is another
  attempts integer NOT NULL DEFAULT 0,
  due_at   timestamptz,                       -- when to ask; null: decided, or for a person to see
  reason   text,
  CHECK ((state = 'REFUSED') = (reason IS NOT NULL))
);
CREATE INDEX kyc_check_due ON identity.kyc_check (due_at) WHERE due_at IS NOT NULL;

-- A person who applies, with a login that doesn't count before the mail is confirmed. False when the
-- user name or the number is taken. Whether the mail is known changes nothing here: nobody learns it.
CREATE FUNCTION identity.apply_for_account(
  p_user_id bigint, p_username text, p_password_hash text, p_wrapped_key bytea, p_region text,
  p_fields text[], p_sealed bytea[], p_mail bytea, p_token bytea, p_expires_at timestamptz,
  p_at timestamptz, p_network text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO identity.person (user_id, wrapped_key, region, state)
    VALUES (p_user_id, p_wrapped_key, p_region, 'APPLIED');
  INSERT INTO identity.login (user_id, username, password_hash, mode, roles)
    VALUES (p_user_id, p_username, p_password_hash, 'PAPER', '{user}');
  PERFORM identity.put_personal(p_user_id, p_fields, p_sealed, p_at);
  INSERT INTO identity.kyc_check (user_id, state) VALUES (p_user_id, 'UNCONFIRMED');
  INSERT INTO identity.mailed_token (digest, user_id, purpose, mail_digest, expires_at)
    VALUES (p_token, p_user_id, 'CONFIRM', p_mail, p_expires_at);
  PERFORM identity.write_audit(NULL, 'stranger', p_user_id, 'ACCOUNT_APPLIED', p_network);
  RETURN true;
EXCEPTION WHEN unique_violation THEN
  RETURN false;
END $$;

-- The user whose mail the token proves, CONFIRMED; else INVALID, or MAIL_KNOWN when the mail was
-- confirmed for somebody meanwhile.
CREATE FUNCTION identity.confirm_mail(
  p_token bytea, p_at timestamptz, p_network text, OUT outcome text, OUT user_id bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
  v_token identity.mailed_token;
BEGIN
  DELETE FROM identity.mailed_token t
    WHERE t.digest = p_token AND t.purpose = 'CONFIRM' AND t.expires_at > p_at
    RETURNING t.* INTO v_token;
  IF NOT FOUND THEN
    outcome := 'INVALID';
    RETURN;
  END IF;
  BEGIN
    UPDATE identity.person p SET mail_digest = v_token.mail_digest
      WHERE p.user_id = v_token.user_id;
  EXCEPTION WHEN unique_violation THEN
    outcome := 'MAIL_KNOWN';
    RETURN;
  END;
  UPDATE identity.kyc_check k SET state = 'WAITING', due_at = p_at
    WHERE k.user_id = v_token.user_id AND k.state = 'UNCONFIRMED';
  PERFORM identity.write_audit(v_token.user_id, 'user', v_token.user_id, 'MAIL_CONFIRMED',
                               p_network);
  outcome := 'CONFIRMED';
  user_id := v_token.user_id;
END $$;

-- Says that the provider is about to be asked, and when next if it decides nothing: after 1, 2, 4,
-- ... at most 3,600 s. The check's number, or null when it is not due: of two at once one asks.
CREATE FUNCTION identity.attempt_kyc(p_user_id bigint, p_attempts_most integer, p_at timestamptz)
RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  UPDATE identity.kyc_check
    SET attempts = attempts + 1, due_at = CASE WHEN attempts + 1 < p_attempts_most
      THEN p_at + least(2 ^ least(attempts, 12), 3600) * interval '1 second' END
    WHERE user_id = p_user_id AND state = 'WAITING' AND due_at <= p_at
    RETURNING number
$$;

-- The provider's word on check p_number; on an earlier or decided one it changes nothing. A PAN that
-- is another person's is refused here, whatever the provider says.
CREATE FUNCTION identity.end_kyc(
  p_user_id bigint, p_number integer, p_pan bytea, p_reason text, p_at timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_reason text := p_reason;
BEGIN
  PERFORM FROM identity.kyc_check
    WHERE user_id = p_user_id AND state = 'WAITING' AND number = p_number FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF v_reason IS NULL THEN
    BEGIN
      UPDATE identity.person SET pan_digest = p_pan WHERE user_id = p_user_id;
    EXCEPTION WHEN unique_violation THEN
      v_reason := 'PAN_IN_USE';
    END;
  END IF;
  UPDATE identity.kyc_check
    SET state = CASE WHEN v_reason IS NULL THEN 'VERIFIED' ELSE 'REFUSED' END, reason = v_reason,
        due_at = NULL
    WHERE user_id = p_user_id;
  IF v_reason IS NULL THEN
    PERFORM identity.move_person(p_user_id, '{APPLIED}', 'VERIFIED', NULL, 'system', NULL, NULL);
  ELSE
    PERFORM identity.write_audit(NULL, 'system', p_user_id, 'KYC_REFUSED', NULL, NULL, v_reason);
  END IF;
END $$;

-- Other particulars after a refusal; false when there was none to mend.
CREATE FUNCTION identity.correct_application(
  p_user_id bigint, p_fields text[], p_sealed bytea[], p_at timestamptz, p_network text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  UPDATE identity.kyc_check
    SET state = 'WAITING', reason = NULL, number = number + 1, attempts = 0, due_at = p_at
    WHERE user_id = p_user_id AND state = 'REFUSED';
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM identity.put_personal(p_user_id, p_fields, p_sealed, p_at);
  PERFORM identity.write_audit(p_user_id, 'user', p_user_id, 'APPLICATION_CORRECTED', p_network);
  RETURN true;
END $$;

-- An application whose mail was not confirmed leaves nothing but its entries on the trail, and its
-- user name is free again.
CREATE FUNCTION identity.forget_application(p_user_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  DELETE FROM identity.kyc_check WHERE user_id = p_user_id AND state = 'UNCONFIRMED';
  IF FOUND THEN
    DELETE FROM identity.mailed_token WHERE user_id = p_user_id;
    DELETE FROM identity.personal WHERE user_id = p_user_id;
    DELETE FROM identity.login WHERE user_id = p_user_id;
    DELETE FROM identity.person WHERE user_id = p_user_id;
  END IF;
END $$;

-- Forgets those that nobody confirmed in time, and resets that nobody used.
CREATE FUNCTION identity.forget_unconfirmed(p_at timestamptz, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_users bigint[];
BEGIN
  DELETE FROM identity.mailed_token WHERE purpose = 'RESET' AND expires_at <= p_at;
  v_users := ARRAY(
    SELECT k.user_id FROM identity.kyc_check k WHERE k.state = 'UNCONFIRMED' AND NOT EXISTS (
      SELECT FROM identity.mailed_token t
        WHERE t.user_id = k.user_id AND t.expires_at > p_at)
    LIMIT p_most FOR UPDATE);
  PERFORM identity.forget_application(u) FROM unnest(v_users) u;
  RETURN cardinality(v_users);
END $$;

-- For good: the key goes, and with it whatever any copy of the rows says. The number stays, so that
-- the ledger and the trail stay whole.
CREATE FUNCTION identity.erase_person(
  p_user_id bigint, p_actor bigint, p_actor_role text, p_why text, p_network text,
  OUT erased boolean, OUT ended uuid[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  ended := '{}';
  UPDATE identity.person SET wrapped_key = NULL, mail_digest = NULL, pan_digest = NULL
    WHERE user_id = p_user_id AND state = 'CLOSED' AND wrapped_key IS NOT NULL;
  erased := FOUND;
  IF NOT erased THEN
    RETURN;
  END IF;
  DELETE FROM identity.personal WHERE user_id = p_user_id;
  DELETE FROM identity.bank_change WHERE user_id = p_user_id;
  DELETE FROM identity.bank_mark WHERE user_id = p_user_id;
  DELETE FROM identity.mailed_token WHERE user_id = p_user_id;
  DELETE FROM identity.totp_offer WHERE user_id = p_user_id;
  DELETE FROM identity.recovery_code WHERE user_id = p_user_id;
  DELETE FROM identity.device WHERE user_id = p_user_id;
  DELETE FROM identity.place WHERE user_id = p_user_id;
  DELETE FROM identity.challenge WHERE user_id = p_user_id;
  DELETE FROM identity.key_session k USING identity.api_key a
    WHERE a.key_id = k.key_id AND a.user_id = p_user_id;
  DELETE FROM identity.api_key WHERE user_id = p_user_id;
  UPDATE identity.session SET network = '', country = NULL, device = NULL
    WHERE user_id = p_user_id;
  UPDATE identity.login SET username = 'erased-' || p_user_id, totp_secret = NULL
    WHERE user_id = p_user_id;
  ended := identity.end_sessions(p_user_id, NULL, clock_timestamp());
  PERFORM identity.forget_places(p_user_id);
  PERFORM identity.write_audit(p_actor, p_actor_role, p_user_id, 'PERSON_ERASED', p_network, NULL,
                               p_why);
END $$;

GRANT SELECT ON identity.person_move, identity.personal, identity.kyc_check TO outcry_app;
GRANT EXECUTE ON FUNCTION
  identity.end_sessions(bigint, uuid, timestamptz),
  identity.activate_person(bigint),
  identity.change_personal(bigint, text, bytea, text, timestamptz),
  identity.apply_for_account(bigint, text, text, bytea, text, text[], bytea[], bytea, bytea,
    timestamptz, timestamptz, text),
  identity.confirm_mail(bytea, timestamptz, text),
  identity.attempt_kyc(bigint, integer, timestamptz),
  identity.end_kyc(bigint, integer, bytea, text, timestamptz),
  identity.correct_application(bigint, text[], bytea[], timestamptz, text),
  identity.forget_application(bigint),
  identity.forget_unconfirmed(timestamptz, integer)
TO outcry_app;
