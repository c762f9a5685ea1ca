-- Sessions that are long over, and what they leave. One region's shard 0.
--
-- Invariant: a session is forgotten thirty days after its last moment, with its refresh tokens; until
-- then each token of it that comes again is known for what it was.
CREATE INDEX session_by_end ON identity.session (expires_at);

-- At most p_most a call; how many.
CREATE FUNCTION identity.forget_sessions(p_at timestamptz, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  v_old uuid[] := ARRAY(
    SELECT session_id FROM identity.session WHERE expires_at <= p_at - interval '30 days'
      ORDER BY expires_at LIMIT p_most FOR UPDATE SKIP LOCKED);
BEGIN
  DELETE FROM identity.refresh_token WHERE session_id = ANY (v_old);
  DELETE FROM identity.key_session WHERE session_id = ANY (v_old);
  DELETE FROM identity.session WHERE session_id = ANY (v_old);
  RETURN cardinality(v_old);
END $$;

GRANT EXECUTE ON FUNCTION identity.forget_sessions(timestamptz, integer) TO outcry_app;
