-- What officers say, where orders are placed: an account's state and limits, and halts. Every shard.
--
-- Invariants kept here:
--   * What is done to an account is an event of its log that names the audit entry which says who, why
--     and from where (identity.audit, shard 0). It is done once, and the latest entry is the last word
--     in whatever order they arrive.
--   * A halt is looked at by whatever judges an order, under the account's lock: none is judged by what
--     a cache knew of it.

-- '' is the whole market. A row that says ACTIVE remembers the latest word.
CREATE TABLE ledger.halt (
  symbol   text PRIMARY KEY,
  state    text NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED')),
  audit_id bigint NOT NULL
);

CREATE TABLE ledger.intervention (
  user_id  bigint NOT NULL,
  audit_id bigint NOT NULL,
  kind     text NOT NULL,
  seq      bigint NOT NULL,
  PRIMARY KEY (user_id, audit_id),
  CONSTRAINT intervention_sane CHECK (kind IN ('STATE', 'LIMITS'))
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.intervention
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- Whether it is the latest word on the symbol here, now or before.
CREATE FUNCTION ledger.set_halt(p_symbol text, p_state text, p_audit_id bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO ledger.halt AS h VALUES (p_symbol, p_state, p_audit_id) ON CONFLICT (symbol)
    DO UPDATE SET state = p_state, audit_id = p_audit_id WHERE h.audit_id < p_audit_id;
  RETURN EXISTS (SELECT FROM ledger.halt h WHERE h.symbol = p_symbol AND h.audit_id = p_audit_id);
END $$;

-- Sets an account's state, or its limits (p_value null: those of everybody). Returns the seq of the
-- event that it is; 0 when a later entry came first, and nothing is done.
CREATE FUNCTION ledger.intervene(p_user bigint, p_audit_id bigint, p_kind text, p_value text,
    p_now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; v_seq bigint;
BEGIN
  a := ledger.lock_account(p_user, '-infinity', p_now);
  SELECT x.seq INTO v_seq FROM ledger.intervention x
    WHERE x.user_id = p_user AND x.audit_id = p_audit_id;
  IF FOUND THEN RETURN v_seq; END IF;
  IF EXISTS (SELECT FROM ledger.intervention x WHERE x.user_id = p_user AND x.kind = p_kind
      AND x.audit_id > p_audit_id) THEN RETURN 0; END IF;
  IF p_kind = 'STATE' THEN
    UPDATE ledger.account x SET state = p_value::json ->> 'state' WHERE x.user_id = p_user;
  ELSE
    UPDATE ledger.account x SET limits = (SELECT array_agg(v.value::bigint ORDER BY v.ordinality)
      FROM json_array_elements_text(p_value::json) WITH ORDINALITY v) WHERE x.user_id = p_user;
  END IF;
  a := ledger.append_event(a, 'ACCOUNT_' || p_kind || '_SET', NULL, 0, 0, 0, p_now,
    '"audit_id":' || p_audit_id || ',"set":' || coalesce(p_value, 'null'), NULL, NULL);
  INSERT INTO ledger.intervention VALUES (p_user, p_audit_id, p_kind, a.seq);
  RETURN a.seq;
END $$;

-- What stands against an order whatever else it is: a halt of its symbol or of the market, by the broker
-- or by the exchange, the user's own kill switch, a restriction of the account in the symbol
-- (0250_symbol_restrictions.sql) or a limit of it on one that opens, a review of its account. p_closing:
-- how many of its shares only close; p_opens: whether it has more.
CREATE FUNCTION ledger.standing_rules(a ledger.account, n ledger.orders, p_opens boolean,
    p_closing bigint) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE h ledger.halt; v_rules jsonb := '[]'; v_most bigint := a.limits[1]; v_value numeric;
  v_price bigint := coalesce(n.pending_price, n.limit_price);
BEGIN
  SELECT * INTO h FROM ledger.halt x WHERE x.symbol IN ('', n.symbol)
    AND (x.state = 'HALTED' OR x.state = 'REDUCING' AND p_opens)
    ORDER BY x.state, x.symbol LIMIT 1;  -- HALTED first, the market first
  IF FOUND THEN
    v_rules := jsonb_build_array(ledger.rule('TRADING_' || h.state, 'the broker takes '
      || CASE h.state WHEN 'HALTED' THEN 'no orders' ELSE 'only orders that close' END
      || CASE h.symbol WHEN '' THEN '' ELSE ' in ' || h.symbol END, h.state, 'ACTIVE',
      CASE h.state WHEN 'REDUCING' THEN p_closing ELSE 0 END));
  END IF;
  IF p_opens AND EXISTS (SELECT FROM ledger.kill_switch x WHERE x.user_id = a.user_id AND x.is_on) THEN
    v_rules := v_rules || ledger.rule('KILL_SWITCH_ON', 'your kill switch takes only orders that close',
      'ON', 'OFF', p_closing);
  END IF;
  IF p_opens AND EXISTS (SELECT FROM ledger.symbol_restriction x
      WHERE x.user_id = a.user_id AND x.symbol = n.symbol AND x.ended_seq IS NULL) THEN
    v_rules := v_rules || ledger.rule('SYMBOL_RESTRICTED', 'this account may only close in ' || n.symbol
      || ' after too many round trips', 'REDUCING', 'ACTIVE', p_closing);
  END IF;
  v_value := div(coalesce(n.pending_quantity, n.quantity)::numeric * v_price + 50, 100);
  IF p_opens AND v_value > v_most THEN
    v_rules := v_rules || ledger.rule('ORDER_VALUE_TOO_LARGE',
      'worth more than an order of this account may be', (v_value * 0.01)::numeric(40, 2)::text,
      ledger.rupees(v_most), div(v_most::numeric * 100, v_price)::bigint);
  END IF;
  IF EXISTS (SELECT FROM ledger.parked_execution x WHERE x.user_id = a.user_id) THEN
    -- What the venue said of this account is not booked yet: its cash and shares can't be trusted.
    v_rules := v_rules || ledger.rule('ACCOUNT_UNDER_REVIEW', 'a report of the venue awaits review',
      'UNDER_REVIEW', 'ACTIVE', 0);
  END IF;
  RETURN v_rules || ledger.market_halt_rules(n);
END $$;

GRANT SELECT ON ledger.halt TO outcry_app;
GRANT EXECUTE ON FUNCTION ledger.set_halt, ledger.intervene TO outcry_app;
