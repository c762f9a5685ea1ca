-- API keys of programs, and the sessions that were opened with one. One region's shard 0.
--
-- Invariants kept here:
--   * Of a key's secret only the digest is stored. A key that ended opens nothing, and its sessions
--     have ended with it, in the same transaction.
--   * A key that may trade names the networks it is used from; what a key says never changes.
--   * A user has at most five keys at a time, and makes them while the account is active.
INSERT INTO identity.audit_action (action, meaning) VALUES
  ('KEY_MADE', 'an API key was made; detail has its id, scopes and the prefixes of its networks'),
  ('KEY_ENDED', 'an API key was deleted; its sessions have ended'),
  ('KEY_USED', 'a program opened a session with an API key');

CREATE TABLE identity.api_key (
  key_id     text PRIMARY KEY CHECK (key_id ~ '^key_[0-9a-f]{16}$'),
  user_id    bigint NOT NULL REFERENCES identity.login,
  name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 40),
  digest     bytea NOT NULL CHECK (length(digest) = 32),      -- sha256; the secret is never stored
  scopes     text[] NOT NULL
    CHECK (cardinality(scopes) > 0 AND scopes <@ '{read,trade,funds}'),
  networks   text[] NOT NULL CHECK (cardinality(networks) <= 8),
  algo_id    text CHECK (length(algo_id) BETWEEN 1 AND 64),   -- null: the exchange's generic one
  created_at timestamptz NOT NULL,
  ended_at   timestamptz,
  CHECK ('trade' <> ALL (scopes) OR cardinality(networks) > 0)
);
CREATE INDEX api_key_by_user ON identity.api_key (user_id, created_at DESC);

CREATE TABLE identity.key_session (
  session_id uuid PRIMARY KEY REFERENCES identity.session,
  key_id     text NOT NULL REFERENCES identity.api_key
);
CREATE INDEX key_session_by_key ON identity.key_session (key_id);

-- Networks as the trail may keep them for good: none narrower than IPv4's /24 and IPv6's /64.
CREATE FUNCTION identity.prefixes(p_networks text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
  SELECT coalesce(array_agg(DISTINCT set_masklen(n::cidr,
      least(masklen(n::cidr), CASE family(n::cidr) WHEN 4 THEN 24 ELSE 64 END))::text), '{}')
    FROM unnest(p_networks) n
$$;

-- MADE; FULL: the user has five keys; INACTIVE: the account is not active, or not any more. Asked
-- twice (its answer was cut off), it makes one.
CREATE FUNCTION identity.make_key(
  p_key_id text, p_user_id bigint, p_name text, p_digest bytea, p_scopes text[], p_networks text[],
  p_algo_id text, p_at timestamptz, p_network text
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_state text;
BEGIN
  -- Nobody freezes or closes the account before this is done.
  SELECT p.state INTO v_state FROM identity.person p WHERE p.user_id = p_user_id FOR SHARE;
  -- The person's mutex: of two keys at once for the last place, one.
  PERFORM FROM identity.login WHERE user_id = p_user_id FOR NO KEY UPDATE;
  IF EXISTS (SELECT FROM identity.api_key WHERE key_id = p_key_id AND user_id = p_user_id) THEN
    RETURN 'MADE';
  END IF;
  IF v_state IS DISTINCT FROM 'ACTIVE' THEN
    RETURN 'INACTIVE';
  END IF;
  IF (SELECT count(*) FROM identity.api_key
        WHERE user_id = p_user_id AND ended_at IS NULL) >= 5 THEN
    RETURN 'FULL';
  END IF;
  INSERT INTO identity.api_key (key_id, user_id, name, digest, scopes, networks, algo_id, created_at)
    VALUES (p_key_id, p_user_id, p_name, p_digest, p_scopes, p_networks, p_algo_id, p_at);
  PERFORM identity.write_audit(
    p_user_id, 'user', p_user_id, 'KEY_MADE', p_network,
    p_detail => jsonb_build_object('key_id', p_key_id, 'scopes', p_scopes,
                                   'networks', identity.prefixes(p_networks),
                                   'algo_id', p_algo_id));
  RETURN 'MADE';
END $$;

-- The sessions of a key that has ended, for whoever calls to announce; null: the user has no such
-- key. Asked again it tells the same ones again.
CREATE FUNCTION identity.end_key(
  p_key_id text, p_user_id bigint, p_at timestamptz, p_network text
) RETURNS uuid[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_ended timestamptz;
BEGIN
  -- Its row is locked before its sessions are looked for: one that is being opened is seen.
  SELECT k.ended_at INTO v_ended FROM identity.api_key k
    WHERE k.key_id = p_key_id AND k.user_id = p_user_id FOR UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF v_ended IS NULL THEN
    UPDATE identity.api_key SET ended_at = p_at WHERE key_id = p_key_id;
    PERFORM identity.write_audit(p_user_id, 'user', p_user_id, 'KEY_ENDED', p_network,
                                 p_detail => jsonb_build_object('key_id', p_key_id));
  END IF;
  UPDATE identity.session s SET ended_at = p_at FROM identity.key_session k
    WHERE k.key_id = p_key_id AND s.session_id = k.session_id AND s.ended_at IS NULL;
  RETURN (SELECT coalesce(array_agg(s.session_id), '{}')
            FROM identity.session s JOIN identity.key_session k USING (session_id)
            WHERE k.key_id = p_key_id AND s.expires_at > p_at);
END $$;

-- False when the key or its owner's account has ended meanwhile, or another password or
-- authenticator counts than p_factors is of. Asked twice, it opens one.
CREATE FUNCTION identity.open_key_session(
  p_key_id text, p_factors bytea, p_session_id uuid, p_refresh bytea, p_at timestamptz,
  p_expires_at timestamptz, p_logout_at timestamptz, p_network text, p_country text
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_user bigint;
BEGIN
  SELECT k.user_id INTO v_user FROM identity.api_key k
    WHERE k.key_id = p_key_id AND k.ended_at IS NULL FOR SHARE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM FROM identity.login WHERE user_id = v_user FOR SHARE;
  IF EXISTS (SELECT FROM identity.session WHERE session_id = p_session_id) THEN
    RETURN true;
  END IF;
  IF (identity.factors_of(v_user) = p_factors) IS NOT TRUE THEN
    RETURN false;
  END IF;
  PERFORM identity.begin_session(v_user, p_session_id, p_refresh, p_at, p_expires_at, p_logout_at,
                                 p_network, p_country, NULL);
  INSERT INTO identity.key_session (session_id, key_id) VALUES (p_session_id, p_key_id);
  PERFORM identity.write_audit(
    v_user, 'user', v_user, 'KEY_USED', p_network,
    p_detail => jsonb_build_object('key_id', p_key_id, 'session_id', p_session_id));
  RETURN true;
END $$;

GRANT SELECT ON identity.api_key, identity.key_session TO outcry_app;
GRANT EXECUTE ON FUNCTION
  identity.make_key(text, bigint, text, bytea, text[], text[], text, timestamptz, text),
  identity.end_key(text, bigint, timestamptz, text),
  identity.open_key_session(text, bytea, uuid, bytea, timestamptz, timestamptz, timestamptz, text,
                            text)
TO outcry_app;
