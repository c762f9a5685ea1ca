-- Who may come in: people, logins, sessions and refresh tokens. One region's shard 0.
--
-- Invariants kept here:
--   * What identifies a person is encrypted under that person's own key; destroying the key erases
--     the person, whatever copies of the rows exist.
--   * A one-time code's step is used once: last_step only grows.
--   * A refresh token is used once; using it again ends its session. A session that ended stays so.
CREATE SCHEMA identity;

CREATE TABLE identity.person (
  user_id     bigint PRIMARY KEY CHECK (user_id BETWEEN 1 AND 9007199254740991),
  wrapped_key bytea,                          -- the person's key under identity-key; null: erased
  region      text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE identity.login (
  user_id       bigint PRIMARY KEY REFERENCES identity.person,
  username      text NOT NULL CHECK (username ~ '^[a-z0-9][a-z0-9._-]{2,31}$'),
  password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
  totp_secret   bytea NOT NULL,               -- under the person's key
  last_step     bigint NOT NULL DEFAULT 0,    -- the latest 30-second step whose code was used
  mode          text NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
  roles         text[] NOT NULL CHECK (cardinality(roles) > 0)
);
CREATE UNIQUE INDEX login_username ON identity.login (username);

CREATE TABLE identity.session (
  session_id   uuid PRIMARY KEY,
  user_id      bigint NOT NULL REFERENCES identity.login,
  created_at   timestamptz NOT NULL,
  refreshed_at timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  ended_at     timestamptz
);
CREATE INDEX session_by_user ON identity.session (user_id, created_at DESC);

CREATE TABLE identity.refresh_token (
  digest     bytea PRIMARY KEY CHECK (length(digest) = 32),   -- sha256; the token is never stored
  session_id uuid NOT NULL REFERENCES identity.session,
  issued_at  timestamptz NOT NULL,
  used_at    timestamptz,
  used_for   bytea,                           -- digest of the token it was rotated into
  CHECK ((used_at IS NULL) = (used_for IS NULL))
);
CREATE INDEX refresh_token_session ON identity.refresh_token (session_id);

-- User names of other regions, as keyed digests: a login here of a user who lives there is sent there.
CREATE TABLE identity.login_elsewhere (
  digest bytea PRIMARY KEY CHECK (length(digest) = 32),
  region text NOT NULL
);

CREATE FUNCTION identity.learn_logins(p_digests bytea[], p_region text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  INSERT INTO identity.login_elsewhere SELECT d, p_region FROM unnest(p_digests) d
    ON CONFLICT (digest) DO UPDATE SET region = excluded.region
$$;

-- A person, a login and nothing else; false when the user name or the number is taken.
CREATE FUNCTION identity.create_login(
  p_user_id bigint, p_username text, p_password_hash text, p_wrapped_key bytea,
  p_totp_secret bytea, p_mode text, p_roles text[], p_region text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO identity.person (user_id, wrapped_key, region)
    VALUES (p_user_id, p_wrapped_key, p_region);
  INSERT INTO identity.login (user_id, username, password_hash, totp_secret, mode, roles)
    VALUES (p_user_id, p_username, p_password_hash, p_totp_secret, p_mode, p_roles);
  RETURN true;
EXCEPTION WHEN unique_violation THEN
  RETURN false;                               -- and the person's row is undone with it
END $$;

-- True for the one caller that uses a step; of two with the same code, one.
CREATE FUNCTION identity.use_step(p_user_id bigint, p_step bigint)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH used AS (
    UPDATE identity.login SET last_step = p_step
      WHERE user_id = p_user_id AND last_step < p_step RETURNING 1)
  SELECT EXISTS (SELECT FROM used)
$$;

CREATE FUNCTION identity.replace_password_hash(p_user_id bigint, p_old text, p_new text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  UPDATE identity.login SET password_hash = p_new
    WHERE user_id = p_user_id AND password_hash = p_old
$$;

CREATE FUNCTION identity.open_session(
  p_session_id uuid, p_user_id bigint, p_digest bytea, p_at timestamptz, p_expires_at timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO identity.session (session_id, user_id, created_at, refreshed_at, expires_at)
    VALUES (p_session_id, p_user_id, p_at, p_at, p_expires_at);
  INSERT INTO identity.refresh_token (digest, session_id, issued_at)
    VALUES (p_digest, p_session_id, p_at);
END $$;

-- outcome ROTATED, REUSED (its session is ended) or INVALID. The same pair of digests again is the
-- same rotation asked twice (its answer was cut off by the network), not a second use: p_next is
-- made from fresh entropy by every caller, so nobody else can know it.
CREATE FUNCTION identity.rotate_refresh(p_digest bytea, p_next bytea, p_at timestamptz)
RETURNS TABLE (outcome text, session_id uuid, user_id bigint, roles text[], mode text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE
  v_session identity.session;
  v_token   identity.refresh_token;
BEGIN
  -- The session's row is the family's mutex: of two uses of one token, one rotates.
  SELECT s.* INTO v_session FROM identity.session s
    WHERE s.session_id = (SELECT t.session_id FROM identity.refresh_token t
                            WHERE t.digest = p_digest)
    FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'INVALID', NULL::uuid, NULL::bigint, NULL::text[], NULL::text;
    RETURN;
  END IF;
  SELECT t.* INTO v_token FROM identity.refresh_token t WHERE t.digest = p_digest;
  IF v_token.used_for <> p_next THEN
    UPDATE identity.session s SET ended_at = coalesce(s.ended_at, p_at)
      WHERE s.session_id = v_session.session_id;
    RETURN QUERY SELECT 'REUSED', v_session.session_id, v_session.user_id,
                        NULL::text[], NULL::text;
    RETURN;
  END IF;
  IF v_session.ended_at IS NOT NULL OR v_session.expires_at <= p_at THEN
    RETURN QUERY SELECT 'INVALID', NULL::uuid, NULL::bigint, NULL::text[], NULL::text;
    RETURN;
  END IF;
  IF v_token.used_for IS NULL THEN
    UPDATE identity.refresh_token t SET used_at = p_at, used_for = p_next WHERE t.digest = p_digest;
    INSERT INTO identity.refresh_token (digest, session_id, issued_at)
      VALUES (p_next, v_session.session_id, p_at);
    UPDATE identity.session s SET refreshed_at = p_at WHERE s.session_id = v_session.session_id;
  END IF;
  RETURN QUERY SELECT 'ROTATED', v_session.session_id, l.user_id, l.roles, l.mode
    FROM identity.login l WHERE l.user_id = v_session.user_id;
END $$;

-- Whether the user has that session; it has ended when this returns.
CREATE FUNCTION identity.end_session(p_session_id uuid, p_user_id bigint, p_at timestamptz)
RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH ended AS (
    UPDATE identity.session SET ended_at = coalesce(ended_at, p_at)
      WHERE session_id = p_session_id AND user_id = p_user_id RETURNING 1)
  SELECT EXISTS (SELECT FROM ended)
$$;

GRANT USAGE ON SCHEMA identity TO outcry_app, outcry_edge;
GRANT SELECT ON ALL TABLES IN SCHEMA identity TO outcry_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA identity TO outcry_app;
-- The stream checks tokens too, and needs no more than this for it.
GRANT SELECT ON identity.session TO outcry_edge;
