-- Logging in: devices, the places a person logs in from, challenges, sessions. One region's shard 0.
--
-- Invariants kept here:
--   * A login from a new device, a new network and a new country at once opens nothing until a code
--     that was mailed comes back, once, from the network that asked; a person's first login does.
--   * A session is opened by the password and authenticator that count at that moment, under the
--     lock of the login's row; another one of either, or a session that its owner ends, makes the
--     devices concerned unknown again.
--   * A refresh token is used once; using it again ends its session. A session that ended stays so,
--     and none is renewed past its end.
--   * Every step is on the audit trail, in its own transaction; refusals are one entry per account,
--     network and minute, so that a flood of guesses can't fill it.
INSERT INTO identity.audit_action (action, meaning) VALUES
  ('LOGIN_OK', 'a session was opened'),
  ('LOGIN_REFUSED', 'wrong user name, password or code; detail.refusals times in that minute'),
  ('LOGIN_HELD', 'new device, network and country at once: a mailed code is asked for'),
  ('CHALLENGE_REFUSED', 'the mailed code was wrong, or came from another network'),
  ('CHALLENGE_PASSED', 'the mailed code came back'),
  ('LOGGED_OUT', 'a session was ended by itself'),
  ('SESSION_ENDED', 'a session was ended by another one of its owner'),
  ('TOKEN_REUSED', 'a refresh token came twice: its session has ended');

-- What has logged in before and showed its token again; the token itself is never stored.
CREATE TABLE identity.device (
  user_id    bigint NOT NULL REFERENCES identity.login,
  digest     bytea NOT NULL CHECK (length(digest) = 32),      -- sha256
  first_seen timestamptz NOT NULL,
  last_seen  timestamptz NOT NULL,
  network    text NOT NULL,                                   -- of the latest login
  country    text,
  PRIMARY KEY (user_id, digest)
);

-- Where a person has logged in from.
CREATE TABLE identity.place (
  user_id    bigint NOT NULL REFERENCES identity.login,
  network    text NOT NULL,
  country    text,                                            -- null: unknown, which is never known
  first_seen timestamptz NOT NULL,
  last_seen  timestamptz NOT NULL,
  PRIMARY KEY (user_id, network)
);

-- A login that is held, after its password and one-time code were right.
CREATE TABLE identity.challenge (
  digest      bytea PRIMARY KEY CHECK (length(digest) = 32),  -- sha256 of the id, which only the
                                                              -- device that asked was given
  user_id     bigint NOT NULL REFERENCES identity.login,
  code_digest bytea NOT NULL CHECK (length(code_digest) = 32),-- sha256 of that id and the code
  factors     bytea NOT NULL CHECK (length(factors) = 32),    -- of what was right: others end it
  network     text NOT NULL,
  country     text,
  asked_at    timestamptz NOT NULL,
  expires_at  timestamptz NOT NULL,
  tries       integer NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND 5),
  ended_at    timestamptz
);
CREATE INDEX challenge_by_user ON identity.challenge (user_id, asked_at DESC);

-- Refusals of a minute that is not over, by account (0: no such user name) and network.
CREATE TABLE identity.refused_login (
  user_id  bigint NOT NULL,
  network  text NOT NULL,
  minute   timestamptz NOT NULL,
  refusals integer NOT NULL CHECK (refusals > 0),
  PRIMARY KEY (user_id, network, minute)
);
CREATE INDEX refused_login_by_minute ON identity.refused_login (minute);

-- Puts the refusals of minutes that are over on the audit trail, at most 500 rows a call.
CREATE FUNCTION identity.tell_refusals(
  p_before timestamptz DEFAULT date_trunc('minute', clock_timestamp())
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH over AS MATERIALIZED (
    DELETE FROM identity.refused_login r USING (
      SELECT user_id, network, minute FROM identity.refused_login WHERE minute < p_before
        ORDER BY minute LIMIT 500 FOR UPDATE SKIP LOCKED) d
      WHERE (r.user_id, r.network, r.minute) = (d.user_id, d.network, d.minute)
      RETURNING r.*)
  SELECT identity.write_audit(
           NULL, 'stranger', nullif(user_id, 0), 'LOGIN_REFUSED', network,
           p_detail => jsonb_build_object('refusals', refusals, 'minute', minute))
    FROM over ORDER BY minute
$$;

-- Counts a refusal; p_user_id is null for a user name that nobody has, which costs the same.
CREATE FUNCTION identity.refuse_login(p_user_id bigint, p_network text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO identity.refused_login AS r (user_id, network, minute, refusals)
    VALUES (coalesce(p_user_id, 0), p_network, date_trunc('minute', clock_timestamp()), 1)
    ON CONFLICT (user_id, network, minute) DO UPDATE SET refusals = r.refusals + 1;
  PERFORM identity.tell_refusals();
END $$;

-- Whether that device logged in to that account within half a year.
CREATE FUNCTION identity.knows_device(p_user_id bigint, p_device bytea, p_at timestamptz)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT EXISTS (SELECT FROM identity.device WHERE user_id = p_user_id AND digest = p_device
                   AND last_seen > p_at - interval '180 days')
$$;

-- Of a password and an authenticator, so that one of them changed is seen; null for one who was
-- closed or erased.
CREATE FUNCTION identity.factors_of(p_user_id bigint) RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT sha256(convert_to(l.password_hash, 'UTF8') || coalesce(l.totp_secret, ''))
    FROM identity.login l JOIN identity.person p USING (user_id)
    WHERE l.user_id = p_user_id AND p.state <> 'CLOSED' AND p.wrapped_key IS NOT NULL
$$;

-- The device and the place of a login; of devices the least used beyond twenty are forgotten, and
-- what was not used for half a year.
CREATE FUNCTION identity.remember_device(
  p_user_id bigint, p_device bytea, p_at timestamptz, p_network text, p_country text
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  INSERT INTO identity.device AS d (user_id, digest, first_seen, last_seen, network, country)
    VALUES (p_user_id, p_device, p_at, p_at, p_network, p_country)
    ON CONFLICT (user_id, digest) DO UPDATE
      SET last_seen = p_at, network = p_network, country = p_country;
  DELETE FROM identity.device d WHERE d.user_id = p_user_id AND d.digest IN (
    SELECT digest FROM identity.device WHERE user_id = p_user_id
      ORDER BY last_seen DESC, digest OFFSET 20);
  DELETE FROM identity.device
    WHERE user_id = p_user_id AND last_seen <= p_at - interval '180 days';
  DELETE FROM identity.place
    WHERE user_id = p_user_id AND last_seen <= p_at - interval '180 days';
  INSERT INTO identity.place AS l (user_id, network, country, first_seen, last_seen)
    VALUES (p_user_id, p_network, p_country, p_at, p_at)
    ON CONFLICT (user_id, network) DO UPDATE SET last_seen = p_at, country = p_country
$$;

-- Each device of a user but that of one session, for whom another factor counts; granted to nobody.
CREATE FUNCTION identity.forget_devices(p_user_id bigint, p_keep uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  DELETE FROM identity.device WHERE user_id = p_user_id AND digest IS DISTINCT FROM
    (SELECT s.device FROM identity.session s WHERE s.session_id = p_keep)
$$;

-- A session with all that goes with one; for log_in and answer_challenge, granted to nobody.
CREATE FUNCTION identity.begin_session(
  p_user_id bigint, p_session_id uuid, p_refresh bytea, p_at timestamptz,
  p_expires_at timestamptz, p_logout_at timestamptz, p_network text, p_country text, p_device bytea
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO identity.session (session_id, user_id, created_at, refreshed_at, expires_at,
                                logout_at, network, country, device)
    VALUES (p_session_id, p_user_id, p_at, p_at, p_expires_at, p_logout_at, p_network, p_country,
            p_device);
  INSERT INTO identity.refresh_token (digest, session_id, issued_at)
    VALUES (p_refresh, p_session_id, p_at);
  PERFORM identity.write_audit(
    p_user_id, 'user', p_user_id, 'LOGIN_OK', p_network, p_device,
    p_detail => jsonb_build_object('session_id', p_session_id, 'country', p_country,
      'new_device', NOT identity.knows_device(p_user_id, p_device, p_at)));
  IF p_device IS NOT NULL THEN                             -- a program has none, and is no person
    PERFORM identity.remember_device(p_user_id, p_device, p_at, p_network, p_country);
  END IF;
  PERFORM identity.tell_refusals();
END $$;

-- OPENED, HELD, SPENT after the tenth challenge of a day, or GONE (closed, erased, or another
-- password or authenticator counts meanwhile), for someone whose password and one-time code were
-- right: p_factors is of those (see identity.factors_of). A place or device unused for half a year
-- is new again. Asked twice (its answer was cut off), it answers as before.
CREATE FUNCTION identity.log_in(
  p_user_id bigint, p_factors bytea, p_session_id uuid, p_refresh bytea, p_at timestamptz,
  p_expires_at timestamptz, p_logout_at timestamptz, p_network text, p_country text,
  p_device bytea, p_challenge bytea, p_code bytea, p_challenge_ends timestamptz,
  OUT outcome text, OUT roles text[], OUT mode text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  -- The person's mutex: of two first logins at once, one is the first. Whoever sets a factor or the
  -- roles changes this row and ends the sessions that are there: this one is among them, or sees it.
  SELECT l.roles, l.mode INTO roles, mode FROM identity.login l WHERE l.user_id = p_user_id
    FOR NO KEY UPDATE;
  outcome := CASE
    WHEN EXISTS (SELECT FROM identity.session WHERE session_id = p_session_id) THEN 'OPENED'
    WHEN EXISTS (SELECT FROM identity.challenge WHERE digest = p_challenge) THEN 'HELD'
    WHEN (identity.factors_of(p_user_id) = p_factors) IS NOT TRUE THEN 'GONE' END;
  IF outcome IS NOT NULL THEN
    RETURN;
  END IF;
  IF NOT EXISTS (SELECT FROM identity.place WHERE user_id = p_user_id)
     OR identity.knows_device(p_user_id, p_device, p_at)
     OR EXISTS (SELECT FROM identity.place
                  WHERE user_id = p_user_id AND last_seen > p_at - interval '180 days'
                    AND (network = p_network OR country = p_country)) THEN
    PERFORM identity.begin_session(p_user_id, p_session_id, p_refresh, p_at, p_expires_at,
                                   p_logout_at, p_network, p_country, p_device);
    outcome := 'OPENED';
    RETURN;
  END IF;
  IF (SELECT count(*) FROM identity.challenge
        WHERE user_id = p_user_id AND asked_at > p_at - interval '1 day') >= 10 THEN
    outcome := 'SPENT';                                    -- fifty guesses of a million codes a day
    RETURN;
  END IF;
  DELETE FROM identity.challenge
    WHERE user_id = p_user_id AND asked_at <= p_at - interval '1 day';
  UPDATE identity.challenge SET ended_at = p_at
    WHERE user_id = p_user_id AND ended_at IS NULL;        -- one at a time
  INSERT INTO identity.challenge (digest, user_id, code_digest, factors, network, country, asked_at,
                                  expires_at)
    VALUES (p_challenge, p_user_id, p_code, p_factors, p_network, p_country, p_at,
            p_challenge_ends);
  PERFORM identity.write_audit(p_user_id, 'user', p_user_id, 'LOGIN_HELD', p_network, NULL,
                               p_detail => jsonb_build_object('country', p_country));
  outcome := 'HELD';
END $$;

-- OPENED; WRONG, with the tries that are left; or ENDED: unknown, over, or used up.
CREATE FUNCTION identity.answer_challenge(
  p_challenge bytea, p_code bytea, p_session_id uuid, p_refresh bytea, p_at timestamptz,
  p_expires_at timestamptz, p_logout_at timestamptz, p_network text, p_device bytea,
  OUT outcome text, OUT tries_left integer, OUT user_id bigint, OUT roles text[], OUT mode text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
  v_challenge identity.challenge;
BEGIN
  outcome := 'ENDED';
  tries_left := 0;
  -- The login's row first, as log_in does: what counts is looked at while nobody can change it.
  PERFORM FROM identity.login l WHERE l.user_id = (
    SELECT c.user_id FROM identity.challenge c WHERE c.digest = p_challenge) FOR NO KEY UPDATE;
  SELECT c.* INTO v_challenge FROM identity.challenge c WHERE c.digest = p_challenge
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT l.user_id, l.roles, l.mode INTO user_id, roles, mode FROM identity.login l
    WHERE l.user_id = v_challenge.user_id;
  IF EXISTS (SELECT FROM identity.session s WHERE s.session_id = p_session_id) THEN
    outcome := 'OPENED';                                   -- asked twice
    RETURN;
  END IF;
  IF v_challenge.ended_at IS NOT NULL OR v_challenge.expires_at <= p_at
     OR v_challenge.factors IS DISTINCT FROM identity.factors_of(user_id) THEN
    RETURN;
  END IF;
  IF v_challenge.network <> p_network OR v_challenge.code_digest <> p_code THEN
    tries_left := 4 - v_challenge.tries;
    UPDATE identity.challenge c
      SET tries = c.tries + 1, ended_at = CASE WHEN tries_left = 0 THEN p_at END
      WHERE c.digest = p_challenge;
    PERFORM identity.write_audit(
      NULL, 'stranger', user_id, 'CHALLENGE_REFUSED', p_network,
      p_detail => jsonb_build_object('tries_left', tries_left,
                                     'same_network', v_challenge.network = p_network));
    outcome := CASE WHEN tries_left > 0 THEN 'WRONG' ELSE 'ENDED' END;
    RETURN;
  END IF;
  UPDATE identity.challenge c SET ended_at = p_at WHERE c.digest = p_challenge;
  PERFORM identity.write_audit(user_id, 'user', user_id, 'CHALLENGE_PASSED', p_network, p_device);
  PERFORM identity.begin_session(user_id, p_session_id, p_refresh, p_at, p_expires_at,
                                 p_logout_at, p_network, v_challenge.country, p_device);
  outcome := 'OPENED';
END $$;

-- Where somebody logged in from and on what, for one who is erased.
CREATE FUNCTION identity.forget_places(p_user_id bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  DELETE FROM identity.device WHERE user_id = p_user_id;
  DELETE FROM identity.place WHERE user_id = p_user_id;
  DELETE FROM identity.challenge WHERE user_id = p_user_id;
  UPDATE identity.session SET network = 'erased', country = NULL, device = NULL
    WHERE user_id = p_user_id
$$;

-- outcome ROTATED, REUSED (its session is ended; `ended`: by this call) or INVALID. The same pair of
-- digests again is the same rotation asked twice (its answer was cut off by the network), not a
-- second use: p_next is made from fresh entropy by every caller, so nobody else can know it.
CREATE FUNCTION identity.rotate_refresh(
  p_digest bytea, p_next bytea, p_at timestamptz, p_business timestamptz, p_network text,
  OUT outcome text, OUT ended boolean, OUT session_id uuid, OUT user_id bigint, OUT roles text[],
  OUT mode text, OUT expires_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
  v_session identity.session;
  v_token   identity.refresh_token;
BEGIN
  outcome := 'INVALID';
  ended := false;
  -- The session's row is the family's mutex: of two uses of one token, one rotates.
  SELECT s.* INTO v_session FROM identity.session s
    WHERE s.session_id = (SELECT t.session_id FROM identity.refresh_token t
                            WHERE t.digest = p_digest)
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT t.* INTO v_token FROM identity.refresh_token t WHERE t.digest = p_digest;
  session_id := v_session.session_id;
  user_id := v_session.user_id;
  expires_at := v_session.expires_at;
  IF v_token.used_for <> p_next THEN
    outcome := 'REUSED';
    IF v_session.ended_at IS NULL THEN
      ended := true;
      UPDATE identity.session s SET ended_at = p_at WHERE s.session_id = v_session.session_id;
      PERFORM identity.write_audit(
        NULL, 'stranger', v_session.user_id, 'TOKEN_REUSED', p_network,
        p_detail => jsonb_build_object('session_id', v_session.session_id));
    END IF;
    RETURN;
  END IF;
  IF v_session.ended_at IS NOT NULL OR v_session.expires_at <= p_at
     OR v_session.logout_at <= p_business THEN
    RETURN;
  END IF;
  IF v_token.used_for IS NULL THEN
    UPDATE identity.refresh_token t SET used_at = p_at, used_for = p_next WHERE t.digest = p_digest;
    INSERT INTO identity.refresh_token (digest, session_id, issued_at)
      VALUES (p_next, v_session.session_id, p_at);
    UPDATE identity.session s SET refreshed_at = p_at WHERE s.session_id = v_session.session_id;
  END IF;
  SELECT l.roles, l.mode INTO roles, mode FROM identity.login l
    WHERE l.user_id = v_session.user_id;
  outcome := 'ROTATED';
END $$;

-- Whether the user has that session; it has ended when this returns. p_by: the session that asks.
-- What another session was opened on is not known any more, unless the asker's own was too.
CREATE FUNCTION identity.end_session(
  p_session_id uuid, p_user_id bigint, p_at timestamptz, p_by uuid, p_network text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  UPDATE identity.session SET ended_at = p_at
    WHERE session_id = p_session_id AND user_id = p_user_id AND ended_at IS NULL;
  IF FOUND THEN
    PERFORM identity.write_audit(
      p_user_id, 'user', p_user_id,
      CASE WHEN p_session_id = p_by THEN 'LOGGED_OUT' ELSE 'SESSION_ENDED' END, p_network,
      p_detail => jsonb_build_object('session_id', p_session_id));
    DELETE FROM identity.device d USING identity.session s
      WHERE s.session_id = p_session_id AND p_session_id IS DISTINCT FROM p_by
        AND d.user_id = s.user_id AND d.digest = s.device AND d.digest IS DISTINCT FROM
          (SELECT b.device FROM identity.session b WHERE b.session_id = p_by);
    RETURN true;
  END IF;
  RETURN EXISTS (SELECT FROM identity.session
                   WHERE session_id = p_session_id AND user_id = p_user_id);
END $$;

GRANT SELECT ON identity.device TO outcry_app;
GRANT EXECUTE ON FUNCTION
  identity.answer_challenge(bytea, bytea, uuid, bytea, timestamptz, timestamptz, timestamptz, text,
                            bytea),
  identity.end_session(uuid, bigint, timestamptz, uuid, text),
  identity.knows_device(bigint, bytea, timestamptz),
  identity.log_in(bigint, bytea, uuid, bytea, timestamptz, timestamptz, timestamptz, text, text,
                  bytea, bytea, bytea, timestamptz),
  identity.refuse_login(bigint, text),
  identity.rotate_refresh(bytea, bytea, timestamptz, timestamptz, text),
  identity.tell_refusals(timestamptz)
TO outcry_app;
