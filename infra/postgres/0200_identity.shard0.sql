-- Who may come in: people, logins, sessions and refresh tokens. One region's shard 0.
--
-- Invariants kept here:
--   * What identifies a person is encrypted under that person's own key; destroying the key erases
--     the person, whatever copies of the rows exist.
--   * A one-time code's step is used once: last_step only grows.
-- 0203 has what opens, renews and ends a session.
CREATE SCHEMA identity;

CREATE TABLE identity.person (
  user_id     bigint PRIMARY KEY CHECK (user_id BETWEEN 1 AND 9007199254740991),
  wrapped_key bytea,                          -- the person's key under identity-key; null: erased
  region      text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  state       text NOT NULL                   -- moved by identity.move_person alone
    CHECK (state IN ('APPLIED', 'VERIFIED', 'ACTIVE', 'FROZEN', 'CLOSED')),
  mail_digest bytea CHECK (length(mail_digest) = 32),   -- keyed, of the mail that was confirmed
  pan_digest  bytea CHECK (length(pan_digest) = 32)     -- keyed, of the PAN that was verified
);
CREATE UNIQUE INDEX person_mail ON identity.person (mail_digest);
CREATE UNIQUE INDEX person_pan ON identity.person (pan_digest);

CREATE TABLE identity.login (
  user_id       bigint PRIMARY KEY REFERENCES identity.person,
  username      text NOT NULL CHECK (username ~ '^[a-z0-9][a-z0-9._-]{2,31}$'),
  password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
  totp_secret   bytea,                        -- under the person's key; null: not enrolled yet
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
  expires_at   timestamptz NOT NULL,          -- wall clock: nothing of it counts from then on
  logout_at    timestamptz NOT NULL,          -- business clock: the daily logout, for its renewals
  network      text NOT NULL,                 -- where it was opened from: an IPv4 address or a /64
  country      text,                          -- of that network, where it is known
  device       bytea,                         -- the digest of its device's token
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

-- A person, a login and nothing else, active at once and an ordinary user; false when the user name or
-- the number is taken.
CREATE FUNCTION identity.create_login(
  p_user_id bigint, p_username text, p_password_hash text, p_wrapped_key bytea,
  p_totp_secret bytea, p_mode text, p_region text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  INSERT INTO identity.person (user_id, wrapped_key, region, state)
    VALUES (p_user_id, p_wrapped_key, p_region, 'ACTIVE');
  INSERT INTO identity.login (user_id, username, password_hash, totp_secret, mode, roles)
    VALUES (p_user_id, p_username, p_password_hash, p_totp_secret, p_mode, '{user}');
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

-- The same password at another cost; nothing when it was changed meanwhile. That it is the same one
-- nobody can see, so it is told, and a hash of the old one's cost is refused: that is another password.
CREATE FUNCTION identity.replace_password_hash(p_user_id bigint, p_old text, p_new text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_was jsonb := jsonb_build_array(split_part(p_old, '$', 3), split_part(p_old, '$', 4),
    length(split_part(p_old, '$', 5)), length(split_part(p_old, '$', 6)));
  v_is jsonb := jsonb_build_array(split_part(p_new, '$', 3), split_part(p_new, '$', 4),
    length(split_part(p_new, '$', 5)), length(split_part(p_new, '$', 6)));
BEGIN
  IF v_was = v_is THEN
    RAISE EXCEPTION 'the cost is the same: this is no rehash';
  END IF;
  UPDATE identity.login SET password_hash = p_new
    WHERE user_id = p_user_id AND password_hash = p_old;
  IF FOUND THEN
    PERFORM identity.write_audit(NULL, 'system', p_user_id, 'PASSWORD_REHASHED',
      p_detail => jsonb_build_object('from', v_was, 'to', v_is));
  END IF;
END $$;

GRANT USAGE ON SCHEMA identity TO outcry_app, outcry_edge;
GRANT SELECT ON ALL TABLES IN SCHEMA identity TO outcry_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA identity TO outcry_app;
-- The stream checks tokens too, and needs no more than this for it.
GRANT SELECT ON identity.session TO outcry_edge;
