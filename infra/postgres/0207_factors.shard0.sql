-- What proves that a caller is the person: passwords, authenticators, recovery codes, mailed resets.
-- One region's shard 0.
--
-- Invariants kept here:
--   * An authenticator counts once a code of it was shown, and a recovery code counts once.
--   * Another password or authenticator ends the other sessions (ASVS 5.0, 7.4.3) in the transaction
--     that sets it, forgets their devices, and voids each reset that is on its way. The ends are left
--     there as an intervention (0205), so that copies and sockets hear of them whatever is cut off.
INSERT INTO identity.audit_action (action, meaning) VALUES
  ('TOTP_ENROLLED', 'an authenticator counts from now on'),
  ('TOTP_REPLACED', 'another authenticator counts from now on'),
  ('RECOVERY_CODES_MADE', 'new recovery codes; the old ones are void'),
  ('RECOVERY_CODE_USED', 'a recovery code stood in for the authenticator'),
  ('PASSWORD_CHANGED', 'another password, by the old one'),
  ('PASSWORD_REHASHED', 'the same password, kept at another cost'),
  ('PASSWORD_RESET_ASKED', 'a reset was mailed'),
  ('PASSWORD_RESET', 'another password, by a mailed token');

CREATE TABLE identity.totp_offer (              -- an authenticator that no code was shown of yet
  user_id    bigint PRIMARY KEY REFERENCES identity.person,
  sealed     bytea NOT NULL,                    -- the secret, under the person's key
  expires_at timestamptz NOT NULL
);

CREATE TABLE identity.recovery_code (
  user_id bigint NOT NULL REFERENCES identity.person,
  digest  bytea NOT NULL CHECK (length(digest) = 32),   -- sha256; the code has 120 bits
  PRIMARY KEY (user_id, digest)
);

-- Ends the sessions but p_keep under an entry's number, and leaves it to be made known. Granted to nobody.
CREATE FUNCTION identity.end_sessions_under(
  p_audit_id bigint, p_user_id bigint, p_keep uuid, p_at timestamptz
) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
  v_ended uuid[] := identity.end_sessions(p_user_id, p_keep, p_at);
BEGIN
  IF cardinality(v_ended) > 0 THEN
    INSERT INTO identity.intervention (audit_id, user_id, kind)
      VALUES (p_audit_id, p_user_id, 'SESSIONS');
  END IF;
  RETURN v_ended;
END $$;

CREATE FUNCTION identity.offer_totp(p_user_id bigint, p_sealed bytea, p_expires_at timestamptz)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  INSERT INTO identity.totp_offer (user_id, sealed, expires_at)
    VALUES (p_user_id, p_sealed, p_expires_at)
    ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at
$$;

CREATE FUNCTION identity.put_recovery_codes(p_user_id bigint, p_codes bytea[], p_network text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  -- The login's row is the mutex of what proves its owner.
  PERFORM FROM identity.login WHERE user_id = p_user_id FOR NO KEY UPDATE;
  DELETE FROM identity.recovery_code WHERE user_id = p_user_id;
  INSERT INTO identity.recovery_code (user_id, digest) SELECT p_user_id, d FROM unnest(p_codes) d;
  PERFORM identity.write_audit(p_user_id, 'user', p_user_id, 'RECOVERY_CODES_MADE', p_network);
END $$;

-- The offered authenticator counts from now on, its code's step is used up, and the recovery codes
-- are p_codes. Not confirmed: the offer is another one by now, or too old.
CREATE FUNCTION identity.confirm_totp(
  p_user_id bigint, p_sealed bytea, p_step bigint, p_codes bytea[], p_session uuid,
  p_at timestamptz, p_network text, OUT confirmed boolean, OUT ended uuid[], OUT audit_id bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_had boolean;
BEGIN
  ended := '{}';
  SELECT totp_secret IS NOT NULL INTO v_had FROM identity.login WHERE user_id = p_user_id
    FOR NO KEY UPDATE;
  DELETE FROM identity.totp_offer
    WHERE user_id = p_user_id AND sealed = p_sealed AND expires_at > p_at;
  confirmed := FOUND;
  IF NOT confirmed THEN
    RETURN;
  END IF;
  UPDATE identity.login SET totp_secret = p_sealed, last_step = p_step WHERE user_id = p_user_id;
  audit_id := identity.write_audit(p_user_id, 'user', p_user_id,
    CASE WHEN v_had THEN 'TOTP_REPLACED' ELSE 'TOTP_ENROLLED' END, p_network);
  PERFORM identity.put_recovery_codes(p_user_id, p_codes, p_network);
  DELETE FROM identity.mailed_token WHERE user_id = p_user_id AND purpose = 'RESET';
  ended := identity.end_sessions_under(audit_id, p_user_id, p_session, p_at);
  PERFORM identity.forget_devices(p_user_id, p_session);
END $$;

-- True for the one caller that uses a code up.
CREATE FUNCTION identity.use_recovery_code(p_user_id bigint, p_digest bytea, p_network text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  DELETE FROM identity.recovery_code WHERE user_id = p_user_id AND digest = p_digest;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM identity.write_audit(p_user_id, 'user', p_user_id, 'RECOVERY_CODE_USED', p_network);
  RETURN true;
END $$;

-- For the two below: another password, and what ends with the old one. They hold the person's row,
-- so that nobody closes the account meanwhile; before the login's, as in identity.move_person.
CREATE FUNCTION identity.set_password(
  p_user_id bigint, p_new text, p_keep uuid, p_at timestamptz, p_action text, p_network text,
  OUT ended uuid[], OUT audit_id bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  UPDATE identity.login SET password_hash = p_new WHERE user_id = p_user_id;
  DELETE FROM identity.mailed_token WHERE user_id = p_user_id AND purpose = 'RESET';
  audit_id := identity.write_audit(p_user_id, 'user', p_user_id, p_action, p_network);
  ended := identity.end_sessions_under(audit_id, p_user_id, p_keep, p_at);
  PERFORM identity.forget_devices(p_user_id, p_keep);      -- behind the sessions, as end_session does
END $$;

-- Not changed when the password is no longer p_old, or the account was closed.
CREATE FUNCTION identity.change_password(
  p_user_id bigint, p_old text, p_new text, p_session uuid, p_at timestamptz, p_network text,
  OUT changed boolean, OUT ended uuid[], OUT audit_id bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  PERFORM FROM identity.person WHERE user_id = p_user_id AND state <> 'CLOSED' FOR SHARE;
  IF FOUND THEN
    PERFORM FROM identity.login WHERE user_id = p_user_id AND password_hash = p_old
      FOR NO KEY UPDATE;
  END IF;
  changed := FOUND;
  ended := '{}';
  IF changed THEN
    SELECT s.* INTO ended, audit_id FROM identity.set_password(p_user_id, p_new, p_session, p_at,
      'PASSWORD_CHANGED', p_network) s;
  END IF;
END $$;

-- Resets asked for by strangers, for whatever address: asking writes one row, and tells nobody whose
-- it is. Whoever drives them on looks that up later.
CREATE TABLE identity.reset_ask (
  ask_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  mail_digest bytea NOT NULL CHECK (length(mail_digest) = 32),  -- keyed; the address is not kept
  network     text NOT NULL,
  asked_at    timestamptz NOT NULL
);

CREATE FUNCTION identity.ask_reset(p_mail bytea, p_network text, p_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  INSERT INTO identity.reset_ask (mail_digest, network, asked_at) VALUES (p_mail, p_network, p_at)
$$;

-- The oldest that are somebody's. Those of nobody and those of 15 minutes ago are forgotten, at most
-- 10,000 a call.
CREATE FUNCTION identity.due_resets(p_at timestamptz, p_most integer)
RETURNS TABLE (ask_id bigint, user_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_column
BEGIN
  DELETE FROM identity.reset_ask WHERE ask_id IN (
    SELECT a.ask_id FROM identity.reset_ask a
      LEFT JOIN identity.person p ON p.mail_digest = a.mail_digest AND p.state <> 'CLOSED'
      WHERE p.user_id IS NULL OR a.asked_at <= p_at - interval '15 minutes'
      ORDER BY a.ask_id LIMIT 10000);
  RETURN QUERY
    SELECT a.ask_id, p.user_id FROM identity.reset_ask a
      JOIN identity.person p ON p.mail_digest = a.mail_digest AND p.state <> 'CLOSED'
      ORDER BY a.ask_id LIMIT p_most;
END $$;

-- p_token may reset the password of whoever's reset was asked for, once; false when they are gone.
-- Earlier ones stay good, so that nobody voids another's by asking; the newest twelve, which is more
-- than may be asked for while one is good.
CREATE FUNCTION identity.offer_reset(p_ask bigint, p_token bytea, p_expires_at timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_user bigint;
  v_network text;
BEGIN
  SELECT p.user_id, a.network INTO v_user, v_network FROM identity.reset_ask a
    JOIN identity.person p ON p.mail_digest = a.mail_digest AND p.state <> 'CLOSED'
    WHERE a.ask_id = p_ask FOR NO KEY UPDATE OF p;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  DELETE FROM identity.mailed_token WHERE digest IN (
    SELECT t.digest FROM identity.mailed_token t
      WHERE t.user_id = v_user AND t.purpose = 'RESET'
      ORDER BY t.expires_at DESC, t.digest OFFSET 11);
  INSERT INTO identity.mailed_token (digest, user_id, purpose, expires_at)
    VALUES (p_token, v_user, 'RESET', p_expires_at);
  PERFORM identity.write_audit(NULL, 'stranger', v_user, 'PASSWORD_RESET_ASKED', v_network);
  RETURN true;
END $$;

-- It was mailed.
CREATE FUNCTION identity.end_reset_ask(p_ask bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  DELETE FROM identity.reset_ask WHERE ask_id = p_ask
$$;

-- The user name whose password the token may set, and one of its tries is gone; null for none.
CREATE FUNCTION identity.try_reset(p_token bytea, p_tries_most integer, p_at timestamptz)
RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH tried AS (
    UPDATE identity.mailed_token SET tries = tries + 1
      WHERE digest = p_token AND purpose = 'RESET' AND expires_at > p_at AND tries < p_tries_most
      RETURNING user_id)
  SELECT l.username FROM identity.login l JOIN tried USING (user_id)
$$;

-- Uses the token up; not done when it was used, or void, or the account closed, meanwhile. Every
-- session ends.
CREATE FUNCTION identity.reset_password(
  p_token bytea, p_new text, p_at timestamptz, p_network text, OUT done boolean, OUT ended uuid[],
  OUT audit_id bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_user bigint;
BEGIN
  SELECT p.user_id INTO v_user FROM identity.person p WHERE p.state <> 'CLOSED' AND p.user_id = (
    SELECT t.user_id FROM identity.mailed_token t WHERE t.digest = p_token AND t.purpose = 'RESET')
    FOR SHARE;
  DELETE FROM identity.mailed_token
    WHERE digest = p_token AND purpose = 'RESET' AND user_id = v_user;
  done := FOUND;
  ended := '{}';
  IF done THEN
    SELECT s.* INTO ended, audit_id FROM identity.set_password(v_user, p_new, NULL, p_at,
      'PASSWORD_RESET', p_network) s;
  END IF;
END $$;

GRANT SELECT ON identity.totp_offer, identity.recovery_code TO outcry_app;
GRANT EXECUTE ON FUNCTION
  identity.offer_totp(bigint, bytea, timestamptz),
  identity.put_recovery_codes(bigint, bytea[], text),
  identity.confirm_totp(bigint, bytea, bigint, bytea[], uuid, timestamptz, text),
  identity.use_recovery_code(bigint, bytea, text),
  identity.change_password(bigint, text, text, uuid, timestamptz, text),
  identity.ask_reset(bytea, text, timestamptz),
  identity.due_resets(timestamptz, integer),
  identity.offer_reset(bigint, bytea, timestamptz),
  identity.end_reset_ask(bigint),
  identity.try_reset(bytea, integer, timestamptz),
  identity.reset_password(bytea, text, timestamptz, text)
TO outcry_app;
